"""Levels that give up a little accuracy for fewer bits. Knows nothing of tensors and targets.

A weight takes its nearest level or the one next to it toward what is expected, whichever is
the less of squared error, in steps, and a price for each bit. Only where the error of the
weights is what counts: levels shrink, and outputs suffer from that more than bytes gain.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import Context, lattice
from midstream.codec.levels import code_lengths
from midstream.codec.tables import SHAPES, UNSHIFTED_WIDTH

__all__ = ["PRICE", "thrifty", "thrifty_points"]

PRICE = 0.11
"""Squared steps for a bit: what a bit brings a uniform quantiser, 2 ln(2) / 12."""
_REACH = 15
"""Levels at most so far from what is expected may move; farther ones hardly differ in bits."""
_POINT_PRICE = 0.1
"""The same on the lattice, in steps of the integers."""
_OCTAVE = 4
_WIDTHS = UNSHIFTED_WIDTH + 1

_Float = NDArray[np.float64]


def thrifty(levels: NDArray[np.int32], places: _Float, context: Context) -> NDArray[np.int32]:
    """Levels of one slice, some of them moved by one.

    Args:
        levels: (weights,) the nearest ones.
        places: (weights,) the weights in steps.
        context: How the levels are coded.
    """
    means = context.halves(levels)
    halves = np.zeros(len(levels), np.int64) if means is None else means
    phase = halves & 1
    residual = levels - (halves >> 1)
    outward = np.sign(2 * residual - phase)
    tried = (np.abs(residual) <= _REACH) & (context.width < _WIDTHS)
    width = np.clip(context.width, 0, _WIDTHS - 1)
    near = np.clip(residual, -_REACH, _REACH) + _REACH
    saved = _savings()[phase, context.shape, width, near]
    moves = tried & (outward * (levels - places) > 0.5 - saved)
    return np.where(moves, levels - outward, levels).astype(np.int32)


@cache
def _savings() -> _Float:
    """Half the price of what a step toward the mean saves: (phases, shapes, widths, residuals)."""
    residuals = np.arange(-_REACH, _REACH + 1, dtype=np.int32)
    return np.array(
        [[_saved(residuals, shape, phase) for shape in range(SHAPES)] for phase in range(2)]
    )


def _saved(residuals: NDArray[np.int32], shape: int, phase: int) -> _Float:
    bits = code_lengths(residuals, shape, _WIDTHS, phase=phase).T
    nearer = np.arange(len(residuals)) - np.sign(2 * residuals - phase)
    saved: _Float = PRICE / 2 * (bits - bits[:, nearer])
    return saved


def thrifty_points(places: _Float, context: Context) -> NDArray[np.int32]:
    """Points of the lattice for one slice, in half steps, near the weights and cheap.

    Args:
        places: (weights,) the weights in steps of the integers.
        context: How the levels are coded, of so many half steps.
    """
    count = lattice.blocks(len(places))
    shape = (lattice.BLOCK, count)
    inside = places[: lattice.BLOCK * count].reshape(shape)
    width = np.clip(context.width - _OCTAVE, 0, _WIDTHS - 1)
    row = context.shape.astype(np.int64) * _WIDTHS + width
    rows = row[: lattice.BLOCK * count].reshape(shape)
    whole, price_whole = _cheap(inside, rows, 0)
    half, price_half = _cheap(inside, rows, 1)
    levels = np.where(price_half < price_whole, half, whole)
    over = 2 * np.rint(places[lattice.BLOCK * count :])
    return np.concatenate([levels.ravel(), over]).astype(np.int32)


def _cheap(places: _Float, rows: NDArray[np.int64], odd: int) -> tuple[_Float, _Float]:
    """Twice the cheapest point of a coset for each column, and what error and bits count."""
    low = np.floor(places - odd / 2)
    part = places - odd / 2 - low
    near = np.clip(low, -_REACH, _REACH).astype(np.int64) + (_REACH + odd)
    entry = rows * (2 * _REACH + 3) + near
    bits = _point_bits()[odd]
    below = np.square(part) + _POINT_PRICE * bits.take(entry)
    above = np.square(1 - part) + _POINT_PRICE * bits.take(entry + 1)
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


@cache
def _point_bits() -> _Float:
    """Bits of the numbers that stand for points: (cosets, shapes * widths * numbers)."""
    numbers = np.arange(-_REACH, _REACH + 3, dtype=np.int32)
    return np.array(
        [
            np.stack([code_lengths(numbers, shape, _WIDTHS, phase=p).T for shape in range(SHAPES)])
            for p in range(2)
        ]
    ).reshape(2, -1)
