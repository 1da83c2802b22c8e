"""The E8 lattice in place of the integers: the nearest point to eight weights at once.

Knows nothing of how levels are coded. E8 is all points of eight integers with an even sum,
and the same shifted by one half; its cells are as large as a unit cube and 0.65 dB rounder.
The nearest point is found as Conway and Sloane do (IEEE Transactions on Information Theory
28, 1982): the better of the two nearest in either half (spec/coding.md, "Lattice").
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "FEWEST_WEIGHTS", "blocks", "nearest", "quantise"]

BLOCK = 8
"""Weights of one lattice point."""
FEWEST_WEIGHTS = 4096
"""Of a tensor on the lattice: smaller ones share their slices."""

_Float = NDArray[np.float64]


def blocks(weights: int) -> int:
    """How many lattice points a slice of so many weights has; what is left over is scalar."""
    return weights // BLOCK


def quantise(numbers: _Float) -> NDArray[np.int32]:
    """Levels in half steps: all eight of a block even, or all odd, their sum a multiple of 4.

    Block b has weights b, b + m, ..., b + 7 m of m blocks: far apart, so that a decoder
    may go through a slice in order. Weights after the last block have even levels.

    Args:
        numbers: (weights,) in steps of the integer grid, each at most 2**28 from zero.
    """
    count = blocks(len(numbers))
    levels = np.empty(len(numbers), np.int32)
    inside = numbers[: BLOCK * count].reshape(BLOCK, count)
    levels[: BLOCK * count] = nearest(inside).ravel()
    levels[BLOCK * count :] = 2 * np.rint(numbers[BLOCK * count :]).astype(np.int32)
    return levels


def nearest(points: _Float) -> NDArray[np.int32]:
    """Twice the nearest lattice point to each column; (8, points)."""
    whole, far_whole = _nearest_even(points)
    half, far_half = _nearest_even(points - 0.5)
    return np.where(far_half < far_whole, 2 * half + 1, 2 * whole)


def _nearest_even(points: _Float) -> tuple[NDArray[np.int32], _Float]:
    """The nearest integers with an even sum to each column, and their squared distance."""
    rounded = np.rint(points)
    error = points - rounded
    levels = rounded.astype(np.int32)
    distance: _Float = np.einsum("kp,kp->p", error, error)
    odd = np.flatnonzero(levels.sum(axis=0, dtype=np.int32) & 1)
    # the coordinate that is rounded the other way is the one that this costs least
    worst = np.abs(error[:, odd]).argmax(axis=0)
    moved = error[worst, odd]
    levels[worst, odd] += np.where(moved < 0, -1, 1).astype(np.int32)
    distance[odd] += 1 - 2 * np.abs(moved)
    return levels, distance
