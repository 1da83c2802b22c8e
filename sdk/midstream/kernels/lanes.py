"""Which symbol stands where when all lanes of many slices step together.

Symbol i of a slice belongs to lane i % lanes. Knows nothing of what symbols mean.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.slots import TOTAL_BITS

__all__ = ["STATE_START", "Lanes", "Plan", "lane_order", "make_plan", "spread"]

STATE_START = 1 << 16
"""A lane's state before the first symbol is encoded, and so after the last is decoded."""

_MASK = (1 << TOTAL_BITS) - 1
_WORD_BITS = 16

_Int = NDArray[np.int64]


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


def spread(plan: Plan, values: NDArray[np.integer[Any]], filler: int) -> _Int:
    """Values in the order of steps; places without a symbol hold `filler`."""
    flat = np.full(plan.places[-1], filler, np.int64)
    flat[plan.index] = values
    return flat


class Lanes:
    """States of all lanes and places in the words, step by step.

    Args:
        plan: Which lanes step when.
        words: Of all slices; not empty.
        starts: (slices,) index of the first word of each slice.
        states: (lanes of all slices,) final states of the encoder, slice after slice.
        lanes: (slices,) lanes of each slice.
        frequencies: (rows * 2**12,) for each slot of a table, that of the symbol there.
        offsets: (rows * 2**12,) how far the slot is from the first one of that symbol.
    """

    def __init__(
        self,
        plan: Plan,
        words: NDArray[np.uint16],
        starts: _Int,
        states: NDArray[np.uint32],
        lanes: _Int,
        frequencies: NDArray[np.uint16],
        offsets: NDArray[np.uint16],
    ) -> None:
        self._plan = plan
        self._words = words
        self._order = lane_order(plan, lanes)
        self._states = states[self._order].astype(np.int64)
        self._pointers = starts[plan.order].astype(np.int64)
        self._owner = np.repeat(np.arange(len(starts)), np.diff(plan.edges))
        self._numbers = np.arange(len(states))
        self._frequencies = frequencies
        self._offsets = offsets

    def slices(self, places: _Int) -> _Int:
        """The slices of some lanes, which are numbered in the order of steps."""
        return self._plan.order.take(self._owner.take(places))

    def advance(self, rows: _Int) -> _Int:
        """Step the first lanes, each by a symbol of its table; the slots that they were in."""
        state = self._states[: len(rows)]
        slot = (rows << TOTAL_BITS) + (state & _MASK)
        state >>= TOTAL_BITS
        state *= self._frequencies.take(slot)
        state += self._offsets.take(slot)
        self._refill(state)
        return slot

    def _refill(self, state: _Int) -> None:
        hungry = (state < STATE_START).nonzero()[0]
        if not hungry.size:
            return
        slices = int(self._owner[len(state) - 1]) + 1
        bounds = hungry.searchsorted(self._plan.edges[: slices + 1])
        pointer = self._pointers[:slices]
        place = (pointer - bounds[:-1]).take(self._owner.take(hungry))
        place += self._numbers[: hungry.size]
        pointer += bounds[1:] - bounds[:-1]
        # clip: a damaged slice may run on into its neighbours, never outside
        word = self._words.take(place, mode="clip")
        state[hungry] = (state.take(hungry) << _WORD_BITS) + word

    def finish(self) -> tuple[_Int, NDArray[np.uint32]]:
        """The index past the last word of each slice, and the states that are left."""
        ends = np.empty(len(self._pointers), np.int64)
        ends[self._plan.order] = self._pointers
        left = np.empty(len(self._states), np.uint32)
        left[self._order] = self._states
        return ends, left
