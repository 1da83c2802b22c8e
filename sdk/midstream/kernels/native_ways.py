"""How a tensor's levels are coded, scales and predictor, in C. The twin in NumPy is codec.fitting.

Knows nothing of how levels were made.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.fits import (
    AXES,
    MARGIN,
    Fit,
    Geometry,
    Making,
    Neighbours,
    Prices,
)
from midstream.kernels.native_kernels import plain
from midstream.kernels.native_nearest import plain_weights

__all__ = ["Known", "fit_ways", "make_way", "refit_way"]

_WINDOW = 16
_PLACE_MEMORY = 12 * _WINDOW + 14
_COUNTS_MEMORY = 4 * (2 * AXES * MARGIN + 1) * 128
_Array = NDArray[Any]
_Given = tuple[
    *tuple[_Array, _Array, bytes, _Array, _Array, _Array, _Array],
    *tuple[_Array, _Array, _Array, _Array, _Array, _Array],
]
_ROOM = 8 * (1 << 12) + 2 * (1 << 15)
_MOST_TERMS = 6
_STATES = 3 + AXES

Numbers = NDArray[np.float32] | NDArray[np.float64]
Known = tuple[Fit, tuple[tuple[int, int], ...]]
"""Scales, and neighbours that predict: their numbers and coefficients in 1/32."""


def fit_ways(
    levels: NDArray[np.int32],
    geometry: Geometry,
    prices: Prices,
    neighbours: Neighbours,
    thin: int,
) -> tuple[Known, Fit]:
    """The shortest way, and the shortest without a predictor.

    Args:
        levels: (weights,)
        geometry: Where they are, and the axes to try.
        prices: What levels and log-scales cost.
        neighbours: Who may predict.
        thin: Scales are found by one of each 2**thin weights.
    """
    call = _Call(geometry, is_known=False)
    count = call(levels, prices, neighbours, 0, thin)
    other = call.fit(call.unpredicted, 2)
    return call.known(count) if count else (other, ()), other


def refit_way(
    levels: NDArray[np.int32],
    geometry: Geometry,
    prices: Prices,
    neighbours: Neighbours,
    known: Known,
) -> Known:
    """A way as it suits levels that are much like those that it was found for."""
    call = _Call(geometry, is_known=True)
    call.begin(known)
    return call.known(call(levels, prices, neighbours, len(known[1]), 0))


def make_way(
    numbers: Numbers,
    plan: Making,
    geometry: Geometry,
    prices: Prices,
    neighbours: Neighbours,
    known: Known,
) -> tuple[NDArray[np.int32], float, Known]:
    """Thrifty levels that are coded in a known way, and that way as it suits them.

    Args:
        numbers: (weights,) the weights.
        plan: How levels are made.
        geometry: Where they are, and the axes to try.
        prices: What levels and log-scales cost.
        neighbours: Who may predict.
        known: The way.

    Returns:
        Levels, the sum of their squared errors, and the way.
    """
    call = _Call(geometry, is_known=True)
    call.begin(known)
    levels = np.empty(len(numbers), np.int32)
    count, error = _native.make_way(
        *call.given(levels, prices, neighbours),
        *plain_weights(numbers, plan.size),
        plain(plan.parts, np.int64),
        plan.prices,
        plan.reach,
        plan.free,
        plan.is_lattice,
        prices.axis,
        neighbours.term,
        len(known[1]),
    )
    return levels, error, call.known(count)


class _Call:
    """Arrays that C reads and writes."""

    def __init__(self, geometry: Geometry, *, is_known: bool) -> None:
        self._geometry = geometry
        self._deltas = np.zeros(3 * geometry.places, np.int8)
        states = np.zeros(2 * _STATES + 2 * _MOST_TERMS, np.int64)
        self._best = states[:_STATES]
        self._best[3:] = -1
        self.unpredicted = states[_STATES : _STATES if is_known else 2 * _STATES]
        self._predictor = states[2 * _STATES :]

    def begin(self, known: Known) -> None:
        """Write what is known."""
        found, predictor = known
        self._best[:2] = found.shape, found.width
        for axis, own in found.deltas.items():
            self._best[3 + axis] = found.spreads[axis]
            self._part(axis, 1)[:] = own
        for term, pair in enumerate(predictor):
            self._predictor[2 * term : 2 * term + 2] = pair

    def __call__(
        self,
        levels: NDArray[np.int32],
        prices: Prices,
        neighbours: Neighbours,
        terms: int,
        thin: int,
    ) -> int:
        given = self.given(levels, prices, neighbours)
        return _native.fit_ways(*given, prices.axis, neighbours.term, terms, thin)

    def given(self, levels: NDArray[np.int32], prices: Prices, neighbours: Neighbours) -> _Given:
        """All arrays; those of prices, neighbours and dimensions are made as C takes them."""
        where = self._geometry
        return (
            plain(levels, np.int32),
            where.dims,
            where.tried,
            neighbours.places,
            neighbours.scales,
            prices.costs,
            prices.sent,
            self._deltas,
            self._best,
            self.unpredicted,
            self._predictor,
            np.empty(_PLACE_MEMORY * where.most + _COUNTS_MEMORY, np.uint8),
            np.empty(_ROOM + len(levels), np.uint8),
        )

    def known(self, terms: int) -> Known:
        """The best way."""
        pairs = self._predictor[: 2 * terms].tolist()
        return self.fit(self._best, 1), tuple(zip(pairs[::2], pairs[1::2], strict=True))

    def fit(self, state: NDArray[np.int64], third: int) -> Fit:
        """Scales of one way, whose log-scales are in so many thirds of all."""
        shape, width, bits, *spreads = state.tolist()
        used = {axis: spread for axis, spread in enumerate(spreads) if spread >= 0}
        found = {axis: self._part(axis, third) for axis in used}  # nobody writes there again
        return Fit(shape=shape, width=width, deltas=found, spreads=used, bits=bits)

    def _part(self, axis: int, third: int) -> NDArray[np.int8]:
        start, stop = self._geometry.parts[axis]
        before = third * self._geometry.places
        return self._deltas[before + start : before + stop]
