"""The functions of numpy_grid in C, same results. Knows nothing of tensors."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.numpy_grid import Buffer

__all__ = ["add_along", "scale_floats", "scale_integers"]


def add_along(
    totals: NDArray[np.int16],
    deltas: NDArray[np.int8],
    *,
    stride: int,
    start: int = 0,
    factor: int = 1,
) -> None:
    """As numpy_grid.add_along; `totals` is contiguous."""
    _native.add_along(totals, plain(deltas, np.int8), stride, start, factor)


def scale_floats(
    levels: NDArray[np.int32],
    steps: NDArray[np.int32],
    sizes: NDArray[np.float64],
    out: Buffer,
    *,
    first: int,
    precision: int,
) -> None:
    """As numpy_grid.scale_floats; ValueError where a step has no size."""
    _native.scale_floats(
        plain(levels, np.int32),
        plain(steps, np.int32),
        plain(sizes, np.float64),
        first,
        precision,
        out,
    )


def scale_integers(
    levels: NDArray[np.int32],
    steps: NDArray[np.int32],
    powers: NDArray[np.int64],
    offsets: NDArray[np.int32],
    *,
    bounds: tuple[int, int],
    kind: str,
) -> NDArray[np.generic]:
    """As numpy_grid.scale_integers; ValueError where a step has no power."""
    out = np.empty(len(levels), kind)
    _native.scale_integers(
        plain(levels, np.int32),
        plain(steps, np.int32),
        plain(powers, np.int64),
        plain(offsets, np.int32),
        *bounds,
        out.itemsize,
        out,
    )
    return out
