"""Adapters summed to one change, with the same bits everywhere. Knows nothing of policies.

Shares are integers and a float32 has 24 bits, so a product of both is exact in double precision;
sums are made one adapter after the other, each weight by itself. A norm is counted in integers.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sum", "is_within"]

_BLOCK = 1 << 16
"""Weights that are looked at as doubles at once."""
_STEPS = 20
"""Bits of a change as an integer, against the power of two that the bound lies below."""


class Sum:
    """Adapters, each times its share, added up.

    Args:
        floats: How many floats the model has.
    """

    def __init__(self, floats: int) -> None:
        self.total: NDArray[np.float64] = np.zeros(floats)
        """(floats,), what has been added."""

    def add(self, change: NDArray[np.float32], share: int, unit: int) -> None:
        """Add one.

        Args:
            change: (floats,), finite.
            share: How often it counts, in parts of `unit`.
            unit: What a whole share is; a power of two.
        """
        for start in range(0, len(change), _BLOCK):
            here = slice(start, start + _BLOCK)
            self.total[here] += change[here].astype(np.float64) * (share / unit)


def is_within(change: NDArray[np.float32], bound: float) -> bool:
    """Whether the norm of a change is at most a bound, as every machine finds it.

    Changes are rounded to integers on a grid of 2^-20 of the least power of two that is not
    below the bound, and the squares of these are summed exactly (spec/contributions.md,
    "Adapter policy").

    Args:
        change: (floats,), finite.
        bound: The largest norm, the root of the sum of squares; above 0.
    """
    mantissa, exponent = math.frexp(bound)
    exponent -= mantissa == 0.5  # a power of two is not below itself
    scale = 2.0 ** (_STEPS - exponent)
    most = math.ceil(bound * scale)
    left = most * most
    for start in range(0, len(change), _BLOCK):
        sizes = np.rint(np.abs(change[start : start + _BLOCK].astype(np.float64)) * scale)
        if sizes.max(initial=0.0) > most:
            return False
        left -= int((sizes.astype(np.int64) ** 2).sum())
    return left >= 0
