"""Symbols and bit fields that are floats, in NumPy. Knows nothing of tensors.

(spec/coding.md, "Values".)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.floats import BAD_STATE, SHORT, ZERO, Slice
from midstream.kernels.numpy_kernels import STATE_START, rans_decode, unpack_bits
from midstream.kernels.slots import TOTAL_BITS

__all__ = ["decode_floats"]

_Int = NDArray[np.int64]
_Symbols = NDArray[np.uint8]


def decode_floats(slices: Sequence[Slice], frequencies: NDArray[np.uint16]) -> list[int]:
    """Decode slices into their buffers.

    Args:
        slices: Any.
        frequencies: (tables, symbols) multiples of 4 that add up to 4096.

    Returns:
        The bytes that each slice took of its payload; SHORT where that ends early, BAD_STATE
        where it did not come from an encoder. What is then in the buffer does not matter.
    """
    results = [0] * len(slices)
    ready = []
    for place, piece in enumerate(slices):
        if len(piece.quarters):
            results[place] = _check_states(piece)
            if not results[place]:
                ready.append(place)
    if ready:
        found = _decode_symbols([slices[place] for place in ready], frequencies)
        for place, (symbols, taken) in zip(ready, found, strict=True):
            results[place] = taken if taken < 0 else _write(slices[place], symbols, taken)
    return results


def _states(piece: Slice) -> NDArray[np.uint32]:
    return np.frombuffer(piece.payload, "<u4", piece.lanes)


def _check_states(piece: Slice) -> int:
    if len(piece.payload) < 4 * piece.lanes:
        return SHORT
    return BAD_STATE if int(_states(piece).min()) < STATE_START else 0


def _tables(piece: Slice) -> NDArray[np.int16]:
    """The table of each weight."""
    runs = np.diff(piece.stops, prepend=0)
    is_narrow = piece.quarters < np.repeat(piece.splits, runs)
    tables = np.where(is_narrow, np.repeat(piece.narrow, runs), np.repeat(piece.wide, runs))
    tables += piece.quarters & 3
    return tables


def _decode_symbols(
    slices: Sequence[Slice], frequencies: NDArray[np.uint16]
) -> list[tuple[_Symbols, int]]:
    """The symbols of each slice, and the bytes they took or what is wrong."""
    counts = np.array([len(piece.quarters) for piece in slices], np.int64)
    lanes = np.array([piece.lanes for piece in slices], np.int64)
    words = [
        np.frombuffer(p.payload, "<u2", (len(p.payload) - 4 * p.lanes) // 2, 4 * p.lanes)
        for p in slices
    ]
    edges = np.cumsum([0, *map(len, words)])
    rows, lookup = _lookup(np.concatenate([_tables(p) for p in slices]), frequencies)
    symbols, ends, left = rans_decode(
        np.concatenate([*words, np.zeros(1, np.uint16)]),
        edges[:-1],
        np.concatenate([_states(p) for p in slices]),
        counts,
        lanes,
        rows,
        *lookup,
    )
    parts = np.split(symbols, np.cumsum(counts)[:-1])
    states = np.split(left, np.cumsum(lanes)[:-1])
    taken = 4 * lanes + 2 * (ends - edges[:-1])
    bad = [int((state != STATE_START).any()) * BAD_STATE for state in states]
    sizes = np.where(ends > edges[1:], SHORT, np.where(bad, bad, taken))
    return list(zip(parts, sizes.tolist(), strict=True))


def _lookup(
    tables: NDArray[np.int16], frequencies: NDArray[np.uint16]
) -> tuple[NDArray[np.uint16], tuple[NDArray[np.uint16], NDArray[np.uint16], _Symbols]]:
    """The tables in use spread out for `rans_decode`, and which of them each weight has."""
    used = np.flatnonzero(np.bincount(tables, minlength=len(frequencies)))
    row_of = np.zeros(len(frequencies), np.uint16)
    row_of[used] = np.arange(len(used), dtype=np.uint16)
    chosen = frequencies[used]
    starts = (np.cumsum(chosen, axis=1) - chosen).astype(np.uint16)
    names = np.broadcast_to(np.arange(chosen.shape[1], dtype=np.uint8), chosen.shape)
    shape, repeats = (len(used), 1 << TOTAL_BITS), chosen.ravel()
    frequency = np.repeat(chosen.ravel(), repeats).reshape(shape)
    start = np.repeat(starts.ravel(), repeats).reshape(shape)
    symbol = np.repeat(names.ravel(), repeats).reshape(shape)
    offset = np.arange(1 << TOTAL_BITS, dtype=np.uint16) - start
    return row_of[tables], (frequency, offset, symbol)


def _write(piece: Slice, symbols: _Symbols, taken: int) -> int:
    """Read the fields of a slice and write its floats; the bytes of all its payload."""
    layout, count = piece.layout, len(symbols)
    has_field = symbols != ZERO
    whole = int(has_field.sum()) * layout.whole
    if taken + whole > len(piece.payload):
        return SHORT
    field = np.zeros(count, np.int64)
    field[has_field] = _whole_bytes(piece.payload[taken : taken + whole], layout.whole)
    widths = layout.widths.take(symbols).astype(np.int64)
    taken += whole
    size = (int(widths.sum()) + 7) // 8
    if taken + size > len(piece.payload):
        return SHORT
    rest = np.frombuffer(piece.payload, np.uint8, size, taken)
    field |= unpack_bits(rest, widths).astype(np.int64) << 8 * layout.whole
    sign = 1 << layout.bits - 1
    magnitude = layout.least(symbols, piece.quarters >> 2) + (field >> 1 << layout.trailing)
    value = magnitude & sign - 1 | (field & 1) * sign
    data = value.astype(f"<u{layout.bits // 8}").tobytes()
    piece.out[piece.at : piece.at + len(data)] = data
    return taken + size


def _whole_bytes(data: memoryview, size: int) -> _Int | int:
    """Integers of so many bytes, 0 to 2."""
    return np.frombuffer(data, f"<u{size}").astype(np.int64) if size else 0
