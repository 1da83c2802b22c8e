"""A walk through the symbols of slices, as many at a time as are predicted from others.

Knows nothing of what symbols mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.lanes import Plan
from midstream.kernels.numpy_batches import Batch
from midstream.kernels.slots import Slots
from midstream.kernels.stepping import make_stepper
from midstream.kernels.terms import Terms

__all__ = ["GAIN_BITS", "LEVEL_LIMIT", "NEIGHBOUR_LIMIT", "Block", "Walk", "halves", "limited"]

NEIGHBOUR_LIMIT = 1 << 20
"""A neighbour's level counts as at most so far from zero."""
GAIN_BITS = 12
"""Of a gain, in half steps for each step of a level."""
LEVEL_LIMIT = (1 << 30) + 1
"""Levels that are out of their range are kept just outside it, for the caller to see."""
_STRETCH_SYMBOLS = 1 << 13
"""More at a time are hardly faster."""

_Int = NDArray[np.int64]
_T = TypeVar("_T", bound=np.integer[Any])


def halves(near: NDArray[np.integer[Any]], gains: _Int) -> _Int:
    """The mean in half steps, from the levels of the neighbours; (terms, weights) each."""
    # numpy.einsum takes twice as long on a few
    total: _Int = np.add.reduce(near * gains, 0)
    total += 1 << GAIN_BITS >> 1
    total >>= GAIN_BITS
    return total


def limited(values: NDArray[_T], limit: int) -> NDArray[_T]:
    """Values at most so far from zero; numpy.clip takes ten times as long on a few."""
    found: NDArray[_T] = np.minimum(values, limit)
    np.maximum(found, -limit, out=found)
    return found


class Walk:
    """Steps through all slices, in stretches that do not predict themselves.

    A lane that has no symbol in a slice's last step gets one past the last symbol, with a
    table of its own that leaves a state as it is.

    Args:
        batch: What to decode.
        rows: (symbols + 1,) the first table of each symbol, and for the one past the last 0.
        slots: The tables.
        careful: Whether levels may be out of the range of what predicts others. Where they
            may not and are, `is_wild` says so, and they are of no use.
        most_steps: Of a stretch, where more may depend on each other.
    """

    def __init__(
        self,
        batch: Batch,
        rows: NDArray[np.int32],
        slots: Slots,
        *,
        careful: bool,
        most_steps: int = _STRETCH_SYMBOLS,
    ) -> None:
        self._most_steps = most_steps
        self.values = slots.lookup.values
        self.stepper = make_stepper(
            batch.words,
            batch.firsts[:-1],
            batch.states,
            batch.counts,
            batch.lanes,
            slots.lookup,
        )
        self.rows = rows
        self.rows[-1] = slots.tables
        plan = self.stepper.plan
        self.neighbours = _Neighbours.of(plan, batch.terms) if batch.is_predicted else None
        self.is_limited = careful or not batch.is_predicted
        """Whether levels are kept in their ranges as they come."""
        # 64 bits hold whatever the first level beyond the range may be
        kind = np.int32 if self.is_limited else np.int64
        self.levels: NDArray[np.integer[Any]] = np.zeros(len(rows), kind)
        self._is_predicted = batch.predicted.take(plan.order).take(self.stepper.owners)

    def blocks(self) -> Iterator["Block"]:
        """Stretches after each other, as many as are laid out at once."""
        plan = self.stepper.plan
        known = None if self.neighbours is None else self.neighbours.known
        for steps in _blocks(plan, _stretches(plan, known, self._most_steps)):
            yield Block(self, steps)

    def predicted_lanes(self, active: int) -> _Int:
        """Those of the first lanes whose slices are predicted."""
        return np.flatnonzero(self._is_predicted[:active])

    @property
    def is_wild(self) -> bool:
        """Whether a level was out of the range of what predicts others, and not expected to."""
        levels = self.levels
        return not self.is_limited and (
            int(levels.max()) > NEIGHBOUR_LIMIT or int(levels.min()) < -NEIGHBOUR_LIMIT
        )

    def finish(self) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
        """Levels, the index past the last word of each slice, and the states left."""
        return self.levels[:-1].astype(np.int32, copy=False), *self.stepper.finish()


