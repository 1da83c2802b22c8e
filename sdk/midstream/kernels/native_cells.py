"""Where in its level's cell each float lies, in C. Its NumPy twin is in codec.exact.

Knows nothing of exceptions (spec/coding.md, "Exact").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain

__all__ = ["read_cells"]

_WEIGHT_MEMORY = 13
"""Bytes: two ordinals, a place and a flag."""


def read_cells(
    data: NDArray[np.uint8],
    levels: NDArray[np.int32],
    steps: NDArray[np.float64],
    *,
    mode: int,
    table: int,
    bits: int,
    mantissa: int,
) -> tuple[NDArray[np.unsignedinteger], int]:
    """The bits of each float, and the bytes that were read.

    Args:
        data: The stream of the core, the sections of parts, signs, octaves and places, and
            what follows them.
        levels: (weights,)
        steps: (weights,) of each level.
        mode: What is in the core, 0 to 3.
        table: The binary table of its flags.
        bits: Of a float, 16 or 32.
        mantissa: Of these, the bits of the mantissa.

    Returns:
        The floats and a size; a size of -1 where the data ends early, -2 where the core or
        an octave is malformed: the floats are then of no use.
    """
    out: NDArray[np.unsignedinteger] = np.empty(len(levels), f"<u{bits // 8}")
    size = _native.read_cells(
        plain(data, np.uint8),
        plain(levels, np.int32),
        plain(steps, np.float64),
        np.empty(_WEIGHT_MEMORY * len(levels), np.uint8),
        out,
        mode,
        table,
        bits,
        mantissa,
    )
    return out, size
