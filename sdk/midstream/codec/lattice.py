"""The lattice of Barnes and Wall in place of the integers: sixteen weights are one point.

Knows nothing of how levels are coded. Its points are sixteen integers that are odd where a
codeword of the first-order Reed-Muller code is 1, their sum a multiple of four; its cells are as
large as a cube and 0.86 dB rounder (Conway and Sloane, Sphere Packings, Lattices and Groups,
chapter 4, section 10; spec/coding.md, "Lattice").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.codewords import CODEWORDS

__all__ = ["BLOCK", "FEWEST_WEIGHTS", "blocks", "nearest", "quantise"]

BLOCK = 16
"""Weights of one lattice point."""
FEWEST_WEIGHTS = 4096
"""Of a tensor on the lattice: smaller ones share their slices."""

_Float = NDArray[np.float64]


def blocks(weights: int) -> int:
    """How many lattice points a slice of so many weights has; what is left over is scalar."""
    return weights // BLOCK


def quantise(numbers: _Float) -> NDArray[np.int32]:
    """Levels in half steps: points of the lattice.

    Block b has weights b, b + m, ..., b + 15 m of m blocks: far apart, so that a decoder
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
    """The nearest lattice point to each column, in half steps; (16, points)."""
    best = np.full(points.shape[1], np.inf)
    levels = np.zeros(points.shape, np.int32)
    for codeword in CODEWORDS.astype(np.int32)[:, :, None]:
        whole, far = _nearest_even(points - codeword / 2)
        nearer = far < best
        levels = np.where(nearer, 2 * whole + codeword, levels)
        best = np.where(nearer, far, best)
    return levels


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
