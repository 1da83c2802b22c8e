"""Seeded inputs for a network, made from nothing but its shapes. Knows nothing of runtimes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.runtime.backend import Array, TensorInfo

__all__ = ["SEED", "make_probes"]

SEED = 20260101
"""The seed used where a caller gives none."""
_COARSEST = 4
"""Cells along a side of the coarsest octave of a picture."""
_MOST_CHANNELS = 4
"""An axis of four dimensions with more than these is not colour."""
_COMMON = 0.75
"""What the channels of a picture share: natural ones are nearly grey."""
_SMALL = 8
"""Whole numbers that may be positions in a table or lengths stay below this."""


def make_probes(inputs: Sequence[TensorInfo], count: int, *, seed: int = SEED) -> list[list[Array]]:
    """Seeded inputs for a network.

    Args:
        inputs: What the network takes.
        count: Number of probes.
        seed: Of the random numbers.

    Returns:
        For each probe an array per input: smooth pictures in [0, 1] for floats with four
        dimensions of which one is colour, normal numbers for other floats; the same spread
        over the range of integers of 8 and 16 bits; numbers from 0 to 7 for wider integers;
        coins for booleans.
    """
    rng = np.random.default_rng(seed)
    return [[_probe(info, rng) for info in inputs] for _ in range(count)]


def _probe(info: TensorInfo, rng: np.random.Generator) -> Array:
    if info.dtype.kind == "b":
        return rng.integers(0, 2, info.shape).astype(info.dtype)
    if info.dtype.kind in "iu" and info.dtype.itemsize > 2:
        return rng.integers(0, _SMALL, info.shape).astype(info.dtype)
    is_picture = _channel_axis(info.shape) is not None
    numbers = _picture(info.shape, rng) if is_picture else rng.standard_normal(info.shape)
    if info.dtype.kind == "f":
        return np.asarray(numbers).astype(info.dtype)
    return _quantised(numbers if is_picture else 0.5 + np.asarray(numbers) / 8, info.dtype)


def _quantised(numbers: NDArray[np.float64], dtype: np.dtype[np.generic]) -> Array:
    """[0, 1] over the range of an integer type."""
    half = 1 << (8 * dtype.itemsize - 1)
    low = -half if dtype.kind == "i" else 0
    top = 2 * half - 1
    return (np.clip(np.rint(numbers * top), 0, top) + low).astype(dtype)


def _channel_axis(shape: tuple[int, ...]) -> int | None:
    """The axis of colour in (n, height, width, colour) or (n, colour, height, width)."""
    if len(shape) != 4:
        return None
    for axis, sides in ((3, shape[1:3]), (1, shape[2:4])):
        if 0 < shape[axis] <= _MOST_CHANNELS and min(sides) >= 2 * _COARSEST:
            return axis
    return None


def _picture(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of all octaves, each half as strong as the one below: about 1/f, as pictures are.

    Each output is made of sums and products of single numbers, so it is the same everywhere.
    """
    axis = _channel_axis(shape)
    assert axis is not None, "only asked for with pictures"
    height, width = shape[1:3] if axis == 3 else shape[2:4]
    grey = _fractal(shape[0], height, width, rng)  # (n, height, width)
    planes = [
        _COMMON * grey + (1 - _COMMON) * _fractal(shape[0], height, width, rng)
        for _ in range(shape[axis])
    ]
    return np.stack(planes, axis=axis)


def _fractal(count: int, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise in [0, 1] that fills the range: (count, height, width)."""
    total = np.zeros((count, height, width))
    cells, weight = _COARSEST, 1.0
    while cells <= min(height, width) // 2:
        corners = rng.random((count, cells + 1, cells + 1))
        total += weight * _interpolate(_interpolate(corners, height, 1), width, 2)
        cells, weight = cells * 2, weight / 2
    low = total.min(axis=(1, 2), keepdims=True)
    return np.asarray((total - low) / np.ptp(total, axis=(1, 2), keepdims=True))


def _interpolate(corners: NDArray[np.float64], size: int, axis: int) -> NDArray[np.float64]:
    """Corners to pixels along an axis, by the smooth step 3t^2 - 2t^3 between two corners."""
    cells = corners.shape[axis] - 1
    place = (np.arange(size) + 0.5) * cells / size
    first = place.astype(np.intp)
    t = place - first
    step = (t * t * (3 - 2 * t)).reshape([-1 if at == axis else 1 for at in range(corners.ndim)])
    low, high = corners.take(first, axis), corners.take(first + 1, axis)
    return np.asarray(low * (1 - step) + high * step)
