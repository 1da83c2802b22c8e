"""Decoding where each symbol's table depends on levels decoded before it, in NumPy.

All lanes of many slices step together, as in numpy_kernels; a lane never depends on another
of the same step, since neighbours are at least as far away as a slice has lanes.
(spec/coding.md, "Prediction".) Knows nothing of tensors.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

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
_T = TypeVar("_T", bound=np.generic)


def predict(levels: NDArray[np.int32], terms: Terms) -> _Int:
    """The mean of each level that the levels before it give, in half steps; (weights,)."""
    distances, gains = terms.dense()
    near = _limited(levels.astype(np.int64), _NEIGHBOUR_LIMIT)
    return _halves(near[np.arange(len(levels))[:, None] - distances], gains)


def _halves(near: _Int, gains: _Int) -> _Int:
    """The mean in half steps, from the levels of the neighbours; (weights, terms) each."""
    total: _Int = np.einsum("wt,wt->w", near, gains)
    total += 1 << _GAIN_BITS >> 1
    total >>= _GAIN_BITS
    return total


def _limited(values: _Int, limit: int) -> _Int:
    """Values at most so far from zero; numpy.clip takes ten times as long on a few."""
    limited: _Int = np.minimum(values, limit)
    return np.maximum(limited, -limit, out=limited)


class _Walk:
    """Steps through all slices; at each, the symbols of the lanes and what is expected of them.

    A lane that has no symbol in a slice's last step gets one past the last symbol, with a
    table of its own that leaves a state as it is. All arrays stand in the order of steps.
    """

    def __init__(self, stream: Stream, terms: Terms) -> None:
        self._plan = make_plan(stream.counts, stream.lanes)
        self._lanes = Lanes(
            self._plan,
            stream.words,
            stream.starts,
            stream.states,
            stream.lanes,
            np.append(stream.frequencies, np.full(1 << TOTAL_BITS, 1 << TOTAL_BITS, np.uint16)),
            np.append(stream.offsets, np.arange(1 << TOTAL_BITS, dtype=np.uint16)),
        )
        size = int(stream.counts.sum())
        self._numbers = spread(self._plan, np.arange(size), size)
        self._rows = self.arrange(stream.rows.astype(np.int64), len(stream.frequencies))
        distances, gains = terms.dense()
        self._before = self.arrange(np.arange(size)[:, None] - distances, 0)
        self._gains = self.arrange(gains, 0)
        self._near = np.zeros(size + 1, np.int64)
        self._levels = np.zeros(len(self._numbers), np.int64)

    def arrange(self, values: NDArray[_T], filler: int) -> NDArray[_T]:
        """Values of symbols in the order of steps; `filler` where there is no symbol."""
        row = np.full((1, *values.shape[1:]), filler, values.dtype)
        return np.concatenate([values, row])[self._numbers]

    def steps(self) -> Iterator[tuple[slice, _Int]]:
        """Where each step's symbols stand, and their means in half steps."""
        for first, last in pairwise(self._plan.places.tolist()):
            here = slice(first, last)
            yield here, _halves(self._near.take(self._before[here]), self._gains[here])

    def decode(self, here: slice, choice: _Int) -> _Int:
        """The slots that a step's lanes are in, each in so many tables after its first."""
        return self._lanes.advance(self._rows[here] + choice)

    def slices(self, places: _Int) -> _Int:
        """The slices of some lanes of a step."""
        return self._lanes.slices(places)

    def store(self, here: slice, levels: _Int) -> None:
        """Keep what a step gave; what is out of range stays just outside it."""
        self._levels[here] = _limited(levels, _LEVEL_LIMIT)
        self._near[self._numbers[here]] = _limited(levels, _NEIGHBOUR_LIMIT)

    def finish(self) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
        """Levels, the index past the last word of each slice, and the states left."""
        return self._levels[self._plan.index].astype(np.int32), *self._lanes.finish()


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
    flat = np.append(values, np.zeros(1 << TOTAL_BITS, np.int8)).astype(np.int64)
    units = walk.arrange(1 << shifts.astype(np.int64), 1)
    added = walk.arrange(low - (1 << shifts.astype(np.int64) >> 1), 0)
    for here, halves in walk.steps():
        value = flat.take(walk.decode(here, halves & 1))
        escaped = (value == ESCAPED).nonzero()[0]
        if escaped.size:
            value[escaped] = escapes.take(walk.slices(escaped))
        value *= units[here]
        value += added[here]
        value += halves >> 1
        walk.store(here, value)
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
    flat = np.append(symbols, np.ones(1 << TOTAL_BITS, np.uint8)).astype(np.int64) - 1
    centres = walk.arrange(3 * parents.astype(np.int64), 0)
    for here, halves in walk.steps():
        centre = centres[here]
        offset = 2 * centre - halves
        outward = flat.take(walk.decode(here, classify(offset)))
        digit = np.where(offset < 0, -outward, outward)
        escaped = (outward == 2).nonzero()[0]
        if escaped.size:
            digit[escaped] = escapes.take(walk.slices(escaped))
        walk.store(here, centre + digit)
    return walk.finish()
