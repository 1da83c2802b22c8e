"""Where slices of a ladder end: after digits, or at points that all their levels follow from.

Slices are refined, the most gain per bit first, until what is left is as little as the last rung
asks for. Knows nothing of rungs between, and of units.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from midstream.codec import points, refined_points
from midstream.encoder.climb import thriftily
from midstream.encoder.narrow import narrow
from midstream.encoder.plan import Plan
from midstream.encoder.summits import Summit, points_of

__all__ = ["landed"]

_FEWEST_WEIGHTS = 4096
"""Of a slice whose levels follow from points."""
_KINDS = 3
"""Ends for each digit, ever finer: points of thirds, digits, points of fifths."""
_DIGITS = 1
_SQUARES = (0.0215, 0.0093, 0.0077)
"""Squared errors of ends of each kind before any digits, in squares of the base's step."""
_CLEARLY = 2.5
"""Times as much error as is aimed at, and as there is, beyond which one need not look."""
_LEAST = 1e-300
_MOST = 30
"""Ends of a slice that are looked at."""


def landed(plans: Sequence[Plan], factors: Sequence[float], noise: float) -> tuple[Plan, ...]:
    """Slices whose levels follow from points where these pay.

    Args:
        plans: As a base leaves them.
        factors: What a squared error of each tensor counts.
        noise: How much there may be once all are refined.
    """
    coded = [factors[p.piece.runs[0].tensor] if p.piece.coded else 0.0 for p in plans]
    slices = [_Slice(*pair) for pair in zip(plans, coded, strict=True)]
    every = sum(len(p.held) * factor for p, factor in zip(plans, coded, strict=True))
    for one in slices:
        one.begin(noise / max(every, _LEAST))
    left = sum(one.here.noise for one in slices)
    queue = [(*one.next(), at) for at, one in enumerate(slices)]
    heapq.heapify(queue)
    while left > noise and queue:
        slope, place, at = heapq.heappop(queue)
        if slope < 0:
            before = slices[at].here.noise
            slices[at].go(slices[at].enough(place, before - left + noise))
            left += slices[at].here.noise - before
            heapq.heappush(queue, (*slices[at].next(), at))
    return tuple(one.landed for one in slices)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _End:
    """A slice that is refined so far."""

    plan: Plan
    """As a base leaves it."""
    noise: float
    """What its squared errors then count."""
    bits: float
    """What it takes up to there, about."""


class _Slice:
    """One slice and where it may end.

    Args:
        plan: As a base leaves it.
        factor: What a squared error counts; 0 where it ends at its base.
    """

    def __init__(self, plan: Plan, factor: float) -> None:
        self._plan = plan
        self._factor = factor
        is_large = factor > 0 and len(plan.coded(plan.held)) >= _FEWEST_WEIGHTS
        self._may_be_pointed = is_large and plan.piece.dtype.is_float
        self._most = min(_KINDS * plan.most_trits, _MOST) if factor > 0 else 0
        self._ends: dict[int, _End] = {}
        self._place = 0

    @property
    def here(self) -> _End:
        """The end that it has, its base at first."""
        return self._end(self._place)

    @property
    def landed(self) -> Plan:
        """The slice as a base leaves it, its end known."""
        plan = self.here.plan
        if not self._factor or plan.summit is not None:
            return plan
        return replace(plan, planned=(self._place + 1) // _KINDS)

    def begin(self, square: float) -> None:
        """Go to an end that is clearly too coarse, where there is one.

        Args:
            square: Of each weight, the error that there may be, about.
        """
        if not self._may_be_pointed:
            return
        step = float(np.square(self._plan.sizes(0)).mean())
        base = self.here.noise / (self._factor * len(self._plan.held))
        for place in range(self._most, 0, -1):
            trits, kind = divmod(place - 1, _KINDS)
            if _CLEARLY * square <= _SQUARES[kind] * step / 9**trits <= base / _CLEARLY:
                self.go(place)
                return

    def enough(self, place: int, noise: float) -> int:
        """An end of fewer bits than another one, if it has no more noise than it may."""
        finer = [p for p in self._ends if self._place < p and self._ends[p].noise <= noise]
        return min([place, *finer], key=lambda p: (self._ends[p].bits, p))

    def go(self, place: int) -> None:
        """Have another end."""
        self._place = place
        # points of coarser ends are not asked for again
        for other, end in self._ends.items():
            if other < place:
                self._ends[other] = replace(end, plan=self._plan)

    def next(self) -> tuple[float, int]:
        """What each bit adds to noise, less than 0 where it helps, and where it is least."""
        here, best = self.here, (0.0, self._place)
        for place in range(self._place + 1, self._most + 1):
            if (place - 1) % _KINDS != _DIGITS and not self._may_be_pointed:
                continue
            end = self._end(place)
            best = min(best, ((end.noise - here.noise) / max(end.bits - here.bits, 1.0), place))
            if end.noise <= here.noise / 2:
                break
        return best

    def _end(self, place: int) -> _End:
        if place not in self._ends:
            self._ends[place] = self._made(place) if self._factor else self._nothing()
        return self._ends[place]

    def _nothing(self) -> _End:
        return _End(plan=self._plan, noise=0.0, bits=0.0)

    def _made(self, place: int) -> _End:
        plan = self._plan
        if not place:
            levels = plan.coded(plan.levels)
            return self._of(plan, plan, points.cost(levels, plan.context))
        trits, kind = divmod(place - 1, _KINDS)
        if kind != _DIGITS:
            plan = _pointed(plan, trits, refined_points.RATIOS[kind > _DIGITS])
        top = thriftily(plan, trits + 1)
        bits = sum(top.step_bits(*step) for step in plan.steps_to(top.levels, trits + 1))
        return self._of(plan, top, self._end(0).bits + bits)

    def _of(self, plan: Plan, top: Plan, bits: float) -> _End:
        return _End(plan=plan, noise=self._factor * top.squared_error, bits=bits)


def _pointed(plan: Plan, trits: int, ratio: int) -> Plan:
    """A slice whose levels follow from points after so many refinements."""
    sizes = np.broadcast_to(plan.sizes(trits) / ratio, plan.held.shape)
    made = points_of(plan.coded(plan.numbers / sizes), plan.context, trits, ratio)
    if plan.folding is not None:
        made = plan.folding.levels(made)
    summit = Summit(points=narrow(made), trits=trits, ratio=ratio)
    return replace(plan, summit=summit, held=narrow(summit.below(0)))
