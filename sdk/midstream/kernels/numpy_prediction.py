"""Decoding where each symbol's table depends on levels decoded before it, in NumPy.

All lanes of many slices step together, as in numpy_kernels; a lane never depends on another
of the same step, since neighbours are at least as far away as a slice has lanes.
(spec/coding.md, "Prediction".) Knows nothing of tensors.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.lanes import TOTAL_BITS, Lanes, make_plan, spread
from midstream.kernels.terms import ESCAPED, Escapes, Stream, Terms, classify

__all__ = ["decode_digits", "decode_levels", "predict"]

_NEIGHBOUR_LIMIT = 1 << 20
"""A neighbour's level counts as at most so far from zero."""
_GAIN_BITS = 12
_LEVEL_LIMIT = (1 << 30) + 1
"""Levels that are out of their range are kept just outside it, for the caller to see."""

_Int = NDArray[np.int64]


def _halves(levels: NDArray[np.integer], gains: _Int) -> _Int:
    """The mean in half steps, from the levels of the neighbours; (weights, terms) each."""
    near = np.clip(levels.astype(np.int64), -_NEIGHBOUR_LIMIT, _NEIGHBOUR_LIMIT)
    total: _Int = np.einsum("wt,wt->w", near, gains)
    return (total + (1 << _GAIN_BITS >> 1)) >> _GAIN_BITS


def predict(levels: NDArray[np.int32], terms: Terms) -> _Int:
    """The mean of each level that the levels before it give, in half steps; (weights,)."""
    distances, gains = terms.dense()
    return _halves(levels[np.arange(len(levels))[:, None] - distances], gains)


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
