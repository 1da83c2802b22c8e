"""How wide levels spread: shape, width and log-scales of a tensor, in NumPy.

Levels come as magnitude classes: a histogram of classes times a table of code lengths is the
cost of every width at once. All sums are of whole numbers, so that their order does not matter.
Knows nothing of how levels and log-scales are sent.
"""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from midstream.kernels.fits import MARGIN, PADDING, Dims, Fit, Prices, axis_sizes, seen
from midstream.kernels.numpy_histograms import LEVEL_CLASSES
from midstream.kernels.numpy_windows import (
    FARTHEST_BELOW,
    WINDOW,
    Windows,
    magnitudes,
    widths_of,
)

__all__ = ["fit_scales"]

_FIRST_SPREAD = 18
"""Width of log-scales that is assumed before any are known: sigma of 2.8 quarter octaves."""
_FIRST_SHAPE = 1
_ROWS = 1024
"""Places on an axis that are looked at together."""

_Int = NDArray[np.int64]
_Float = NDArray[np.float64]


def fit_scales(
    classes: NDArray[np.uint8],
    dims: Dims,
    tried: Sequence[int],
    prices: Prices,
    known: Fit | None = None,
    thin: int = 0,
) -> Fit:
    """The shape, width and log-scales that give levels their shortest code, about.

    Descends from one scale to scales on more axes, as long as bits are saved; then adjusts
    each axis to the others once more, unless but some of the weights are looked at.

    Args:
        classes: (weights,) of levels, as `level_classes` gives them; not empty. Of those that
            `fits.seen` names, where they are thin.
        dims: Where they are.
        tried: Axes to try, in this order.
        prices: What levels and log-scales cost.
        known: What to begin with; its axes are not tried but adjusted.
        thin: Each weight that is looked at stands for 2**thin.
    """
    search = _Search(classes, dims, prices, thin)
    if known is not None:
        search.begin(known)
    # levels that nothing predicts spread about as is known: their table is chosen in the end
    is_near = known is not None and known.deltas and not tried
    if not is_near or not search.is_unpredicted:
        search.choose_table()
    for axis in tried:
        if axis not in search.deltas:
            search.try_axis(axis)
    if (len(search.deltas) > 1 and not thin) or (known is not None and known.deltas):
        search.polish()
    return Fit(
        shape=search.shape,
        width=search.width,
        deltas={axis: d.astype(np.int8) for axis, d in sorted(search.deltas.items())},
        spreads=dict(sorted(search.spreads.items())),
        bits=search.bits,
    )


