"""How far a rung above the base goes, and how. Knows nothing of bases and of exact rungs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from midstream.encoder.climb import Refinement, Refiner, refinements, write_rung
from midstream.encoder.ladder import Rung, Target
from midstream.encoder.plan import Plan
from midstream.encoder.rate import search
from midstream.encoder.recipes import DB_PER_BIT, ROUNDS
from midstream.encoder.targets import Targets
from midstream.types import UnitKind

__all__ = ["SLACKS", "Found", "RungSearch", "thriftiest"]

SLACKS = (0.75, 1.0, 1.5)
"""Ways of refining what was rounded with error feedback, beside the plain one."""
_DB_PER_TRIT = 9.54


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The unit of a rung."""

    data: bytes
    """The unit."""
    plans: tuple[Plan, ...]
    """The slices after it."""
    missing: float
    """By how much it misses its target, in what that counts; 0 where it does not."""


def thriftiest(found: Sequence[Found]) -> Found:
    """The fewest bytes of those that meet their target; the nearest to it where none does."""
    return min(found, key=lambda one: (one.missing, len(one.data)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Start:
    """Where a rung begins."""

    rung: Rung
    """What it aims at."""
    units: Sequence[bytes]
    """The stack below it."""
    plans: Sequence[Plan]
    """The slices as that leaves them."""
    order: Sequence[Refinement]
    """What may be refined, the most gain per bit first."""


class RungSearch:
    """Looks for the unit of a rung.

    Args:
        refiner: Makes levels.
        targets: Measures stacks.
        weight_snr: Measures slices by their weights, dB.
        made: Told of each unit that was made.
    """

    def __init__(
        self,
        refiner: Refiner,
        targets: Targets,
        weight_snr: Callable[[Sequence[Plan]], float],
        made: Callable[[], None],
    ) -> None:
        self._refiner = refiner
        self._targets = targets
        self._weight_snr = weight_snr
        self._made = made

    def reach(
        self, rung: Rung, units: Sequence[bytes], plans: Sequence[Plan], slacks: Sequence[float]
    ) -> Found | None:
        """The unit that reaches a rung's target, or comes nearest to it.

        Where a rung aims at outputs, every way of refining is followed to its end: what gives
        the most for its bytes at first is often not what arrives with the fewest.

        Args:
            rung: What it aims at.
            units: The stack below it.
            plans: The slices as that leaves them.
            slacks: Ways of refining to try beside the plain one, as `Refiner.refine` has them.

        Returns:
            None where nothing can be refined.
        """
        order = list(islice(refinements(plans), 2 * len(plans) + 8))
        if not order:
            return None
        start = _Start(rung=rung, units=units, plans=plans, order=order)
        count, slope = self._first_guess(start)
        if rung.target is Target.OUTPUTS:
            ways: Sequence[float | None] = (None, *slacks)
        else:
            ways = (self._best_way(start, count, slacks),)
        return thriftiest([self._follow(start, way, count, slope) for way in ways])

    def _follow(self, start: _Start, way: float | None, count: int, slope: float) -> Found:
        """The unit of one way of refining that comes nearest to the target."""
        made: dict[int, tuple[bytes, tuple[Plan, ...]]] = {}
        values: dict[int, float] = {}

        def measure(count: int) -> float:
            made[count] = self._make(start, count, way)
            values[count] = self._value(start, *made[count])
            return values[count]

        band = self._targets.band(start.rung)
        count = search(
            measure, band, start=count, slope=slope, low=1, high=len(start.order), rounds=ROUNDS
        )
        data, plans = made[count]
        return Found(data=data, plans=plans, missing=band.missing(values[count]))

    def _value(self, start: _Start, data: bytes, after: Sequence[Plan]) -> float:
        """What a unit reaches, in what its rung counts."""
        if start.rung.target is Target.SNR:
            return self._weight_snr(after)
        is_measured = start.rung.target is Target.OUTPUTS
        value = self._targets.outputs if is_measured else self._targets.bits
        return value([*start.units, data])

    def _make(
        self, start: _Start, count: int, slack: float | None
    ) -> tuple[bytes, tuple[Plan, ...]]:
        after = self._refiner.refine(start.plans, start.order[:count], slack)
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
        order = start.order
        if start.rung.target in (Target.BITS, Target.SIZE):
            here, slope = self._targets.bits(start.units), sum(r.bits for r in order) / len(order)
        else:
            is_measured = start.rung.target is Target.OUTPUTS
            here = (
                self._targets.outputs(start.units) if is_measured else self._weight_snr(start.plans)
            )
            slope = _DB_PER_TRIT / len(start.plans)
        goal = self._targets.band(start.rung).high
        return min(max(round((goal - here) / slope), 1), len(order)), slope
