"""What black and white are for a network, found by loading it. Knows nothing of units."""

from midstream.analysis.ranges import find_range
from midstream.analysis.reading import stored
from midstream.formats.graph import read_graph
from midstream.runtime import Backend, TracingBackend
from midstream.runtime.probes import Range

__all__ = ["find_ranges"]


def find_ranges(backend: Backend, model: bytes) -> list[Range] | None:
    """The range of each input of a TFLite network; None where its weights cannot be read here.

    Raises:
        FormatError: The model file is damaged.
        RefusedError: It does not load here.
    """
    if not isinstance(backend, TracingBackend):
        return None
    graph = read_graph(model)
    tracer = backend.trace(model)
    try:
        reader = stored(graph, tracer.value)
        return [find_range(graph, number, reader) for number in graph.inputs]
    finally:
        tracer.close()
