"""What errors of weights do to outputs, against networks for which it can be written down."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream.analysis.backward import find_route
from midstream.analysis.squares import Variance, signs
from midstream.analysis.steps import Code
from midstream.encoder.statistics import TensorStatistics
from midstream.formats import open_model
from midstream.formats.graph import read_graph
from midstream.publisher.statistics import make_statistics
from midstream.runtime import InterpreterBackend, find_backend
from models import FULLY_CONNECTED, FULLY_CONNECTED_OPTIONS, Scalar, Tflite, mlp

ARG_MAX_OPTIONS = 40
FLOOR_MOD, FLOOR_MOD_OPTIONS = 95, 72


@pytest.fixture(scope="module")
def backend() -> InterpreterBackend:
    return find_backend()


def normal(*shape: int, count: int = 20) -> list[list[NDArray[np.float32]]]:
    rng = np.random.default_rng(5)
    return [[rng.standard_normal(shape).astype("f4")] for _ in range(count)]


def statistics(
    backend: InterpreterBackend, model: bytes, probes: Sequence[Any]
) -> dict[str, TensorStatistics]:
    found = make_statistics(backend, model, probes)
    names = [tensor.name for tensor in open_model(model).tensors]
    return {name: one for name, one in zip(names, found, strict=True) if one is not None}


def power(outputs: NDArray[Any]) -> float:
    """Mean over runs of the squares about the mean of all."""
    return float(np.square(outputs - outputs.mean()).sum() / len(outputs))


def test_a_layer_passes_errors_on_as_its_inputs_are_large(backend: InterpreterBackend) -> None:
    model, probes = mlp((8, 16)), normal(1, 8, count=16)
    found = statistics(backend, model, probes)
    x = np.concatenate([probe[0] for probe in probes]).astype("f8")
    matrix = np.random.default_rng(0).standard_normal((16, 8)) / np.sqrt(8)
    signal = power(x @ matrix.T)
    weights, bias = found["matrix0"], found["bias0"]
    assert weights.sensitivity == pytest.approx(np.square(x).mean() / signal, rel=1e-4)
    assert np.allclose(weights.columns, np.square(x).mean(axis=0) / signal, rtol=1e-4)  # type: ignore[arg-type]
    assert np.allclose(weights.rows, np.square(x).mean() / signal, rtol=1e-4)  # type: ignore[arg-type]
    assert bias.sensitivity == pytest.approx(1 / signal, rel=1e-4)
    assert bias.rows is None


def test_the_noise_of_two_layers_is_what_their_sensitivities_say(
    backend: InterpreterBackend,
) -> None:
    model, probes = mlp((8, 32, 16)), normal(1, 8, count=40)
    found = statistics(backend, model, probes)
    network = backend.load(model)
    clean = np.concatenate([network.run(probe)[0] for probe in probes])
    rng, size = np.random.default_rng(0), 1e-3
    for tensor in open_model(model).tensors:
        noises = []
        for _ in range(40):
            changed = bytearray(model)
            weights = np.frombuffer(changed, "<f4", tensor.weights, tensor.offset)
            weights += (size * rng.standard_normal(tensor.weights)).astype("f4")
            noisy = backend.load(bytes(changed))
            outputs = np.concatenate([noisy.run(probe)[0] for probe in probes])
            noises.append(np.square(outputs - clean).sum() / len(probes) / power(clean))
        sensitivity = found[tensor.name].sensitivity
        assert sensitivity is not None
        predicted = sensitivity * tensor.weights * size**2
        assert np.mean(noises) == pytest.approx(predicted, rel=0.25)


def test_weights_of_an_integer_type_count_in_their_own_units(backend: InterpreterBackend) -> None:
    probes = normal(1, 8)
    wide = statistics(backend, mlp((8, 16)), probes)["matrix0"]
    narrow = statistics(backend, mlp((8, 16), dtype="int8"), probes)["matrix0"]
    matrix = np.random.default_rng(0).standard_normal((16, 8)) / np.sqrt(8)
    unit = float(np.abs(matrix).max()) / 127
    assert wide.sensitivity is not None
    assert narrow.sensitivity == pytest.approx(wide.sensitivity * unit**2, rel=0.05)


def test_widened_weights_count_as_those_they_are_made_of(backend: InterpreterBackend) -> None:
    probes = normal(1, 8)
    wide = statistics(backend, mlp((8, 16)), probes)["matrix0"]
    half = statistics(backend, mlp((8, 16), dtype="float16"), probes)["matrix0/half"]
    assert half.sensitivity == pytest.approx(wide.sensitivity, rel=0.01)


def deciding() -> bytes:
    """A layer, and which of its outputs is the largest."""
    net = Tflite()
    here, scores = net.tensor("here", (1, 8)), net.tensor("scores", (1, 4))
    matrix = np.random.default_rng(0).standard_normal((4, 8)).astype("f4")
    inputs = [here, net.weights("matrix", matrix), -1]
    net.operator(FULLY_CONNECTED, inputs, [scores], (FULLY_CONNECTED_OPTIONS, {}))
    axis = net.weights("axis", np.array([1], "<i4"))
    best = net.tensor("best", (1,), "int32")
    options = {0: Scalar("b", 2)}
    net.operator(Code.ARG_MAX, [scores, axis], [best], (ARG_MAX_OPTIONS, options))
    return net.file([here], [best])


def test_what_no_gradient_passes_counts_as_an_output(backend: InterpreterBackend) -> None:
    model, probes = deciding(), normal(1, 8, count=16)
    x = np.concatenate([probe[0] for probe in probes]).astype("f8")
    matrix = np.random.default_rng(0).standard_normal((4, 8))
    found = statistics(backend, model, probes)["matrix"]
    signal = power(x @ matrix.T)
    assert found.sensitivity == pytest.approx(np.square(x).mean() / signal, rel=1e-4)


def normalised() -> bytes:
    """Weights that an operator reads for which no adjoint is known, and weights before it."""
    net = Tflite()
    here, scores, total = (net.tensor(name, (1, 4)) for name in ("here", "scores", "total"))
    matrix = np.random.default_rng(0).standard_normal((4, 4)).astype("f4")
    shift = net.weights("shift", np.linspace(-1, 1, 16, dtype="f4").reshape(4, 4))
    inputs = [here, net.weights("matrix", matrix), -1]
    net.operator(FULLY_CONNECTED, inputs, [scores], (FULLY_CONNECTED_OPTIONS, {}))
    modulo = net.tensor("modulo", (4, 4))
    net.operator(FLOOR_MOD, [shift, scores], [modulo], (FLOOR_MOD_OPTIONS, {}))
    net.operator(Code.SUM, [modulo, net.weights("axis", np.array([0], "<i4"))], [total], (27, {}))
    return net.file([here], [total])


def test_weights_that_no_gradient_comes_to_are_tried(backend: InterpreterBackend) -> None:
    found = statistics(backend, normalised(), normal(1, 4))
    assert found["matrix"].sensitivity is not None
    assert found["matrix"].rows is not None
    assert found["shift"].sensitivity is not None
    assert found["shift"].rows is None


def test_the_route_knows_what_is_behind_an_opaque_operator() -> None:
    graph = read_graph(mlp((8, 16, 4)))
    first, second = (operator.inputs[1] for operator in graph.operators)
    sources = {first: 10, second: 20}
    assert find_route(graph, sources).behind == set()
    route = find_route(graph, sources, opaque={1})
    assert route.behind == {10, 20}
    assert route.ends == (graph.operators[0].outputs[0],)


def test_what_acts_on_no_output_has_no_route() -> None:
    net = Tflite()
    here = net.tensor("here", (1, 8))
    used, unused = net.tensor("used", (1, 4)), net.tensor("unused", (1, 4))
    for there in (used, unused):
        weights = net.weights("w", np.ones((4, 8), "f4"))
        net.operator(FULLY_CONNECTED, [here, weights, -1], [there], (FULLY_CONNECTED_OPTIONS, {}))
    graph = read_graph(net.file([here], [used]))
    sources = {operator.inputs[1]: at for at, operator in enumerate(graph.operators)}
    assert set(find_route(graph, sources).wanted) == {0}


def test_shared_weights_add_their_gradients_before_they_are_squared(
    backend: InterpreterBackend,
) -> None:
    net = Tflite()
    here, one, other = (net.tensor(name, (1, 8)) for name in ("here", "one", "other"))
    total = net.tensor("total", (1, 8))
    weights = net.weights("w", np.random.default_rng(0).standard_normal((8, 8)).astype("f4"))
    for there in (one, other):
        net.operator(FULLY_CONNECTED, [here, weights, -1], [there], (FULLY_CONNECTED_OPTIONS, {}))
    net.operator(Code.ADD, [one, other], [total], (11, {}))
    model, probes = net.file([here], [total]), normal(1, 8, count=16)
    x = np.concatenate([probe[0] for probe in probes]).astype("f8")
    matrix = np.random.default_rng(0).standard_normal((8, 8))
    signal = power(2 * x @ matrix.T)
    found = statistics(backend, model, probes)["w"]
    assert found.sensitivity == pytest.approx(4 * np.square(x).mean() / signal, rel=1e-4)


def test_the_variance_is_that_of_all_runs_together() -> None:
    variance, rng = Variance(), np.random.default_rng(0)
    runs = [rng.standard_normal((3, 4)) + 9 for _ in range(5)]
    for run in runs:
        variance.add(run)
    assert variance.power == pytest.approx(power(np.array(runs)))


@pytest.mark.parametrize("value", [0.0, 3.7, np.inf, np.nan])
def test_what_never_varies_or_is_no_number_has_no_power(value: float) -> None:
    variance = Variance()
    for _ in range(3):
        variance.add(np.full(1000, value, "f4"))
    assert variance.power == 0


def test_signs_are_of_unit_power() -> None:
    found = signs((3, 500), 4.0, 2, np.random.default_rng(0))
    assert found.shape == (2, 3, 500)
    assert found.dtype == np.float32
    assert set(np.unique(found)) == {-0.5, 0.5}
    assert abs(found.mean()) < 0.1
