"""The functions of numpy_histograms in C, same results. Knows nothing of tables."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain

__all__ = ["add_shifted", "count_classes", "level_classes"]

_NONE = np.zeros(0, np.int64)


def level_classes(
    levels: NDArray[np.int32], halves: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """As numpy_histograms.level_classes."""
    classes = np.empty(len(levels), np.uint8)
    expected = _NONE if halves is None else plain(halves, np.int64)
    _native.level_classes(plain(levels, np.int32), expected, classes)
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
    """As numpy_histograms.count_classes; ValueError where a class or a shift is out of range."""
    counts = np.zeros((size, span, depth), np.int32)
    own = plain(classes, np.uint8), plain(shifts, np.int16)
    _native.count_classes(*own, stride, size, low, span, depth, counts)
    return counts


def add_shifted(
    counts: NDArray[np.int32], shifts: NDArray[np.int16]
) -> tuple[int, NDArray[np.int32]]:
    """As numpy_histograms.add_shifted; ValueError where shifts are of other places."""
    low, high = int(shifts.min()), int(shifts.max())
    _, span, depth = counts.shape
    sums = np.zeros((span + high - low, depth), np.int32)
    own = plain(counts, np.int32), plain(shifts, np.int16)
    _native.add_shifted(*own, low, high - low + 1, span, depth, sums)
    return low, sums
