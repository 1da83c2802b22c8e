"""Levels that give up a little accuracy for fewer bits, in NumPy. Knows nothing of tables."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["thrifty_levels", "thrifty_points"]

_BLOCK = 8
"""Weights of a point."""
_MOST = float(1 << 28)

_Int = NDArray[np.int64]
_Float = NDArray[np.float64]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


def thrifty_levels(
    levels: NDArray[np.int32],
    halves: _Int | None,
    numbers: _Numbers,
    sizes: _Float,
    rows: NDArray[np.uint8],
    savings: _Float,
) -> NDArray[np.int32]:
    """Levels, some of them moved by one toward what is expected.

    Args:
        levels: (weights,) the nearest ones.
        halves: (weights,) what is expected of each, in half steps; 0 where None.
        numbers: (weights,) the weights.
        sizes: (weights,) the step of each, or (1,) of all.
        rows: (weights,) the row of savings of each; those beyond the last stay.
        savings: What a step toward the mean saves, in steps of the weight: (2, rows, 2 * reach
            + 1), by phase, row, and number of steps to the mean, from -reach on.
    """
    reach = savings.shape[2] // 2
    places = numbers.astype(np.float64) / sizes
    means = np.zeros(len(levels), np.int64) if halves is None else halves
    phase = means & 1
    residual = levels - (means >> 1)
    outward = np.sign(2 * residual - phase)
    tried = (np.abs(residual) <= reach) & (rows < savings.shape[1])
    near = np.clip(residual, -reach, reach) + reach
    saved = savings[phase, np.minimum(rows, savings.shape[1] - 1), near]
    moves = tried & (outward * (levels - places) > 0.5 - saved)
    return np.where(moves, levels - outward, levels).astype(np.int32)


def thrifty_points(
    numbers: _Numbers, sizes: _Float, rows: NDArray[np.uint8], prices: _Float
) -> NDArray[np.int32]:
    """Points of the lattice near weights, and cheap; in half steps.

    Args:
        numbers: (weights,) the weights.
        sizes: (weights,) the step of the integers for each, or (1,) of all.
        rows: (weights,) the row of prices of each.
        prices: In squared steps: (2, rows, 2 * reach + 3), by coset, row, and number that
            stands for a point, from -reach on.
    """
    places = np.fmin(np.fmax(numbers.astype(np.float64) / sizes, -_MOST), _MOST)
    count = len(places) // _BLOCK
    inside = places[: _BLOCK * count].reshape(_BLOCK, count)
    own = rows[: _BLOCK * count].reshape(_BLOCK, count).astype(np.int64)
    whole, price_whole = _cheapest(inside, own, 0, prices)
    half, price_half = _cheapest(inside, own, 1, prices)
    levels = np.where(price_half < price_whole, half, whole)
    over = 2 * np.rint(places[_BLOCK * count :])
    return np.concatenate([levels.ravel(), over]).astype(np.int32)


def _cheapest(places: _Float, rows: _Int, odd: int, prices: _Float) -> tuple[_Float, _Float]:
    """Twice the cheapest point of a coset for each column, and its price."""
    numbers = prices.shape[2]
    reach = (numbers - 3) // 2
    low = np.floor(places - odd / 2)
    part = places - odd / 2 - low
    near = np.clip(low, -reach, reach).astype(np.int64) + (reach + odd)
    entry = rows * numbers + near
    below = np.square(part) + prices[odd].take(entry)
    above = np.square(1 - part) + prices[odd].take(entry + 1)
    up = above < below
    chosen = low + up
    price: _Float = np.minimum(below, above).sum(axis=0)
    uneven = np.flatnonzero(chosen.sum(axis=0) % 2)
    gap = np.abs(above[:, uneven] - below[:, uneven])
    # the coordinate whose other neighbour costs least more
    moved = gap.argmin(axis=0)
    chosen[moved, uneven] += np.where(up[moved, uneven], -1, 1)
    price[uneven] += gap.min(axis=0)
    return 2 * chosen + odd, price
