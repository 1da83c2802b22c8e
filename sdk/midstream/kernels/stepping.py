"""Symbols from states and words, side by side or one by one.

A call of NumPy costs the same on one lane as on many, so where there are few lanes, plain
Python is faster. Knows nothing of what symbols mean.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.lanes import Plan, lane_order, make_plan
from midstream.kernels.slots import MOVE_BITS, SYMBOL_BITS, TOTAL_BITS, Lookup

__all__ = [
    "STATE_START",
    "STEP_SYMBOLS",
    "WORD_BITS",
    "OneByOne",
    "SideBySide",
    "Stepper",
    "advance",
    "make_stepper",
    "split",
]

STATE_START = 1 << 16
"""A lane's state before the first symbol is encoded, and so after the last is decoded."""

STEP_SYMBOLS = 28
"""One step side by side takes the time of so many symbols one by one."""
WORD_BITS = 16
"""That a lane takes from its stream at once."""
_TABLE_MASK = (1 << TOTAL_BITS) - 1
# NumPy takes twice as long with numbers of Python
_MASK, _START = np.array(_TABLE_MASK), np.array(STATE_START)
_SIGN, _WORD = np.array(63), np.array(WORD_BITS)
_SHIFT, _UPPER = np.array(TOTAL_BITS, np.uint64), np.array(MOVE_BITS, np.uint64)
_AWAKE = 1 << MOVE_BITS + TOTAL_BITS
"""Added to states that are about to move."""

_Int = NDArray[np.int64]


