"""The functions of numpy_kernels in C, same results. Knows nothing of what is coded.

It allocates what the C functions write into, so that those need nothing but buffers; they
check every size again. Arguments and results are described beside the NumPy twins.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native

__all__ = [
    "blank",
    "pack_bits",
    "plain",
    "rans_decode",
    "rans_encode",
    "read_varints",
    "unpack_bits",
    "write_varints",
]

_VARINT_BYTES = 5

_Int = NDArray[np.int64]


def plain(values: NDArray[np.generic], kind: type[np.generic]) -> NDArray[Any]:
    """The array itself where it is aligned, contiguous and of this type; a copy if not."""
    flags = values.flags
    if values.dtype == kind and flags.c_contiguous and flags.aligned:
        return values  # require says the same, at ten times the cost
    return np.require(values, kind, ("C", "A"))


def blank(size: int) -> bytearray:
    """As numpy_kernels.blank, faster where it is large."""
    return _native.blank(size)


def rans_encode(
    symbols: NDArray[np.int32],
    frequencies: NDArray[np.uint16],
    starts: NDArray[np.uint16],
    counts: _Int,
    lanes: _Int,
) -> tuple[NDArray[np.uint32], NDArray[np.uint16], _Int]:
    """As numpy_kernels.rans_encode; ValueError where a symbol or frequency is out of its range."""
    states = np.empty(int(lanes.sum()), np.uint32)
    words = np.empty(len(symbols), np.uint16)
    taken = np.empty(len(counts), np.int64)
    size = _native.rans_encode(
        plain(symbols, np.int32),
        plain(frequencies, np.uint16),
        plain(starts, np.uint16),
        plain(counts, np.int64),
        plain(lanes, np.int64),
        states,
        words,
        taken,
    )
    return states, words[:size].copy(), taken


def rans_decode(
    words: NDArray[np.uint16],
    starts: _Int,
    states: NDArray[np.uint32],
    counts: _Int,
    lanes: _Int,
    tables: NDArray[np.uint16],
    frequencies: NDArray[np.uint16],
    offsets: NDArray[np.uint16],
    names: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], _Int, NDArray[np.uint32]]:
    """As numpy_kernels.rans_decode; ValueError where a table or first word is out of range."""
    ends, left = starts.astype(np.int64), states.astype(np.uint32)
    symbols = np.empty(len(tables), np.uint8)
    _native.rans_decode(
        plain(words, np.uint16),
        ends,
        left,
        plain(counts, np.int64),
        plain(lanes, np.int64),
        plain(tables, np.uint16),
        plain(frequencies, np.uint16),
        plain(offsets, np.uint16),
        plain(names, np.uint8),
        symbols,
    )
    return symbols, ends, left


def pack_bits(values: NDArray[np.uint64], widths: _Int) -> bytes:
    """As numpy_kernels.pack_bits; ValueError where a width is out of its range."""
    return _native.pack_bits(plain(values, np.uint64), plain(widths, np.int64))


def unpack_bits(data: NDArray[np.uint8], widths: _Int) -> NDArray[np.uint64]:
    """As numpy_kernels.unpack_bits; ValueError where there is not enough data."""
    values = np.empty(len(widths), np.uint64)
    _native.unpack_bits(plain(data, np.uint8), plain(widths, np.int64), values)
    return values


def write_varints(values: NDArray[np.uint64]) -> bytes:
    """As numpy_kernels.write_varints; ValueError where a value is 2**35 or more."""
    out = np.empty(len(values) * _VARINT_BYTES, np.uint8)
    size = _native.write_varints(plain(values, np.uint64), out)
    return out[:size].tobytes()


def read_varints(data: NDArray[np.uint8], count: int) -> tuple[NDArray[np.uint64], int] | None:
    """As numpy_kernels.read_varints."""
    if count > len(data):
        return None
    values = np.empty(count, np.uint64)
    size = _native.read_varints(plain(data, np.uint8), values)
    return None if size < 0 else (values, size)
