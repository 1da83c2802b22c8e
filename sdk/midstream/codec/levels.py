"""Levels of slices to bytes and back. Knows nothing of steps and values.

A payload is the low bits of wide levels, the escapes, and the stream of symbols
(spec/coding.md, "Levels").
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.codec.lattice import BLOCK
from midstream.codec.parameters import MAX_LEVEL, Context
from midstream.codec.tables import SHAPES, UNSHIFTED_WIDTH, WIDTHS, level_family, lowest_symbols
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import (
    Alphabets,
    Symbols,
    decode_levels,
    fold_widths,
    level_symbols,
    pack_bits,
    read_varints,
    table_rows,
    write_varints,
)
from midstream.kernels import count_levels as count_in_c
from midstream.kernels import pack_levels as pack_in_c
from midstream.kernels.packing import Tables
from midstream.kernels.slots import Slots
from midstream.kernels.terms import ESCAPED, LowBits, Stream

__all__ = [
    "bits_of",
    "check_ends",
    "code_lengths",
    "cost",
    "count",
    "counted",
    "decode",
    "decode_prefix",
    "encode",
    "encode_many",
    "lanes_of_last",
    "packed",
    "slots",
    "table_and_shift",
]

_MAX_WIDTH = WIDTHS - 1 + 4 * 24
_NEXT_PHASE = SHAPES * WIDTHS
_LAST_LANES = 4
_NO_SHIFTS = np.zeros(0, np.uint8)

_Int = NDArray[np.int64]
_Levels = NDArray[np.int32] | NDArray[np.int64]


def table_and_shift(context: Context) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """For each weight its table, and the number of low bits that are sent as they are.

    The table is of phase 0 unless the context says another. No shifts at all where no level
    has low bits.
    """
    width, shift, widest = context.width, _NO_SHIFTS, int(context.width.max(initial=0))
    if widest > UNSHIFTED_WIDTH:
        width, shift = fold_widths(
            width, widest=WIDTHS - 1, unshifted=UNSHIFTED_WIDTH, most=_MAX_WIDTH
        )
    table = table_rows(
        context.shape,
        width,
        context.phase,
        last_width=WIDTHS - 1,
        each_width=1,
        each_shape=WIDTHS,
        each_phase=_NEXT_PHASE,
    )
    return table, shift


def encode(levels: NDArray[np.int32], context: Context) -> bytes:
    """The payload of a slice's levels, each at most 2**30 from zero."""
    return encode_many([levels], [context])[0]


def encode_many(
    levels: Sequence[NDArray[np.int32]],
    contexts: Sequence[Context],
    *,
    phase: int = 0,
    lanes: Sequence[int] | None = None,
) -> list[bytes]:
    """The payloads of several slices, much faster than one by one.

    Args:
        levels: Of each slice.
        contexts: Of each slice.
        phase: Half steps that are expected where nothing is predicted, 0 or 1.
        lanes: Of the stream of each, where these are not as the contexts say.
    """
    if pack_in_c is not None and not phase and lanes is None:
        return [packed(*pair) for pair in zip(levels, contexts, strict=True)]
    heads, symbols = [], []
    for values, context in zip(levels, contexts, strict=True):
        coded, shift = _symbols(values, context, phase)
        low = _pack_low(coded.low, shift)
        count = np.array([len(coded.escapes)], np.uint64)
        escapes = write_varints(np.concatenate([count, _zigzag(coded.escapes)]))
        heads.append(low + escapes if len(values) else b"")
        symbols.append(coded.symbols)
    if lanes is None:
        lanes = [rans.lanes_of(len(c.width), c.terms) for c in contexts]
    streams = rans.encode_entries(level_family(), symbols, lanes)
    return [head + stream for head, stream in zip(heads, streams, strict=True)]


def packed(levels: NDArray[np.int32], context: Context) -> bytes:
    """The payload of a slice, points or not, by one call in C."""
    assert pack_in_c is not None, "asked for where it is there"
    count, last = len(context.width), 0
    assert context.phase is None, "levels have the phases that terms say"
    if context.lattice and context.terms is None:
        last = count // BLOCK
    lanes = rans.lanes_of(count - last, context.terms), lanes_of_last(last)
    spread = context.shape, context.width
    return pack_in_c(levels, spread, context.terms, lanes, _tables(), is_lattice=context.lattice)


@cache
def _tables() -> Tables:
    family = level_family()
    return Tables(
        alphabets=_alphabets(),
        frequencies=family.frequencies.astype(np.uint16, copy=False),
        starts=family.starts.astype(np.uint16, copy=False),
        last_width=WIDTHS - 1,
        unshifted=UNSHIFTED_WIDTH,
        most=_MAX_WIDTH,
    )


