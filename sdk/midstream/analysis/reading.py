"""Stored numbers of a run. Knows no runtime.

What is widened is widened here: a delegate does not say what it makes of it.
"""

import numpy as np
from numpy.typing import NDArray

from midstream.analysis.steps import Code, Reader
from midstream.formats.graph import Graph

__all__ = ["stored"]


def stored(graph: Graph, value: Reader) -> Reader:
    """Stored numbers of a run, each read once.

    Args:
        graph: The graph.
        value: Gives them as the runtime does, by a variable's number.
    """
    widened = {
        operator.outputs[0]: operator.inputs[0]
        for operator in graph.operators
        if operator.code == Code.DEQUANTIZE and len(operator.inputs) == len(operator.outputs) == 1
    }
    known: dict[int, NDArray[np.generic] | None] = {}

    def read(number: int) -> NDArray[np.generic] | None:
        if number not in known:
            source = widened.get(number, number)
            array = value(source)
            if array is not None and source != number:
                array = graph.variables[source].real(array)
            known[number] = array
        return known[number]

    return read
