"""Decoding where each symbol's table depends on levels decoded before it, in NumPy.

A lane never depends on another of the same step, since neighbours are at least as far away
as a slice has lanes. (spec/coding.md, "Prediction".) Knows nothing of tensors.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_alone import decode_alone
from midstream.kernels.numpy_batches import Batch, join
from midstream.kernels.numpy_chain import decode_digit_chain, decode_level_chain
from midstream.kernels.numpy_groups import groups, is_alone, is_chain
from midstream.kernels.numpy_low_bits import Fields, read_values
from midstream.kernels.numpy_point_chain import decode_point_chain
from midstream.kernels.numpy_points import walk_points
from midstream.kernels.numpy_walk import NEIGHBOUR_LIMIT, Walk, halves, limited
from midstream.kernels.slots import TOTAL_BITS, Slots
from midstream.kernels.terms import (
    BROKEN,
    CLASS_EDGES,
    ESCAPED_DIGIT,
    Decoded,
    LowBits,
    Stream,
    Terms,
    classify,
)

__all__ = [
    "decode_digits",
    "decode_levels",
    "fold_widths",
    "predict",
    "table_rows",
]

_Int = NDArray[np.int64]


def predict(levels: NDArray[np.int32], terms: Terms) -> _Int:
    """The mean of each level that the levels before it give, in half steps; (weights,)."""
    distances, gains = terms.dense()
    near = limited(levels.astype(np.int64), NEIGHBOUR_LIMIT)
    return halves(near[np.arange(len(levels)) - distances.T], gains.T)


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
        streams: Of several slices; their rows are those of whole steps. Where they say
            which levels are odd, these are of points that are predicted, and there are
            tables of three phases.
        low: Low bits of their levels.
        slots: The tables; ESCAPED is the value of an escape.
        next_phase: Tables from those of whole steps to those of half steps.
    """

    def decode(chosen: Sequence[int], careful: bool) -> list[Decoded] | None:
        own, bits = [streams[at] for at in chosen], [low[at] for at in chosen]
        has_points = any(stream.odd is not None for stream in own)
        if is_chain(own) or (careful and has_points):
            return [_level_chain(*pair, slots, next_phase) for pair in zip(own, bits, strict=True)]
        if is_alone(own):
            return [decode_alone(own[0], bits[0], slots)]
        batch = Batch.of(own)
        added = Fields.join(bits, batch)
        if has_points:
            return walk_points(batch, own, slots, added, next_phase)
        return _walk_levels(batch, slots, added, next_phase, careful=careful)

    return _decode_groups(streams, decode)


def _level_chain(stream: Stream, low: LowBits, slots: Slots, next_phase: int) -> Decoded:
    """Levels of one slice in plain Python."""
    if stream.odd is not None:
        return decode_point_chain(stream, low, slots, next_phase)
    batch = Batch.of([stream])
    added = Fields.join([low], batch)
    own = None if added is None else added.of_symbols(np.arange(len(batch.rows) - 1))
    return decode_level_chain(batch, slots, own, next_phase)


def _decode_groups(
    streams: Sequence[Stream], decode: Callable[[Sequence[int], bool], list[Decoded] | None]
) -> list[Decoded]:
    """All streams, group by group: again and with care where levels are far out."""
    found = [Decoded(levels=np.zeros(0, np.int32), taken=BROKEN)] * len(streams)
    for chosen in groups(streams):
        decoded = decode(chosen, False) or decode(chosen, True)
        assert decoded is not None, "with care all levels are kept in their range"
        for at, one in zip(chosen, decoded, strict=True):
            found[at] = one
    return found


def _walk_levels(
    batch: Batch, slots: Slots, low: Fields | None, next_phase: int, *, careful: bool
) -> list[Decoded] | None:
    walk = Walk(batch, batch.rows, slots, careful=careful)
    for block in walk.blocks():
        added = None if low is None else low.of_symbols(block.symbols)
        for here, means in block.stretches():
            value = read_values(block, here, (means & 1) * next_phase, batch, added)
            means >>= 1
            value += means
            block.store(here, value)
    return None if walk.is_wild else batch.decoded(*walk.finish())


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

    def decode(chosen: Sequence[int], careful: bool) -> list[Decoded] | None:
        batch = Batch.of([streams[at] for at in chosen])
        before = join([parents[at] for at in chosen], np.int32)
        if is_chain([streams[at] for at in chosen]):
            rows, slots = _spread_digits(batch.rows, starts)
            return [decode_digit_chain(replace(batch, rows=rows), slots, before)]
        return _walk_digits(batch, before, starts, careful=careful)

    return _decode_groups(streams, decode)


def _walk_digits(
    batch: Batch, parents: NDArray[np.int32], starts: NDArray[np.uint16], *, careful: bool
) -> list[Decoded] | None:
    walk = Walk(batch, *_spread_digits(batch.rows, starts), careful=careful)
    for block in walk.blocks():
        centres = 3 * parents.take(block.symbols).astype(np.int64)
        for here, means in block.stretches():
            centre = centres[here]
            offset = 2 * centre - means
            outward = block.decode(here, classify(offset))
            digit = np.where(offset < 0, -outward, outward)
            escaped = (outward == ESCAPED_DIGIT).nonzero()[0]
            if escaped.size:
                digit[escaped] = batch.escapes.take(block.slices(escaped))
            digit += centre
            block.store(here, digit)
    return None if walk.is_wild else batch.decoded(*walk.finish())


def _spread_digits(
    rows: NDArray[np.int32], starts: NDArray[np.uint16]
) -> tuple[NDArray[np.int32], Slots]:
    """The tables that are in use alone, and where they are: all of them are too many slots."""
    groups = rows // len(CLASS_EDGES)
    used = np.flatnonzero(np.bincount(groups[:-1]))
    place = np.zeros(int(used[-1]) + 1, np.int32)
    place[used] = np.arange(len(used)) * len(CLASS_EDGES)
    tables = (used[:, None] * len(CLASS_EDGES) + np.arange(len(CLASS_EDGES))).ravel()
    own = starts[tables].astype(np.int64)
    slots = Slots(
        frequencies=np.diff(own, axis=1, append=1 << TOTAL_BITS).ravel(),
        starts=own.ravel(),
        values=np.tile(np.arange(-1, ESCAPED_DIGIT + 1, dtype=np.int8), len(own)),
    )
    return place.take(groups, mode="clip"), slots
