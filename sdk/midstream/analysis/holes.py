"""Which operators read which holes. Knows nothing of what they compute."""

from collections.abc import Sequence
from dataclasses import dataclass

from midstream.analysis.steps import Code
from midstream.analysis.weighted import places_of
from midstream.formats.graph import Graph, Operator
from midstream.types import Tensor

__all__ = ["Reading", "find_readings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the graph reads a hole."""

    order: int
    """The first operator that reads it, widened and made dense; they are numbered as they run."""
    multiplied: tuple[int, ...]
    """Operators that multiply patches by it."""
    bias: int | None
    """The hole that holds what all of them add."""


def _stored(graph: Graph, tensors: Sequence[Tensor]) -> dict[int, int]:
    """From the variables that have a hole's numbers, as they are stored, to the hole."""
    holes = {tensor.offset: index for index, tensor in enumerate(tensors)}
    return {
        number: holes[variable.offset]
        for number, variable in enumerate(graph.variables)
        if variable.offset in holes
    }


def _followed(graph: Graph, found: dict[int, int], codes: set[Code]) -> dict[int, int]:
    """The same, and the variables that some operators of one input make of them."""
    found = dict(found)
    for operator in graph.operators:
        is_plain = len(operator.inputs) == len(operator.outputs) == 1
        if is_plain and operator.code in codes and operator.inputs[0] in found:
            found[operator.outputs[0]] = found[operator.inputs[0]]
    return found


def find_readings(graph: Graph, tensors: Sequence[Tensor]) -> list[Reading | None]:
    """How each hole is read; None for one that no operator of the first graph reads."""
    variables = _followed(graph, _stored(graph, tensors), {Code.DEQUANTIZE})
    dense = _followed(graph, variables, {Code.DENSIFY, Code.DEQUANTIZE})
    order: dict[int, int] = {}
    multiplied: dict[int, list[int]] = {}
    biases: dict[int, set[int | None]] = {}
    for index, operator in enumerate(graph.operators):
        if not dense.keys().isdisjoint(operator.outputs):
            continue
        for number in operator.inputs:
            if number in dense:
                order.setdefault(dense[number], index)
        weights, bias = _multiplies(operator, variables)
        if weights is not None:
            multiplied.setdefault(weights, []).append(index)
            biases.setdefault(weights, set()).add(bias)
    return [
        Reading(
            order=order[hole],
            multiplied=tuple(multiplied.get(hole, ())),
            bias=_only(biases.get(hole, set())),
        )
        if hole in order
        else None
        for hole in range(len(tensors))
    ]


def _multiplies(operator: Operator, variables: dict[int, int]) -> tuple[int | None, int | None]:
    """The holes that an operator multiplies patches by, and adds."""
    places = places_of(operator)
    if places is None:
        return None, None
    inputs = dict(enumerate(operator.inputs))
    weights, bias = inputs.get(places.weights, -1), inputs.get(places.bias, -1)
    return variables.get(weights), variables.get(bias)


def _only(biases: set[int | None]) -> int | None:
    return next(iter(biases)) if len(biases) == 1 else None