def _pack_low(low: NDArray[np.int32], shift: NDArray[np.uint8]) -> bytes:
    """Low bits of the levels that have some; few have, as a rule."""
    places = np.flatnonzero(shift)
    return pack_bits(low[places].astype(np.uint64), shift[places].astype(np.int64))


@cache
def _alphabets() -> Alphabets:
    family = level_family()
    return Alphabets(
        lowest=lowest_symbols().astype(np.int32),
        sizes=family.sizes.astype(np.int32),
        firsts=family.firsts.astype(np.int32),
        next_phase=_NEXT_PHASE,
        entries=len(family.bits),
    )


def _symbols(
    levels: NDArray[np.int32],
    context: Context,
    phase: int,
    *,
    counts_only: bool = False,
    known: _Int | None = None,
) -> tuple[Symbols, NDArray[np.uint8]]:
    """The symbols of levels, and how many low bits each has besides; none where none has any."""
    table, shift = table_and_shift(context)
    if phase:
        table += np.uint16(phase * _NEXT_PHASE)
    halves = context.halves(levels) if known is None else known
    made = level_symbols(levels, halves, table, shift, _alphabets(), counts_only=counts_only)
    return made, shift


def _zigzag(values: _Int) -> NDArray[np.uint64]:
    return np.where(values < 0, -1 - 2 * values, 2 * values).astype(np.uint64)


def lanes_of_last(points: int) -> int:
    """Lanes of the last weights of so many points: one for each 512, since they wait for others."""
    return rans.lanes_of(_LAST_LANES * points)


def decode(
    payloads: Sequence[memoryview],
    contexts: Sequence[Context],
    *,
    lanes: Sequence[int] | None = None,
) -> list[NDArray[np.int32]]:
    """The levels of several slices.

    Args:
        payloads: Of each slice.
        contexts: Of each slice.
        lanes: Of the stream of each, where these are not as the contexts say.

    Raises:
        BitstreamError: A payload did not come from an encoder, or bytes follow it.
    """
    levels, sizes = decode_prefix(payloads, contexts, lanes=lanes)
    check_ends([payload[size:] for payload, size in zip(payloads, sizes, strict=True)])
    return levels


def check_ends(rests: Sequence[memoryview]) -> None:
    """Refuse bytes that follow payloads.

    Raises:
        BitstreamError: There are some.
    """
    for rest in rests:
        if len(rest):
            raise BitstreamError(
                ErrorCode.TRAILING_BYTES, f"levels: {len(rest)} bytes after the end"
            )


def decode_prefix(
    payloads: Sequence[memoryview],
    contexts: Sequence[Context],
    *,
    phase: int = 0,
    odd: Sequence[NDArray[np.int8] | None] | None = None,
    lanes: Sequence[int] | None = None,
) -> tuple[list[NDArray[np.int32]], list[int]]:
    """The levels of several slices, and how many bytes each took.

    Args:
        payloads: Start with the levels of each.
        contexts: Of each slice.
        phase: Half steps that are expected where nothing is predicted, 0 or 1.
        odd: (16, points) for each slice of points that are predicted, whether each level is;
            None for others. Their contexts are those of numbers.
        lanes: Of the stream of each, where these are not as the contexts say.

    Raises:
        BitstreamError: A payload did not come from an encoder.
    """
    levels = [np.zeros(0, np.int32)] * len(payloads)
    sizes = [0] * len(payloads)
    chosen = [at for at, context in enumerate(contexts) if len(context.width)]
    own = [None] * len(payloads) if lanes is None else lanes
    pairs = [_read_head(payloads[at], contexts[at], phase, own[at]) for at in chosen]
    streams, low = [stream for stream, _ in pairs], [bits for _, bits in pairs]
    if odd is not None:
        streams = [replace(s, odd=odd[at]) for at, s in zip(chosen, streams, strict=True)]
    found = decode_levels(streams, low, slots(), next_phase=_NEXT_PHASE) if chosen else []
    for at, stream, decoded in zip(chosen, streams, found, strict=True):
        rans.check(decoded, f"levels: slice {at} of {len(payloads)}")
        levels[at] = decoded.levels
        sizes[at] = len(payloads[at]) - len(stream.data) + decoded.taken
    return levels, sizes


