"""What running a network shows of its tensors."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream.encoder.statistics import Statistics, TensorStatistics
from midstream.formats import open_model
from midstream.publisher.statistics import make_statistics
from midstream.runtime import InterpreterBackend, find_backend
from models import layers, mlp, picture_network


@pytest.fixture(scope="module")
def backend() -> InterpreterBackend:
    return find_backend()


def normal(*shape: int, seed: int = 0, count: int = 50) -> list[list[NDArray[np.float32]]]:
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(shape).astype("f4")] for _ in range(count)]


def by_name(model: bytes, found: Statistics) -> dict[str, TensorStatistics]:
    names = [tensor.name for tensor in open_model(model).tensors]
    return {name: one for name, one in zip(names, found, strict=True) if one is not None}


def test_the_covariance_is_that_of_what_an_operator_reads(backend: InterpreterBackend) -> None:
    model, probes = mlp((8, 32, 16)), normal(1, 8)
    found = by_name(model, make_statistics(backend, model, probes))
    inputs = np.concatenate([probe[0] for probe in probes]).astype("f8")
    matrix = np.random.default_rng(0).standard_normal((32, 8)) / np.sqrt(8)
    hidden = np.maximum(inputs @ matrix.T, 0)
    for name, x in (("matrix0", inputs), ("matrix1", hidden)):
        covariance, mean = found[name].covariance, found[name].mean
        assert covariance is not None
        assert mean is not None
        assert np.allclose(covariance, [x.T @ x / 50], atol=1e-5)
        assert np.allclose(mean, [x.mean(axis=0)], atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_matrices_know_their_order_and_bias(backend: InterpreterBackend, dtype: str) -> None:
    model = mlp((8, 32, 16), dtype=dtype)
    found = by_name(model, make_statistics(backend, model, normal(1, 8, count=2)))
    names = [tensor.name for tensor in open_model(model).tensors]
    ending = "/half" if dtype == "float16" else ""
    first, second = found[f"matrix0{ending}"], found[f"matrix1{ending}"]
    assert first.order < second.order
    assert [first.bias, second.bias] == [names.index("bias0"), names.index("bias1")]
    assert found["bias0"].order == first.order
    assert found["bias0"].bias is None


def test_the_same_seed_gives_the_same_numbers(backend: InterpreterBackend) -> None:
    model, probes = picture_network(), normal(1, 16, 16, 3, count=3)
    one, again, other = (
        by_name(model, make_statistics(backend, model, probes, seed=seed))["first/kernel"]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one.covariance, again.covariance)  # type: ignore[arg-type]
    assert not np.array_equal(one.covariance, other.covariance)  # type: ignore[arg-type]


def test_what_is_done_is_told(backend: InterpreterBackend) -> None:
    told: list[tuple[int, int]] = []
    model = mlp()
    make_statistics(
        backend,
        model,
        normal(1, 8, count=5),
        progress=lambda done, total, what: told.append((done, total)),
    )
    done: Sequence[int] = [step for step, _ in told]
    assert list(done) == sorted(done)
    assert done[-1] == told[-1][1]


def test_a_matrix_too_wide_has_no_covariance(backend: InterpreterBackend) -> None:
    wide = np.ones((2, 5000), "f4"), np.zeros(2, "f4")
    model = layers([wide])
    found = by_name(model, make_statistics(backend, model, normal(1, 5000, count=2)))
    assert found["matrix0"].covariance is None
