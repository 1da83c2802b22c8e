"""Inputs made for a network, in the range that its weights tell. Knows nothing of units."""

from midstream.analysis.ranges import find_range
from midstream.analysis.reading import stored
from midstream.formats.graph import read_graph
from midstream.runtime import Array, TracingBackend, make_probes
from midstream.runtime.probes import SEED

__all__ = ["probe_inputs"]


def probe_inputs(
    backend: TracingBackend, model: bytes, count: int, *, seed: int = SEED
) -> list[list[Array]]:
    """Seeded inputs for a TFLite network, as `make_probes` makes them.

    Args:
        backend: The runtime.
        model: The model file.
        count: Number of them.
        seed: Of the random numbers.

    Raises:
        FormatError: The model file is damaged.
        RefusedError: It does not load here.
    """
    graph = read_graph(model)
    tracer = backend.trace(model)
    try:
        reader = stored(graph, tracer.value)
        ranges = [find_range(graph, number, reader) for number in graph.inputs]
        return make_probes(tracer.inputs, count, seed=seed, ranges=ranges)
    finally:
        tracer.close()
