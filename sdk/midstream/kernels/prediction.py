"""Decoding where each symbol's table depends on levels decoded before it, in NumPy.

All lanes of many slices step together, as in numpy_kernels; a lane never depends on another
of the same step, since neighbours are at least as far away as a slice has lanes.
(spec/coding.md, "Prediction".) Knows nothing of tensors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.lanes import TOTAL_BITS, Lanes, make_plan, spread

__all__ = [
    "CLASS_EDGES",
    "ESCAPED",
    "Escapes",
    "Stream",
    "Terms",
    "classify",
    "decode_digits",
    "decode_levels",
    "predict",
]

ESCAPED = 127
"""The value that stands for an escape in `decode_levels`."""
CLASS_EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 18, 24, 30, 42, 60, 90)
"""The least distance of each class between a cell's centre and the mean, in half steps."""
_CLASS_OF = np.searchsorted(CLASS_EDGES, np.arange(CLASS_EDGES[-1] + 1), "right") - 1
_NEIGHBOUR_LIMIT = 1 << 20
"""A neighbour's level counts as at most so far from zero."""
_GAIN_BITS = 12
_LEVEL_LIMIT = (1 << 30) + 1
"""Levels that are out of their range are kept just outside it, for the caller to see."""

_Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """Which levels before it predict each weight of a slice, segment after segment."""

    lengths: NDArray[np.int32]  # (segments,)
    """Weights of each segment."""
    counts: NDArray[np.int32]  # (segments,)
    """Terms of each segment."""
    distances: NDArray[np.int32]  # (terms,)
    """How many weights before."""
    gains: _Int  # (terms,)
    """Half steps, times 2**12, for each step of that weight's level."""

    @classmethod
    def join(cls, parts: "Sequence[Terms]") -> "Terms":
        """Terms of weights that follow each other."""
        return cls(
            lengths=np.concatenate([part.lengths for part in parts]),
            counts=np.concatenate([part.counts for part in parts]),
            distances=np.concatenate([part.distances for part in parts]),
            gains=np.concatenate([part.gains for part in parts]),
        )

    def dense(self) -> tuple[_Int, _Int]:
        """Distances and gains of each weight, (weights, most terms); 0 where it has fewer."""
        most = int(self.counts.max(initial=0))
        filled = np.arange(most) < self.counts[:, None]
        tables = []
        for values in (self.distances, self.gains):
            table = np.zeros(filled.shape, np.int64)
            table[filled] = values
            tables.append(np.repeat(table, self.lengths, axis=0))
        return tables[0], tables[1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """Slices of symbols that are decoded side by side."""

    words: NDArray[np.uint16]
    """Of all slices; not empty."""
    starts: _Int  # (slices,)
    """Index of the first word of each slice."""
    states: NDArray[np.uint32]
    """Final states of the encoder, slice after slice."""
    counts: _Int  # (slices,)
    """Symbols of each slice."""
    lanes: _Int  # (slices,)
    """Lanes of each slice, at most the least distance of its terms."""
    rows: _Int  # (symbols,)
    """The first of the tables that each symbol may have."""
    frequencies: NDArray[np.uint16]  # (tables, 2**12)
    """For each slot of a table, the frequency of the symbol there."""
    offsets: NDArray[np.uint16]  # (tables, 2**12)
    """How far the slot is from the first one of that symbol."""


def _halves(levels: NDArray[np.integer], gains: _Int) -> _Int:
    """The mean in half steps, from the levels of the neighbours; (weights, terms) each."""
    near = np.clip(levels.astype(np.int64), -_NEIGHBOUR_LIMIT, _NEIGHBOUR_LIMIT)
    total: _Int = np.einsum("wt,wt->w", near, gains)
    return (total + (1 << _GAIN_BITS >> 1)) >> _GAIN_BITS


def predict(levels: NDArray[np.int32], terms: Terms) -> _Int:
    """The mean of each level that the levels before it give, in half steps; (weights,)."""
    distances, gains = terms.dense()
    return _halves(levels[np.arange(len(levels))[:, None] - distances], gains)


def classify(offset: _Int) -> _Int:
    """The class of each distance between a cell's centre and the mean, in half steps."""
    return _CLASS_OF[np.minimum(np.abs(offset), CLASS_EDGES[-1])]


class _Walk:
    """Steps through all slices; at each, the symbols of the lanes and what is expected of them.

    A lane that has no symbol in a slice's last step gets one past the last symbol, with a
    table of its own that leaves a state as it is.
    """

    def __init__(self, stream: Stream, terms: Terms) -> None:
        plan = make_plan(stream.counts, stream.lanes)
        self._steps = list(pairwise(plan.places.tolist()))
        self._lanes = Lanes(
            plan,
            stream.words,
            stream.starts,
            stream.states,
            stream.lanes,
            np.append(stream.frequencies, np.full(1 << TOTAL_BITS, 1 << TOTAL_BITS, np.uint16)),
            np.append(stream.offsets, np.arange(1 << TOTAL_BITS, dtype=np.uint16)),
        )
        self._size = int(stream.counts.sum())
        self._numbers = spread(plan, np.arange(self._size), self._size)
        self._rows = np.append(stream.rows, len(stream.frequencies))
        distances, gains = terms.dense()
        self._before = _padded(np.arange(self._size)[:, None] - distances)
        self._gains = _padded(gains)
        self._levels = np.zeros(self._size + 1, np.int64)

    def steps(self) -> Iterator[tuple[_Int, _Int]]:
        """Numbers of the symbols of each step, and their means in half steps."""
        for first, last in self._steps:
            numbers = self._numbers[first:last]
            near = self._levels.take(self._before.take(numbers, axis=0))
            yield numbers, _halves(near, self._gains.take(numbers, axis=0))

    def decode(self, numbers: _Int, choice: _Int) -> _Int:
        """The slots that a step's lanes are in, each in so many tables after its first."""
        return self._lanes.advance(self._rows.take(numbers) + choice)

    def slices(self, places: _Int) -> _Int:
        """The slices of some lanes of a step."""
        return self._lanes.slices(places)

    def store(self, numbers: _Int, levels: _Int) -> None:
        """Keep what a step gave; what is out of range stays just outside it."""
        self._levels[numbers] = np.clip(levels, -_LEVEL_LIMIT, _LEVEL_LIMIT)

    def finish(self) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
        """Levels, the index past the last word of each slice, and the states left."""
        return self._levels[: self._size].astype(np.int32), *self._lanes.finish()


def _padded(values: _Int) -> _Int:
    return np.concatenate([values, np.zeros((1, values.shape[1]), np.int64)])


@dataclass(slots=True, kw_only=True, eq=False)
class Escapes:
    """Values that are not symbols, slice after slice, taken as they come."""

    values: _Int
    """Of all slices; not empty."""
    starts: _Int  # (slices,)
    """Index of the next one of each slice."""
    ends: _Int  # (slices,)
    """Index past the last one of each slice."""

    def take(self, slices: _Int) -> _Int:
        """The next value of each of these slices; the same ones stand together.

        More than there are, which damage can ask for, are whatever follows; `starts` tells.
        """
        firsts = np.flatnonzero(np.diff(slices, prepend=-1))
        sizes = np.diff(firsts, append=len(slices))
        rank = np.arange(len(slices)) - np.repeat(firsts, sizes)
        found: _Int = self.values.take(self.starts[slices] + rank, mode="clip")
        self.starts[slices[firsts]] += sizes
        return found


def decode_levels(
    stream: Stream,
    terms: Terms,
    values: NDArray[np.int8],
    low: NDArray[np.int32],
    shifts: NDArray[np.uint8],
    escapes: Escapes,
) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
    """Levels, each from one of two tables: whole or half steps from what is expected.

    Args:
        stream: Its tables stand in pairs.
        terms: Of all slices.
        values: (tables, 2**12) what the symbol of a slot stands for; ESCAPED for an escape.
        low: (symbols,) low bits of each level.
        shifts: (symbols,) how many they are.
        escapes: Values outside the tables.

    Returns:
        Levels, at most one beyond their range; the index past the last word of each slice;
        the states left. `escapes.starts` has moved on by what was taken.
    """
    walk = _Walk(stream, terms)
    flat = np.append(values, np.zeros(1 << TOTAL_BITS, np.int8))
    low, shifts = np.append(low, np.int32(0)), np.append(shifts, np.uint8(0))
    for numbers, halves in walk.steps():
        value = flat.take(walk.decode(numbers, halves & 1)).astype(np.int64)
        escaped = (value == ESCAPED).nonzero()[0]
        if escaped.size:
            value[escaped] = escapes.take(walk.slices(escaped))
        shift = shifts.take(numbers)
        value <<= shift
        value += low.take(numbers) - (1 << shift.astype(np.int64) >> 1)
        walk.store(numbers, value + (halves >> 1))
    return walk.finish()


def decode_digits(
    stream: Stream,
    terms: Terms,
    symbols: NDArray[np.uint8],
    parents: NDArray[np.int32],
    escapes: Escapes,
) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
    """Children, each from one of the tables of a class of distances from the mean.

    Args:
        stream: Its tables stand in groups, one for each class.
        terms: Of all slices, at the children's step.
        symbols: (tables, 2**12) toward the mean, same, away from it, escape, as 0 to 3.
        parents: (symbols,) levels before.
        escapes: Digits that are escaped.

    Returns:
        As `decode_levels`.
    """
    walk = _Walk(stream, terms)
    flat = np.append(symbols, np.ones(1 << TOTAL_BITS, np.uint8))
    centres = 3 * np.append(parents, np.int32(0)).astype(np.int64)
    for numbers, halves in walk.steps():
        centre = centres.take(numbers)
        offset = 2 * centre - halves
        outward = flat.take(walk.decode(numbers, classify(offset))).astype(np.int64) - 1
        digit = np.where(offset < 0, -outward, outward)
        escaped = (outward == 2).nonzero()[0]
        if escaped.size:
            digit[escaped] = escapes.take(walk.slices(escaped))
        walk.store(numbers, centre + digit)
    return walk.finish()
