"""Arithmetic of GF(2^8) over whole rows of bytes. Knows nothing of codes.

The field is that of `reedsolo` with prim=0x11d, generator=2 (spec/recovery.md, "Field").
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXP", "LOG", "PRODUCTS", "combine", "invert"]

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


@cache
def _table(factor: int) -> bytes:
    """The products of one factor with every byte, for bytes.translate."""
    return bytes(PRODUCTS[factor])


def combine(matrix: NDArray[np.uint8], rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A matrix product: (m, k) times (k, size) gives (m, size)."""
    result = np.zeros((matrix.shape[0], rows.shape[1]), np.uint8)
    for index, row in enumerate(rows):
        data = row.tobytes()
        for out, factor in zip(result, matrix[:, index].tolist(), strict=True):
            if factor:
                # a table look-up in C: the fastest multiplication there is without SIMD
                out ^= np.frombuffer(data.translate(_table(factor)), np.uint8)
    return result


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
