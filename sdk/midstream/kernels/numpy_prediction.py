"""Decoding where each symbol's table depends on levels decoded before it, in NumPy.

All lanes of many slices step together, as in numpy_kernels; a lane never depends on another
of the same step, since neighbours are at least as far away as a slice has lanes.
(spec/coding.md, "Prediction".) Knows nothing of tensors.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.lanes import Lanes, make_plan, spread
from midstream.kernels.numpy_batches import Batch
from midstream.kernels.numpy_kernels import unpack_bits
from midstream.kernels.slots import TOTAL_BITS, Slots
from midstream.kernels.terms import (
    BROKEN,
    CLASS_EDGES,
    ESCAPED,
    Decoded,
    LowBits,
    Stream,
    Terms,
    classify,
)

__all__ = ["decode_digits", "decode_levels", "fold_widths", "predict", "table_rows"]

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

    def __init__(self, batch: Batch, rows: _Int, slots: Slots) -> None:
        self._plan = make_plan(batch.counts, batch.lanes)
        frequencies, offsets, values = slots.spread
        self._lanes = Lanes(
            self._plan,
            batch.words,
            batch.firsts[:-1],
            batch.states,
            batch.lanes,
            frequencies,
            offsets,
        )
        self._values = values
        size = int(batch.counts.sum())
        self._numbers = spread(self._plan, np.arange(size), size)
        self._rows = self.arrange(rows, slots.tables)
        distances, gains = batch.terms.dense()
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


def fold_widths(
    widths: NDArray[np.int16], *, widest: int, unshifted: int, most: int
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """The widths of tables, and how many low bits the levels have.

    Args:
        widths: (weights,) in quarter octaves.
        widest: The last one with a table; wider ones lose octaves.
        unshifted: The last one of levels without low bits; wider ones have one for an octave.
        most: Wider ones count as this.
    """
    width = np.minimum(widths, np.int16(most))
    shifts = _octaves_beyond(width, unshifted).astype(np.uint8)
    return width - 4 * _octaves_beyond(width, widest), shifts


def _octaves_beyond(width: NDArray[np.int16], widest: int) -> NDArray[np.int16]:
    """Octaves that widths have to lose so as to be no more than the widest."""
    octaves: NDArray[np.int16] = np.maximum(width, widest) - np.int16(widest - 3) >> 2
    return octaves


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
    streams: Sequence[Stream], low: Sequence[LowBits], slots: Slots, *, next_phase: int
) -> list[Decoded]:
    """Levels, each from one of two tables: whole or half steps from what is expected.

    Args:
        streams: Of several slices; their rows are those of whole steps.
        low: Low bits of their levels.
        slots: The tables; ESCAPED is the value of an escape.
        next_phase: Tables from those of whole steps to those of half steps.
    """
    found = [Decoded(levels=np.zeros(0, np.int32), taken=BROKEN)] * len(streams)
    for chosen in _groups(streams):
        batch = Batch.of([streams[at] for at in chosen])
        shift = np.concatenate([_shifts(streams[at], low[at]) for at in chosen])
        fields = np.concatenate([_fields(low[at], _shifts(streams[at], low[at])) for at in chosen])
        grain = 1 << shift, fields - (1 << shift >> 1)
        if batch.is_predicted:
            decoded = _walk_levels(batch, slots, grain, next_phase)
        else:
            decoded = _plain_levels(batch, slots, grain)
        for at, one in zip(chosen, decoded, strict=True):
            found[at] = one
    return found


def _groups(streams: Sequence[Stream]) -> list[list[int]]:
    """Streams that are decoded side by side: with and without terms, if they have their states."""
    whole = [at for at, stream in enumerate(streams) if len(stream.data) >= 4 * stream.lanes]
    groups = [
        [at for at in whole if (streams[at].terms is None) is plain] for plain in (True, False)
    ]
    return [group for group in groups if group]


def _plain_levels(batch: Batch, slots: Slots, grain: tuple[_Int, _Int]) -> list[Decoded]:
    """Levels where nothing is expected of any."""
    found, ends, left = batch.find_slots(batch.rows, slots)
    value = slots.spread[2].take(found).astype(np.int64)
    escaped = np.flatnonzero(value == ESCAPED)
    value[escaped] = batch.take_escapes(escaped)
    value *= grain[0]
    value += grain[1]
    return batch.decoded(_limited(value, _LEVEL_LIMIT).astype(np.int32), ends, left)


def _walk_levels(
    batch: Batch, slots: Slots, grain: tuple[_Int, _Int], next_phase: int
) -> list[Decoded]:
    walk = _Walk(batch, batch.rows, slots)
    units, added = walk.arrange(grain[0], 1), walk.arrange(grain[1], 0)
    for here, halves in walk.steps():
        value = walk.decode(here, (halves & 1) * next_phase)
        escaped = (value == ESCAPED).nonzero()[0]
        if escaped.size:
            value[escaped] = batch.escapes.take(walk.slices(escaped))
        value *= units[here]
        value += added[here]
        value += halves >> 1
        walk.store(here, value)
    return batch.decoded(*walk.finish())


def _shifts(stream: Stream, low: LowBits) -> _Int:
    """Low bits of each level."""
    return low.shifts.astype(np.int64) if len(low.shifts) else np.zeros(len(stream.rows), np.int64)


def _fields(low: LowBits, shifts: _Int) -> _Int:
    """The low bits of each level."""
    if not len(low.data):
        return np.zeros(len(shifts), np.int64)
    return unpack_bits(np.frombuffer(low.data, np.uint8), shifts).astype(np.int64)


def decode_digits(
    streams: Sequence[Stream],
    parents: Sequence[NDArray[np.int32]],
    starts: NDArray[np.uint16],
) -> list[Decoded]:
    """Children, each from one of the tables of a class of distances from the mean.

    Args:
        streams: Of several slices; their tables stand in groups, one for each class.
        parents: For each slice the levels before, (symbols,).
        starts: (tables, 4) where the slots of the symbols start that stand for a digit toward
            the mean, the same, one away from it and an escape.
    """
    found = [Decoded(levels=np.zeros(0, np.int32), taken=BROKEN)] * len(streams)
    for chosen in _groups(streams):
        batch = Batch.of([streams[at] for at in chosen])
        centres = 3 * np.concatenate([parents[at] for at in chosen]).astype(np.int64)
        decode = _walk_digits if batch.is_predicted else _plain_digits
        for at, one in zip(chosen, decode(batch, centres, starts), strict=True):
            found[at] = one
    return found


def _plain_digits(batch: Batch, centres: _Int, starts: NDArray[np.uint16]) -> list[Decoded]:
    """Children where nothing is expected of any."""
    rows, slots = _spread_digits(batch.rows, starts)
    found, ends, left = batch.find_slots(rows + classify(2 * centres), slots)
    outward = slots.spread[2].take(found).astype(np.int64)
    digit = np.where(centres < 0, -outward, outward)
    escaped = np.flatnonzero(outward == _ESCAPED_DIGIT)
    digit[escaped] = batch.take_escapes(escaped)
    return batch.decoded(_limited(centres + digit, _LEVEL_LIMIT).astype(np.int32), ends, left)


def _walk_digits(batch: Batch, centres: _Int, starts: NDArray[np.uint16]) -> list[Decoded]:
    walk = _Walk(batch, *_spread_digits(batch.rows, starts))
    centres = walk.arrange(centres, 0)
    for here, halves in walk.steps():
        centre = centres[here]
        offset = 2 * centre - halves
        outward = walk.decode(here, classify(offset))
        digit = np.where(offset < 0, -outward, outward)
        escaped = (outward == _ESCAPED_DIGIT).nonzero()[0]
        if escaped.size:
            digit[escaped] = batch.escapes.take(walk.slices(escaped))
        walk.store(here, centre + digit)
    return batch.decoded(*walk.finish())


def _spread_digits(rows: _Int, starts: NDArray[np.uint16]) -> tuple[_Int, Slots]:
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
