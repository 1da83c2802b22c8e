"""How far a rung above the base goes, and how. Knows nothing of bases and of exact rungs."""

from collections.abc import Callable, Sequence
from itertools import islice

from midstream.encoder.climb import Refinement, Refiner, refinements, write_rung
from midstream.encoder.ladder import Rung, Target
from midstream.encoder.plan import Plan
from midstream.encoder.rate import search
from midstream.encoder.recipes import DB_PER_BIT, ROUNDS
from midstream.encoder.targets import Targets
from midstream.types import UnitKind

__all__ = ["SLACKS", "RungSearch"]

SLACKS = (0.75, 1.0, 1.5)
"""Ways of refining what was rounded with error feedback, beside the plain one."""
_DB_PER_TRIT = 9.54
_Made = tuple[bytes, tuple[Plan, ...]]


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
    ) -> _Made | None:
        """The unit that reaches a rung's target, and the slices after it.

        Args:
            rung: What it aims at.
            units: The stack below it.
            plans: The slices as that leaves them.
            slacks: Ways of refining to try beside the plain one, as `Refiner.refine` has them.

        Returns:
            None where nothing can be refined, or not within so many bytes.
        """
        order = list(islice(refinements(plans), 2 * len(plans) + 8))
        if not order:
            return None
        start, slope = self._first_guess(rung, order, units, plans)
        way = self._best_way(order[:start], units, plans, slacks)
        made: dict[int, _Made] = {}

        def measure(count: int) -> float:
            made[count] = data, after = self._make(order[:count], units, plans, way)
            if rung.target is Target.SNR:
                return self._weight_snr(after)
            is_measured = rung.target is Target.OUTPUTS
            value = self._targets.outputs if is_measured else self._targets.bits
            return value([*units, data])

        band = self._targets.band(rung)
        count = search(
            measure, band, start=start, slope=slope, low=1, high=len(order), rounds=ROUNDS
        )
        # bytes are a limit; bits per weight a rate, which one slice more may have to pass
        is_over = self._targets.bits([*units, made[count][0]]) > band.high
        return None if rung.target is Target.SIZE and is_over else made[count]

    def _make(
        self,
        chosen: Sequence[Refinement],
        units: Sequence[bytes],
        plans: Sequence[Plan],
        slack: float | None,
    ) -> _Made:
        after = self._refiner.refine(plans, chosen, slack)
        data = write_rung(UnitKind.ENHANCEMENT, len(units), plans, after)
        self._made()
        return data, after

    def _best_way(
        self,
        chosen: Sequence[Refinement],
        units: Sequence[bytes],
        plans: Sequence[Plan],
        slacks: Sequence[float],
    ) -> float | None:
        """The way that gives the most for its bytes, the same slices refined."""
        best, best_score = None, -float("inf")
        for slack in (None, *slacks) if slacks else ():
            data, _ = self._make(chosen, units, plans, slack)
            bits = 8 * len(data) / max(self._targets.weights, 1)
            score = self._targets.outputs([*units, data]) - DB_PER_BIT * bits
            if score > best_score:
                best, best_score = slack, score
        return best

    def _first_guess(
        self,
        rung: Rung,
        order: Sequence[Refinement],
        units: Sequence[bytes],
        plans: Sequence[Plan],
    ) -> tuple[int, float]:
        """How many refinements reach the target, about, and what each brings."""
        if rung.target in (Target.BITS, Target.SIZE):
            here, slope = self._targets.bits(units), sum(r.bits for r in order) / len(order)
        else:
            is_measured = rung.target is Target.OUTPUTS
            here = self._targets.outputs(units) if is_measured else self._weight_snr(plans)
            slope = _DB_PER_TRIT / len(plans)
        goal = self._targets.band(rung).high
        return min(max(round((goal - here) / slope), 1), len(order)), slope
