"""The function of numpy_gf256 in C, same results. Knows nothing of codes."""

from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain

__all__ = ["Way", "combine_rows", "combine_rows_by"]


class Way(IntEnum):
    """What to multiply with: each is faster than the one before, where the processor has it."""

    PORTABLE = 0
    SSSE3 = 1
    AVX2 = 2
    AFFINE = 3


def combine_rows(
    matrix: NDArray[np.uint8], rows: NDArray[np.uint8], picks: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """As numpy_gf256.combine_rows."""
    return combine_rows_by(Way.AFFINE, matrix, rows, picks)


def combine_rows_by(
    way: Way,
    matrix: NDArray[np.uint8],
    rows: NDArray[np.uint8],
    picks: NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """The same by the best way that the processor has up to this one."""
    count, terms = matrix.shape
    size = rows.shape[1]
    picks = _in_order(len(rows)) if picks is None else plain(picks, np.int64)
    if len(picks) != terms:
        raise ValueError(f"{len(picks)} rows for a matrix of {count} by {terms}")
    out = np.empty((count, size), np.uint8)
    _native.combine_rows(
        plain(matrix, np.uint8), plain(rows, np.uint8), picks, count, size, out, way
    )
    return out


@lru_cache(maxsize=256)
def _in_order(rows: int) -> NDArray[np.int64]:
    return np.arange(rows)
