"""The functions of numpy_histograms in C, same results. Knows nothing of tables."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain

__all__ = ["level_classes"]

_NONE = np.zeros(0, np.int64)


def level_classes(
    levels: NDArray[np.int32], halves: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """As numpy_histograms.level_classes."""
    classes = np.empty(len(levels), np.uint8)
    expected = _NONE if halves is None else plain(halves, np.int64)
    _native.level_classes(plain(levels, np.int32), expected, classes)
    return classes
