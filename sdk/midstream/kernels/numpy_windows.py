"""Which width is the cheapest on each place of an axis, in NumPy.

Knows nothing of axes that are tried, and of tables that are chosen.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.fits import MARGIN, Prices
from midstream.kernels.numpy_histograms import EXACT_CLASSES, LEVEL_CLASSES

__all__ = ["FARTHEST_BELOW", "WINDOW", "Windows", "magnitudes", "widths_of"]

WINDOW = 16
"""Widths that are looked at together."""
_MOVE = WINDOW - 2
_MOST_TURNS = 12
_LEAST_QUARTERS, _MOST_QUARTERS = -40, 80
_OF_ONE = 14
"""The width of levels whose mean magnitude is 1, about."""
FARTHEST_BELOW = -4
"""Quarter octaves of a first window: rows of zeros do not say how narrow they are."""
_QUARTERS = (0.545, 0.648, 0.771, 0.917)
"""2**(-7/8), 2**(-5/8), 2**(-3/8), 2**(-1/8)."""

_Int = NDArray[np.int64]
_Float = NDArray[np.float64]


class Windows:
    """What levels on each place of an axis cost, and where the cheapest widths are.

    Windows are of so many widths, and told by where they start.

    Args:
        prices: What levels and log-scales cost.
        width: Quarter octaves where nothing is added.
        least: The least width that matters.
        bits: (places, widths) from there on.
    """

    def __init__(self, prices: Prices, width: int, least: int, bits: _Int) -> None:
        self._prices = prices
        self._width = width
        self._least = least
        self._bits = bits

    def settled(self, deltas: _Int, spread: int) -> _Int:
        """Windows that begin about log-scales, moved until the cheapest width is inside."""
        low, high = self._width - MARGIN, self._width + MARGIN + 1 - WINDOW
        starts = np.clip(self._width + deltas - WINDOW // 2, low, high)
        own = np.arange(len(self._bits))
        is_open = np.ones(len(own), bool)
        for _ in range(_MOST_TURNS - 1):
            best = self._inside(starts, self._width, spread, own)[0]
            moves = np.where(best == 0, -_MOVE, np.where(best == WINDOW - 1, _MOVE, 0))
            moved = np.where(moves == 0, starts, np.clip(starts + moves, low, high))
            is_open &= moved != starts
            starts = np.where(is_open, moved, starts)
        return starts

    def best(self, starts: _Int, width: int, spread: int) -> tuple[_Int, _Int]:
        """The cheapest log-scale in each window, and the bits there: (places,).

        Args:
            starts: (places,) of windows.
            width: Quarter octaves where nothing is added, by now.
            spread: How wide log-scales spread.
        """
        found, bits = self._inside(starts, width, spread, np.arange(len(starts)))
        return np.clip(starts + found - width, -MARGIN, MARGIN), bits

    def _inside(self, starts: _Int, width: int, spread: int, places: _Int) -> tuple[_Int, _Int]:
        """The number of the cheapest width in windows of some places, and the bits there."""
        inside = starts[:, None] + np.arange(WINDOW)
        at = np.clip(inside - self._least, 0, self._bits.shape[1] - 1)
        deltas = inside - width
        sent = self._prices.sent[spread].astype(np.int64)
        bits = self._bits[places[:, None], at]
        bits = bits + sent[np.clip(deltas, -MARGIN, MARGIN) + MARGIN]
        is_known = np.abs(deltas) <= MARGIN
        best = np.argmin(np.where(is_known, bits, np.iinfo(np.int64).max), axis=1)
        none = np.where(deltas[:, 0] < -MARGIN, WINDOW - 1, 0)
        best = np.where(is_known.any(axis=1), best, none)
        return best, np.take_along_axis(bits, best[:, None], axis=1)[:, 0]


@cache
def magnitudes() -> _Int:
    """About how great a level of each class is, whether or not half a step is expected."""
    own = np.tile(np.arange(LEVEL_CLASSES), 2)
    coarse = np.maximum(own - EXACT_CLASSES, 0)
    return np.where(own < EXACT_CLASSES, own, (9 + 2 * (coarse & 3)) << (coarse // 4 + 1))


def widths_of(means: _Float) -> _Int:
    """How wide levels of such mean magnitudes spread, about."""
    part, octave = np.frexp(means)
    quarters = 4 * octave.astype(np.int64) - 4 + np.searchsorted(_QUARTERS, part, side="right")
    bounded = np.clip(quarters, _LEAST_QUARTERS, _MOST_QUARTERS)
    return np.where(means == 0, _LEAST_QUARTERS, bounded) + _OF_ONE
