"""Rows, columns and taps of a tensor: how many, and which each weight is on.

Knows nothing of what is said about them.
"""

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import add_along
from midstream.types import Tensor

__all__ = ["add_vector", "axis_index", "axis_sizes", "axis_stride", "together"]

_Int = NDArray[np.int64]
_T = TypeVar("_T", bound=np.generic)


def axis_sizes(tensor: Tensor) -> tuple[int, int, int]:
    """How many rows, columns and taps a tensor has; 0 where it has no such axis."""
    row, column, shape = tensor.row_axis, tensor.column_axis, tensor.shape
    rows = 0 if row is None else shape[row]
    columns = 0 if column is None else shape[column]
    if not tensor.weights:
        return rows, columns, math.prod(n for at, n in enumerate(shape) if at not in (row, column))
    return rows, columns, tensor.weights // ((rows or 1) * (1 if row == column else columns or 1))


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


def axis_stride(tensor: Tensor, axis: int) -> int | None:
    """Weights from one place on an axis to the next; None where there is no such number."""
    shape = tensor.shape
    places = [place for place in _places(tensor, axis) if shape[place] > 1]
    if not places:
        return 1
    between = math.prod(shape[places[0] : places[-1] + 1])
    is_whole = between == math.prod(shape[place] for place in places)
    return math.prod(shape[places[-1] + 1 :]) if is_whole else None


def together(values: NDArray[_T], tensor: Tensor, axis: int) -> NDArray[_T]:
    """Values of all weights, those of one place on an axis after each other, place by place."""
    places = _places(tensor, axis)
    return np.moveaxis(values.reshape(tensor.shape), places, range(len(places))).ravel()


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
    stride = axis_stride(tensor, axis)
    if stride is not None:
        add_along(totals, vector, stride=stride, start=start, factor=factor)
        return
    index = axis_index(tensor, axis, start, start + len(totals))
    totals += vector.astype(np.int16)[index] * np.int16(factor)
