"""Levels that give up a little accuracy for fewer bits. Knows nothing of tensors and targets.

A weight takes its nearest level or the one next to it toward what is expected, whichever is
the less of squared error, in steps, and a price for each bit. Only where the error of the
weights is what counts: levels shrink, and outputs suffer from that more than bytes gain.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import Context
from midstream.codec.levels import code_lengths
from midstream.codec.tables import SHAPES, UNSHIFTED_WIDTH
from midstream.kernels import table_rows, thrifty_levels, thrifty_points
from midstream.kernels.fits import Making

__all__ = ["PRICE", "plan_of", "points", "thrifty"]

PRICE = 0.11
"""Squared steps for a bit: what a bit brings a uniform quantiser, 2 ln(2) / 12."""
_REACH = 15
"""Levels at most so far from what is expected may move; farther ones hardly differ in bits."""
_POINT_PRICE = 0.067
"""The same on the lattice, in steps of the integers."""
_OCTAVE = 4
_WIDTHS = UNSHIFTED_WIDTH + 1
_STAY = np.uint8(255)
"""The row of levels that do not move."""
assert SHAPES * _WIDTHS < _STAY, "rows are bytes"

_Float = NDArray[np.float64]
_Single = NDArray[np.float32]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


def thrifty(
    levels: NDArray[np.int32],
    numbers: _Numbers,
    sizes: _Float,
    context: Context,
    halves: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """Levels of one slice, some of them moved by one.

    Args:
        levels: (weights,) the nearest ones.
        numbers: (weights,) the weights.
        sizes: (weights,) the step of each, or (1,) of all.
        context: How the levels are coded.
        halves: (weights,) what is expected of each, in half steps; what the context says of
            these levels where None.
    """
    rows = _rows(context.shape, context.width)
    if context.width.max(initial=0) >= _WIDTHS:
        rows[context.width >= _WIDTHS] = _STAY
    expected = context.halves(levels) if halves is None else halves
    return thrifty_levels(levels, expected, numbers, sizes, rows, _savings())


def _rows(shape: NDArray[np.int8], width: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The row of each weight in tables of all shapes and widths."""
    rows = table_rows(
        shape,
        width,
        None,
        last_width=_WIDTHS - 1,
        each_width=1,
        each_shape=_WIDTHS,
        each_phase=0,
    )
    return rows.astype(np.uint8)


@cache
def _savings() -> _Single:
    """Half the price of what a step toward the mean saves: (phases, shapes * widths, residuals)."""
    residuals = np.arange(-_REACH, _REACH + 1, dtype=np.int32)
    return np.array(
        [
            np.concatenate([_saved(residuals, shape, phase) for shape in range(SHAPES)])
            for phase in range(2)
        ]
    )


def _saved(residuals: NDArray[np.int32], shape: int, phase: int) -> _Single:
    bits = code_lengths(residuals, shape, _WIDTHS, phase=phase).T
    nearer = np.arange(len(residuals)) - np.sign(2 * residuals - phase)
    return (PRICE / 2 * (bits - bits[:, nearer])).astype(np.float32)


def points(
    numbers: _Numbers, size: float, context: Context, halves: NDArray[np.int64] | None = None
) -> NDArray[np.int32]:
    """Points of the lattice for one slice, in half steps, near the weights and cheap.

    Args:
        numbers: (weights,) the weights.
        size: The step of the integers.
        context: How the levels are coded, of so many half steps.
        halves: (weights,) what is expected of the levels, in halves of theirs; what the context
            says of the nearest ones where None.
    """
    rows, sizes = _rows(context.shape, context.width - np.int16(_OCTAVE)), np.array([size])
    if halves is None and context.terms is not None:
        near = thrifty_points(numbers, sizes, rows, _free(_point_prices))
        halves = context.halves(near)
    return thrifty_points(numbers, sizes, rows, _point_prices(), halves)


def plan_of(size: NDArray[np.float64], parts: NDArray[np.int64], *, is_lattice: bool) -> Making:
    """How levels of a tensor are made at once.

    Args:
        size: (1,) what a level is.
        parts: (parts, 2) where those start and stop that are coded apart from each other.
        is_lattice: Whether they are points.
    """
    prices = _point_prices if is_lattice else _savings
    return Making(
        size=size,
        parts=parts,
        prices=prices(),
        free=_free(prices),
        reach=_REACH,
        is_lattice=is_lattice,
    )


@cache
def _free(prices: Callable[[], _Single]) -> _Single:
    """Where nothing has a price."""
    return np.zeros_like(prices())


@cache
def _point_prices() -> _Single:
    """What numbers beyond those expected cost: (quarters, shapes * widths, numbers)."""
    numbers = np.arange(-_REACH, _REACH + 3, dtype=np.int32)
    parts = [
        np.concatenate(
            [code_lengths(own, shape, _WIDTHS, phase=phase).T for shape in range(SHAPES)]
        )
        # a table is centred on a quarter; what is expected at three quarters is its mirror image
        for phase, own in ((0, numbers), (2, numbers), (1, numbers), (2, 1 - numbers))
    ]
    return (_POINT_PRICE * np.array(parts)).astype(np.float32)