class _Search:
    """What is found so far."""

    def __init__(self, classes: NDArray[np.uint8], dims: Dims, prices: Prices, thin: int) -> None:
        self.shape = self.width = self.bits = 0
        self.deltas: dict[int, _Int] = {}
        self.spreads: dict[int, int] = {}
        self._classes = classes
        self._sizes = axis_sizes(dims)
        self._dims = dims
        self._seen = seen(dims, thin) if thin else None
        self._each = 1 << thin
        self._prices = prices
        self._depth = int(classes.max()) + 1

    def begin(self, known: Fit) -> None:
        """Take what is known."""
        self.shape, self.width = known.shape, known.width
        self.deltas = {axis: d.astype(np.int64) for axis, d in known.deltas.items()}
        self.spreads = dict(known.spreads)

    @property
    def is_unpredicted(self) -> bool:
        """Whether no level is half a step from what is expected."""
        return self._depth <= LEVEL_CLASSES

    def try_axis(self, axis: int) -> None:
        """Add an axis if it pays."""
        saved = self.bits, self.shape, self.width
        self.deltas[axis] = np.zeros(self._sizes[axis], np.int64)
        self.spreads[axis] = _FIRST_SPREAD
        self.shape = _FIRST_SHAPE
        self._improve(axis, self._guess(axis))
        self.choose_table()
        if self.bits >= saved[0]:
            del self.deltas[axis], self.spreads[axis]
            self.bits, self.shape, self.width = saved

    def _guess(self, axis: int) -> _Int:
        """Where widths should be, by the mean magnitude of each place."""
        size = self._sizes[axis]
        sizes = magnitudes().take(self._classes).astype(np.float64)
        sums = np.bincount(self._places(axis), sizes, minlength=size)  # whole numbers
        widths = widths_of(self._each * sums / (int(self._dims[:, 0].prod()) // size))
        return np.clip(widths - self.width, -MARGIN, MARGIN)

    def polish(self) -> None:
        """Adjust each axis to the others once more."""
        for axis in sorted(self.deltas):
            self._improve(axis, None)
        self.choose_table()

    def choose_table(self) -> None:
        """The best shape and base width for the present log-scales, and all bits then."""
        shifts = self._shifts(None)
        low, counts = self._count(shifts, np.zeros(len(shifts), np.int64), 1)
        bits = self._table_bits(low, counts[0])
        best = _best_table(bits)
        self.shape, self.width = best // len(bits[0]), best % len(bits[0]) - MARGIN
        side = sum(self._prices.axis + self._sent(axis) for axis in self.deltas)
        self.bits = int(bits.flat[best]) + side

    def _sent(self, axis: int) -> int:
        row = self._prices.sent[self.spreads[axis]].astype(np.int64)
        return int(row[self.deltas[axis] + MARGIN].sum())

    def _shifts(self, axis: int | None) -> _Int:
        """What all axes but one add to the width of each weight."""
        shifts = np.zeros(len(self._classes), np.int64)
        for other, deltas in self.deltas.items():
            if other != axis:
                shifts += deltas[self._places(other)]
        return shifts

    def _places(self, axis: int) -> _Int:
        """The place of each weight on an axis."""
        sizes = self._dims[:, 0]
        places = np.zeros(sizes, np.int64)
        for at, (size, own, step) in enumerate(self._dims.tolist()):
            if own == axis:
                places += (np.arange(size) * step).reshape([-1] + [1] * (len(sizes) - 1 - at))
        return places.ravel() if self._seen is None else places.ravel()[self._seen]

    def _improve(self, axis: int, guess: _Int | None) -> None:
        """Find the best log-scales of one axis, given those of all others.

        Args:
            axis: Which.
            guess: About where they are, if none is known yet.
        """
        low, counts = self._count(self._shifts(axis), self._places(axis), self._sizes[axis])
        places = Windows(self._prices, self.width, *self._place_bits(low, counts))
        begin = self.deltas[axis] if guess is None else np.maximum(guess, FARTHEST_BELOW)
        starts = places.settled(begin, self.spreads[axis])
        if guess is not None:
            self._take(axis, places.best(starts, self.width, self.spreads[axis])[0])
        # once more, now that it is known what log-scales cost
        self._take(axis, places.best(starts, self.width, self.spreads[axis])[0])

    def _take(self, axis: int, found: _Int) -> None:
        """Take log-scales; the middle one goes into the base width."""
        middle = _median(found)
        self.width += middle
        self.deltas[axis] = np.clip(found - middle, -MARGIN, MARGIN)
        counted = np.bincount(self.deltas[axis] + MARGIN, minlength=2 * MARGIN + 1)
        self.spreads[axis] = int(np.argmin(self._prices.sent.astype(np.int64) @ counted))

    def _count(self, shifts: _Int, places: _Int, size: int) -> tuple[int, NDArray[np.int32]]:
        """The least shift, and how many weights there are: (places, shifts, classes)."""
        low, span, depth = int(shifts.min()), int(np.ptp(shifts)) + 1, self._depth
        cell = (places * span + (shifts - low)) * depth + self._classes
        counts = np.bincount(cell, minlength=size * span * depth).astype(np.int32)
        return low, counts.reshape(size, span, depth)

    def _place_bits(self, low: int, histogram: NDArray[np.int32]) -> tuple[int, _Int]:
        """The least width that matters, and bits of each place at each width from there on."""
        size, span, depth = histogram.shape
        inside = self._prices.costs[self.shape, :depth, PADDING:-PADDING].astype(np.float64)
        widths = inside.shape[1]
        costs = inside.take(np.clip(np.arange(1 - span, widths + span - 1), 0, widths - 1), axis=1)
        # the costs at one shift more are those at one width more
        by_class, by_width = costs.strides
        windows = as_strided(
            costs, (span, depth, widths + span - 1), (by_width, by_class, by_width)
        )
        table = np.ascontiguousarray(windows).reshape(span * depth, -1)
        rows = histogram.reshape(size, -1)
        bits = [rows[at : at + _ROWS].astype(np.float64) @ table for at in range(0, size, _ROWS)]
        return -(low + span - 1), self._each * np.concatenate(bits).astype(np.int64)

    def _table_bits(self, low: int, counts: NDArray[np.int32]) -> _Int:
        """Bits in each table: (shapes, base widths), the first of these -MARGIN."""
        inside = self._prices.costs[:, : self._depth, PADDING:-PADDING].astype(np.float64)
        each = counts.astype(np.float64) @ inside  # (shapes, span, widths)
        span, widths = len(counts), inside.shape[2]
        bases = np.arange(-MARGIN, widths)
        at = np.clip(bases + low + np.arange(span)[:, None], 0, widths - 1)
        bits: _Int = np.take_along_axis(each, at[None], axis=2).sum(axis=1).astype(np.int64)
        return self._each * bits


def _best_table(bits: _Int) -> int:
    """The place of the least: of equals in a window the first shape, then the greatest width.

    Args:
        bits: As `_Search._table_bits` gives them.
    """
    count = bits.shape[1]
    best, least = 0, np.iinfo(np.int64).max
    for start in range(count - WINDOW, -1, -WINDOW):
        window = bits[:, start : start + WINDOW][:, ::-1]
        if window.min() < least:
            shape, back = np.unravel_index(np.argmin(window), window.shape)
            best = int(shape) * count + start + WINDOW - 1 - int(back)
            least = int(window.min())
    return best


def _median(values: _Int) -> int:
    """Toward zero where it is between two."""
    ordered = np.sort(values)
    twice = int(ordered[(len(values) - 1) // 2]) + int(ordered[len(values) // 2])
    return twice // 2 if twice > 0 else -(-twice // 2)
