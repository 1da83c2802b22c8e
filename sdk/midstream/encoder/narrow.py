"""Levels in as few bytes as they fit: most need one, where coding them takes four.

All levels of a network are held from when they are made until its base is written, and longer
where rungs refine them.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Narrow", "made", "narrow", "wide"]

_FEW = 1 << 12
"""Levels that are not worth it."""
_PIECE = 1 << 18
"""Levels that are wide at once."""

Narrow: TypeAlias = NDArray[np.signedinteger]
"""Levels as they are held: of one, two or four bytes."""


def narrow(levels: NDArray[np.int32]) -> Narrow:
    """The same levels; themselves where there is nothing to save."""
    if len(levels) < _FEW:
        return levels
    reach = max(-int(levels.min()), int(levels.max()))
    if reach < 1 << 7:
        return levels.astype(np.int8)
    return levels.astype(np.int16) if reach < 1 << 15 else levels


def wide(levels: Narrow) -> NDArray[np.int32]:
    """The same levels, as all that codes them takes them."""
    return levels.astype(np.int32, copy=False)


def made(count: int, make: Callable[[int, int], NDArray[np.int32]]) -> Narrow:
    """So many levels, made piece by piece.

    Args:
        count: Of all of them.
        make: Makes those from a start to a stop.
    """
    if count <= _PIECE:
        return narrow(make(0, count))
    starts = range(0, count, _PIECE)
    pieces = [narrow(make(start, min(start + _PIECE, count))) for start in starts]
    return np.concatenate(pieces)
