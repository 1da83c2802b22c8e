"""What an encoder may know of a network, found by running it. Knows nothing of coding."""

from collections.abc import Callable, Sequence

import numpy as np

from midstream import formats
from midstream.analysis.holes import Reading, find_readings, find_variables
from midstream.analysis.moments import Moments, patches
from midstream.analysis.steps import Code, Reader, Step
from midstream.encoder.statistics import Statistics, TensorStatistics
from midstream.formats.graph import Graph, read_graph
from midstream.runtime import Inputs, Tracer, TracingBackend

__all__ = ["Progress", "make_statistics"]

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many, and what they are."""

_PATCHES = 64
"""Of one operator in one run."""
_MOST_NUMBERS = 4096
"""Of a patch; a covariance of more is not made."""
_MOST_COVARIANCES = 1 << 27
"""Numbers of all covariances together: 1 GiB."""
_SEED = 20260202


def make_statistics(
    backend: TracingBackend,
    model: bytes,
    probes: Sequence[Inputs],
    *,
    seed: int = _SEED,
    progress: Progress = lambda *_: None,
) -> Statistics:
    """What is known of a network's tensors after running it.

    Args:
        backend: The runtime.
        model: A TFLite file.
        probes: Inputs, made up or real.
        seed: Of the choice of patches; the same seed gives the same numbers.
        progress: Told how far it is.

    Returns:
        For each hole what was found; None for one that no operator reads.

    Raises:
        FormatError: The model file is damaged.
        RefusedError: It does not load or run here.
        UsageError: A probe is not an input of the network.
    """
    maker = _Maker(model, np.random.default_rng(seed))
    tracer = backend.trace(model)
    try:
        for done, probe in enumerate(probes):
            progress(done, len(probes), "activations")
            tracer.run(probe)
            maker.look(tracer)
    finally:
        tracer.close()
    progress(len(probes), len(probes), "activations")
    return maker.statistics()


class _Maker:
    """Collects what runs show."""

    def __init__(self, model: bytes, rng: np.random.Generator) -> None:
        self._rng = rng
        self._tensors = formats.open_model(model).tensors
        self._graph = read_graph(model)
        self._variables = find_variables(self._graph, self._tensors)
        self._readings = find_readings(self._graph, self._tensors)
        self._moments: dict[int, Moments] = {}
        self._left = _MOST_COVARIANCES

    def look(self, tracer: Tracer) -> None:
        """Take what one run shows."""
        reader = reading(self._graph, tracer)
        for hole, found in enumerate(self._readings):
            for index in found.multiplied if found else ():
                self._add(hole, index, reader)

    def _add(self, hole: int, index: int, reader: Reader) -> None:
        step = Step(self._graph, self._graph.operators[index], reader)
        try:
            found = patches(step, _PATCHES, self._rng)
        except LookupError:
            return
        if found is None or found.shape[2] > _MOST_NUMBERS:
            return
        if hole not in self._moments:
            size = found.shape[0] * found.shape[2] ** 2
            if size > self._left:
                return
            self._left -= size
            self._moments[hole] = Moments(found.shape[0], found.shape[2])
        self._moments[hole].add(found)

    def statistics(self) -> list[TensorStatistics | None]:
        """What was found."""
        return [
            self._tensor(hole, found) if found else None
            for hole, found in enumerate(self._readings)
        ]

    def _tensor(self, hole: int, found: Reading) -> TensorStatistics:
        moments = self._moments.get(hole)
        return TensorStatistics(
            order=found.order,
            covariance=moments.covariance if moments else None,
            mean=moments.mean if moments else None,
            bias=found.bias,
        )


def reading(graph: Graph, tracer: Tracer) -> Reader:
    """Stored numbers after a run; what is widened is widened here, as a delegate may not."""
    widened = {
        operator.outputs[0]: operator.inputs[0]
        for operator in graph.operators
        if operator.code == Code.DEQUANTIZE and len(operator.inputs) == len(operator.outputs) == 1
    }

    def read(number: int) -> np.ndarray | None:
        if number in widened:
            stored = tracer.value(widened[number])
            return None if stored is None else graph.variables[widened[number]].real(stored)
        return tracer.value(number)

    return read
