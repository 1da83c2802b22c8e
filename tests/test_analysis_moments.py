"""What weights are multiplied by: every patch against the definition of the operator."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream.analysis.moments import Moments, patches
from midstream.analysis.steps import Step
from midstream.formats.graph import read_graph
from midstream.runtime import InterpreterBackend, Tracer, find_backend
from models import (
    CONV_2D,
    CONV_OPTIONS,
    DEPTHWISE_CONV_2D,
    DEPTHWISE_OPTIONS,
    FULLY_CONNECTED,
    TRANSPOSE_CONV,
    TRANSPOSE_CONV_OPTIONS,
    Scalar,
    Tflite,
)

SAME, VALID = 0, 1


def sliding(
    code: int,
    weights: NDArray[Any],
    data: tuple[int, ...],
    result: tuple[int, ...],
    options: Mapping[int, Any],
) -> bytes:
    """A network that is one convolution of some kind."""
    net = Tflite()
    here, there = net.tensor("here", data), net.tensor("there", result)
    kernel = net.weights("kernel", weights)
    bias = net.weights("bias", np.zeros(result[3], "f4"))
    kinds = {CONV_2D: CONV_OPTIONS, DEPTHWISE_CONV_2D: DEPTHWISE_OPTIONS}
    if code == TRANSPOSE_CONV:
        shape = net.weights("shape", np.array(result, "<i4"))
        inputs, kind = [shape, kernel, here], TRANSPOSE_CONV_OPTIONS
    else:
        inputs, kind = [here, kernel, bias], kinds[code]
    net.operator(code, inputs, [there], (kind, options))
    return net.file([here], [there])


def traced(model: bytes, seed: int = 0) -> tuple[Step, Tracer]:
    """The only operator of a network, after a run."""
    backend = find_backend()
    assert isinstance(backend, InterpreterBackend)
    tracer = backend.trace(model)
    rng = np.random.default_rng(seed)
    tracer.run([rng.standard_normal(info.shape).astype("f4") for info in tracer.inputs])
    graph = read_graph(model)
    return Step(graph, graph.operators[0], tracer.value), tracer


def plain(padding: int, stride: int = 1, dilation: int = 1) -> dict[int, Scalar]:
    return {
        0: Scalar("b", padding),
        1: Scalar("i", stride),
        2: Scalar("i", stride),
        4: Scalar("i", dilation),
        5: Scalar("i", dilation),
    }


def deep(
    padding: int, stride: int = 1, dilation: int = 1, multiplier: int = 1
) -> dict[int, Scalar]:
    return {
        0: Scalar("b", padding),
        1: Scalar("i", stride),
        2: Scalar("i", stride),
        3: Scalar("i", multiplier),
        5: Scalar("i", dilation),
        6: Scalar("i", dilation),
    }


@pytest.mark.parametrize(
    ("padding", "stride", "dilation", "size"),
    [(SAME, 1, 1, (7, 6)), (SAME, 2, 1, (4, 3)), (VALID, 1, 2, (3, 2)), (VALID, 2, 1, (3, 2))],
)
def test_weights_times_patches_are_what_a_convolution_gives(
    padding: int, stride: int, dilation: int, size: tuple[int, int]
) -> None:
    weights = np.random.default_rng(1).standard_normal((5, 3, 3, 2)).astype("f4")
    options = plain(padding, stride, dilation)
    step, _ = traced(sliding(CONV_2D, weights, (1, 7, 6, 2), (1, *size, 5), options))
    found = patches(step, 1000, np.random.default_rng(0))
    assert found is not None
    expected = step.result().reshape(-1, 5)
    assert np.allclose(found[0] @ weights.reshape(5, -1).T, expected, atol=1e-5)


@pytest.mark.parametrize(("padding", "stride", "size"), [(SAME, 1, (7, 6)), (VALID, 2, (3, 2))])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_each_channel_of_a_depthwise_convolution_has_patches_of_its_own(
    padding: int, stride: int, size: tuple[int, int], multiplier: int
) -> None:
    rows = 3 * multiplier
    weights = np.random.default_rng(1).standard_normal((1, 3, 3, rows)).astype("f4")
    options = deep(padding, stride, multiplier=multiplier)
    step, _ = traced(sliding(DEPTHWISE_CONV_2D, weights, (1, 7, 6, 3), (1, *size, rows), options))
    found = patches(step, 1000, np.random.default_rng(0))
    assert found is not None
    result = np.einsum("gnk,kg->ng", found, weights.reshape(9, rows))
    assert np.allclose(result, step.result().reshape(-1, rows), atol=1e-5)


@pytest.mark.parametrize(("padding", "stride", "size"), [(SAME, 2, (8, 6)), (VALID, 2, (9, 7))])
def test_a_transposed_convolution_reads_patches_too(
    padding: int, stride: int, size: tuple[int, int]
) -> None:
    weights = np.random.default_rng(1).standard_normal((5, 3, 3, 2)).astype("f4")
    options = plain(padding, stride)
    step, _ = traced(sliding(TRANSPOSE_CONV, weights, (1, 4, 3, 2), (1, *size, 5), options))
    found = patches(step, 1000, np.random.default_rng(0))
    assert found is not None
    expected = step.result().reshape(-1, 5)
    assert np.allclose(found[0] @ weights.reshape(5, -1).T, expected, atol=1e-5)


def test_a_matrix_reads_its_rows() -> None:
    net = Tflite()
    here, there = net.tensor("here", (4, 8)), net.tensor("there", (4, 3))
    weights = np.random.default_rng(1).standard_normal((3, 8)).astype("f4")
    net.operator(FULLY_CONNECTED, [here, net.weights("w", weights), -1], [there], (8, {}))
    step, _ = traced(net.file([here], [there]))
    found = patches(step, 1000, np.random.default_rng(0))
    assert found is not None
    assert np.allclose(found[0] @ weights.T, step.result(), atol=1e-5)


def test_a_convolution_in_groups_has_no_patches_of_its_rows() -> None:
    weights = np.random.default_rng(1).standard_normal((4, 3, 3, 2)).astype("f4")
    model = sliding(CONV_2D, weights, (1, 7, 6, 4), (1, 7, 6, 4), plain(SAME))
    step, _ = traced(model)
    assert patches(step, 1000, np.random.default_rng(0)) is None


def test_some_of_many_patches_are_taken() -> None:
    weights = np.ones((5, 1, 1, 2), "f4")
    step, _ = traced(sliding(CONV_2D, weights, (1, 9, 9, 2), (1, 9, 9, 5), plain(SAME)))
    found = patches(step, 10, np.random.default_rng(0))
    again = patches(step, 10, np.random.default_rng(0))
    assert found is not None
    assert again is not None
    assert found.shape == (1, 10, 2)
    assert np.array_equal(found, again)


def test_moments_are_those_of_all_that_was_added() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((2, 50, 3)).astype("f4") + 1
    moments = Moments(2, 3)
    moments.add(numbers[:, :20])
    moments.add(numbers[:, 20:])
    wide = numbers.astype("f8")
    assert np.allclose(moments.covariance, wide.transpose(0, 2, 1) @ wide / 50, atol=1e-5)
    assert np.allclose(moments.mean, wide.mean(axis=1), atol=1e-6)
