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

from midstream.kernels.lanes import Lanes, make_plan, spread
from midstream.kernels.numpy_kernels import unpack_bits
from midstream.kernels.slots import TOTAL_BITS, Slots
from midstream.kernels.terms import (
    CLASS_EDGES,
    ESCAPED,
    Escapes,
    LowBits,
    Stream,
    Terms,
    classify,
)

__all__ = ["decode_digits", "decode_levels", "predict", "table_rows"]

_NEIGHBOUR_LIMIT = 1 << 20
"""A neighbour's level counts as at most so far from zero."""
_GAIN_BITS = 12
_ESCAPED_DIGIT = 2
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

    def __init__(self, stream: Stream, rows: _Int, slots: Slots, terms: Terms) -> None:
        self._plan = make_plan(stream.counts, stream.lanes)
        frequencies, offsets, values = slots.spread
        self._lanes = Lanes(
            self._plan,
            stream.words,
            stream.starts,
            stream.states,
            stream.lanes,
            frequencies,
            offsets,
        )
        self._values = values
        size = int(stream.counts.sum())
        self._numbers = spread(self._plan, np.arange(size), size)
        self._rows = self.arrange(rows, slots.tables)
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
        """What a step's symbols stand for, each in the table so many after its first."""
        slots = self._lanes.advance(self._rows[here] + choice)
        return self._values.take(slots).astype(np.int64)

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


def table_rows(
    shapes: NDArray[np.int8],
    widths: NDArray[np.int16],
    phases: NDArray[np.int8] | None,
    *,
    last_width: int,
    each_width: int,
    each_shape: int,
    each_phase: int,
) -> NDArray[np.uint16]:
    """The first table of each weight.

    Args:
        shapes: (weights,)
        widths: (weights,) clipped to 0 to `last_width`.
        phases: (weights,) or None for 0.
        last_width: The widest there is.
        each_width: Tables from one width to the next.
        each_shape: Tables from one shape to the next.
        each_phase: Tables from one phase to the next.
    """
    rows = np.clip(widths, 0, last_width).astype(np.uint16)
    rows *= np.uint16(each_width)
    rows += shapes.astype(np.uint16) * np.uint16(each_shape)
    if phases is not None:
        rows += phases.astype(np.uint16) * np.uint16(each_phase)
    return rows


def decode_levels(
    stream: Stream,
    slots: Slots,
    terms: Terms,
    low: LowBits,
    escapes: Escapes,
    *,
    next_phase: int,
) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
    """Levels, each from one of two tables: whole or half steps from what is expected.

    Args:
        stream: Its rows are those of whole steps.
        slots: The tables; ESCAPED is the value of an escape.
        terms: Of all slices.
        low: Low bits of levels.
        escapes: Values outside the tables.
        next_phase: Tables from those of whole steps to those of half steps.

    Returns:
        Levels, at most one beyond their range; the index past the last word of each slice;
        the states left. `escapes.starts` has moved on by what was taken.
    """
    walk = _Walk(stream, stream.rows.astype(np.int64), slots, terms)
    shifts = (
        low.shifts.astype(np.int64) if len(low.shifts) else np.zeros(len(stream.rows), np.int64)
    )
    units = walk.arrange(1 << shifts, 1)
    added = walk.arrange(_low_bits(stream, low, shifts) - (1 << shifts >> 1), 0)
    for here, halves in walk.steps():
        value = walk.decode(here, (halves & 1) * next_phase)
        escaped = (value == ESCAPED).nonzero()[0]
        if escaped.size:
            value[escaped] = escapes.take(walk.slices(escaped))
        value *= units[here]
        value += added[here]
        value += halves >> 1
        walk.store(here, value)
    return walk.finish()


def _low_bits(stream: Stream, low: LowBits, shifts: _Int) -> _Int:
    """The low bits of each level."""
    own_shifts = np.split(shifts, np.cumsum(stream.counts)[:-1])
    sections = np.split(low.data, np.cumsum(low.sizes)[:-1])
    parts = [
        unpack_bits(data, own) if len(data) else np.zeros(len(own), np.uint64)
        for data, own in zip(sections, own_shifts, strict=True)
    ]
    return np.concatenate(parts).astype(np.int64)


def decode_digits(
    stream: Stream,
    starts: NDArray[np.uint16],
    terms: Terms,
    parents: NDArray[np.int32],
    escapes: Escapes,
) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
    """Children, each from one of the tables of a class of distances from the mean.

    Args:
        stream: Its tables stand in groups, one for each class.
        starts: (tables, 4) where the slots of the symbols start that stand for a digit toward
            the mean, the same, one away from it and an escape.
        terms: Of all slices, at the children's step.
        parents: (symbols,) levels before.
        escapes: Digits that are escaped.

    Returns:
        As `decode_levels`.
    """
    rows, slots = _spread_digits(stream.rows, starts)
    walk = _Walk(stream, rows, slots, terms)
    centres = walk.arrange(3 * parents.astype(np.int64), 0)
    for here, halves in walk.steps():
        centre = centres[here]
        offset = 2 * centre - halves
        outward = walk.decode(here, classify(offset))
        digit = np.where(offset < 0, -outward, outward)
        escaped = (outward == _ESCAPED_DIGIT).nonzero()[0]
        if escaped.size:
            digit[escaped] = escapes.take(walk.slices(escaped))
        walk.store(here, centre + digit)
    return walk.finish()


def _spread_digits(rows: NDArray[np.uint16], starts: NDArray[np.uint16]) -> tuple[_Int, Slots]:
    """The tables that are in use alone, and where they are: all of them are too many slots."""
    groups = rows // len(CLASS_EDGES)
    used = np.flatnonzero(np.bincount(groups))
    place = np.zeros(int(used[-1]) + 1, np.int64)
    place[used] = np.arange(len(used)) * len(CLASS_EDGES)
    tables = (used[:, None] * len(CLASS_EDGES) + np.arange(len(CLASS_EDGES))).ravel()
    own = starts[tables].astype(np.int64)
    slots = Slots(
        frequencies=np.diff(own, axis=1, append=1 << TOTAL_BITS).ravel(),
        starts=own.ravel(),
        values=np.tile(np.arange(-1, _ESCAPED_DIGIT + 1, dtype=np.int8), len(own)),
    )
    return place[groups], slots
