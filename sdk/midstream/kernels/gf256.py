"""Arithmetic of GF(2^8) over whole rows of bytes. Knows nothing of codes.

The field is that of `reedsolo` with prim=0x11d, generator=2 (spec/recovery.md, "Field").
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXP", "LOG", "combine", "invert", "multiply"]

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
"""Logarithms to base 2; that of 0 is not defined."""
for _exponent, _value in enumerate(EXP[:255]):
    LOG[_value] = _exponent


def multiply(a: int, b: int) -> int:
    """A product."""
    return EXP[LOG[a] + LOG[b]] if a and b else 0


@cache
def _table(factor: int) -> bytes:
    """The products of one factor with every byte, for bytes.translate."""
    return bytes(multiply(factor, byte) for byte in range(256))


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
        pivot = column + int(np.flatnonzero(work[column:, column])[0])
        work[[column, pivot]] = work[[pivot, column]]
        inverse = EXP[255 - LOG[work[column, column]]]
        work[column] = _scaled(work[column], inverse)
        for row in np.flatnonzero(work[:, column]):
            if row != column:
                work[row] ^= _scaled(work[column], int(work[row, column]))
    return work[:, size:]


def _scaled(row: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    return np.frombuffer(row.tobytes().translate(_table(factor)), np.uint8)
