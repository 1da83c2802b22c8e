"""The greatest singular values of a matrix, at the cost of a few products with it.

By what it does to random vectors (Halko, Martinsson and Tropp, arXiv 0909.4061, algorithms 4.4
and 5.1), the same ones each time. Knows nothing of tensors.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["sketch"]

_MORE = 8
"""Vectors beyond the rank that is looked for."""
_ROUNDS = 2
"""Of products that bring out the greatest values."""
_SEED = 1

_Float = NDArray[np.float64]


def sketch(matrix: _Float | NDArray[np.float32], rank: int) -> tuple[_Float, _Float, _Float]:
    """Singular vectors and values, the greatest first.

    Args:
        matrix: (rows, columns); products with it are of its precision.
        rank: How many.

    Returns:
        (rows, rank), (rank,) and (rank, columns); fewer where the matrix has no more.
    """
    count = min(rank + _MORE, *matrix.shape)
    chosen = np.random.default_rng(_SEED).standard_normal((matrix.shape[1], count))
    found = matrix @ chosen.astype(matrix.dtype)
    for _ in range(_ROUNDS):
        across = np.linalg.qr(matrix.T @ np.linalg.qr(found)[0])[0]
        found = matrix @ across
    basis = np.linalg.qr(found)[0]
    left, sizes, right = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    parts = (basis @ left)[:, :rank], sizes[:rank], right[:rank]
    return parts[0].astype(np.float64), parts[1].astype(np.float64), parts[2].astype(np.float64)
