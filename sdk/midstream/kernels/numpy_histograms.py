"""What levels are counted by before they are coded, in NumPy. Knows nothing of tables."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVEL_CLASSES", "add_shifted", "count_classes", "level_classes"]

_EXACT = 16
LEVEL_CLASSES = _EXACT + 4 * 12
"""Magnitudes 0 to 15, then quarters of octaves up to 2**16."""
_MOST = 0xFFFF

_Int = NDArray[np.int64]


@cache
def _class_of() -> NDArray[np.uint8]:
    """Class of each magnitude below 2**16."""
    magnitude = np.arange(_MOST + 1)
    octave = np.frexp(np.maximum(magnitude, 1).astype(np.float64))[1] - 1
    quarter = (magnitude >> np.maximum(octave - 2, 0)) - 4
    coarse = _EXACT + 4 * (octave - 4) + quarter
    return np.where(magnitude < _EXACT, magnitude, coarse).astype(np.uint8)


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


def count_classes(
    classes: NDArray[np.uint8],
    shifts: NDArray[np.int16],
    *,
    depth: int,
    low: int,
    span: int,
    stride: int,
    size: int,
) -> NDArray[np.int32]:
    """How many weights there are of each class, shift and place on an axis.

    Args:
        classes: (weights,) below `depth`.
        shifts: (weights,) from `low` on, `span` of them.
        depth: Classes that there are.
        low: The least shift there may be.
        span: Shifts that there are.
        stride: Weights from one place on the axis to the next.
        size: Places on the axis.

    Returns:
        (size, span, depth)
    """
    place = np.arange(len(classes)) // stride % size
    cell = (place * span + (shifts.astype(np.int64) - low)) * depth + classes
    counts = np.bincount(cell, minlength=size * span * depth)
    return counts.astype(np.int32).reshape(size, span, depth)


def add_shifted(
    counts: NDArray[np.int32], shifts: NDArray[np.int16]
) -> tuple[int, NDArray[np.int32]]:
    """What all places of an axis counted together, each shifted once more.

    Args:
        counts: (size, span, depth) as `count_classes` gives them.
        shifts: (size,) of each place; not empty.

    Returns:
        The least of these shifts, and (span and what they differ by, depth).
    """
    low, high = int(shifts.min()), int(shifts.max())
    _, span, depth = counts.shape
    sums = np.zeros((span + high - low, depth), np.int32)
    for shift in np.unique(shifts).tolist():
        first = shift - low
        sums[first : first + span] += counts[shifts == shift].sum(axis=0, dtype=np.int32)
    return low, sums
