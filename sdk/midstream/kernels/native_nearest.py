"""The functions of numpy_nearest in C, same results. Knows nothing of tensors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain

__all__ = [
    "nearest_levels",
    "plain_weights",
    "squared_distance",
    "squared_error",
    "squared_errors",
    "widen_halves",
]

_NONE = np.zeros(0, np.int32)

_Float = NDArray[np.float64]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


def nearest_levels(numbers: _Numbers, sizes: _Float, offset: float = 0.0) -> NDArray[np.int32]:
    """As numpy_nearest.nearest_levels; ValueError where sizes are of other weights."""
    levels = np.empty(len(numbers), np.int32)
    _native.nearest_levels(*plain_weights(numbers, sizes), offset, levels)
    return levels


def squared_error(
    numbers: _Numbers,
    sizes: _Float,
    offset: float = 0.0,
    levels: NDArray[np.int32] | None = None,
) -> float:
    """As numpy_nearest.squared_error; ValueError where sizes or levels are of other weights."""
    own = _NONE if levels is None else plain(levels, np.int32)
    return _native.squared_error(*plain_weights(numbers, sizes), offset, own)


def squared_distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """As numpy_nearest.squared_distance; ValueError where they are not as many."""
    return _native.squared_distance(plain(one, np.float32), plain(other, np.float32))


def squared_errors(
    numbers: _Numbers, sizes: _Float, levels: NDArray[np.int32], stops: NDArray[np.int64]
) -> list[float]:
    """As numpy_nearest.squared_errors; ValueError where levels or stops are of other weights."""
    errors = np.empty(len(stops), np.float64)
    _native.squared_errors(
        *plain_weights(numbers, sizes), plain(levels, np.int32), plain(stops, np.int64), errors
    )
    found: list[float] = errors.tolist()
    return found


def widen_halves(halves: NDArray[np.float16]) -> NDArray[np.float32]:
    """As numpy_nearest.widen_halves."""
    singles = np.empty(len(halves), np.float32)
    _native.widen_halves(plain(halves, np.float16).view(np.uint16), singles)
    return singles


def plain_weights(numbers: _Numbers, sizes: _Float) -> tuple[NDArray[Any], int, NDArray[Any]]:
    """Numbers, the size of one, and the sizes of steps, as the functions in C take them."""
    kind = np.float32 if numbers.dtype == np.float32 else np.float64
    return plain(numbers, kind), np.dtype(kind).itemsize, plain(sizes, np.float64)
