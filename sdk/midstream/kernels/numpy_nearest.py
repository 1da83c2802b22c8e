"""From weights to their nearest levels, in NumPy. Knows nothing of tensors."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["nearest_levels", "squared_distance", "squared_error", "squared_errors", "widen_halves"]

_MOST = float(1 << 30)
_SUMS = 8

_Float = NDArray[np.float64]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


def nearest_levels(numbers: _Numbers, sizes: _Float, offset: float = 0.0) -> NDArray[np.int32]:
    """The nearest level of each weight, ties to even, at most 2**30 from zero.

    Args:
        numbers: (weights,)
        sizes: (weights,) the step of each, more than 0; or (1,) of all.
        offset: What level 0 stands for.
    """
    places = (numbers.astype(np.float64) - offset) / sizes
    return np.rint(np.fmin(np.fmax(places, -_MOST), _MOST)).astype(np.int32)


def squared_error(
    numbers: _Numbers,
    sizes: _Float,
    offset: float = 0.0,
    levels: NDArray[np.int32] | None = None,
) -> float:
    """The sum of squared differences between weights and what levels stand for.

    Eight sums of every eighth weight, then the sum of those, in this order.

    Args:
        numbers: (weights,)
        sizes: (weights,) the step of each, more than 0; or (1,) of all.
        offset: What level 0 stands for.
        levels: (weights,); the nearest ones where None.
    """
    near = nearest_levels(numbers, sizes, offset) if levels is None else levels
    return _sum(numbers.astype(np.float64) - offset - near * sizes)


def squared_distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The sum of squared differences between two lists of numbers, added up as in `squared_error`.

    Args:
        one: (weights,)
        other: (weights,)
    """
    return _sum(one.astype(np.float64) - other)


def _sum(errors: _Float) -> float:
    """Of squares, eight sums of every eighth, then the sum of those."""
    squares = np.zeros((-(-len(errors) // _SUMS), _SUMS))
    squares.ravel()[: len(errors)] = errors * errors
    return float(np.cumsum(squares.sum(axis=0))[-1])


def squared_errors(
    numbers: _Numbers, sizes: _Float, levels: NDArray[np.int32], stops: NDArray[np.int64]
) -> list[float]:
    """What `squared_error` gives for each of several tensors of one step.

    Args:
        numbers: (weights,) of all, one tensor after the other.
        sizes: (1,) the step.
        levels: (weights,)
        stops: Where each tensor stops, rising from 0 to all weights.
    """
    parts = pairwise([0, *stops.tolist()])
    return [squared_error(numbers[a:b], sizes, 0.0, levels[a:b]) for a, b in parts]


def widen_halves(halves: NDArray[np.float16]) -> NDArray[np.float32]:
    """The same numbers; what is not a number stays none, and may become a quiet one."""
    with np.errstate(invalid="ignore"):
        return halves.astype(np.float32)
