"""How far a rung above the base goes, and how. Knows nothing of bases and of exact rungs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midstream.encoder.climb import Refinement, Refiner, ended, refinements, write_rung
from midstream.encoder.ladder import Rung, Target
from midstream.encoder.plan import Plan
from midstream.encoder.rate import search
from midstream.encoder.recipes import DB_PER_BIT, ROUNDS
from midstream.encoder.targets import Targets
from midstream.encoder.worth import MOST_GROUPS, measure_worths, weight_worths
from midstream.types import UnitKind

__all__ = ["MOST_PARTS", "SLACKS", "TRUSTS", "Found", "RungSearch"]

SLACKS = (0.75, 1.0, 1.5)
"""Ways of refining what was rounded with error feedback, beside the plain one."""
TRUSTS = (0.5, 0.0, 1.0)
"""Powers of what slices are measured to be worth that they are ordered by: it changes as they
are refined, so that some are better off not to follow it in full, or at all."""
_DB_PER_TRIT = 9.54
_ENOUGH = 1.25
"""Times what a rung asks for: refinements that are looked for, since what they bring differs."""
_SPARE = 1e-3
"""Of the noise aimed at, since what slices gain is told beforehand."""


MOST_PARTS = 2 + MOST_GROUPS + ROUNDS * (len(SLACKS) + len(TRUSTS) - 1)
"""Units that are made for one rung, at most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The unit of a rung."""

    data: bytes
    """The unit."""
    plans: tuple[Plan, ...]
    """The slices after it."""
    missing: float
    """By how much it misses its target, in what that counts; 0 where it does not."""

    @property
    def rank(self) -> tuple[float, int]:
        """The least is best: the fewest bytes of those that meet their target, or the nearest."""
        return self.missing, len(self.data)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Start:
    """Where a rung begins."""

    rung: Rung
    """What it aims at."""
    units: Sequence[bytes]
    """The stack below it."""
    plans: Sequence[Plan]
    """The slices as that leaves them."""
    here: float
    """What these reach, in what the rung counts."""
    order: Sequence[Refinement] = ()
    """What may be refined, the most gain per bit first."""
    is_thrifty: bool = False
    """Whether children give up a little accuracy for fewer bits."""


def _asked_for(start: _Start, goal: float, worths: Sequence[float] | None) -> float:
    """How much refinements are to bring: noise, bits, or trits."""
    beyond = goal - start.here
    if start.rung.target is Target.OUTPUTS:
        return _ENOUGH * beyond * len(start.plans) / _DB_PER_TRIT
    if start.rung.target is not Target.SNR or worths is None:
        return _ENOUGH * beyond
    # as gains are told: the sum of that differs a little from the noise that is measured
    pairs = zip(start.plans, worths, strict=True)
    noise = sum(worth * plan.noise(plan.trits) for plan, worth in pairs if plan.piece.coded)
    return noise * (1 - float(10 ** (-beyond / 10)) / _ENOUGH)


def _brought(start: _Start, one: Refinement) -> float:
    """What a refinement brings of that, about."""
    if start.rung.target is Target.SNR:
        return one.gain
    return 1.0 if start.rung.target is Target.OUTPUTS else one.bits


class RungSearch:
    """Looks for the unit of a rung.

    Args:
        refiner: Makes levels.
        targets: Measures stacks.
        weight_snr: Measures slices by their weights, dB.
        factors: What a squared error of each tensor counts there.
        made: Told of each unit that was made.
    """

    def __init__(
        self,
        refiner: Refiner,
        targets: Targets,
        weight_snr: Callable[[Sequence[Plan]], float],
        factors: Sequence[float],
        made: Callable[[], None],
    ) -> None:
        self._refiner = refiner
        self._targets = targets
        self._weight_snr = weight_snr
        self._factors = factors
        self._made = made

    def reach(
        self,
        rung: Rung,
        units: Sequence[bytes],
        plans: Sequence[Plan],
        slacks: Sequence[float],
        *,
        is_last: bool = False,
    ) -> Found | None:
        """The unit that reaches a rung's target, or comes nearest to it.

        Where a rung aims at outputs, every way of refining is followed to its end, and then
        every order of slices: what gives the most for its bytes at first is often not what
        arrives with the fewest.

        Args:
            rung: What it aims at.
            units: The stack below it.
            plans: The slices as that leaves them.
            slacks: Ways of refining to try, as `Refiner.refine` has them; beside the plain one
                where a rung aims at bytes, and instead of it where it aims at outputs, since it
                leaves biases as they are.
            is_last: Whether no rung goes on from it; children may then be thrifty.

        Returns:
            None where nothing can be refined.
        """
        found = self._reach(rung, units, plans, slacks, is_last=is_last)
        if found is not None and not found.missing:
            return found
        # what was planned is not enough, or nothing at all
        freed = [replace(plan, planned=None) for plan in plans]
        if all(plan.planned is None for plan in plans):
            return found
        other = self._reach(rung, units, freed, slacks, is_last=is_last)
        return min([one for one in (found, other) if one], key=lambda one: one.rank, default=None)

    def _reach(
        self,
        rung: Rung,
        units: Sequence[bytes],
        plans: Sequence[Plan],
        slacks: Sequence[float],
        *,
        is_last: bool,
    ) -> Found | None:
        worths = weight_worths(plans, self._factors) if rung.target is Target.SNR else None
        start = _Start(
            rung=rung,
            units=units,
            plans=plans,
            here=self._reached(rung, units, plans),
            is_thrifty=is_last and rung.target is Target.SNR and not slacks,
        )
        start = replace(start, order=self._order(start, worths))
        if not start.order:
            return None
        if rung.target is Target.OUTPUTS:
            return self._thriftiest(start, slacks or (None,))
        count, slope = self._first_guess(start)
        return self._follow(start, self._best_way(start, count, slacks), count, slope)

    def _thriftiest(self, start: _Start, ways: Sequence[float | None]) -> Found:
        """The best of all ways, then of all orders by that way."""
        worths = measure_worths(start.plans, lambda chosen: self._noise(start, chosen, ways[0]))
        first, *others = [
            replace(start, order=self._order(start, worths**trust)) for trust in TRUSTS
        ]
        found = {way: self._follow(first, way, *self._first_guess(first)) for way in ways}
        best = min(ways, key=lambda way: found[way].rank)
        more = [self._follow(other, best, *self._first_guess(other)) for other in others]
        return min([found[best], *more], key=lambda one: one.rank)

    def _noise(self, start: _Start, chosen: Sequence[Refinement], way: float | None) -> float:
        """Relative noise power of the outputs once slices were refined."""
        data, _ = self._make(replace(start, order=chosen), len(chosen), way)
        return float(10 ** (-self._targets.outputs([*start.units, data]) / 10))

    def _follow(self, start: _Start, way: float | None, count: int, slope: float) -> Found:
        """The unit of one way and order of refining that comes nearest to the target."""
        # the best one alone is kept: each is as large as the network
        made: dict[int, tuple[bytes, tuple[Plan, ...]]] = {}
        values: dict[int, float] = {}
        band = self._targets.band(start.rung)

        def measure(count: int) -> float:
            unit = self._make(start, count, way)
            values[count] = self._reached(start.rung, [*start.units, unit[0]], unit[1])
            if band.best(values) == count:
                made.clear()
                made[count] = unit
            return values[count]

        count = search(
            measure, band, start=count, slope=slope, low=1, high=len(start.order), rounds=ROUNDS
        )
        data, plans = made[count]
        found = Found(data=data, plans=plans, missing=band.missing(values[count]))
        if start.rung.target is Target.SNR and way is None and not found.missing:
            return self._shorter(start, count, found)
        return found

    def _shorter(self, start: _Start, count: int, found: Found) -> Found:
        """The same with smaller slices in place of the last, where these are enough."""
        chosen = start.order[: count - 1]
        here, aim = (10 ** (-snr / 10) for snr in (start.here, start.rung.value))
        excess = here - sum(one.gain for one in chosen) - (1 - _SPARE) * aim
        more = ended(start.order[count - 1 :], excess)
        if more is None:
            return found
        order = [*chosen, *more]
        data, plans = self._make(replace(start, order=order), len(order), None)
        missing = self._targets.band(start.rung).missing(self._weight_snr(plans))
        return min(found, Found(data=data, plans=plans, missing=missing), key=lambda one: one.rank)

    def _reached(self, rung: Rung, units: Sequence[bytes], plans: Sequence[Plan]) -> float:
        """What a stack reaches, in what a rung counts."""
        if rung.target is Target.SNR:
            return self._weight_snr(plans)
        is_measured = rung.target is Target.OUTPUTS
        return (self._targets.outputs if is_measured else self._targets.bits)(units)

    def _order(
        self, start: _Start, worths: NDArray[np.float64] | None = None
    ) -> Sequence[Refinement]:
        """As many refinements as the rung can take, and a few more."""
        weighed = None if worths is None else worths.tolist()
        left = _asked_for(start, self._targets.band(start.rung).high, weighed)
        order: list[Refinement] = []
        for one in refinements(start.plans, weighed):
            if left <= 0 and len(order) >= 2 * len(start.plans) + 8:
                break
            order.append(one)
            left -= _brought(start, one)
        return order

    def _make(
        self, start: _Start, count: int, slack: float | None
    ) -> tuple[bytes, tuple[Plan, ...]]:
        chosen = start.order[:count]
        if start.is_thrifty:
            after = self._refiner.refine_thriftily(start.plans, chosen)
        else:
            after = self._refiner.refine(start.plans, chosen, slack)
        data = write_rung(UnitKind.ENHANCEMENT, len(start.units), start.plans, after)
        self._made()
        return data, after

    def _best_way(self, start: _Start, count: int, slacks: Sequence[float]) -> float | None:
        """The way that gives the most for its bytes, the same slices refined."""
        best, best_score = None, -float("inf")
        for slack in (None, *slacks) if slacks else ():
            data, _ = self._make(start, count, slack)
            bits = 8 * len(data) / max(self._targets.weights, 1)
            score = self._targets.outputs([*start.units, data]) - DB_PER_BIT * bits
            if score > best_score:
                best, best_score = slack, score
        return best

    def _first_guess(self, start: _Start) -> tuple[int, float]:
        """How many refinements reach the target, about, and what each brings."""
        slope = _DB_PER_TRIT / len(start.plans)
        if start.rung.target in (Target.BITS, Target.SIZE):
            slope = sum(one.bits for one in start.order) / len(start.order)
        goal = self._targets.band(start.rung).high
        return min(max(round((goal - start.here) / slope), 1), len(start.order)), slope
