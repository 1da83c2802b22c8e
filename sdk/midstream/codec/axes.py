"""Rows, columns and taps of a tensor: how many, and which each weight is on.

Knows nothing of what is said about them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import add_along
from midstream.types import Tensor

__all__ = ["add_vector", "axis_index", "axis_sizes"]

_Int = NDArray[np.int64]


def axis_sizes(tensor: Tensor) -> tuple[int, int, int]:
    """How many rows, columns and taps a tensor has; 0 where it has no such axis."""
    named = (tensor.row_axis, tensor.column_axis)
    rows, columns = (0 if axis is None else tensor.shape[axis] for axis in named)
    taps = math.prod(n for axis, n in enumerate(tensor.shape) if axis not in named)
    return rows, columns, taps


def _places(tensor: Tensor, axis: int) -> list[int]:
    """The dimensions that an axis is made of."""
    if axis < 2:
        place = (tensor.row_axis, tensor.column_axis)[axis]
        assert place is not None, "checked where scales are read, and not chosen by fit"
        return [place]
    named = (tensor.row_axis, tensor.column_axis)
    return [place for place in range(len(tensor.shape)) if place not in named]


def axis_index(tensor: Tensor, axis: int, start: int, stop: int) -> _Int:
    """The row (axis 0), column (1) or tap (2) of each weight from `start` to `stop`."""
    weight = np.arange(start, stop)
    index = np.zeros(stop - start, np.int64)
    for place in _places(tensor, axis):
        stride = math.prod(tensor.shape[place + 1 :])
        index *= tensor.shape[place]
        index += weight // stride % tensor.shape[place]
    return index


def add_vector(
    totals: NDArray[np.int16],
    vector: NDArray[np.int8],
    tensor: Tensor,
    axis: int,
    start: int,
    *,
    factor: int = 1,
) -> None:
    """Add `factor` times what a vector says of each row, column or tap.

    Args:
        totals: (weights,) changed in place.
        vector: (size of the axis,)
        tensor: Where the weights are from.
        axis: 0 for rows, 1 for columns, 2 for taps.
        start: The number of the first weight in the tensor.
        factor: What an item of the vector counts.
    """
    places = _places(tensor, axis)
    if places and places[-1] - places[0] == len(places) - 1:  # one after the other
        stride = math.prod(tensor.shape[places[-1] + 1 :])
        add_along(totals, vector, stride=stride, start=start, factor=factor)
        return
    index = axis_index(tensor, axis, start, start + len(totals))
    totals += vector.astype(np.int16)[index] * np.int16(factor)
