"""What black and white are for a network, told by its weights. Knows nothing of pictures.

Where batch normalisation is folded into the first convolution, its bias takes away what inputs of
the mean m bring: for each row, bias is about -m times the sum of the weights. The slope over all
rows tells networks that take [-1, 1], [0, 1] and [0, 255] apart, since their means differ.
"""

import numpy as np

from midstream.analysis.steps import Code, Numbers, Reader, Step
from midstream.formats.graph import Graph

__all__ = ["find_range"]

_PASSED = {Code.PAD, Code.QUANTIZE, Code.DEQUANTIZE, Code.RESHAPE, Code.MIRROR_PAD, Code.CAST}
_FIRST = {Code.CONV_2D, Code.DEPTHWISE_CONV_2D}
_LEAST_ROWS = 8
_MOST_UNSURE = 0.3
"""Standard error of the mean; above it nothing is known."""
_CENTRED = 0.1
"""Means below it are of [-1, 1]: photographs seldom are darker than a tenth of [0, 1]."""
_BYTES = 8.0
"""Means above it are of [0, 255]."""


def find_range(graph: Graph, number: int, reader: Reader) -> tuple[float, float]:
    """Between what the numbers of an input are.

    Args:
        graph: The graph.
        number: The variable that is the input.
        reader: Gives stored numbers, of constants at least.

    Returns:
        (-1, 1), (0, 1) or (0, 255); (0, 1) where nothing tells.
    """
    try:
        mean, unsure = _mean(graph, number, reader)
    except LookupError:
        return 0.0, 1.0
    if mean > _BYTES:
        return 0.0, 255.0
    if mean < _CENTRED and unsure < _MOST_UNSURE:
        return -1.0, 1.0
    return 0.0, 1.0


def _mean(graph: Graph, number: int, reader: Reader) -> tuple[float, float]:
    """The mean of an input and its standard error; raises LookupError where nothing tells."""
    scale, shift = 1.0, 0.0
    for operator in graph.operators:
        if number not in operator.inputs[:1]:
            continue
        step = Step(graph, operator, reader)
        if operator.code in _FIRST:
            mean, unsure = _slope(step)
            return (mean - shift) / scale, unsure / abs(scale)
        if operator.code not in _PASSED:
            factor, offset = _linear(step)
            scale, shift = scale * factor, shift * factor + offset
        number = operator.outputs[0]
    raise LookupError("no convolution reads the input")


def _linear(step: Step) -> tuple[float, float]:
    """Factor and offset of an operator with one constant number."""
    constant = step.read(1)
    if constant.size != 1:
        raise LookupError("more than one number")
    value = float(constant.ravel()[0])
    found = {
        Code.MUL: (value, 0.0),
        Code.DIV: (1 / value if value else 0.0, 0.0),
        Code.ADD: (1.0, value),
        Code.SUB: (1.0, -value),
    }[Code(step.operator.code)]
    if not found[0]:
        raise LookupError("nothing is left of the input")
    return found


def _slope(step: Step) -> tuple[float, float]:
    """Minus the slope of the bias over the sums of weights, and its standard error."""
    weights, bias = step.read(1), step.read(2)
    axes = (1, 2, 3) if step.operator.code == Code.CONV_2D else (0, 1, 2)
    sums: Numbers = weights.sum(axis=axes)
    power = float(sums @ sums)
    if len(bias) < _LEAST_ROWS or not power or not bias.any():
        raise LookupError("nothing tells")
    slope = float(sums @ bias) / power
    rest = float(np.square(bias - slope * sums).sum()) / len(bias)
    return -slope, float(np.sqrt(rest / power))
