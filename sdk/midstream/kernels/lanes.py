"""Which symbol stands where when all lanes of many slices step together.

Symbol i of a slice belongs to lane i % lanes. Knows nothing of states and words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Plan", "lane_order", "make_plan", "spread"]

_Int = NDArray[np.int64]
_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where each symbol stands when all lanes step together.

    Slices are sorted by steps, longest first, so that the lanes still at work are always
    a prefix. Step t of all lanes takes places[t] to places[t + 1] of a flat array.
    """

    order: _Int  # (slices,), longest first
    edges: _Int  # (slices + 1,), first lane of each sorted slice
    places: _Int  # (steps + 1,)
    active: _Int  # (steps,), lanes at work in each step
    counts: _Int  # (slices,), symbols
    lanes: _Int  # (slices,)

    @cached_property
    def index(self) -> _Int:
        """The place of each symbol; (symbols,)."""
        parts: list[_Int] = [np.zeros(0, np.int64)] * len(self.counts)
        for first, number in zip(self.edges, self.order, strict=False):
            own = np.arange(self.lanes[number], dtype=np.int64) + first
            steps = -(-self.counts[number] // self.lanes[number])
            grid = self.places[:steps, None] + own
            parts[number] = grid.ravel()[: self.counts[number]]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    @cached_property
    def _lines(self) -> tuple[_Int, _Int, _Int, _Int]:
        """Of each lane the first symbol of its slice, its own, those to its next, and the end."""
        own, ends = self.lanes[self.order], np.cumsum(self.counts)
        origins = np.repeat((ends - self.counts)[self.order], own)
        firsts = origins + np.arange(self.edges[-1]) - np.repeat(self.edges[:-1], own)
        return origins, firsts, np.repeat(own, own), np.repeat(ends[self.order], own)

    def runs(self, most: int) -> Iterator[tuple[int, int]]:
        """Steps with the same lanes, in runs of about so many symbols: starts and stops."""
        changes = np.flatnonzero(np.diff(self.active, prepend=-1, append=-1)).tolist()
        for first, last in pairwise(changes):
            length = max(most // int(self.active[first]), 1)
            for start in range(first, last, length):
                yield start, min(start + length, last)

    def symbols(self, start: int, stop: int) -> _Int:
        """The numbers of the symbols in some steps; where there is none, that past the last.

        Args:
            start: The first step.
            stop: The one past the last, before which as many lanes are at work in each.

        Returns:
            (steps, lanes)
        """
        _, firsts, strides, ends = (part[: int(self.active[start])] for part in self._lines)
        found: _Int = np.arange(start, stop)[:, None] * strides
        found += firsts
        if np.any(found[-1] >= ends):
            np.copyto(found, int(self.counts.sum()), where=found >= ends)
        return found

    def steps_of(self, symbols: _Int) -> _Int:
        """The steps that symbols are in, each of the slice of its lane; negative before it.

        Args:
            symbols: (steps, lanes)
        """
        origins, _, strides, _ = (part[: symbols.shape[1]] for part in self._lines)
        found: _Int = (symbols - origins) // strides
        return found


def make_plan(counts: _Int, lanes: _Int) -> Plan:
    """Lay out slices of so many symbols, each on so many lanes."""
    steps = -(-counts // lanes)
    order = np.argsort(-steps, kind="stable")
    edges = np.concatenate([[0], np.cumsum(lanes[order])])
    ending = np.bincount(steps, weights=lanes, minlength=1).astype(np.int64)
    active = (int(edges[-1]) - np.cumsum(ending))[:-1]
    places = np.concatenate([[0], np.cumsum(active)])
    return Plan(order=order, edges=edges, places=places, active=active, counts=counts, lanes=lanes)


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
