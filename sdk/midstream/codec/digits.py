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
    DIGIT_WIDTHS,
    ESCAPE_SHARES,
    PARENT_CLASSES,
    SHAPES,
    WIDTHS,
    digit_family,
)
from midstream.errors import BitstreamError, ErrorCode

__all__ = ["cost", "decode", "encode", "encode_many", "width_shift"]

_ESCAPE = 3
_Int = NDArray[np.int64]


def width_shift(trits: int) -> int:
    """Quarter octaves that so many refinements add to a width: 4 log2(3) each, rounded."""
    return (634 * trits + 50) // 100


def _tables(parents: _Int, context: Context, trits: int, escapes: int) -> _Int:
    """The table of each digit."""
    width = np.clip(context.width.astype(np.int64) + width_shift(trits), 0, DIGIT_WIDTHS - 1)
    classes = np.searchsorted(PARENT_CLASSES, np.arange(PARENT_CLASSES[-1] + 1), "right") - 1
    parent = classes[np.minimum(np.abs(parents), PARENT_CLASSES[-1])]
    row = (escapes * SHAPES + context.shape.astype(np.int64)) * DIGIT_WIDTHS + width
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
    heads, tails, tables, symbols = [], [], [], []
    for parent, child, context, trit in zip(parents, children, contexts, trits, strict=True):
        before = parent.astype(np.int64)
        symbol, moved = _symbols(before, child.astype(np.int64))
        escapes = _escape_class(len(symbol), len(moved))
        width, tail = _encode_moved(moved)
        heads.append(bytes([escapes | width << 2]))
        tails.append(tail)
        tables.append(_tables(before, context, trit, escapes))
        symbols.append(symbol)
    streams = rans.encode(digit_family(), tables, symbols)
    return [b"".join(parts) for parts in zip(heads, streams, tails, strict=True)]


def _escape_class(digits: int, moved: int) -> int:
    """Which share of escapes gives the shortest code."""
    shares = np.array(ESCAPE_SHARES) / 4096
    bits = -moved * np.log2(shares) - (digits - moved) * np.log2(1 - shares)
    return int(np.argmin(bits))


def _fold(moved: _Int) -> NDArray[np.int32]:
    """Escaped digits to levels around one half: ..., -3, -2, 2, 3, ... to ..., -1, 0, 1, 2."""
    return (moved + np.where(moved > 0, -1, 2)).astype(np.int32)


def _unfold(levels: NDArray[np.int32]) -> _Int:
    folded = levels.astype(np.int64)
    return folded + np.where(folded > 0, 1, -2)


def _moved_context(moved: int, width: int) -> Context:
    return Context(shape=np.zeros(moved, np.int8), width=np.full(moved, width, np.int16))


def _encode_moved(moved: _Int) -> tuple[int, bytes]:
    """Width and bytes of the shortest code of the escaped digits."""
    if not len(moved):
        return 0, b""
    folded = _fold(moved)
    # around the width of their mean distance from one half
    centre = int(4 * np.log2(np.abs(folded - 0.5).mean() + 0.01)) + 14
    widths = [int(np.clip(centre + delta, 0, WIDTHS - 1)) for delta in range(-4, 5, 2)]
    contexts = [_moved_context(len(moved), width) for width in widths]
    tails = level_coding.encode_many([folded] * len(widths), contexts, phase=1)
    best = min(range(len(widths)), key=lambda place: len(tails[place]))
    return widths[best], tails[best]


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
        escapes, width = _head(payload)
        tables.append(_tables(parent.astype(np.int64), context, trit, escapes))
        rests.append(payload[1:])
        widths.append(width)
    symbols, sizes = rans.decode(digit_family(), rests, tables)
    tails = [rest[size:] for rest, size in zip(rests, sizes, strict=True)]
    moved = _decode_moved(symbols, widths, tails)
    return [_children(p, s, m) for p, s, m in zip(parents, symbols, moved, strict=True)]


def _head(payload: memoryview) -> tuple[int, int]:
    if not len(payload):
        raise BitstreamError(ErrorCode.BAD_LENGTH, "digits: no bytes at all")
    escapes, width = payload[0] & 3, payload[0] >> 2
    if width >= WIDTHS:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"digits: width {width}, at most {WIDTHS - 1}")
    return escapes, width


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
    table = _tables(before, context, trits, _escape_class(len(symbol), len(moved)))
    bits = float(family.bits[family.firsts[table] + symbol].sum())
    return bits + 8 * len(_encode_moved(moved)[1])
