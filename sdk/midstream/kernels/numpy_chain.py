"""Symbols that are each predicted from those just before, one by one in plain Python.

A call of NumPy takes longer than a dozen such symbols. Knows nothing of tensors.
"""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_batches import Batch
from midstream.kernels.numpy_walk import GAIN_BITS, LEVEL_LIMIT, NEIGHBOUR_LIMIT
from midstream.kernels.slots import TOTAL_BITS, Slots
from midstream.kernels.stepping import STATE_START, WORD_BITS
from midstream.kernels.terms import CLASS_EDGES, ESCAPED, ESCAPED_DIGIT, Decoded, Terms, classify

__all__ = ["CLASSES", "HALF", "Chain", "decode_digit_chain", "decode_level_chain"]

_PIECE = 1 << 12
"""Symbols whose numbers are those of Python at a time: these take ten times as much memory."""
_MASK = (1 << TOTAL_BITS) - 1
HALF = 1 << GAIN_BITS >> 1
"""Rounds what is expected to the nearest half step."""
CLASSES = classify(np.arange(CLASS_EDGES[-1] + 1)).tolist()
"""The class of each distance up to the last edge."""
_FARTHEST = CLASS_EDGES[-1]

_Int = NDArray[np.int64]
_Pairs = tuple[tuple[int, int], ...]


class Chain:
    """What is left of one slice, and what was read of it."""

    def __init__(self, batch: Batch) -> None:
        assert len(batch.counts) == 1, "the words of a slice are its own"
        self._batch = batch
        self.count = int(batch.counts[0])
        # clip: a damaged slice may run on, never outside
        self.words = batch.words.take(np.arange(self.count), mode="clip").data
        self.place = 0
        self.states: list[int] = batch.states.tolist()
        self.levels = [0] * self.count
        """As they predict others: in their range."""
        self._beyond: dict[int, int] = {}
        self._escapes: list[int] = batch.escapes.values[:-1].tolist()
        self.terms = _pairs(batch.terms)

    def escape(self) -> int:
        """The next value that is no symbol's."""
        used = int(self._batch.escapes.starts[0])
        self._batch.escapes.starts[0] += 1
        return self._escapes[used] if used < len(self._escapes) else 0

    def keep(self, at: int, level: int) -> None:
        """A level that is out of the range of what predicts others."""
        self.levels[at] = max(min(level, NEIGHBOUR_LIMIT), -NEIGHBOUR_LIMIT)
        self._beyond[at] = max(min(level, LEVEL_LIMIT), -LEVEL_LIMIT)

    def pieces(self) -> Iterator[range]:
        """The numbers of some symbols after each other."""
        for start in range(0, self.count, _PIECE):
            here = range(start, min(start + _PIECE, self.count))
            yield here
            del self.states[: len(here)]

    def decoded(self) -> Decoded:
        """What the slice is."""
        levels = np.array(self.levels, np.int32)
        for at, level in self._beyond.items():
            levels[at] = level
        ends = self._batch.firsts[:-1] + self.place
        return self._batch.decoded(levels, ends, np.array(self.states, np.uint32))[0]


def _pairs(terms: Terms) -> Iterator[_Pairs]:
    """Distances and gains of each symbol."""
    owners, distances, gains = terms.segments()
    kinds = _kinds(distances, gains)
    # one segment of each kind
    some = np.zeros(int(kinds.max()) + 1, np.int64)
    some[kinds] = np.arange(len(kinds))
    known: list[_Pairs] = [
        tuple(pair for pair in zip(*both, strict=True) if pair[0])
        for both in zip(distances[some].tolist(), gains[some].tolist(), strict=True)
    ]
    lengths = np.bincount(owners)[:-1]
    found = map(known.__getitem__, chain.from_iterable(_listed_in_parts(kinds[:-1])))
    if int(lengths.max()) == 1:
        return found
    # what a loop in Python takes for each segment is half of what a symbol takes
    each = chain.from_iterable(_listed_in_parts(lengths))
    return chain.from_iterable(map(repeat, found, each))


def _listed_in_parts(numbers: NDArray[np.integer[Any]]) -> Iterator[list[int]]:
    """As numbers of Python, some at a time."""
    for start in range(0, len(numbers), _PIECE):
        yield numbers[start : start + _PIECE].tolist()


