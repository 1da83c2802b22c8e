"""Levels that give up a little accuracy for fewer bits, in NumPy. Knows nothing of tables."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.codewords import CODEWORDS

__all__ = ["thrifty_levels", "thrifty_points"]

_BLOCK = 16
"""Weights of a point."""
_MOST = float(1 << 28)

_Int = NDArray[np.int64]
_Float = NDArray[np.float64]
_Single = NDArray[np.float32]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


def thrifty_levels(
    levels: NDArray[np.int32],
    halves: _Int | None,
    numbers: _Numbers,
    sizes: _Float,
    rows: NDArray[np.uint8],
    savings: _Single,
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
    ahead = (levels - places).astype(np.float32)
    moves = tried & (outward.astype(np.float32) * ahead > np.float32(0.5) - saved)
    return np.where(moves, levels - outward, levels).astype(np.int32)


def thrifty_points(
    numbers: _Numbers,
    sizes: _Float,
    rows: NDArray[np.uint8],
    prices: _Single,
    halves: _Int | None = None,
) -> NDArray[np.int32]:
    """Points of the lattice near weights, and cheap; in half steps.

    Args:
        numbers: (weights,) the weights.
        sizes: (weights,) the step of the integers for each, or (1,) of all.
        rows: (weights,) the row of prices of each.
        prices: In squared steps: (4, rows, 2 * reach + 3), by quarters that are expected, row,
            and number beyond the whole ones that are, from -reach on.
        halves: (weights,) what is expected of the levels, in half steps; 0 where None.
    """
    places = np.fmin(np.fmax(numbers.astype(np.float64) / sizes, -_MOST), _MOST)
    count = len(places) // _BLOCK
    inside = places[: _BLOCK * count].reshape(_BLOCK, count)
    own = rows[: _BLOCK * count].reshape(_BLOCK, count).astype(np.int64)
    if halves is None:
        halves = np.zeros(_BLOCK * count, np.int64)
    near = np.clip(halves[: _BLOCK * count], -int(_MOST), int(_MOST))
    quarters = near.reshape(_BLOCK, count)
    ways = [_nearest(inside, own, odd, prices, quarters + 2 * odd) for odd in (0, 1)]
    chosen, price, gap, up = (np.stack(parts, axis=1) for parts in zip(*ways, strict=True))
    codeword = _cheapest(price, chosen, gap)
    phase = CODEWORDS[codeword].T[:, None]
    chosen, gap, up = (np.take_along_axis(v, phase, 1)[:, 0] for v in (chosen, gap, up))
    uneven = np.flatnonzero(chosen.sum(axis=0) % 2)
    # the coordinate whose other neighbour costs least more
    moved = gap[:, uneven].argmin(axis=0)
    chosen[moved, uneven] += np.where(up[moved, uneven], -1, 1)
    over = 2 * np.rint(places[_BLOCK * count :])
    return np.concatenate([(2 * chosen + phase[:, 0]).ravel(), over]).astype(np.int32)


def _nearest(
    places: _Float, rows: _Int, odd: int, prices: _Single, quarters: _Int
) -> tuple[_Float, _Single, _Single, NDArray[np.bool_]]:
    """The cheaper number of each coordinate in a phase.

    Returns:
        It, its price, how much more the other one takes, and whether it is the upper one.
    """
    numbers = prices.shape[2]
    reach = (numbers - 3) // 2
    low = np.floor(places - odd / 2)
    part = (places - odd / 2 - low).astype(np.float32)
    near = np.clip(low - (quarters >> 2), -reach, reach).astype(np.int64) + (reach + odd)
    entry = ((quarters & 3) * prices.shape[1] + rows) * numbers + near
    below = np.square(part) + prices.take(entry)
    above = np.square(np.float32(1) - part) + prices.take(entry + 1)
    up = above < below
    return low + up, np.minimum(below, above), np.abs(above - below), up


def _cheapest(price: _Single, total: _Float, gap: _Single) -> _Int:
    """The codeword of each point.

    Args:
        price: (coordinates, phases, points).
        total: The numbers themselves, the same.
        gap: What turning a number the other way costs, the same.
    """
    while len(price) > 1:
        # in their upper half codewords are what they are in the lower one, or its opposite,
        # which is the codeword beside it
        beside = np.arange(price.shape[1]) ^ 1
        price, total, gap = (
            np.concatenate([join(v[::2], v[1::2]), join(v[::2], v[1::2, beside])], axis=1)
            for v, join in ((price, np.add), (total, np.add), (gap, np.minimum))
        )
    found: _Int = np.argmin(price[0] + np.where(total[0] % 2, gap[0], np.float32(0)), axis=0)
    return found