class Block:
    """Some stretches of a walk; what is known of their symbols is looked up at once."""

    def __init__(self, walk: Walk, steps: Sequence[int]) -> None:
        plan = walk.stepper.plan
        places = plan.places.take(steps)
        self._walk = walk
        self._active = int(plan.active[steps[0]])
        self._edges: list[int] = (places - places[0]).tolist()
        self.symbols = plan.symbols(steps[0], steps[-1]).ravel()
        """Their numbers, stretch after stretch."""
        self._entries = walk.rows.take(self.symbols).astype(np.int64)
        self._lanes = walk.predicted_lanes(self._active)
        self._near = None
        if walk.neighbours is not None and len(self._lanes):
            chosen = self.symbols.reshape(-1, self._active).take(self._lanes, axis=1)
            self._near = walk.neighbours.of_symbols(chosen.ravel())

    def stretches(self) -> Iterator[tuple[slice, _Int]]:
        """Where in the block each stretch is, and the means of its symbols in half steps."""
        for here in starmap(slice, pairwise(self._edges)):
            yield here, self._means(here)

    def _means(self, here: slice) -> _Int:
        lanes, active = self._lanes, self._active
        if self._near is None:
            return np.zeros(here.stop - here.start, np.int64)
        places, gains = self._near
        inside = slice(here.start // active * len(lanes), here.stop // active * len(lanes))
        near = self._walk.levels.take(places[:, inside])
        if self._walk.is_limited:
            near = limited(near, NEIGHBOUR_LIMIT)
        found = halves(near, gains[:, inside])
        if len(lanes) == active:
            return found
        means = np.zeros(here.stop - here.start, np.int64)
        means.reshape(-1, active)[:, lanes] = found.reshape(-1, len(lanes))
        return means

    def decode(self, here: slice, choice: _Int) -> _Int:
        """What a stretch's symbols stand for, each in the table so many after its first."""
        entries = self._entries[here]
        entries += choice
        self._walk.stepper.advance(entries.reshape(-1, self._active))
        return self._walk.values.take(entries).astype(np.int64)

    def slices(self, places: _Int) -> _Int:
        """The slices of some symbols of a stretch, by their places in it."""
        stepper = self._walk.stepper
        return stepper.plan.order.take(stepper.owners.take(places % self._active))

    def store(self, here: slice, levels: _Int) -> None:
        """Keep what a stretch gave; what is out of range stays just outside it."""
        if self._walk.is_limited:
            levels = limited(levels, LEVEL_LIMIT)
        self._walk.levels[self.symbols[here]] = levels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Neighbours:
    """What predicts symbols; nothing does the one past the last."""

    known: _Int  # (steps,)
    """The last step that each step or one before is predicted from, or -1."""
    owners: NDArray[np.int32]  # (symbols + 1,)
    """The segment of each symbol."""
    distances: NDArray[np.int32]  # (terms, segments)
    gains: _Int  # (terms, segments)

    @classmethod
    def of(cls, plan: Plan, terms: Terms) -> "_Neighbours":
        owners, distances, gains = terms.segments()
        known = _known_before(plan, owners, distances)
        return cls(known=known, owners=owners, distances=distances.T.copy(), gains=gains.T.copy())

    def of_symbols(self, symbols: _Int) -> tuple[_Int, _Int]:
        """The numbers of what predicts some symbols, and their gains; (terms, symbols) each."""
        owners = self.owners.take(symbols)
        places = symbols - self.distances.take(owners, axis=1)
        return places, self.gains.take(owners, axis=1)


def _known_before(plan: Plan, owners: NDArray[np.int32], distances: NDArray[np.int32]) -> _Int:
    """For each step the last one that it or one before is predicted from, or -1; (steps,)."""
    # nothing predicts what is predicted from before its slice
    nearest = np.where(distances, distances, 2 * len(owners)).min(axis=1)
    known = np.full(len(plan.active), -1)
    for start, stop in plan.runs(_STRETCH_SYMBOLS):
        symbols = plan.symbols(start, stop)
        symbols -= nearest.take(owners.take(symbols))
        known[start:stop] = plan.steps_of(symbols).max(axis=1)
    np.maximum(known, -1, out=known)
    return np.maximum.accumulate(known)


def _stretches(plan: Plan, known: _Int | None, most_steps: int) -> list[int]:
    """The step that each stretch starts with, and the one past the last.

    In a stretch all steps have the same lanes, and what predicts them is known before.
    """
    changes = np.flatnonzero(np.diff(plan.active, append=-1)) + 1
    stops = [0]
    for change in changes.tolist():
        most = min(max(_STRETCH_SYMBOLS // int(plan.active[change - 1]), 1), most_steps)
        while stops[-1] < change:
            free = change if known is None else int(known.searchsorted(stops[-1]))
            stops.append(min(free, stops[-1] + most, change))
    return stops


def _blocks(plan: Plan, stops: Sequence[int]) -> Iterator[list[int]]:
    """The steps that the stretches of each block start with, and the one past its last."""
    block = [stops[0]]
    for first, last in pairwise(stops):
        lanes = int(plan.active[first])
        if len(block) > 1 and (
            lanes != plan.active[block[0]] or lanes * (last - block[0]) > _STRETCH_SYMBOLS
        ):
            yield block
            block = [first]
        block.append(last)
    if len(block) > 1:
        yield block
