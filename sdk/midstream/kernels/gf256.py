"""The field GF(2^8): its tables, and inverses of matrices. Knows nothing of codes.

The field is that of `reedsolo` with prim=0x11d, generator=2 (spec/recovery.md, "Field").
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXP", "LOG", "LONGEST", "PRODUCTS", "check_product", "invert"]

LONGEST = 255
"""Symbols of a codeword; no matrix has more rows or columns."""

_PRIMITIVE = 0x11D


def _powers() -> list[int]:
    powers = [1]
    for _ in range(254):
        doubled = powers[-1] << 1
        powers.append(doubled ^ _PRIMITIVE if doubled & 0x100 else doubled)
    return powers


EXP = (_powers() * 2)[:510]
"""Powers of 2, twice, so that sums of two logarithms need no reduction."""
LOG = [0] * 256
"""Logarithms to base 2; the entry of 0 means nothing."""
for _exponent, _value in enumerate(EXP[:255]):
    LOG[_value] = _exponent


def _products() -> NDArray[np.uint8]:
    logarithms = np.array(LOG)
    table: NDArray[np.uint8] = np.array(EXP, np.uint8)[logarithms[:, None] + logarithms]
    table[0] = table[:, 0] = 0
    table.setflags(write=False)
    return table


PRODUCTS = _products()
"""(256, 256): the product of any two."""


def check_product(
    matrix: NDArray[np.uint8], rows: NDArray[np.uint8], picks: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """The rows that a product takes: all, in order, where no picks are given.

    Raises:
        ValueError: The matrix is too large, or there are not as many rows, or not that row.
    """
    if picks is None:
        picks = np.arange(len(rows), dtype=np.int64)
    count, terms = matrix.shape
    if max(count, terms) > LONGEST:
        raise ValueError(f"a matrix of {count} by {terms}, at most {LONGEST}")
    if picks.shape != (terms,):
        raise ValueError(f"{len(picks)} rows for a matrix of {count} by {terms}")
    if terms and not 0 <= picks.min() <= picks.max() < len(rows):
        raise ValueError(f"rows {picks.min()} to {picks.max()}, there are {len(rows)}")
    return picks


def invert(matrix: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The inverse of a square matrix that has one, by Gauss and Jordan."""
    size = len(matrix)
    work = np.concatenate([matrix, np.eye(size, dtype=np.uint8)], axis=1)
    for column in range(size):
        pivot = column + int(np.argmax(work[column:, column] != 0))
        work[[column, pivot]] = work[[pivot, column]]
        lead = int(work[column, column])
        assert lead, "the caller's matrix has an inverse"
        work[column] = PRODUCTS[EXP[255 - LOG[lead]]][work[column]]
        factors = work[:, column].copy()
        factors[column] = 0
        work ^= PRODUCTS[factors[:, None], work[column]]
    return work[:, size:]