def _kinds(distances: NDArray[np.int32], gains: _Int) -> NDArray[np.int32]:
    """A number for each segment, the same for those that are predicted in the same way.

    Most segments are like others: those at edges have fewer terms.
    """
    kinds = np.zeros(len(gains), np.int64)
    for column in (*distances.T, *gains.T):
        low, high = int(column.min()), int(column.max())
        if low == high:
            continue
        kinds *= high - low + 1
        kinds += column - low
        kinds = _renumbered(kinds)
    return kinds.astype(np.int32)


def _renumbered(kinds: _Int) -> _Int:
    """The same kinds by numbers without gaps."""
    if len(kinds) * 4 < int(kinds.max()):
        return np.unique(kinds, return_inverse=True)[1].reshape(-1)
    places = np.cumsum(np.bincount(kinds) > 0)
    found: _Int = places.take(kinds) - 1
    return found


def decode_level_chain(
    batch: Batch, slots: Slots, added: tuple[_Int, _Int] | None, next_phase: int
) -> Decoded:
    """Levels of one slice, as `numpy_prediction.decode_levels` gives them.

    Args:
        batch: Of one slice.
        slots: The tables.
        added: By how many bits each value is shifted, and what is then added; or None.
        next_phase: Tables from those of whole steps to those of half steps.
    """
    one = Chain(batch)
    rows, levels, words, place = slots.lookup.rows, one.levels, one.words, 0
    append = one.states.append
    for here in one.pieces():
        tables = batch.rows[here.start : here.stop].tolist()
        lows = repeat((0, 0)) if added is None else _listed(added, here)
        for at, table, terms, (shift, low), state in zip(
            here, tables, one.terms, lows, one.states, strict=False
        ):
            mean = HALF
            for distance, gain in terms:
                mean += levels[at - distance] * gain
            mean >>= GAIN_BITS
            names, frequencies, starts, values = rows[table + next_phase if mean & 1 else table]
            slot = state & _MASK
            name = names[slot]
            state = (state >> TOTAL_BITS) * frequencies[name] + slot - starts[name]
            if state < STATE_START:
                state = state << WORD_BITS | words[place]
                place += 1
            append(state)
            value = values[name]
            if value == ESCAPED:
                value = one.escape()
            value = (value << shift) + low + (mean >> 1)
            if -NEIGHBOUR_LIMIT <= value <= NEIGHBOUR_LIMIT:
                levels[at] = value
            else:
                one.keep(at, value)
    one.place = place
    return one.decoded()


def _listed(added: tuple[_Int, _Int], here: range) -> Iterator[tuple[int, int]]:
    shifts, bits = (part[here.start : here.stop].tolist() for part in added)
    return zip(shifts, bits, strict=True)


def decode_digit_chain(batch: Batch, slots: Slots, parents: NDArray[np.int32]) -> Decoded:
    """Children of one slice, as `numpy_prediction.decode_digits` gives them.

    Args:
        batch: Of one slice.
        slots: The tables, in groups: one for each class of distances from the mean.
        parents: The levels before, (symbols + 1,).
    """
    one = Chain(batch)
    rows, levels, words, place = slots.lookup.rows, one.levels, one.words, 0
    append = one.states.append
    for here in one.pieces():
        tables = batch.rows[here.start : here.stop].tolist()
        before = parents[here.start : here.stop].tolist()
        for at, table, terms, parent, state in zip(
            here, tables, one.terms, before, one.states, strict=False
        ):
            mean = HALF
            for distance, gain in terms:
                mean += levels[at - distance] * gain
            offset = 6 * parent - (mean >> GAIN_BITS)
            far = abs(offset)
            names, frequencies, starts, values = rows[
                table + CLASSES[far if far < _FARTHEST else _FARTHEST]
            ]
            slot = state & _MASK
            name = names[slot]
            state = (state >> TOTAL_BITS) * frequencies[name] + slot - starts[name]
            if state < STATE_START:
                state = state << WORD_BITS | words[place]
                place += 1
            append(state)
            outward = values[name]
            if outward == ESCAPED_DIGIT:
                outward = one.escape()
            elif offset < 0:
                outward = -outward
            value = 3 * parent + outward
            if -NEIGHBOUR_LIMIT <= value <= NEIGHBOUR_LIMIT:
                levels[at] = value
            else:
                one.keep(at, value)
    one.place = place
    return one.decoded()