def _read_head(
    payload: memoryview, context: Context, phase: int, lanes: int | None
) -> tuple[Stream, LowBits]:
    """What stands before the stream of a slice of some weights, and the stream."""
    table, shift = table_and_shift(context)
    table += np.uint16(phase * _NEXT_PHASE)
    size = (int(shift.sum()) + 7) // 8
    if size > len(payload):
        raise BitstreamError(
            ErrorCode.BAD_LENGTH, f"levels: {len(payload)} bytes, {size} for their low bits"
        )
    escapes, taken = _read_escapes(payload[size:], len(table))
    stream = rans.stream(payload[size + taken :], table, context.terms, escapes, lanes=lanes)
    return stream, LowBits(data=payload[:size], shifts=shift)


def _read_escapes(data: memoryview, weights: int) -> tuple[_Int, int]:
    """What escapes stand for, and the bytes that saying so took."""
    if not len(data):
        raise BitstreamError(ErrorCode.BAD_LENGTH, "levels: they end before their escapes")
    if data[0] == 0:
        return np.zeros(0, np.int64), 1
    numbers = np.frombuffer(data, np.uint8)
    count = read_varints(numbers, 1)
    if count is None or int(count[0][0]) > weights:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, "levels: the number of escapes is malformed")
    read = read_varints(numbers[count[1] :], int(count[0][0]))
    if read is None:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, "levels: an escape is malformed")
    coded = read[0].astype(np.int64)
    if coded.size and int(coded.max()) > 4 * MAX_LEVEL:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, f"levels: one is beyond {MAX_LEVEL}")
    return np.where(coded & 1, -1 - (coded >> 1), coded >> 1), count[1] + read[1]


@cache
def slots() -> Slots:
    """All tables; the symbols stand for numbers, the last of each table for an escape."""
    family = level_family()
    inside = np.arange(len(family.frequencies)) - np.repeat(family.firsts, family.sizes)
    values = inside + np.repeat(lowest_symbols(), family.sizes)
    values[family.firsts + family.sizes - 1] = ESCAPED
    return Slots(
        frequencies=family.frequencies, starts=family.starts, values=values.astype(np.int8)
    )


def cost(
    levels: NDArray[np.int32], context: Context, *, phase: int = 0, halves: _Int | None = None
) -> float:
    """Bits that the levels take by the tables, without what a stream costs by itself.

    Args:
        levels: (weights,)
        context: How they are coded.
        phase: Half steps that are expected where nothing is predicted, 0 or 1.
        halves: (weights,) what is expected of each, in half steps, whatever the context says.
    """
    known = context.halves(levels) if halves is None else halves
    if count_in_c is not None and not phase and context.phase is None:
        return bits_of(*counted(levels, context, known))
    return bits_of(*count(levels, context, phase=phase, known=known))


def count(
    levels: NDArray[np.int32], context: Context, *, phase: int = 0, known: _Int | None = None
) -> tuple[_Int, int]:
    """How many there are of each symbol of all tables, and the bits of all else."""
    coded, shift = _symbols(
        levels, replace(context, terms=None), phase, counts_only=True, known=known
    )
    return coded.counts, int(shift.sum(dtype=np.int64)) + int(_escape_bits(coded).sum())


def counted(levels: NDArray[np.int32], context: Context, known: _Int | None) -> tuple[_Int, int]:
    """The same, points or not, by one call in C."""
    assert count_in_c is not None, "asked for where it is there"
    spread = context.shape, context.width
    return count_in_c(levels, spread, known, _tables(), is_lattice=context.lattice)


def bits_of(counts: _Int, others: int) -> float:
    """Bits of so many symbols of all tables, and others."""
    # a library's product would wake threads, which then wait for more
    return float(np.einsum("i,i->", counts, level_family().bits)) + others


def code_lengths(
    levels: NDArray[np.int32], shape: int, widths: int, *, phase: int = 0
) -> NDArray[np.float64]:
    """Bits of each level in each table of one shape: (levels, widths)."""
    each = np.repeat(levels, widths)
    width = np.tile(np.arange(widths, dtype=np.int16), len(levels))
    context = Context(shape=np.full(len(width), shape, np.int8), width=width)
    coded, shift = _symbols(each, context, phase)
    bits: NDArray[np.float64] = level_family().bits[coded.symbols]
    if len(shift):
        bits += shift
    bits[coded.places] += _escape_bits(coded)
    return bits.reshape(len(levels), widths)


def _escape_bits(coded: Symbols) -> _Int:
    """What the values of escapes take: a byte for each seven bits."""
    bits: _Int = np.frexp(_zigzag(coded.escapes).astype(np.float64))[1].astype(np.int64)
    return 8 * np.maximum((bits + 6) // 7, 1)
