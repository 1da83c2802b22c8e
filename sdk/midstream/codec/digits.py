"""Refinements: from levels to levels on a grid three times finer. Knows nothing of values.

child = 3 * parent + digit; a digit is -1, 0 or 1, or an escape where the encoder moved
the parent (spec/coding.md, "Digits").
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels as level_coding
from midstream.codec import rans
from midstream.codec.parameters import MAX_LEVEL, Context
from midstream.codec.tables import (
    DIGIT_TABLES,
    DIGIT_WIDTHS,
    ESCAPE_SHARES,
    PARENT_CLASSES,
    SPIKE_SHARES,
    digit_family,
)
from midstream.errors import BitstreamError, ErrorCode

__all__ = ["cost", "decode", "encode", "encode_many", "width_shift"]

_ESCAPE = 3
_MOVED_WIDTHS = 16
_Int = NDArray[np.int64]


def width_shift(trits: int) -> int:
    """Quarter octaves that so many refinements add to a width: 4 log2(3) each, rounded."""
    return (634 * trits + 50) // 100


def _tables(parents: _Int, context: Context, trits: int) -> _Int:
    """The table of each digit, in slice class 0."""
    width = np.clip(context.width.astype(np.int64) + width_shift(trits), 0, DIGIT_WIDTHS - 1)
    classes = np.searchsorted(PARENT_CLASSES, np.arange(PARENT_CLASSES[-1] + 1), "right") - 1
    parent = classes[np.minimum(np.abs(parents), PARENT_CLASSES[-1])]
    row = context.shape.astype(np.int64) * DIGIT_WIDTHS + width
    return row * len(PARENT_CLASSES) + parent


def _symbols(parents: _Int, children: _Int) -> tuple[_Int, _Int]:
    """Symbols, and the digits that are escaped."""
    digit = children - 3 * parents
    outside = np.abs(digit) > 1
    outward = np.where(parents < 0, -digit, digit)
    return np.where(outside, _ESCAPE, outward + 1), digit[outside]


def encode(
    parents: NDArray[np.int32], children: NDArray[np.int32], context: Context, trits: int
) -> bytes:
    """The payload of one refinement of a slice.

    Args:
        parents: (weights,) levels before it.
        children: (weights,) levels after it, each at most 2**30 from zero.
        context: Distribution of the weights, at the base grid.
        trits: Refinements applied before this one.
    """
    return encode_many([parents], [children], [context], [trits])[0]


def encode_many(
    parents: Sequence[NDArray[np.int32]],
    children: Sequence[NDArray[np.int32]],
    contexts: Sequence[Context],
    trits: Sequence[int],
) -> list[bytes]:
    """The payloads of several slices, much faster than one by one."""
    heads, folded, moved_contexts, tables, symbols = [], [], [], [], []
    for parent, child, context, trit in zip(parents, children, contexts, trits, strict=True):
        before = parent.astype(np.int64)
        symbol, moved = _symbols(before, child.astype(np.int64))
        table = _tables(before, context, trit)
        kind = _slice_class(before, table, symbol)
        folded.append(_fold(moved))
        half_width = _moved_cost(folded[-1])[0]
        heads.append(bytes([kind | half_width << 4]))
        moved_contexts.append(_moved_context(len(moved), half_width))
        tables.append(table + kind * DIGIT_TABLES)
        symbols.append(symbol)
    streams = rans.encode(digit_family(), tables, symbols)
    tails = level_coding.encode_many(folded, moved_contexts, phase=1)
    return [b"".join(parts) for parts in zip(heads, streams, tails, strict=True)]


def _slice_class(parents: _Int, table: _Int, symbol: _Int) -> int:
    """The class whose tables give the shortest code."""
    moved = int(np.count_nonzero(symbol == _ESCAPE))
    shares = np.array(ESCAPE_SHARES) / 4096
    lengths = -moved * np.log2(shares) - (len(symbol) - moved) * np.log2(1 - shares)
    escapes = int(np.argmin(lengths))
    zero = parents == 0
    entries = np.bincount(digit_family().firsts[table[zero]] + symbol[zero])
    kinds = [len(ESCAPE_SHARES) * spike + escapes for spike in range(len(SPIKE_SHARES))]
    firsts = [int(digit_family().firsts[kind * DIGIT_TABLES]) for kind in kinds]
    bits = [digit_family().bits[first : first + len(entries)] @ entries for first in firsts]
    return kinds[int(np.argmin(bits))]


def _fold(moved: _Int) -> NDArray[np.int32]:
    """Escaped digits to levels around one half: ..., -3, -2, 2, 3, ... to ..., -1, 0, 1, 2."""
    return (moved + np.where(moved > 0, -1, 2)).astype(np.int32)


def _unfold(levels: NDArray[np.int32]) -> _Int:
    folded = levels.astype(np.int64)
    return folded + np.where(folded > 0, 1, -2)


def _moved_context(moved: int, half_width: int) -> Context:
    return Context(shape=np.zeros(moved, np.int8), width=np.full(moved, 2 * half_width, np.int16))


def _moved_cost(folded: NDArray[np.int32]) -> tuple[int, float]:
    """Half the width that codes escaped digits shortest, and the bits it takes."""
    if not len(folded):
        return 0, 0.0
    # around the width of their mean distance from one half
    centre = int(2 * np.log2(np.abs(folded - 0.5).mean() + 0.01)) + 7
    halves = {min(max(centre + delta, 0), _MOVED_WIDTHS - 1) for delta in range(-2, 3)}
    bits = {
        half: level_coding.cost(folded, _moved_context(len(folded), half), phase=1)
        for half in sorted(halves)
    }
    best = min(bits, key=lambda half: bits[half])
    return best, bits[best]


def decode(
    payloads: Sequence[memoryview],
    contexts: Sequence[Context],
    parents: Sequence[NDArray[np.int32]],
    trits: Sequence[int],
) -> list[NDArray[np.int32]]:
    """The children of several slices.

    Args:
        payloads: One for each slice.
        contexts: Distribution of the weights, at the base grid.
        parents: Levels before this refinement.
        trits: Refinements applied before this one.

    Raises:
        BitstreamError: A payload did not come from an encoder.
    """
    tables, rests, widths = [], [], []
    for payload, context, parent, trit in zip(payloads, contexts, parents, trits, strict=True):
        kind, width = _head(payload)
        tables.append(_tables(parent.astype(np.int64), context, trit) + kind * DIGIT_TABLES)
        rests.append(payload[1:])
        widths.append(width)
    symbols, sizes = rans.decode(digit_family(), rests, tables)
    tails = [rest[size:] for rest, size in zip(rests, sizes, strict=True)]
    moved = _decode_moved(symbols, widths, tails)
    return [_children(p, s, m) for p, s, m in zip(parents, symbols, moved, strict=True)]


def _head(payload: memoryview) -> tuple[int, int]:
    if not len(payload):
        raise BitstreamError(ErrorCode.BAD_LENGTH, "digits: no bytes at all")
    return payload[0] & 15, payload[0] >> 4


def _decode_moved(
    symbols: Sequence[NDArray[np.uint8]], widths: Sequence[int], tails: Sequence[memoryview]
) -> list[_Int]:
    contexts = [
        _moved_context(int(np.count_nonzero(symbol == _ESCAPE)), width)
        for symbol, width in zip(symbols, widths, strict=True)
    ]
    folded, sizes = level_coding.decode_prefix(tails, contexts, phase=1)
    for tail, size in zip(tails, sizes, strict=True):
        if size != len(tail):
            raise BitstreamError(
                ErrorCode.TRAILING_BYTES, f"digits: {len(tail) - size} bytes after the end"
            )
    return [_unfold(values) for values in folded]


def _children(
    parents: NDArray[np.int32], symbols: NDArray[np.uint8], moved: _Int
) -> NDArray[np.int32]:
    outward = symbols.astype(np.int64) - 1
    digit = np.where(parents < 0, -outward, outward)
    digit[symbols == _ESCAPE] = moved
    children = digit + 3 * parents.astype(np.int64)
    if children.size and max(-int(children.min()), int(children.max())) > MAX_LEVEL:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, f"digits: a level is beyond {MAX_LEVEL}")
    return children.astype(np.int32)


def cost(
    parents: NDArray[np.int32], children: NDArray[np.int32], context: Context, trits: int
) -> float:
    """Bits that the digits take by the tables, without what a stream costs by itself."""
    family = digit_family()
    before = parents.astype(np.int64)
    symbol, moved = _symbols(before, children.astype(np.int64))
    table = _tables(before, context, trits)
    table += _slice_class(before, table, symbol) * DIGIT_TABLES
    bits = float(family.bits[family.firsts[table] + symbol].sum())
    return bits + _moved_cost(_fold(moved))[1]
