"""Seeded inputs for a network, made from nothing but its shapes. Knows nothing of runtimes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.runtime.backend import Array, TensorInfo
from midstream.runtime.pictures import COARSEST, dead_leaves, octaves, texture
from midstream.runtime.sounds import hiss, tones

__all__ = ["SEED", "Range", "make_probes"]

SEED = 20260101
"""The seed used where a caller gives none."""
Range = tuple[float, float]
"""What black and white are for a network that takes pictures as floats."""

_MOST_CHANNELS = 4
"""An axis of four dimensions with more than these is not colour."""
_LEAST_SAMPLES = 4096
"""A single row of so many numbers is a sound."""
_SMALL = 8
"""Whole numbers that may be positions in a table or lengths stay below this."""
_PICTURES = (octaves, dead_leaves, texture, dead_leaves)
_SOUNDS = (tones, tones, tones, hiss)
"""What probes are by turns."""


def make_probes(
    inputs: Sequence[TensorInfo],
    count: int,
    *,
    seed: int = SEED,
    ranges: Sequence[Range] | None = None,
) -> list[list[Array]]:
    """Seeded inputs for a network.

    Args:
        inputs: What the network takes.
        count: Number of probes.
        seed: Of the random numbers.
        ranges: For each input, what black and white are; 0 and 1 where None.

    Returns:
        For each probe an array per input: for floats with four dimensions of which one is
        colour, pictures, of smooth noise, shapes with edges, rough noise and shapes again by
        turns; for a single row of 4096 floats or more, sounds in [-1, 1], of which every fourth
        has no tones; normal numbers for other floats; the same spread over the range of
        integers of 8 and 16 bits; numbers from 0 to 7 for wider integers; coins for booleans.
    """
    rng = np.random.default_rng(seed)
    spans = ranges or [(0.0, 1.0)] * len(inputs)
    pairs = list(zip(inputs, spans, strict=True))
    return [[_probe(info, turn, span, rng) for info, span in pairs] for turn in range(count)]


def _probe(info: TensorInfo, turn: int, span: Range, rng: np.random.Generator) -> Array:
    if info.dtype.kind == "b":
        return rng.integers(0, 2, info.shape).astype(info.dtype)
    if info.dtype.kind in "iu" and info.dtype.itemsize > 2:
        return rng.integers(0, _SMALL, info.shape).astype(info.dtype)
    numbers, low, high = _numbers(info.shape, turn, span, rng)
    if info.dtype.kind == "f":
        return numbers.astype(info.dtype)
    return _quantised((numbers - low) / (high - low), info.dtype)


def _numbers(
    shape: tuple[int, ...], turn: int, span: Range, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float, float]:
    """Numbers of an input, and between what they are, or nearly all of them."""
    if _channel_axis(shape) is not None:
        low, high = span
        return low + (high - low) * _picture(shape, turn, rng), low, high
    if max(shape, default=0) >= _LEAST_SAMPLES and max(shape) == np.prod(shape):
        sound = _SOUNDS[turn % len(_SOUNDS)]
        return sound(max(shape), rng).reshape(shape), -1.0, 1.0
    return np.asarray(rng.standard_normal(shape)), -4.0, 4.0


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
    """In [0, 1]: noise of two kinds and dead leaves by turns."""
    axis = _channel_axis(shape)
    assert axis is not None, "only asked for with pictures"
    height, width = shape[1:3] if axis == 3 else shape[2:4]
    kind = _PICTURES[turn % len(_PICTURES)]
    return np.moveaxis(kind(shape[0], height, width, shape[axis], rng), 3, axis)
