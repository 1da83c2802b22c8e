"""What an encoder may know of a network, found by running it. Knows nothing of coding."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from midstream import formats
from midstream.analysis.covariances import Covariances
from midstream.analysis.holes import find_readings
from midstream.analysis.reading import stored
from midstream.analysis.sensitivities import Sensitivities
from midstream.encoder.sensitivity import measure_sensitivities
from midstream.encoder.statistics import Statistics, TensorStatistics
from midstream.encoder.weights import load
from midstream.formats.graph import read_graph
from midstream.runtime import Evaluator, Inputs, Tracer, TracingBackend

__all__ = ["Progress", "make_statistics"]

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many, and what they are."""

_GRADIENT_RUNS = 16
_PROJECTIONS = 8
"""Random sums of the outputs of one run."""
_COST = 8
"""What such a run takes, about, in runs that only look."""
_TRIALS = 3
"""Runs for each tensor that no gradient comes to."""
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
        seed: Of the choice of patches and of signs; the same seed gives the same numbers.
        progress: Told how far it is.

    Returns:
        For each hole what was found; None for one that no operator reads.

    Raises:
        FormatError: The model file is damaged.
        RefusedError: It does not load or run here.
        UsageError: A probe is not an input of the network.
    """
    maker = _Maker(model, np.random.default_rng(seed))
    chosen = np.linspace(0, len(probes) - 1, min(len(probes), _GRADIENT_RUNS)).astype(int)
    total = len(probes) + _COST * len(chosen)
    tracer = backend.trace(model)
    try:
        for done, probe in enumerate(probes):
            progress(done, total, "activations")
            tracer.run(probe)
            maker.look(tracer)
        for done, at in enumerate(chosen):
            progress(len(probes) + _COST * done, total, "sensitivities")
            tracer.run(probes[at])
            maker.go_back(tracer)
    finally:
        tracer.close()
    tried = _try(backend, model, probes, maker.hidden)
    progress(total, total, "sensitivities")
    return maker.statistics(tried)


def _try(
    backend: TracingBackend, model: bytes, probes: Sequence[Inputs], holes: Sequence[int]
) -> dict[int, float | None]:
    """What errors of some holes do to the outputs, by making them, in a few runs."""
    if not holes:
        return {}
    tensors = formats.open_model(model).tensors
    weights = [load(model, tensors[hole]) for hole in holes]
    few = probes[:: max(1, len(probes) // _TRIALS)][:_TRIALS]
    measure = Evaluator(backend, model, few)
    return dict(zip(holes, measure_sensitivities(model, weights, measure), strict=True))


class _Maker:
    """Collects what runs show."""

    def __init__(self, model: bytes, rng: np.random.Generator) -> None:
        tensors = formats.open_model(model).tensors
        self._graph = read_graph(model)
        self._readings = find_readings(self._graph, tensors)
        self._covariances = Covariances(self._graph, self._readings, rng)
        self._sensitivities = Sensitivities(self._graph, tensors, rng)
        self._is_settled = False

    def look(self, tracer: Tracer) -> None:
        """Take what a run shows of activations."""
        reader = stored(self._graph, tracer.value)
        if not self._is_settled:
            self._sensitivities.settle(reader)
            self._is_settled = True
        self._covariances.look(reader)
        self._sensitivities.look(reader)

    def go_back(self, tracer: Tracer) -> None:
        """Take what a run shows of gradients."""
        self._sensitivities.go_back(stored(self._graph, tracer.value), _PROJECTIONS)

    @property
    def hidden(self) -> list[int]:
        """Holes that act on the outputs in ways that no gradient shows."""
        return self._sensitivities.hidden

    def statistics(self, tried: Mapping[int, float | None]) -> list[TensorStatistics | None]:
        """What was found; sensitivities of hidden holes are given."""
        return [self._tensor(hole, tried.get(hole)) for hole in range(len(self._readings))]

    def _tensor(self, hole: int, tried: float | None) -> TensorStatistics | None:
        found = self._readings[hole]
        if found is None:
            return None
        moments = self._covariances.moments(hole)
        sensitivity, rows, columns = self._sensitivities.of(hole) or (tried, None, None)
        return TensorStatistics(
            order=found.order,
            sensitivity=sensitivity,
            rows=rows,
            columns=columns,
            covariance=moments.covariance if moments else None,
            mean=moments.mean if moments else None,
            bias=found.bias,
        )
