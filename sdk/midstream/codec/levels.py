"""Levels of slices to bytes and back. Knows nothing of steps and values.

A payload is the low bits of wide levels, the stream of symbols, and the escapes
(spec/coding.md, "Levels").
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.codec.parameters import MAX_LEVEL, Context
from midstream.codec.tables import SHAPES, UNSHIFTED_WIDTH, WIDTHS, level_family, lowest_symbols
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import pack_bits, read_varints, unpack_bits, write_varints

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

_Int = NDArray[np.int64]


def table_and_shift(context: Context, phase: int = 0) -> tuple[_Int, _Int]:
    """For each weight its table and the number of low bits that are sent as they are."""
    # the same for every weight of one width: computed once for each width there can be
    widths = np.arange(_MAX_WIDTH + 1)
    beyond = np.maximum(-(-(widths - (WIDTHS - 1)) // 4), 0)
    shifts = np.maximum(-(-(widths - UNSHIFTED_WIDTH) // 4), 0)
    width = np.clip(context.width, 0, _MAX_WIDTH)
    table = (widths - 4 * beyond)[width]
    table += context.shape.astype(np.int64) * WIDTHS + phase * SHAPES * WIDTHS
    return table, shifts[width]


def encode(levels: NDArray[np.int32], context: Context) -> bytes:
    """The payload of a slice's levels, each at most 2**30 from zero."""
    return encode_many([levels], [context])[0]


def encode_many(
    levels: Sequence[NDArray[np.int32]], contexts: Sequence[Context], *, phase: int = 0
) -> list[bytes]:
    """The payloads of several slices, much faster than one by one."""
    heads, tails = [], []
    tables, symbols = [], []
    for values, context in zip(levels, contexts, strict=True):
        table, shift = table_and_shift(context, phase)
        shifted = values.astype(np.int64) + (1 << shift >> 1)
        heads.append(pack_bits((shifted & ((1 << shift) - 1)).astype(np.uint64), shift))
        symbol, escapes = _symbols(shifted >> shift, table)
        tails.append(write_varints(escapes))
        tables.append(table)
        symbols.append(symbol)
    streams = rans.encode(level_family(), tables, symbols)
    return [b"".join(parts) for parts in zip(heads, streams, tails, strict=True)]


def _symbols(values: _Int, table: _Int) -> tuple[_Int, NDArray[np.uint64]]:
    """Symbols in the tables, and how far the escaped values are outside them."""
    last = level_family().sizes[table] - 1
    symbol = values - lowest_symbols()[table]
    below, above = symbol < 0, symbol >= last
    outside = np.flatnonzero(below | above)
    excess = np.where(below, -1 - symbol << 1 | 1, symbol - last << 1)[outside]
    symbol[outside] = last[outside]
    return symbol, excess.astype(np.uint64)


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


def decode_prefix(
    payloads: Sequence[memoryview], contexts: Sequence[Context], *, phase: int = 0
) -> tuple[list[NDArray[np.int32]], list[int]]:
    """The levels of several slices, and how many bytes each took.

    Raises:
        BitstreamError: A payload did not come from an encoder.
    """
    tables, shifts, lows, rests = [], [], [], []
    for payload, context in zip(payloads, contexts, strict=True):
        table, shift = table_and_shift(context, phase)
        size = (int(shift.sum()) + 7) // 8
        lows.append(_low_bits(payload, size, shift))
        rests.append(payload[size:])
        tables.append(table)
        shifts.append(shift)
    symbols, taken = rans.decode(level_family(), rests, tables)
    levels, sizes = [], []
    for place, payload in enumerate(payloads):
        start = len(payload) - len(rests[place]) + taken[place]
        values, size = _values(symbols[place], tables[place], payload[start:])
        shift = shifts[place]
        levels.append(_bounded((values << shift) - (1 << shift >> 1) + lows[place]))
        sizes.append(start + size)
    return levels, sizes


def _low_bits(payload: memoryview, size: int, shift: _Int) -> _Int:
    if size > len(payload):
        raise BitstreamError(
            ErrorCode.BAD_LENGTH, f"levels: {len(payload)} bytes, {size} for their low bits"
        )
    if not size:
        return np.zeros(len(shift), np.int64)
    return unpack_bits(np.frombuffer(payload, np.uint8, size), shift).astype(np.int64)


def _values(symbols: NDArray[np.uint8], table: _Int, tail: memoryview) -> tuple[_Int, int]:
    """What the symbols stand for, and how many bytes of the tail their escapes took."""
    last = level_family().sizes[table] - 1
    values = symbols + lowest_symbols()[table]
    outside = np.flatnonzero(symbols == last)
    read = read_varints(np.frombuffer(tail, np.uint8), len(outside))
    if read is None:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, "levels: an escape is malformed")
    excess = read[0].astype(np.int64)
    below = excess & 1
    values[outside] += np.where(below, -last[outside] - 1 - (excess >> 1), excess >> 1)
    return values, read[1]


def _bounded(levels: _Int) -> NDArray[np.int32]:
    if levels.size and max(-int(levels.min()), int(levels.max())) > MAX_LEVEL:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, f"levels: one is beyond {MAX_LEVEL}")
    return levels.astype(np.int32)


def cost(levels: NDArray[np.int32], context: Context, *, phase: int = 0) -> float:
    """Bits that the levels take by the tables, without what a stream costs by itself."""
    table, shift = table_and_shift(context, phase)
    return float(_bits(levels.astype(np.int64), table, shift).sum())


def code_lengths(levels: NDArray[np.int32], shape: int, widths: int) -> NDArray[np.float64]:
    """Bits of each level in each table of one shape: (levels, widths)."""
    each = np.repeat(levels.astype(np.int64), widths)
    width = np.tile(np.arange(widths, dtype=np.int16), len(levels))
    table, shift = table_and_shift(Context(shape=np.full(len(width), shape, np.int8), width=width))
    return _bits(each, table, shift).reshape(len(levels), widths)


def _bits(levels: _Int, table: _Int, shift: _Int) -> NDArray[np.float64]:
    family = level_family()
    symbol, escapes = _symbols(levels + (1 << shift >> 1) >> shift, table)
    bits: NDArray[np.float64] = family.bits[family.firsts[table] + symbol] + shift
    # an escape takes a byte for each seven bits
    groups = np.maximum(np.frexp(escapes.astype(np.float64))[1] + 6, 7) // 7
    bits[symbol == family.sizes[table] - 1] += 8 * groups
    return bits
