"""Seeded inputs for a network, made from nothing but its shapes. Knows nothing of runtimes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.runtime.backend import Array, TensorInfo
from midstream.runtime.pictures import COARSEST, dead_leaves, octaves

__all__ = ["SEED", "make_probes"]

SEED = 20260101
"""The seed used where a caller gives none."""
_MOST_CHANNELS = 4
"""An axis of four dimensions with more than these is not colour."""
_SMALL = 8
"""Whole numbers that may be positions in a table or lengths stay below this."""


def make_probes(inputs: Sequence[TensorInfo], count: int, *, seed: int = SEED) -> list[list[Array]]:
    """Seeded inputs for a network.

    Args:
        inputs: What the network takes.
        count: Number of probes.
        seed: Of the random numbers.

    Returns:
        For each probe an array per input: for floats with four dimensions of which one is
        colour, pictures in [0, 1], of smooth noise and of shapes with edges by turns; normal
        numbers for other floats; the same spread over the range of integers of 8 and 16 bits;
        numbers from 0 to 7 for wider integers; coins for booleans.
    """
    rng = np.random.default_rng(seed)
    return [[_probe(info, turn, rng) for info in inputs] for turn in range(count)]


def _probe(info: TensorInfo, turn: int, rng: np.random.Generator) -> Array:
    if info.dtype.kind == "b":
        return rng.integers(0, 2, info.shape).astype(info.dtype)
    if info.dtype.kind in "iu" and info.dtype.itemsize > 2:
        return rng.integers(0, _SMALL, info.shape).astype(info.dtype)
    is_picture = _channel_axis(info.shape) is not None
    numbers = _picture(info.shape, turn, rng) if is_picture else rng.standard_normal(info.shape)
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
        if 0 < shape[axis] <= _MOST_CHANNELS and min(sides) >= 2 * COARSEST:
            return axis
    return None


def _picture(shape: tuple[int, ...], turn: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of all octaves and dead leaves by turns."""
    axis = _channel_axis(shape)
    assert axis is not None, "only asked for with pictures"
    height, width = shape[1:3] if axis == 3 else shape[2:4]
    kind = (octaves, dead_leaves)[turn % 2]
    return np.moveaxis(kind(shape[0], height, width, shape[axis], rng), 3, axis)
