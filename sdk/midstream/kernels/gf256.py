"""The field GF(2^8): its tables. Knows nothing of codes.

The field is that of `reedsolo` with prim=0x11d, generator=2 (spec/recovery.md, "Field").
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXP", "LOG", "LONGEST", "PRODUCTS"]

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
