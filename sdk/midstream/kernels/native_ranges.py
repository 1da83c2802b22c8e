"""The functions of numpy_ranges in C, same results. Knows nothing of tensors."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain

__all__ = ["read_ranges"]

_Int = NDArray[np.int64]


def read_ranges(
    data: NDArray[np.uint8],
    symbols: NDArray[np.uint8],
    octaves: NDArray[np.int16],
    lows: _Int,
    widths: _Int,
    *,
    first: int,
    trailing: int,
    bits: int,
) -> tuple[NDArray[np.unsignedinteger], int] | None:
    """As numpy_ranges.read_ranges; ValueError where an octave or symbol has no range."""
    out: NDArray[np.unsignedinteger] = np.empty(len(symbols), f"<u{bits // 8}")
    size = _native.read_ranges(
        plain(data, np.uint8),
        plain(symbols, np.uint8),
        plain(octaves, np.int16),
        plain(lows, np.int64),
        plain(widths, np.int64),
        lows.shape[1],
        first,
        trailing,
        out,
    )
    return None if size < 0 else (out, size)
