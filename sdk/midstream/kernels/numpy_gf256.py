"""Products of matrices over GF(2^8), whole rows of bytes at a time. Knows nothing of codes."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import gf256

__all__ = ["combine_rows"]


@cache
def _table(factor: int) -> bytes:
    """The products of one factor with every byte, for bytes.translate."""
    return bytes(gf256.PRODUCTS[factor])


def combine_rows(
    matrix: NDArray[np.uint8], rows: NDArray[np.uint8], picks: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """A matrix product over GF(2^8).

    Args:
        matrix: (count, terms), neither more than 255.
        rows: (any number, size)
        picks: (terms,), which of the rows to take; all of them, in order, where it is not given.

    Returns:
        (count, size)

    Raises:
        ValueError: The matrix is too large, or there are not as many rows, or not that row.
    """
    picks = _chosen(matrix, rows, picks)
    result = np.zeros((matrix.shape[0], rows.shape[1]), np.uint8)
    for index, pick in enumerate(picks.tolist()):
        data = rows[pick].tobytes()
        for out, factor in zip(result, matrix[:, index].tolist(), strict=True):
            if factor:
                # a table look-up in C: the fastest multiplication there is in NumPy
                out ^= np.frombuffer(data.translate(_table(factor)), np.uint8)
    return result


def _chosen(
    matrix: NDArray[np.uint8], rows: NDArray[np.uint8], picks: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """The rows that a product takes: all, in order, where no picks are given."""
    if picks is None:
        picks = np.arange(len(rows), dtype=np.int64)
    count, terms = matrix.shape
    if max(count, terms) > gf256.LONGEST:
        raise ValueError(f"a matrix of {count} by {terms}, at most {gf256.LONGEST}")
    if picks.shape != (terms,):
        raise ValueError(f"{len(picks)} rows for a matrix of {count} by {terms}")
    if terms and not 0 <= picks.min() <= picks.max() < len(rows):
        raise ValueError(f"rows {picks.min()} to {picks.max()}, there are {len(rows)}")
    return picks
