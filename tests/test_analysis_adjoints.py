"""Each adjoint against finite differences through the interpreter."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from adjointcases import CASES
from midstream.analysis.adjoints import ADJOINTS, CONSTANT
from midstream.analysis.backward import find_route, go_back
from midstream.analysis.steps import Code
from midstream.formats.graph import read_graph
from midstream.runtime import InterpreterBackend, Tracer, find_backend

STEP = 2e-3


@pytest.fixture(scope="module")
def backend() -> InterpreterBackend:
    return find_backend()


def gradients(
    model: bytes, tracer: Tracer, seeds: Sequence[NDArray[np.float32]]
) -> dict[int, NDArray[np.float32]]:
    """By input, after a run."""
    graph = read_graph(model)
    route = find_route(graph, {number: place for place, number in enumerate(graph.inputs)})
    found: dict[int, NDArray[np.float32]] = {}
    go_back(
        graph,
        route,
        tracer.value,
        dict(zip(graph.outputs, seeds, strict=True)),
        lambda place, gradient: found.update({place: gradient}),
    )
    return found


@pytest.mark.parametrize("name", CASES)
def test_an_adjoint_gives_what_finite_differences_do(
    name: str, backend: InterpreterBackend
) -> None:
    case, rng = CASES[name], np.random.default_rng(1)
    model = case.model()
    tracer = backend.trace(model)
    inputs = [(rng.standard_normal(info.shape) + case.about).astype("f4") for info in tracer.inputs]
    outputs = tracer.run(inputs)
    assert [array.shape for array in outputs] == list(case.outputs)
    seeds = [rng.standard_normal((2, *array.shape)).astype("f4") for array in outputs]
    found = gradients(model, tracer, seeds)
    assert found.keys() == set(range(len(inputs)))

    def sums(changed: list[NDArray[np.float32]]) -> NDArray[np.float64]:
        pairs = zip(seeds, tracer.run(changed), strict=True)
        return np.sum([(s * o).astype("f8").reshape(2, -1).sum(axis=1) for s, o in pairs], axis=0)

    for place, array in enumerate(inputs):
        assert found[place].shape == (2, *array.shape)
        for at in rng.choice(array.size, min(8, array.size), replace=False):
            up, down = array.copy(), array.copy()
            up.ravel()[at] += STEP
            down.ravel()[at] -= STEP
            rise = sums([*inputs[:place], up, *inputs[place + 1 :]])
            fall = sums([*inputs[:place], down, *inputs[place + 1 :]])
            expected = (rise - fall) / (up.ravel()[at] - down.ravel()[at]).astype("f8")
            assert np.allclose(found[place].reshape(2, -1)[:, at], expected, rtol=0.02, atol=0.02)


def test_every_adjoint_is_tried() -> None:
    tried = {case.code for case in CASES.values()}
    passed = {Code.CAST, Code.DENSIFY, Code.DEQUANTIZE, Code.FAKE_QUANT, Code.QUANTIZE}
    assert set(ADJOINTS) - tried - passed == {Code.CUSTOM, Code.SELECT}
    assert not CONSTANT & ADJOINTS.keys()
