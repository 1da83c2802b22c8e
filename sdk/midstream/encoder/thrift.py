"""Levels that give up a little accuracy for fewer bits. Knows nothing of tensors and targets.

A weight takes its nearest level or the one next to it toward what is expected, whichever is
the less of squared error, in steps, and a price for each bit. Only where the error of the
weights is what counts: levels shrink, and outputs suffer from that more than bytes gain.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import Context
from midstream.codec.levels import code_lengths
from midstream.codec.tables import SHAPES, UNSHIFTED_WIDTH

__all__ = ["thrifty"]

_PRICE = 0.11
"""Squared steps for a bit: what a bit brings a uniform quantiser, 2 ln(2) / 12."""
_REACH = 15
"""Levels at most so far from what is expected may move; farther ones hardly differ in bits."""
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
    saved: _Float = _PRICE / 2 * (bits - bits[:, nearer])
    return saved