def split(counts: _Int, lanes: _Int) -> list[_Int]:
    """Which slices to decode at a time: those with many lanes side by side, others alone."""
    order = np.argsort(-lanes, kind="stable")
    steps = np.maximum.accumulate(-(-counts // lanes)[order])
    costs = STEP_SYMBOLS * steps - np.cumsum(counts[order])
    together = int(costs.argmin()) + 1 if costs.min() < 0 else 0
    parts = [np.sort(order[:together])] if together else []
    return [*parts, *np.sort(order[together:])[:, None]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Room:
    """What so many lanes are stepped in; to make it takes as long as half a step."""

    edges: _Int  # (2, lanes)
    """The first lane of the slice of each, and the one past the last."""
    taken: _Int  # (lanes + 1,)
    """Of words, minus one each; the first is 0."""
    bounds: _Int  # (2, lanes)
    value: NDArray[np.uint64]  # (lanes,)
    hungry: _Int  # (lanes,)
    place: _Int  # (lanes,)

    @classmethod
    def of(cls, owner: _Int, edges: _Int) -> "_Room":
        lanes = len(owner)
        return cls(
            edges=np.stack([edges.take(owner), edges.take(owner + 1)]),
            taken=np.zeros(lanes + 1, np.int64),
            bounds=np.empty((2, lanes), np.int64),
            value=np.empty(lanes, np.uint64),
            hungry=np.empty(lanes, np.int64),
            place=np.empty(lanes, np.int64),
        )


class SideBySide:
    """All lanes of some slices, step by step.

    Args:
        words: Of all slices; not empty.
        firsts: (slices,) index of the first word of each slice.
        states: (lanes of all slices,) final states of the encoder, slice after slice.
        counts: (slices,) symbols of each slice.
        lanes: (slices,) lanes of each slice.
        lookup: The tables.
    """

    def __init__(
        self,
        words: NDArray[np.uint16],
        firsts: _Int,
        states: NDArray[np.uint32],
        counts: _Int,
        lanes: _Int,
        lookup: Lookup,
    ) -> None:
        self.plan = make_plan(counts, lanes)
        self.owners = np.repeat(np.arange(len(firsts)), np.diff(self.plan.edges))
        # before the words one that lanes take which need none
        self._words = np.full(len(words) + 1, _AWAKE, np.uint64)
        self._words[1:] += words
        self._order = lane_order(self.plan, lanes)
        self._states = states[self._order] + np.uint64(_AWAKE)
        self._before = firsts[self.plan.order].take(self.owners)
        self._lookup = lookup
        self._room: _Room | None = None

    def advance(self, tables: _Int) -> None:
        """Step the first lanes, a row for each step.

        Args:
            tables: (steps, lanes) of each symbol; becomes its entry.
        """
        found = self._lookup.moves.of(tables)
        if found is None:
            half = len(tables) // 2
            self.advance(tables[:half])
            self.advance(tables[half:])
            return
        moves, slots = found
        self._step(moves, slots)
        slots &= _MASK
        slots += tables << TOTAL_BITS
        tables <<= SYMBOL_BITS
        tables += self._lookup.names.take(slots)

    def _step(self, moves: NDArray[np.uint64], slots: _Int) -> None:
        """The same of the first slots of tables, which become those of symbols."""
        count = slots.shape[1]
        if self._room is None or len(self._room.value) != count:
            self._room = _Room.of(self.owners[:count], self.plan.edges)
        room, words = self._room, self._words
        edges, taken, sums, bounds = room.edges, room.taken, room.taken[1:], room.bounds
        starts, stops = bounds
        value, hungry, place = room.value, room.hungry, room.place
        state, before = self._states[:count], self._before[:count]
        number = state.view(np.int64)
        for slot in slots:
            np.bitwise_and(number, _MASK, place)
            np.add(slot, place, slot)
            moves.take(slot, None, value, "clip")
            np.right_shift(state, _SHIFT, state)
            np.multiply(state, value, state)
            np.right_shift(state, _UPPER, state)
            # -1 where a word is due; the sums of these are of all slices, and so are negative
            np.subtract(number, _START, hungry)
            np.right_shift(hungry, _SIGN, hungry)
            np.add.accumulate(hungry, 0, None, sums)
            taken.take(edges, None, bounds, "clip")
            np.add(before, starts, before)
            np.subtract(before, sums, place)
            np.subtract(before, stops, before)
            np.bitwise_and(place, hungry, place)
            np.bitwise_and(hungry, _WORD, hungry)
            np.left_shift(number, hungry, number)
            # clip: a damaged slice may run on into its neighbours, never outside
            words.take(place, None, value, "clip")
            np.bitwise_or(state, value, state)

    def finish(self) -> tuple[_Int, NDArray[np.uint32]]:
        """The index past the last word of each slice, and the states that are left."""
        ends = np.empty(len(self.plan.order), np.int64)
        ends[self.plan.order] = self._before.take(self.plan.edges[:-1])
        left = np.empty(len(self._states), np.uint32)
        left[self._order] = self._states.astype(np.uint32)
        return ends, left


class OneByOne:
    """The lanes of one slice in turn; a step is one symbol. Takes what `SideBySide` does."""

    def __init__(
        self,
        words: NDArray[np.uint16],
        firsts: _Int,
        states: NDArray[np.uint32],
        counts: _Int,
        lanes: _Int,
        lookup: Lookup,
    ) -> None:
        assert len(counts) == 1, "the words of a slice are its own"
        self.plan = _one_by_one(int(counts[0]), int(lanes[0]))
        self.owners = np.zeros(1, np.int64)
        start, count = int(firsts[0]), len(self.plan.active)
        # clip: a damaged slice may run on into its neighbours, never outside
        self._words = words.take(np.arange(start, start + count), mode="clip").data
        self._first, self._place = start, 0
        self._states: list[int] = states.tolist()
        self._lookup = lookup

    def advance(self, tables: _Int) -> None:
        """As for `SideBySide`; of one lane."""
        states = self._states
        self._place = advance(tables.ravel(), states, self._words, self._place, self._lookup)
        self._states = states[len(tables) :]
        slots = tables[:, 0] << TOTAL_BITS
        slots += np.array(states[: len(tables)], np.int64) & _TABLE_MASK
        tables <<= SYMBOL_BITS
        tables[:, 0] += self._lookup.names.take(slots)

    def finish(self) -> tuple[_Int, NDArray[np.uint32]]:
        """As for `SideBySide`."""
        return np.array([self._first + self._place]), np.array(self._states, np.uint32)


def advance(
    tables: NDArray[np.integer], states: list[int], words: memoryview, place: int, lookup: Lookup
) -> int:
    """Append the state after each symbol to those of the lanes; where the next word is."""
    append = states.append
    # the list grows while it is read: each lane's next state stands where its turn comes
    chosen = map(lookup.rows.__getitem__, tables.tolist())
    for (names, frequencies, starts, _), state in zip(chosen, states, strict=False):
        slot = state & _TABLE_MASK
        name = names[slot]
        state = (state >> TOTAL_BITS) * frequencies[name] + slot - starts[name]
        if state < STATE_START:
            state = state << WORD_BITS | words[place]
            place += 1
        append(state)
    return place


def _one_by_one(symbols: int, lanes: int) -> Plan:
    """One lane that takes the symbols of all, and where there is none the fillers."""
    whole = make_plan(np.array([-(-symbols // lanes) * lanes]), np.array([1]))
    return replace(whole, counts=np.array([symbols]))


Stepper = SideBySide | OneByOne


def make_stepper(
    words: NDArray[np.uint16],
    firsts: _Int,
    states: NDArray[np.uint32],
    counts: _Int,
    lanes: _Int,
    lookup: Lookup,
) -> Stepper:
    """What is faster for slices that `split` put together."""
    kind = SideBySide if len(lanes) > 1 or lanes.sum() > STEP_SYMBOLS else OneByOne
    return kind(words, firsts, states, counts, lanes, lookup)
