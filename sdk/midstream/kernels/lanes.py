"""Which symbol stands where when all lanes of many slices step together.

Symbol i of a slice belongs to lane i % lanes. Knows nothing of states and words.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Plan", "lane_order", "make_plan", "spread"]

_Int = NDArray[np.int64]
_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where each symbol stands when all lanes step together.

    Slices are sorted by steps, longest first, so that the lanes still at work are always
    a prefix. Step t of all lanes takes places[t] to places[t + 1] of a flat array.
    """

    order: _Int  # (slices,), longest first
    edges: _Int  # (slices + 1,), first lane of each sorted slice
    places: _Int  # (steps + 1,)
    active: _Int  # (steps,), lanes at work in each step
    index: _Int  # (symbols,), place of each symbol


def make_plan(counts: _Int, lanes: _Int) -> Plan:
    """Lay out slices of so many symbols, each on so many lanes."""
    steps = -(-counts // lanes)
    order = np.argsort(-steps, kind="stable")
    edges = np.concatenate([[0], np.cumsum(lanes[order])])
    ending = np.bincount(steps, weights=lanes, minlength=1).astype(np.int64)
    active = (int(edges[-1]) - np.cumsum(ending))[:-1]
    places = np.concatenate([[0], np.cumsum(active)])
    parts: list[_Int] = [np.zeros(0, np.int64)] * len(counts)
    for first, number in zip(edges, order, strict=False):
        own = np.arange(lanes[number], dtype=np.int64) + first
        grid = places[: steps[number], None] + own
        parts[number] = grid.ravel()[: counts[number]]
    index = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return Plan(order=order, edges=edges, places=places, active=active, index=index)


def lane_order(plan: Plan, lanes: _Int) -> _Int:
    """For each lane in sorted order, its place among the lanes in slice order."""
    firsts = (np.cumsum(lanes) - lanes)[plan.order]
    counts = lanes[plan.order]
    return np.repeat(firsts - plan.edges[:-1], counts) + np.arange(plan.edges[-1])


def spread(plan: Plan, values: NDArray[_T], filler: int) -> NDArray[_T]:
    """Values in the order of steps; places without a symbol hold `filler`."""
    flat = np.full((int(plan.places[-1]), *values.shape[1:]), filler, values.dtype)
    flat[plan.index] = values
    return flat
