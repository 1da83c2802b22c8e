"""Rows, columns and taps of a tensor: how many, and which each weight is on.

Knows nothing of what is said about them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from midstream.types import Tensor

__all__ = ["axis_index", "axis_sizes"]

_Int = NDArray[np.int64]


def axis_sizes(tensor: Tensor) -> tuple[int, int, int]:
    """How many rows, columns and taps a tensor has; 0 where it has no such axis."""
    named = (tensor.row_axis, tensor.column_axis)
    rows, columns = (0 if axis is None else tensor.shape[axis] for axis in named)
    taps = math.prod(n for axis, n in enumerate(tensor.shape) if axis not in named)
    return rows, columns, taps


def axis_index(tensor: Tensor, axis: int, start: int, stop: int) -> _Int:
    """The row (axis 0), column (1) or tap (2) of each weight from `start` to `stop`."""
    if axis < 2:
        place = (tensor.row_axis, tensor.column_axis)[axis]
        assert place is not None, "checked where scales are read, and not chosen by fit"
        axes = [place]
    else:
        named = (tensor.row_axis, tensor.column_axis)
        axes = [place for place in range(len(tensor.shape)) if place not in named]
    weight = np.arange(start, stop)
    index = np.zeros(stop - start, np.int64)
    for place in axes:
        stride = math.prod(tensor.shape[place + 1 :])
        index *= tensor.shape[place]
        index += weight // stride % tensor.shape[place]
    return index
