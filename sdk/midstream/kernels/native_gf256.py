"""The function of numpy_gf256 in C, same results. Knows nothing of codes."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native, gf256
from midstream.kernels.native_kernels import plain

__all__ = ["Way", "combine_rows", "combine_rows_by"]


class Way(IntEnum):
    """What to multiply with: each is faster than the one before, where the processor has it."""

    PORTABLE = 0
    SSSE3 = 1
    AVX2 = 2


def combine_rows(
    matrix: NDArray[np.uint8], rows: NDArray[np.uint8], picks: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """As numpy_gf256.combine_rows."""
    return combine_rows_by(Way.AVX2, matrix, rows, picks)


def combine_rows_by(
    way: Way,
    matrix: NDArray[np.uint8],
    rows: NDArray[np.uint8],
    picks: NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """The same by the best way that the processor has up to this one."""
    picks = gf256.check_product(matrix, rows, picks)
    out = np.empty((matrix.shape[0], rows.shape[1]), np.uint8)
    _native.combine_rows(
        plain(matrix, np.uint8),
        plain(rows, np.uint8),
        plain(picks, np.int64),
        *out.shape,
        out,
        way,
    )
    return out
