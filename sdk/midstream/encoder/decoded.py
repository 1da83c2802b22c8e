"""Noise as decoding makes it: values are rounded to their data type, integers clipped.

Knows nothing of slices and targets. What levels stand for is a product in double precision; a
float16 has eleven bits of it, and what is lost counts from about 40 dB on.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.codec import grid, storage
from midstream.encoder.weights import Weights
from midstream.kernels import nearest_levels, squared_distance, squared_error
from midstream.types import DType

__all__ = ["decoded_error", "is_far_above_rounding", "rounding_noise"]

_WIDE = np.array([2.0**1000])
"""A step so wide that all levels are 0, and the error of numbers is their energy."""
_SQUARE_LOST, _LEAST_LOST = 2.0**-48, 2.0**-300
"""Of the square of a number, what rounding it to float32 adds at most; and of the least ones."""
_CLEAR = 1e8
"""Times what rounding may add, from which on it changes noise by less than 0.001 dB."""
_LOST = {DType.FLOAT16: (2.0**-20 / 12, 2.0**-48 / 12), DType.BFLOAT16: (2.0**-14 / 12, 0.0)}
"""Of the square of a number, what rounding it to a half adds at most on average; and of any."""
_NEXT_TO_NOTHING = 2.0**-13
"""Of the noise that there may be, what need not be told any better than by how much it may be."""

_Stored = NDArray[np.generic]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


def decoded_error(stored: _Stored, decoded: _Stored, dtype: DType) -> float:
    """The sum of squared differences between weights and what is decoded for them.

    Args:
        stored: (weights,) in storage form.
        decoded: (weights,) in storage form.
        dtype: Data type of both.
    """
    own, other = storage.numbers(stored, dtype), storage.numbers(decoded, dtype)
    if own.dtype == other.dtype == np.float32:
        single = np.float32
        return squared_distance(own.astype(single, copy=False), other.astype(single, copy=False))
    return squared_error(np.subtract(own, other, dtype=np.float64), _WIDE)


def is_far_above_rounding(error: float, numbers: _Numbers) -> bool:
    """Whether rounding to float32 leaves an error what it is, as near as it is told.

    Args:
        error: The sum of squared differences between weights and what their levels stand for.
        numbers: (weights,) the weights.
    """
    energy = squared_error(numbers, _WIDE)
    return error > _CLEAR * (_SQUARE_LOST * energy + _LEAST_LOST * len(numbers))


def rounding_noise(
    weights: Sequence[Weights], steps: Sequence[int], factors: Sequence[float], limit: float
) -> float:
    """What rounding to float16 and bfloat16 adds to the noise of nearest levels, by samples.

    Twice as much as that may be on average, where this is next to nothing.

    Args:
        weights: All tensors.
        steps: The step index of each.
        factors: What a squared error of each counts.
        limit: How much noise there may be.
    """
    most = _most_lost(weights, factors)
    if most < _NEXT_TO_NOTHING * limit:
        return 2 * most
    alike: dict[tuple[DType, int, float], list[_Numbers]] = {}
    added = 0.0
    for w, step, factor in zip(weights, steps, factors, strict=True):
        dtype = w.tensor.dtype
        if factor and dtype in (DType.FLOAT16, DType.BFLOAT16):
            sample = w.sample()
            alike.setdefault((dtype, step, factor * sample.share), []).append(sample.numbers)
    for (dtype, step, counts), numbers in alike.items():
        added += counts * _added(np.concatenate(numbers, dtype=np.float32), dtype, step)
    return added


def _most_lost(weights: Sequence[Weights], factors: Sequence[float]) -> float:
    """What rounding adds on average, at most."""
    lost = 0.0
    for w, factor in zip(weights, factors, strict=True):
        if factor and w.tensor.dtype in _LOST:
            of_square, of_any = _LOST[w.tensor.dtype]
            lost += factor * (of_square * w.energy + of_any * w.tensor.weights)
    return lost


def _added(numbers: _Numbers, dtype: DType, step: int) -> float:
    """Squared errors that rounding adds to those of weights; less than 0 where it heals some."""
    sizes = grid.one_size(step, 0, dtype)
    levels = nearest_levels(numbers, sizes)
    decoded = storage.numbers(grid.reconstruct(levels, dtype, step), dtype)
    errors = np.subtract(numbers, decoded, dtype=np.float64)
    return squared_error(errors, _WIDE) - squared_error(numbers, sizes)
