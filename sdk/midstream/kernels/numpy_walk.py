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
from midstream.kernels.slots import Slots
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
_T = TypeVar("_T", np.int32, np.int64)


def halves(near: NDArray[np.integer[Any]], gains: _Int) -> _Int:
    """The mean in half steps, from the levels of the neighbours; (weights, terms) each."""
    total: _Int = np.einsum("wt,wt->w", near, gains)
    total += 1 << _GAIN_BITS >> 1
    total >>= _GAIN_BITS
    return total


def limited(values: NDArray[_T], limit: int) -> NDArray[_T]:
    """Values at most so far from zero; numpy.clip takes ten times as long on a few."""
    found: NDArray[_T] = np.minimum(values, limit)
    return np.maximum(found, -limit, out=found)


class Walk:
    """Steps through all slices, in stretches that do not predict themselves.

    A lane that has no symbol in a slice's last step gets one past the last symbol, with a
    table of its own that leaves a state as it is.

    Args:
        batch: What to decode.
        rows: (symbols + 1,) the first table of each symbol, and for the one past the last 0.
        slots: The tables.
    """

    def __init__(self, batch: Batch, rows: NDArray[np.int32], slots: Slots) -> None:
        self._values = slots.lookup.values
        self._stepper = make_stepper(
            batch.words,
            batch.firsts[:-1],
            batch.states,
            batch.counts,
            batch.lanes,
            slots.lookup,
        )
        self._plan = self._stepper.plan
        self._rows = rows
        self._rows[-1] = slots.tables
        self._levels = np.zeros(len(rows), np.int32)
        self._neighbours = _Neighbours.of(self._plan, batch.terms) if batch.is_predicted else None
        symbols = np.arange(len(rows) - 1, dtype=np.int32)
        self._symbols = spread(self._plan, symbols, len(symbols))
        self._active = 0

    def stretches(self) -> Iterator[tuple[_Int, _Int]]:
        """The numbers of each stretch's symbols, and their means in half steps."""
        known = None if self._neighbours is None else self._neighbours.known
        steps = _stretches(self._plan, known)
        for first, last in pairwise(steps):
            self._active = int(self._plan.active[first])
            here = slice(int(self._plan.places[first]), int(self._plan.places[last]))
            symbols = self._symbols[here].astype(np.int64)
            if self._neighbours is None:
                yield symbols, np.zeros(len(symbols), np.int64)
            else:
                yield symbols, self._neighbours.means(symbols, self._levels)

    def decode(self, symbols: _Int, choice: _Int) -> _Int:
        """What a stretch's symbols stand for, each in the table so many after its first."""
        entries = self._rows.take(symbols) + choice
        self._stepper.advance(entries.reshape(-1, self._active))
        return self._values.take(entries).astype(np.int64)

    def slices(self, places: _Int) -> _Int:
        """The slices of some symbols of the stretch, by their places in it."""
        return self._plan.order.take(self._stepper.owners.take(places % self._active))

    def store(self, symbols: _Int, levels: _Int) -> None:
        """Keep what a stretch gave; what is out of range stays just outside it."""
        self._levels[symbols] = limited(levels, _LEVEL_LIMIT)

    def finish(self) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
        """Levels, the index past the last word of each slice, and the states left."""
        return self._levels[:-1], *self._stepper.finish()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Neighbours:
    """What predicts symbols; nothing does the one past the last."""

    known: _Int  # (steps,)
    """The last step that each step or one before is predicted from, or -1."""
    owners: NDArray[np.int32]  # (symbols + 1,)
    """The segment of each symbol."""
    distances: NDArray[np.int32]  # (segments, terms)
    gains: _Int  # (segments, terms)

    @classmethod
    def of(cls, plan: Plan, terms: Terms) -> "_Neighbours":
        owners, distances, gains = terms.segments()
        known = _known_before(plan, owners[:-1], distances)
        return cls(known=known, owners=owners, distances=distances, gains=gains)

    def means(self, symbols: _Int, levels: NDArray[np.int32]) -> _Int:
        """What is expected of some symbols, in half steps."""
        owners = self.owners.take(symbols)
        near = levels.take(symbols[:, None] - self.distances.take(owners, axis=0))
        return halves(limited(near, NEIGHBOUR_LIMIT), self.gains.take(owners, axis=0))


def _known_before(plan: Plan, owners: NDArray[np.int32], distances: NDArray[np.int32]) -> _Int:
    """For each step the last one that it or one before is predicted from, or -1; (steps,)."""
    nearest = np.where(distances, distances, len(owners)).min(axis=1).take(owners)
    places = np.arange(len(owners)) - nearest
    places = np.where(places < 0, -1, plan.index.take(places, mode="clip"))
    latest = np.maximum.reduceat(spread(plan, places, -1), plan.places[:-1])
    steps: _Int = plan.places.searchsorted(np.maximum.accumulate(latest), side="right") - 1
    return steps


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
