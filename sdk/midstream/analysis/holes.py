"""Which operators read which holes. Knows nothing of what they compute."""

from collections.abc import Sequence
from dataclasses import dataclass

from midstream.analysis.steps import Code
from midstream.analysis.weighted import places_of
from midstream.formats.graph import Graph, Operator
from midstream.types import Tensor

__all__ = ["Reading", "find_readings", "find_variables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the graph reads a hole."""

    order: int
    """The first operator that reads it, wideners left out; operators are numbered as they run."""
    multiplied: tuple[int, ...]
    """Operators that multiply patches by it."""
    bias: int | None
    """The hole that holds what all of them add."""


def find_variables(graph: Graph, tensors: Sequence[Tensor]) -> dict[int, int]:
    """From the variables that have a hole's numbers, stored or widened, to the hole."""
    holes = {tensor.offset: index for index, tensor in enumerate(tensors)}
    found = {
        number: holes[variable.offset]
        for number, variable in enumerate(graph.variables)
        if variable.offset in holes
    }
    for operator in graph.operators:
        if _widens(operator) and operator.inputs[0] in found:
            found[operator.outputs[0]] = found[operator.inputs[0]]
    return found


def _widens(operator: Operator) -> bool:
    is_plain = len(operator.inputs) == len(operator.outputs) == 1
    return operator.code == Code.DEQUANTIZE and is_plain


def find_readings(graph: Graph, tensors: Sequence[Tensor]) -> list[Reading | None]:
    """How each hole is read; None for one that no operator of the first graph reads."""
    variables = find_variables(graph, tensors)
    order: dict[int, int] = {}
    multiplied: dict[int, list[int]] = {}
    biases: dict[int, set[int | None]] = {}
    for index, operator in enumerate(graph.operators):
        if _widens(operator) and operator.inputs[0] in variables:
            continue
        for number in operator.inputs:
            if number in variables:
                order.setdefault(variables[number], index)
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
