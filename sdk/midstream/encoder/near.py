"""Ladders whose levels are those of another ladder, but where the weights moved away from them.

So an update between the two says little. Knows nothing of updates (spec/lossy.md).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Head, Topology, read_unit
from midstream.bitstream.climbs import digits_among, levels_of, records_of
from midstream.bitstream.slices import Slice
from midstream.codec import TensorCode, grid
from midstream.encoder.base import Bases, fit_codes, step_sizes
from midstream.encoder.climb import write_rung
from midstream.encoder.plan import Plan, cut, cut_corrected, join
from midstream.encoder.quantiser import Quantiser, Recipe
from midstream.encoder.rounding import Bounds
from midstream.encoder.weights import Weights
from midstream.types import UnitKind

__all__ = ["FEW_SLACKS", "SLACKS", "Follower", "Near", "Stack", "loosest", "whole"]

SLACKS = (1.5, 1.2, 1.0, 0.85, 0.7, 0.6, 0.5)
"""Steps that a weight may be from the level it had before the level moves; at half a step it is
the nearest one."""

FEW_SLACKS = (0.6, 0.5)
"""Of large networks."""
_CLEARLY_FEWER = 0.97
_PER_OCTAVE = 16
"""Step indices."""

_Levels = NDArray[np.int32]
_Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Near:
    """A ladder that another one is to be near to."""

    head: Head
    """Of its base."""
    levels: tuple[list[_Levels] | None, ...]
    """Of each slice, of the base and after each digit; None where it has none."""
    trits: tuple[tuple[int, ...], ...]
    """(units, slices), digits of each slice after each unit."""
    units: tuple[bytes | memoryview, ...]
    """Its units."""

    @classmethod
    def of(cls, units: Sequence[bytes | memoryview]) -> "Near":
        """Read a base and enhancements on it.

        Raises:
            BitstreamError: They are malformed.
        """
        parsed = [read_unit(unit) for unit in units]
        head = Head.read(parsed[0].head)
        count = len(head.slices)
        found = [
            levels_of(head, piece, records)
            for piece, records in zip(head.slices, records_of(parsed, count), strict=True)
        ]
        trits = [
            tuple(digits_among(own) for own in records_of(parsed[: at + 1], count))
            for at in range(len(parsed))
        ]
        return cls(head=head, levels=tuple(found), trits=tuple(trits), units=tuple(units))

    def is_like(self, topology: Topology, weights: Sequence[Weights]) -> bool:
        """Whether a network has the same tensors, coded alike."""
        codes = self.head.codes
        return (
            self.head.topology.table == topology.table
            and all((c.coded, c.same_as) == (w.coded, w.same_as) for c, w in _pairs(codes, weights))
            and not any(code.lattice for code in codes)
            and all(
                own is not None
                for own, piece in zip(self.levels, self.head.slices, strict=True)
                if piece.coded
            )
        )

    def finer(self, place: int, indices: int) -> "Near":
        """The same with finer steps of one tensor, of floats.

        Args:
            place: The tensor's.
            indices: Step indices by which it is finer.
        """
        codes = [*self.head.codes]
        codes[place] = replace(codes[place], step=codes[place].step - indices)
        head = replace(self.head, codes=tuple(codes))
        ratio = 2 ** (indices / _PER_OCTAVE)
        levels = tuple(
            own if own is None else _rescaled(own, piece, place, ratio)
            for own, piece in zip(self.levels, self.head.slices, strict=True)
        )
        return replace(self, head=head, levels=levels)


def _rescaled(levels: list[_Levels], piece: Slice, place: int, ratio: float) -> list[_Levels]:
    """Levels of a slice in the steps that a tensor has now; the lower ones follow from the last."""
    found = [level.copy() for level in levels]
    start = 0
    for run in piece.runs:
        here = slice(start, start := start + run.weights)
        if run.tensor == place:
            found[-1][here] = np.rint(found[-1][here] * ratio)
            for below, above in zip(found[-2::-1], found[:0:-1], strict=True):
                below[here] = grid.coarsen(above[here])
    return found


def _pairs(
    codes: Sequence[TensorCode], weights: Sequence[Weights]
) -> Iterator[tuple[TensorCode, Weights]]:
    return zip(codes, weights, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """Units that are near to those of another release, and the slices after each."""

    units: tuple[bytes, ...]
    """The base, then each enhancement."""
    plans: tuple[tuple[Plan, ...], ...]
    """After each unit."""
    recipe: Recipe
    """How levels that moved are rounded."""
    slack: float
    """As in `SLACKS`."""


class Follower:
    """Makes ladders near to another.

    Args:
        near: That one.
        weights: The new network's tensors.
        quantiser: Rounds them.
        bases: Writes bases of them.
    """

    def __init__(
        self, near: Near, weights: Sequence[Weights], quantiser: Quantiser, bases: Bases
    ) -> None:
        self._near = near
        self._weights = weights
        self._quantiser = quantiser
        self._bases = bases

    def make(self, recipe: Recipe, slack: float, *, refits: bool = False) -> Stack:
        """The units of the ladder.

        Args:
            recipe: How levels that move are rounded.
            slack: As in `SLACKS`.
            refits: Whether tables follow how levels spread now, and are not those of before.
        """
        head = self._near.head
        sizes = [step_sizes(w, code) for code, w in _pairs(head.codes, self._weights)]
        bounds = self._bounds([own[0] if own else None for own in self._near.levels], slack)
        found = self._quantiser.quantise(sizes, recipe, bounds)
        codes = fit_codes(self._weights, head.codes, found.levels) if refits else head.codes
        base = self._bases.write(codes, found.levels, found.corrected, fold=whole)
        units, plans = [base.data], [base.plans]
        for layer, trits in enumerate(self._near.trits[1:], start=1):
            after = self._refined(plans[-1], trits, recipe, slack)
            units.append(write_rung(UnitKind.ENHANCEMENT, layer, plans[-1], after))
            plans.append(after)
        return Stack(units=tuple(units), plans=tuple(plans), recipe=recipe, slack=slack)

    def _refined(
        self, plans: Sequence[Plan], trits: Sequence[int], recipe: Recipe, slack: float
    ) -> tuple[Plan, ...]:
        """Slices after so many digits each."""
        sizes = self._joined([_plan_sizes(plan, n) for plan, n in zip(plans, trits, strict=True)])
        kept = [plan.levels if plan.trits == n else None for plan, n in _with(plans, trits)]
        middle = [
            own[n] if own is not None and stays is None else stays
            for own, n, stays in zip(self._near.levels, trits, kept, strict=True)
        ]
        slacks = [slack if stays is None else np.inf for stays in kept]
        bounds = self._bounds(middle, slacks)
        found = self._quantiser.quantise(sizes, recipe, bounds)
        return tuple(
            plan
            if plan.trits == n
            else replace(
                plan,
                held=cut(plan.piece, found.levels),
                corrected=cut_corrected(plan.piece, self._weights, found.corrected),
                trits=n,
            )
            for plan, n in _with(plans, trits)
        )

    def _bounds(
        self, levels: Sequence[_Levels | None], slack: float | Sequence[float]
    ) -> list[Bounds]:
        """Each slice's levels as where those of its tensors should stay."""
        slacks = [slack] * len(levels) if isinstance(slack, float) else slack
        empty = np.zeros(0)
        middle = self._joined([empty if own is None else own.astype(float) for own in levels])
        spread = self._joined(
            [
                empty if own is None else np.full(len(own), s)
                for own, s in zip(levels, slacks, strict=True)
            ]
        )
        return [Bounds(low=m, high=m, slack=s) for m, s in zip(middle, spread, strict=True)]

    def _joined(self, parts: Sequence[_Float]) -> list[_Float]:
        counts = [w.tensor.weights if w.coded else 0 for w in self._weights]
        return join(self._pieces, parts, counts)

    @property
    def _pieces(self) -> Sequence[Plan]:
        none = np.zeros(0)
        head = self._near.head
        return [
            Plan(index=i, piece=piece, head=head, stored=none, held=none.astype(np.int32))
            for i, piece in enumerate(head.slices)
        ]


def whole(plan: Plan) -> Plan:
    """With all weights: levels are to be near to others, and what repeats may differ in those."""
    return plan


def _with(plans: Sequence[Plan], trits: Sequence[int]) -> Iterator[tuple[Plan, int]]:
    return zip(plans, trits, strict=True)


def _plan_sizes(plan: Plan, trits: int) -> _Float:
    if not plan.piece.coded:
        return np.zeros(0)
    return np.broadcast_to(plan.sizes(trits), plan.levels.shape)


def loosest(
    follower: Follower,
    recipes: Sequence[Recipe],
    slacks: Sequence[float],
    is_good: Callable[[Stack], bool],
) -> Stack | None:
    """The ladder that moves the fewest levels and is good enough; None where none is."""
    for slack in slacks:
        for recipe in recipes:
            made = follower.make(recipe, slack)
            if is_good(made):
                return _fitted(follower, made)
    return None


def _fitted(follower: Follower, made: Stack) -> Stack:
    """The same levels by tables that follow them, where that takes clearly fewer bytes."""
    other = follower.make(made.recipe, made.slack, refits=True)
    sizes = [sum(map(len, stack.units)) for stack in (made, other)]
    return other if sizes[1] < _CLEARLY_FEWER * sizes[0] else made
