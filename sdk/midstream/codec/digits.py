"""Refinements: from levels to levels on a grid three times finer. Knows nothing of values.

child = 3 * parent + digit; a digit is -1, 0 or 1, or an escape where the encoder moved
the parent (spec/coding.md, "Digits").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels as level_coding
from midstream.codec import rans
from midstream.codec.parameters import Context
from midstream.codec.tables import (
    DIGIT_TABLES,
    DIGIT_WIDTHS,
    ESCAPE_SHARES,
    SPIKE_SHARES,
    digit_family,
)
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import (
    Digits,
    decode_digits,
    digit_symbols,
    read_varints,
    table_rows,
    write_varints,
)
from midstream.kernels.terms import CLASS_EDGES

__all__ = ["cost", "decode", "encode", "encode_many", "starts", "width_shift"]

_ESCAPE = 3
_MOVED_WIDTHS = 16
_Int = NDArray[np.int64]


def width_shift(trits: int) -> int:
    """Quarter octaves that so many refinements add to a width: 4 log2(3) each, rounded."""
    return (634 * trits + 50) // 100


def _tables(context: Context, trits: int, kind: int) -> NDArray[np.uint16]:
    """The table of each digit, were it expected in the middle of its parent's cell."""
    tables = table_rows(
        context.shape,
        context.width + np.int16(width_shift(trits)),
        None,
        last_width=DIGIT_WIDTHS - 1,
        each_width=len(CLASS_EDGES),
        each_shape=DIGIT_WIDTHS * len(CLASS_EDGES),
        each_phase=0,
    )
    tables += np.uint16(kind * DIGIT_TABLES)
    return tables


def _digits(
    parents: NDArray[np.int32],
    children: NDArray[np.int32],
    context: Context,
    trits: int,
    *,
    counts_only: bool = False,
) -> Digits:
    """Symbols of the first class of slices."""
    tables = _tables(context, trits, 0)
    halves = context.halves(children)
    return digit_symbols(
        parents, children, halves, tables, of=DIGIT_TABLES, counts_only=counts_only
    )


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
    heads: bytes | None = None,
) -> list[bytes]:
    """The payloads of several slices, much faster than one by one.

    Args:
        parents: (weights,) of each, levels before the refinement.
        children: (weights,) of each, levels after it.
        contexts: Distribution of the weights, at the base grid.
        trits: Refinements applied before this one.
        heads: First byte of each payload, where it is known; else that which is best.
    """
    fronts, folded, moved_contexts, symbols = [], [], [], []
    for place, (parent, child, context, trit) in enumerate(
        zip(parents, children, contexts, trits, strict=True)
    ):
        made = _digits(parent, child, context, trit)
        folded.append(_fold(made.moved))
        head = _best_head(made, folded[-1]) if heads is None else heads[place]
        kind, half_width = head & 15, head >> 4
        count = write_varints(np.array([len(made.moved)], np.uint64))
        fronts.append(bytes([head]) + count)
        moved_contexts.append(_moved_context(len(made.moved), half_width))
        symbols.append(made.symbols + np.int32(kind * made.counts.size))
    lanes = [rans.lanes_of(len(c.width), c.terms) for c in contexts]
    streams = rans.encode_entries(digit_family(), symbols, lanes)
    escaped = level_coding.encode_many(folded, moved_contexts, phase=1)
    return [b"".join(parts) for parts in zip(fronts, escaped, streams, strict=True)]


@cache
def _bits() -> NDArray[np.float64]:
    """Bits of each symbol of each table of each class of slices: (kinds, tables, 4)."""
    return digit_family().bits.reshape(-1, DIGIT_TABLES, _ESCAPE + 1)


def _best_head(made: Digits, folded: NDArray[np.int32]) -> int:
    """The first byte of the shortest payload: class of the slice, half width of escaped digits."""
    return _slice_class(made) | _moved_cost(folded)[0] << 4


def _slice_class(made: Digits) -> int:
    """The class whose tables give the shortest code."""
    moved = len(made.moved)
    shares = np.array(ESCAPE_SHARES) / 4096
    kept = int(made.counts.sum()) - moved
    escapes = int(np.argmin(-moved * np.log2(shares) - kept * np.log2(1 - shares)))
    # spikes are those of the first of the tables of each width
    zeros = made.counts[:: len(CLASS_EDGES)].ravel().astype(np.float64)
    bits = _bits()[escapes :: len(ESCAPE_SHARES), :: len(CLASS_EDGES)]
    spike = int(np.argmin(bits.reshape(len(SPIKE_SHARES), -1) @ zeros))
    return len(ESCAPE_SHARES) * spike + escapes


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
    heads = _read_heads(payloads, [len(parent) for parent in parents])
    children = [np.zeros(0, np.int32)] * len(payloads)
    chosen = [at for at, parent in enumerate(parents) if len(parent)]
    streams = [
        rans.stream(
            payloads[at][heads[at].size :],
            _tables(contexts[at], trits[at], heads[at].kind),
            contexts[at].terms,
            heads[at].moved,
        )
        for at in chosen
    ]
    found = decode_digits(streams, [parents[at] for at in chosen], starts()) if chosen else []
    taken = [head.size for head in heads]
    for at, decoded in zip(chosen, found, strict=True):
        rans.check(decoded, f"digits: slice {at} of {len(payloads)}")
        children[at] = decoded.levels
        taken[at] += decoded.taken
    for payload, size in zip(payloads, taken, strict=True):
        _check_size(payload, size)
    return children


def _check_size(payload: memoryview, size: int) -> None:
    if size != len(payload):
        raise BitstreamError(
            ErrorCode.TRAILING_BYTES, f"digits: {len(payload) - size} bytes after the end"
        )


@cache
def starts() -> NDArray[np.uint16]:
    """Where the slots of each symbol start, (tables, symbols)."""
    return digit_family().starts.astype(np.uint16).reshape(-1, _ESCAPE + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What stands before the stream of a slice."""

    kind: int
    """Of the slice: spike and escape class."""
    moved: _Int
    """Digits that are escaped."""
    size: int
    """Bytes that it took."""


def _read_heads(payloads: Sequence[memoryview], weights: Sequence[int]) -> list[_Head]:
    kinds, starts, widths = [], [], []
    for payload, size in zip(payloads, weights, strict=True):
        if not len(payload):
            raise BitstreamError(ErrorCode.BAD_LENGTH, "digits: no bytes at all")
        count = read_varints(np.frombuffer(payload[1:], np.uint8), 1)
        if count is None or int(count[0][0]) > size:
            raise BitstreamError(ErrorCode.BAD_SYMBOL, "digits: the number of escapes is malformed")
        kinds.append(payload[0] & 15)
        starts.append(1 + count[1])
        widths.append(_moved_context(int(count[0][0]), payload[0] >> 4))
    rests = [payload[start:] for payload, start in zip(payloads, starts, strict=True)]
    folded, sizes = level_coding.decode_prefix(rests, widths, phase=1)
    return [
        _Head(kind=kind, moved=_unfold(values), size=start + size)
        for kind, values, start, size in zip(kinds, folded, starts, sizes, strict=True)
    ]


def cost(
    parents: NDArray[np.int32], children: NDArray[np.int32], context: Context, trits: int
) -> float:
    """Bits that the digits take by the tables, without what a stream costs by itself."""
    made = _digits(parents, children, context, trits, counts_only=True)
    bits = np.einsum("i,i->", _bits()[_slice_class(made)].ravel(), made.counts.ravel())
    return float(bits) + _moved_cost(_fold(made.moved))[1]
