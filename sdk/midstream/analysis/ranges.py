"""What black and white are for a network, told by its weights. Knows nothing of pictures.

Where batch normalisation is folded into the first convolution, its bias takes away what inputs of
the mean m bring: for each row, bias is about -m times the sum of the weights. The slope over all
rows tells networks that take [0, 255] from those that take [0, 1] or [-1, 1], for which probes in
[0, 1] do as well as those in the right range.
"""

from midstream.analysis.steps import Code, Numbers, Reader, Step
from midstream.formats.graph import Graph

__all__ = ["find_range"]

_PASSED = {Code.PAD, Code.QUANTIZE, Code.DEQUANTIZE, Code.RESHAPE, Code.MIRROR_PAD, Code.CAST}
_FIRST = {Code.CONV_2D, Code.DEPTHWISE_CONV_2D}
_LEAST_ROWS = 8
_BYTES = 8.0
"""Means above it are of [0, 255]: by far more than 1, by far less than the mean of pictures."""


def find_range(graph: Graph, number: int, reader: Reader) -> tuple[float, float]:
    """Between what the numbers of an input are.

    Args:
        graph: The graph.
        number: The variable that is the input.
        reader: Gives stored numbers, of constants at least.

    Returns:
        (0, 255) where the weights tell it, else (0, 1).
    """
    try:
        is_bytes = _mean(graph, number, reader) > _BYTES
    except LookupError:
        return 0.0, 1.0
    return 0.0, 255.0 if is_bytes else 1.0


def _mean(graph: Graph, number: int, reader: Reader) -> float:
    """The mean of an input; raises LookupError where nothing tells."""
    scale, shift = 1.0, 0.0
    for operator in graph.operators:
        if number not in operator.inputs[:1]:
            continue
        step = Step(graph, operator, reader)
        if operator.code in _FIRST:
            return (_slope(step) - shift) / scale
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


def _slope(step: Step) -> float:
    """Minus the slope of the bias over the sums of weights."""
    weights, bias = step.read(1), step.read(2)
    axes = (1, 2, 3) if step.operator.code == Code.CONV_2D else (0, 1, 2)
    sums: Numbers = weights.sum(axis=axes)
    power = float(sums @ sums)
    if len(bias) < _LEAST_ROWS or not power or not bias.any():
        raise LookupError("nothing tells")
    return -float(sums @ bias) / power
