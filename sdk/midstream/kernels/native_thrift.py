"""The functions of numpy_thrift in C, same results. Knows nothing of tables."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.native_nearest import plain_weights

__all__ = ["thrifty_levels", "thrifty_points"]

_NONE = np.zeros(0, np.int64)

_Float = NDArray[np.float64]
_Single = NDArray[np.float32]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


def thrifty_levels(
    levels: NDArray[np.int32],
    halves: NDArray[np.int64] | None,
    numbers: _Numbers,
    sizes: _Float,
    rows: NDArray[np.uint8],
    savings: _Single,
) -> NDArray[np.int32]:
    """As numpy_thrift.thrifty_levels; ValueError where arrays are of other weights."""
    moved = np.empty(len(levels), np.int32)
    _native.thrifty_levels(
        plain(levels, np.int32),
        _NONE if halves is None else plain(halves, np.int64),
        *plain_weights(numbers, sizes),
        plain(rows, np.uint8),
        plain(savings, np.float32),
        savings.shape[2] // 2,
        moved,
    )
    return moved


def thrifty_points(
    numbers: _Numbers,
    sizes: _Float,
    rows: NDArray[np.uint8],
    prices: _Single,
    halves: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """As numpy_thrift.thrifty_points; ValueError where arrays are of other weights."""
    levels = np.empty(len(numbers), np.int32)
    _native.thrifty_points(
        *plain_weights(numbers, sizes),
        plain(rows, np.uint8),
        plain(prices, np.float32),
        (prices.shape[2] - 3) // 2,
        _NONE if halves is None else plain(halves, np.int64),
        levels,
    )
    return levels
