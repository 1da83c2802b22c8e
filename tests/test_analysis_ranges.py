"""What black and white are for a network, told by its weights."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream.analysis.ranges import find_range
from midstream.analysis.reading import stored
from midstream.analysis.steps import Code
from midstream.formats.graph import read_graph
from midstream.publisher.ranges import find_ranges
from midstream.runtime import InterpreterBackend, find_backend
from midstream.testing import FakeBackend
from models import CONV_2D, CONV_OPTIONS, Scalar, Tflite, mlp, sum_network


@pytest.fixture(scope="module")
def backend() -> InterpreterBackend:
    return find_backend()


def network(
    bias: NDArray[Any], weights: NDArray[Any], *, scaled: tuple[Code, float] | None = None
) -> bytes:
    """A convolution of a picture, which may be scaled or moved first."""
    net = Tflite()
    picture = here = net.tensor("picture", (1, 16, 16, 3))
    there = net.tensor("there", (1, 16, 16, len(bias)))
    if scaled is not None:
        here = net.tensor("scaled", (1, 16, 16, 3))
        factor = net.weights("factor", np.full((1,), scaled[1], "f4"))
        kind = {Code.ADD: 11, Code.MUL: 21, Code.SUB: 28, Code.DIV: 29}[scaled[0]]
        net.operator(scaled[0], [picture, factor], [here], (kind, {}))
    inputs = [here, net.weights("kernel", weights), net.weights("bias", bias.astype("f4"))]
    options = {1: Scalar("i", 1), 2: Scalar("i", 1)}
    net.operator(CONV_2D, inputs, [there], (CONV_OPTIONS, options))
    return net.file([picture], [there])


def kernels(rows: int = 24) -> NDArray[np.float32]:
    return np.random.default_rng(3).standard_normal((rows, 3, 3, 3)).astype("f4")


def folded(mean: float, rows: int = 24) -> NDArray[np.float64]:
    """Biases that take such a mean away, and more."""
    sums = kernels(rows).sum(axis=(1, 2, 3))
    return -mean * sums + np.random.default_rng(4).standard_normal(rows) * max(abs(mean), 0.3)


def found(backend: InterpreterBackend, model: bytes) -> tuple[float, float]:
    graph, tracer = read_graph(model), backend.trace(model)
    return find_range(graph, graph.inputs[0], stored(graph, tracer.value))


@pytest.mark.parametrize(
    ("mean", "expected"),
    [(0.45, (0, 1)), (-0.6, (0, 1)), (115.0, (0, 255))],
)
def test_biases_tell_the_range(
    backend: InterpreterBackend, mean: float, expected: tuple[float, float]
) -> None:
    assert found(backend, network(folded(mean), kernels())) == expected


@pytest.mark.parametrize(
    ("mean", "scaled"),
    [
        (0.45, (Code.MUL, 1 / 255)),
        (0.0, (Code.SUB, 115.0)),
        # means of about 11 and 12, near what tells the ranges apart
        (0.45, (Code.DIV, 24.0)),
        (0.0, (Code.ADD, -12.0)),
    ],
)
def test_what_comes_before_the_convolution_is_counted(
    backend: InterpreterBackend, mean: float, scaled: tuple[Code, float]
) -> None:
    assert found(backend, network(folded(mean), kernels(), scaled=scaled)) == (0, 255)


@pytest.mark.parametrize(
    "model",
    [
        network(np.zeros(24), kernels()),
        network(folded(115.0, 4), kernels(4)),
        network(folded(115.0), np.zeros((24, 3, 3, 3), "f4")),
        network(folded(115.0), kernels(), scaled=(Code.MUL, 0.0)),
        network(folded(115.0), kernels(), scaled=(Code.DIV, 0.0)),
        mlp(),
    ],
    ids=["no bias", "few rows", "no weights", "nothing left", "divided by 0", "no picture"],
)
def test_where_nothing_tells_it_is_from_0_to_1(backend: InterpreterBackend, model: bytes) -> None:
    assert found(backend, model) == (0, 1)


def test_each_input_of_a_network_has_a_range(backend: InterpreterBackend) -> None:
    assert find_ranges(backend, network(folded(115.0), kernels())) == [(0, 255)]
    assert find_ranges(backend, sum_network()) == [(0, 1), (0, 1)]


def test_a_runtime_that_tells_nothing_gives_no_ranges() -> None:
    assert find_ranges(FakeBackend(), mlp()) is None
