"""Bit fields that are floats, in NumPy: where in its range a magnitude is, and its sign.

Knows nothing of how ranges are chosen (spec/coding.md, "Values").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_kernels import unpack_bits

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
    """Read a field for each weight, and make a float of it.

    Args:
        data: The fields and whatever follows.
        symbols: (weights,) the range of each magnitude.
        octaves: (weights,) which of the rows of the next two it is in, from `first` on.
        lows: (octaves, symbols) the least magnitude of each range.
        widths: (octaves, symbols) bits of its field, at most 57: the magnitude less the least,
            without its trailing bits, after the sign.
        first: Octave of the first row.
        trailing: Low bits of each magnitude less its least that are 0.
        bits: Of a float, 16 or 32.

    Returns:
        The bits of the floats and the number of bytes the fields took; None where the data
        ends before.
    """
    place = (octaves - first).astype(np.int64) * lows.shape[1] + symbols
    width = widths.ravel()[place]
    size = (int(width.sum()) + 7) // 8
    if size > len(data):
        return None
    field = unpack_bits(data, width).astype(np.int64)
    value = lows.ravel()[place] + (field >> 1 << trailing) | (field & 1) << bits - 1
    return value.astype(f"<u{bits // 8}"), size
