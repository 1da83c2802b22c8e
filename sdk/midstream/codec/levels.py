"""Levels of slices to bytes and back. Knows nothing of steps and values.

A payload is the low bits of wide levels, the escapes, and the stream of symbols
(spec/coding.md, "Levels").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import predicted, rans
from midstream.codec.parameters import MAX_LEVEL, Context
from midstream.codec.tables import SHAPES, UNSHIFTED_WIDTH, WIDTHS, level_family, lowest_symbols
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import (
    DECODES_IN_ORDER,
    Alphabets,
    Symbols,
    decode_levels,
    level_symbols,
    pack_bits,
    read_varints,
    table_rows,
    unpack_bits,
    write_varints,
)
from midstream.kernels.slots import Slots
from midstream.kernels.terms import ESCAPED, LowBits, Terms

__all__ = [
    "code_lengths",
    "cost",
    "decode",
    "decode_prefix",
    "encode",
    "encode_many",
    "table_and_shift",
]

_MAX_WIDTH = WIDTHS - 1 + 4 * 24
_NEXT_PHASE = SHAPES * WIDTHS
_NO_SHIFTS = np.zeros(0, np.uint8)

_Int = NDArray[np.int64]
_Levels = NDArray[np.int32] | NDArray[np.int64]


@cache
def _wide() -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """The width of the table, and number of low bits, for each width there can be."""
    widths = np.arange(_MAX_WIDTH + 1)
    beyond = np.maximum(-(-(widths - (WIDTHS - 1)) // 4), 0)
    shifts = np.maximum(-(-(widths - UNSHIFTED_WIDTH) // 4), 0)
    return (widths - 4 * beyond).astype(np.int16), shifts.astype(np.uint8)


def table_and_shift(context: Context) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """For each weight its table, and the number of low bits that are sent as they are.

    The table is of phase 0 unless the context says another. No shifts at all where no level
    has low bits.
    """
    width, shift, widest = context.width, _NO_SHIFTS, int(context.width.max(initial=0))
    if widest > UNSHIFTED_WIDTH:
        widths, shifts = _wide()
        places = width.astype(np.intp)
        width, shift = widths.take(places, mode="clip"), shifts.take(places, mode="clip")
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
    levels: Sequence[NDArray[np.int32]], contexts: Sequence[Context], *, phase: int = 0
) -> list[bytes]:
    """The payloads of several slices, much faster than one by one.

    Args:
        levels: Of each slice.
        contexts: Of each slice.
        phase: Half steps that are expected where nothing is predicted, 0 or 1.
    """
    heads, symbols = [], []
    for values, context in zip(levels, contexts, strict=True):
        coded, shift = _symbols(values, context, phase)
        low = pack_bits(coded.low.astype(np.uint64), shift.astype(np.int64))
        count = np.array([len(coded.escapes)], np.uint64)
        escapes = write_varints(np.concatenate([count, _zigzag(coded.escapes)]))
        heads.append(low + escapes if len(values) else b"")
        symbols.append(coded.symbols)
    lanes = [rans.lanes_of(len(c.width), c.terms) for c in contexts]
    streams = rans.encode_entries(level_family(), symbols, lanes)
    return [head + stream for head, stream in zip(heads, streams, strict=True)]


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
    levels: NDArray[np.int32], context: Context, phase: int, *, counts_only: bool = False
) -> tuple[Symbols, NDArray[np.uint8]]:
    """The symbols of levels, and how many low bits each has besides; none where none has any."""
    table, shift = table_and_shift(context)
    if phase:
        table += np.uint16(phase * _NEXT_PHASE)
    halves = context.halves(levels)
    made = level_symbols(levels, halves, table, shift, _alphabets(), counts_only=counts_only)
    return made, shift


def _zigzag(values: _Int) -> NDArray[np.uint64]:
    return np.where(values < 0, -1 - 2 * values, 2 * values).astype(np.uint64)


def decode(payloads: Sequence[memoryview], contexts: Sequence[Context]) -> list[NDArray[np.int32]]:
    """The levels of several slices.

    Raises:
        BitstreamError: A payload did not come from an encoder, or bytes follow it.
    """
    levels, sizes = decode_prefix(payloads, contexts)
    for payload, size in zip(payloads, sizes, strict=True):
        if size != len(payload):
            raise BitstreamError(
                ErrorCode.TRAILING_BYTES, f"levels: {len(payload) - size} bytes after the end"
            )
    return levels


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What stands before the stream of a slice."""

    table: NDArray[np.uint16]
    """The table of each symbol, or the first of two where levels are predicted."""
    shift: NDArray[np.uint8]
    """Low bits of each level; empty where none has any."""
    low: memoryview
    """The section of those bits."""
    escapes: _Int
    """What escaped symbols stand for."""
    terms: Terms | None
    """What predicts its levels."""
    stream: memoryview
    """What follows."""


