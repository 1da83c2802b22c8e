"""How outputs change with weights: gradients of random sums of outputs. Knows no runtime.

An error e of the weights changes an output y by J e. With signs r of its numbers, each +1 or -1
by chance, the mean of (r J e)^2 is |J e|^2, so the squared gradient of r y by a weight, averaged
over signs and inputs, is the noise power that a squared error of this weight gives.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from midstream.analysis.adjoints import ADJOINTS, CONSTANT
from midstream.analysis.steps import Numbers, Pull, Reader
from midstream.analysis.weighted import places_of
from midstream.formats.graph import Graph, Operator

__all__ = ["OpaqueError", "Route", "find_route", "go_back"]


class OpaqueError(Exception):
    """An operator ran in a way that its adjoint does not know."""

    def __init__(self, index: int) -> None:
        super().__init__(f"operator {index}")
        self.index = index
        """Its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way from outputs to sources."""

    wanted: Mapping[int, frozenset[int]]
    """For each operator that gradients go through, the places of the inputs they go to."""
    ends: tuple[int, ...]
    """Variables that they start from: outputs, and what opaque operators read."""
    sources: Mapping[int, int]
    """Variables that they are for, and what each is part of."""
    behind: frozenset[int]
    """Those of what sources are part of that act on an opaque operator."""


def find_route(
    graph: Graph, sources: Mapping[int, int], opaque: Collection[int] = frozenset()
) -> Route:
    """The way from outputs to sources; what an opaque operator reads counts as an output.

    Args:
        graph: The graph.
        sources: Variables whose gradients are asked for, none of which depends on another, and
            what each is part of: gradients of one whole are added up.
        opaque: Numbers of operators whose adjoint is not to be used.
    """
    live = _live(graph)
    moving = set(sources)
    wanted: dict[int, frozenset[int]] = {}
    hidden: set[int] = set()
    for index, operator in enumerate(graph.operators):
        places = frozenset(p for p, number in enumerate(operator.inputs) if number in moving)
        if not places or operator.code in CONSTANT or live.isdisjoint(operator.outputs):
            continue
        if index in opaque or not _is_known(operator):
            hidden.update(operator.inputs[place] for place in places)
        else:
            wanted[index] = places
            moving.update(n for n in operator.outputs if graph.variables[n].is_real)
    ends = dict.fromkeys([*graph.outputs, *sorted(hidden)])
    return Route(
        wanted=wanted,
        ends=tuple(number for number in ends if number in moving and number not in sources),
        sources=sources,
        behind=_behind(graph, wanted, sources, hidden),
    )


def _is_known(operator: Operator) -> bool:
    if operator.custom:
        return places_of(operator) is not None
    return operator.code in ADJOINTS


def _live(graph: Graph) -> set[int]:
    """Variables that act on an output."""
    live = set(graph.outputs)
    for operator in reversed(graph.operators):
        if not live.isdisjoint(operator.outputs):
            live.update(operator.inputs)
    return live


def _behind(
    graph: Graph,
    wanted: Mapping[int, frozenset[int]],
    sources: Mapping[int, int],
    hidden: set[int],
) -> frozenset[int]:
    """Wholes of the sources that act on hidden variables."""
    acting = set(hidden)
    for index in sorted(wanted, reverse=True):
        operator = graph.operators[index]
        if not acting.isdisjoint(operator.outputs):
            acting.update(operator.inputs[place] for place in wanted[index])
    return frozenset(whole for number, whole in sources.items() if number in acting)


def go_back(
    graph: Graph,
    route: Route,
    reader: Reader,
    seeds: Mapping[int, Numbers],
    receive: Callable[[int, Numbers], None],
) -> None:
    """Gradients of sums of what a run gave, by sources.

    Args:
        graph: The graph.
        route: Where gradients go.
        reader: Gives stored numbers of the run.
        seeds: For each end, factors of its numbers: (projections, *shape).
        receive: Told what a source is part of and its gradient, (projections, *shape), summed
            over all that reads it.

    Raises:
        OpaqueError: An operator's adjoint does not know how it ran.
    """
    gradients = dict(seeds)
    wholes: dict[int, Numbers] = {}
    left = Counter(
        route.sources[graph.operators[index].inputs[place]]
        for index, places in route.wanted.items()
        for place in places
        if graph.operators[index].inputs[place] in route.sources
    )
    for index in sorted(route.wanted, reverse=True):
        operator = graph.operators[index]
        found = _pull(graph, index, reader, gradients, route.wanted[index])
        for place in route.wanted[index]:
            number = operator.inputs[place]
            whole = route.sources.get(number)
            if whole is None:
                if place in found:
                    _add(gradients, number, found[place])
                continue
            left[whole] -= 1
            if place in found:
                _add(wholes, whole, found[place])
            if not left[whole] and whole in wholes:
                receive(whole, wholes.pop(whole))


def _add(gradients: dict[int, Numbers], key: int, gradient: Numbers) -> None:
    gradients[key] = gradients[key] + gradient if key in gradients else gradient


def _pull(
    graph: Graph,
    index: int,
    reader: Reader,
    gradients: dict[int, Numbers],
    wanted: frozenset[int],
) -> dict[int, Numbers]:
    """Gradients of what an operator read, from those of what it wrote, which are used up."""
    operator = graph.operators[index]
    written = [gradients.pop(number, None) for number in operator.outputs]
    if all(gradient is None for gradient in written):
        return {}
    try:
        return ADJOINTS[operator.code](Pull(graph, operator, reader, written, wanted))
    except (ArithmeticError, LookupError, ValueError) as error:
        raise OpaqueError(index) from error
