"""What levels are counted by before they are coded, in NumPy. Knows nothing of tables."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXACT_CLASSES", "LEVEL_CLASSES", "level_classes"]

EXACT_CLASSES = 16
LEVEL_CLASSES = EXACT_CLASSES + 4 * 12
"""Magnitudes 0 to 15, then quarters of octaves up to 2**16."""
_MOST = 0xFFFF

_Int = NDArray[np.int64]


@cache
def _class_of() -> NDArray[np.uint8]:
    """Class of each magnitude below 2**16."""
    magnitude = np.arange(_MOST + 1)
    octave = np.frexp(np.maximum(magnitude, 1).astype(np.float64))[1] - 1
    quarter = (magnitude >> np.maximum(octave - 2, 0)) - 4
    coarse = EXACT_CLASSES + 4 * (octave - 4) + quarter
    return np.where(magnitude < EXACT_CLASSES, magnitude, coarse).astype(np.uint8)


def level_classes(levels: NDArray[np.int32], halves: _Int | None = None) -> NDArray[np.uint8]:
    """The class of each level's magnitude, or of its distance from what is expected.

    Args:
        levels: (weights,)
        halves: (weights,) what is expected of each, in half steps; 0 where None.

    Returns:
        (weights,) classes, the same and 64 where levels are half a step from what is expected.
    """
    if halves is None:
        magnitude: _Int = np.minimum(np.abs(levels.astype(np.int64)), _MOST)
        return _class_of().take(magnitude)
    distance = np.abs(2 * levels.astype(np.int64) - halves).astype(np.uint64)
    odd = distance & np.uint64(1)
    # tables of half a step are symmetric about one half: a distance of m is the level (m + 1) / 2
    middle = np.minimum((distance >> np.uint64(1)) + odd, np.uint64(_MOST))
    classes: NDArray[np.uint8] = _class_of().take(middle.astype(np.intp))
    classes += odd.astype(np.uint8) * np.uint8(LEVEL_CLASSES)
    return classes
