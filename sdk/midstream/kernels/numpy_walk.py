"""A walk through the symbols of slices, as many at a time as are predicted from others.

Knows nothing of what symbols mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.lanes import Plan, spread
from midstream.kernels.numpy_batches import Batch
from midstream.kernels.slots import TOTAL_BITS, Slots
from midstream.kernels.stepping import make_stepper
from midstream.kernels.terms import Terms

__all__ = ["NEIGHBOUR_LIMIT", "Walk", "halves", "limited"]

NEIGHBOUR_LIMIT = 1 << 20
"""A neighbour's level counts as at most so far from zero."""
_GAIN_BITS = 12
_LEVEL_LIMIT = (1 << 30) + 1
"""Levels that are out of their range are kept just outside it, for the caller to see."""
_STRETCH_SYMBOLS = 1 << 13
"""More at a time are hardly faster."""

_Int = NDArray[np.int64]
_T = TypeVar("_T", bound=np.generic)


def halves(near: NDArray[np.integer[Any]], gains: _Int) -> _Int:
    """The mean in half steps, from the levels of the neighbours; (weights, terms) each."""
    total: _Int = np.einsum("wt,wt->w", near, gains)
    total += 1 << _GAIN_BITS >> 1
    total >>= _GAIN_BITS
    return total


def limited(values: _Int, limit: int) -> _Int:
    """Values at most so far from zero; numpy.clip takes ten times as long on a few."""
    found: _Int = np.minimum(values, limit)
    return np.maximum(found, -limit, out=found)


class Walk:
    """Steps through all slices, in stretches that do not predict themselves.

    A lane that has no symbol in a slice's last step gets one past the last symbol, with a
    table of its own that leaves a state as it is. All arrays stand in the order of steps.
    """

    def __init__(self, batch: Batch, rows: NDArray[np.integer[Any]], slots: Slots) -> None:
        *lookup, self._values = slots.spread
        self._stepper = make_stepper(
            batch.words,
            batch.firsts[:-1],
            batch.states,
            batch.counts,
            batch.lanes,
            (lookup[0], lookup[1]),
        )
        self._plan = self._stepper.plan
        self._rows = self.arrange(rows.astype(np.int32), slots.tables)
        self._levels = np.zeros(len(self._rows), np.int32)
        self._neighbours = _Neighbours.of(self._plan, batch.terms) if batch.is_predicted else None

    def arrange(self, values: NDArray[_T], filler: int) -> NDArray[_T]:
        """Values of symbols in the order of steps; `filler` where there is no symbol."""
        return spread(self._plan, values, filler)

    def stretches(self) -> Iterator[tuple[slice, _Int]]:
        """Where each stretch's symbols stand, and their means in half steps."""
        known = None if self._neighbours is None else self._neighbours.known
        stops = self._plan.places[_stretches(self._plan, known)].tolist()
        for first, last in pairwise(stops):
            here = slice(first, last)
            if self._neighbours is None:
                yield here, np.zeros(last - first, np.int64)
            else:
                yield here, self._neighbours.means(here)

    def decode(self, here: slice, choice: _Int) -> _Int:
        """What a stretch's symbols stand for, each in the table so many after its first."""
        slots = self._rows[here] + choice
        slots <<= TOTAL_BITS
        self._stepper.advance(slots.reshape(-1, self._active(here)))
        return self._values.take(slots).astype(np.int64)

    def slices(self, here: slice, places: _Int) -> _Int:
        """The slices of some symbols of a stretch."""
        owners = self._stepper.owners.take(places % self._active(here))
        return self._plan.order.take(owners)

    def _active(self, here: slice) -> int:
        """Lanes at work in a stretch."""
        return int(self._plan.active[self._plan.places.searchsorted(here.start)])

    def store(self, here: slice, levels: _Int) -> None:
        """Keep what a stretch gave; what is out of range stays just outside it."""
        self._levels[here] = limited(levels, _LEVEL_LIMIT)
        if self._neighbours is not None:
            self._neighbours.levels[here] = limited(levels, NEIGHBOUR_LIMIT)

    def finish(self) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
        """Levels, the index past the last word of each slice, and the states left."""
        return self._levels[self._plan.index], *self._stepper.finish()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Neighbours:
    """The levels that others are predicted from, all in the order of steps."""

    known: _Int  # (steps,)
    """The last step that each step or one before is predicted from, or -1."""
    places: NDArray[np.int32]  # (places, terms)
    gains: _Int  # (places, terms)
    levels: NDArray[np.int32]  # (places,)

    @classmethod
    def of(cls, plan: Plan, terms: Terms) -> "_Neighbours":
        distances, gains = terms.dense()
        numbers = np.arange(len(distances), dtype=np.int32)[:, None] - distances
        places = plan.index.astype(np.int32)[numbers]
        latest = np.where(distances, places, -1).max(axis=1)
        nearest = np.maximum.reduceat(spread(plan, latest, -1), plan.places[:-1])
        known = plan.places.searchsorted(np.maximum.accumulate(nearest), side="right") - 1
        return cls(
            known=known,
            places=spread(plan, places, 0),
            gains=spread(plan, gains, 0),
            levels=np.zeros(plan.places[-1], np.int32),
        )

    def means(self, here: slice) -> _Int:
        """What is expected in a stretch, in half steps."""
        return halves(self.levels.take(self.places[here]), self.gains[here])


def _stretches(plan: Plan, known: _Int | None) -> list[int]:
    """The step that each stretch starts with, and the one past the last.

    In a stretch all steps have the same lanes, and what predicts them is known before.
    """
    changes = np.flatnonzero(np.diff(plan.active, append=-1)) + 1
    stops = [0]
    for change in changes.tolist():
        most = max(_STRETCH_SYMBOLS // int(plan.active[change - 1]), 1)
        while stops[-1] < change:
            free = change if known is None else int(known.searchsorted(stops[-1]))
            stops.append(min(free, stops[-1] + most, change))
    return stops