def decode_prefix(
    payloads: Sequence[memoryview], contexts: Sequence[Context], *, phase: int = 0
) -> tuple[list[NDArray[np.int32]], list[int]]:
    """The levels of several slices, and how many bytes each took.

    Raises:
        BitstreamError: A payload did not come from an encoder.
    """
    levels = [np.zeros(0, np.int32)] * len(payloads)
    sizes = [0] * len(payloads)
    heads = [_read_head(p, c, phase) for p, c in zip(payloads, contexts, strict=True)]
    for in_order, read in ((False, _decode_plain), (True, _decode_in_order)):
        chosen = [at for at, head in enumerate(heads) if _is_in_order(head) is in_order]
        if chosen:
            found, taken = read([heads[at] for at in chosen])
            for at, values, size in zip(chosen, found, taken, strict=True):
                levels[at] = _bounded(values)
                sizes[at] = len(payloads[at]) - len(heads[at].stream) + size
    return levels, sizes


def _is_in_order(head: _Head) -> bool:
    """Whether levels are made one after the other: they must be, or a kernel is best at that."""
    return head.terms is not None or (DECODES_IN_ORDER and len(head.table) > 0)


def _read_head(payload: memoryview, context: Context, phase: int) -> _Head:
    table, shift = table_and_shift(context)
    table += np.uint16(phase * _NEXT_PHASE)
    size = (int(shift.sum()) + 7) // 8
    if size > len(payload):
        raise BitstreamError(
            ErrorCode.BAD_LENGTH, f"levels: {len(payload)} bytes, {size} for their low bits"
        )
    escapes, taken = _read_escapes(payload[size:], len(table))
    return _Head(
        table=table,
        shift=shift,
        low=payload[:size],
        escapes=escapes,
        terms=context.terms,
        stream=payload[size + taken :],
    )


def _read_escapes(data: memoryview, weights: int) -> tuple[_Int, int]:
    """What escapes stand for, and the bytes that saying so took."""
    if not weights:
        return np.zeros(0, np.int64), 0
    if not len(data):
        raise BitstreamError(ErrorCode.BAD_LENGTH, "levels: they end before their escapes")
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


def _decode_plain(heads: Sequence[_Head]) -> tuple[list[_Levels], list[int]]:
    tables = [head.table.astype(np.int32) for head in heads]
    symbols, taken = rans.decode(level_family(), [head.stream for head in heads], tables)
    return [_values(part, head) for part, head in zip(symbols, heads, strict=True)], taken


def _values(symbols: NDArray[np.uint8], head: _Head) -> _Levels:
    """What the symbols stand for."""
    values = symbols + lowest_symbols()[head.table]
    outside = np.flatnonzero(symbols == level_family().sizes[head.table] - 1)
    if len(outside) != len(head.escapes):
        raise BitstreamError(
            ErrorCode.BAD_SYMBOL,
            f"levels: {len(outside)} escapes, {len(head.escapes)} values of them",
        )
    values[outside] = head.escapes
    if not len(head.low):
        return values
    shift = head.shift.astype(np.int64)
    low = unpack_bits(np.frombuffer(head.low, np.uint8), shift).astype(np.int64)
    return (values << shift) - (1 << shift >> 1) + low


@cache
def _slots() -> Slots:
    """All tables; the symbols stand for numbers, the last of each table for an escape."""
    family = level_family()
    inside = np.arange(len(family.frequencies)) - np.repeat(family.firsts, family.sizes)
    values = inside + np.repeat(lowest_symbols(), family.sizes)
    values[family.firsts + family.sizes - 1] = ESCAPED
    return Slots(
        frequencies=family.frequencies, starts=family.starts, values=values.astype(np.int8)
    )


def _low_bits(heads: Sequence[_Head]) -> LowBits:
    shifts = [head.shift for head in heads]
    if any(map(len, shifts)):
        zeros = [np.zeros(len(head.table), np.uint8) for head in heads]
        shifts = [own if len(own) else none for own, none in zip(shifts, zeros, strict=True)]
    return LowBits(
        data=np.frombuffer(b"".join([head.low for head in heads]), np.uint8),
        sizes=np.array([len(head.low) for head in heads], np.int64),
        shifts=np.concatenate(shifts),
    )


def _decode_in_order(heads: Sequence[_Head]) -> tuple[list[_Levels], list[int]]:
    batch = predicted.Batch.of(
        [head.stream for head in heads],
        [head.table for head in heads],
        [head.terms for head in heads],
    )
    escapes = predicted.escapes([head.escapes for head in heads])
    low = _low_bits(heads)
    found = decode_levels(batch.stream, _slots(), batch.terms, low, escapes, next_phase=_NEXT_PHASE)
    levels, taken = batch.finish(escapes, *found)
    return list(levels), taken


def _bounded(levels: _Levels) -> NDArray[np.int32]:
    if levels.size and max(-int(levels.min()), int(levels.max())) > MAX_LEVEL:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, f"levels: one is beyond {MAX_LEVEL}")
    return levels.astype(np.int32, copy=False)


def cost(levels: NDArray[np.int32], context: Context, *, phase: int = 0) -> float:
    """Bits that the levels take by the tables, without what a stream costs by itself."""
    coded, shift = _symbols(levels, context, phase, counts_only=True)
    bits = float(coded.counts @ level_family().bits)
    return bits + float(shift.sum(dtype=np.int64)) + float(_escape_bits(coded).sum())


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
