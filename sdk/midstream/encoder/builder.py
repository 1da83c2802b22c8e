"""Ladders, rung by rung. Knows nothing of what moves or runs them.

A rung that does not beat the one below it, or that is reached without it, is left out; the
next one goes on from there.
"""

from collections.abc import Sequence
from dataclasses import replace

from midstream.bitstream import Topology, protected_size
from midstream.encoder.base import Base, Bases
from midstream.encoder.climb import Refiner, write_rung
from midstream.encoder.finish import exact_records
from midstream.encoder.following import NearSearch
from midstream.encoder.ladder import Rung, Target
from midstream.encoder.near import Near
from midstream.encoder.plan import Plan
from midstream.encoder.progress import Work
from midstream.encoder.quantiser import Quantiser, Recipe
from midstream.encoder.ratio import decibels, noise_factors, noise_of
from midstream.encoder.recipes import (
    OTHER_RECIPES,
    PLAIN,
    RECIPES,
    REFINED_RECIPES,
    ROUNDS,
    BaseSearch,
)
from midstream.encoder.remarks import decibels_of
from midstream.encoder.rungs import MOST_PARTS, SLACKS, RungSearch
from midstream.encoder.stagger import Climb
from midstream.encoder.statistics import Statistics
from midstream.encoder.steps import Allocation, allocate
from midstream.encoder.targets import Targets
from midstream.encoder.uniform import UniformBase
from midstream.encoder.units import EncodedUnit, Evaluate
from midstream.encoder.weights import Weights
from midstream.types import Fidelity, UnitKind

__all__ = ["Builder", "ends_at_points", "planned_parts", "recipe_sets"]

_MOST_TRIED = 1 << 20
"""Weights of networks of which more than one ladder is made."""


def recipe_sets(
    rungs: Sequence[Rung], *, weights: int, is_known: bool
) -> Sequence[Sequence[Recipe]]:
    """The recipes of each ladder that is to be built: the best of them is to be kept.

    Args:
        rungs: The ladder.
        weights: How many the network has: large ones are encoded once, which takes minutes.
        is_known: Whether there are statistics of the network.
    """
    if not is_known or all(rung.target is not Target.OUTPUTS for rung in rungs[1:]):
        return (RECIPES,)
    return (REFINED_RECIPES, *(OTHER_RECIPES if weights <= _MOST_TRIED else ()))


def planned_parts(rungs: Sequence[Rung], *, is_known: bool) -> int:
    """How many times a network is quantised for a ladder, at most."""
    base = ROUNDS * 2 + 2 * len(RECIPES) if is_known else ROUNDS
    return base + (len(rungs) - 1) * MOST_PARTS


class Builder:
    """Climbs one ladder.

    Args:
        topology: The file without its weights.
        weights: Its tensors.
        statistics: What is known of each; None where nothing is.
        relative: Step index of each tensor before the shift, where nothing is known.
        evaluate: Measures stacks of units at the outputs.
        inputs: Number of those that it uses, and whether they are the publisher's own.
        work: Told of each part.
    """

    def __init__(
        self,
        topology: Topology,
        weights: Sequence[Weights],
        *,
        statistics: Statistics | None,
        relative: Sequence[float],
        evaluate: Evaluate | None,
        inputs: tuple[int, bool],
        work: Work,
    ) -> None:
        self._topology = topology
        self._weights = weights
        self._statistics = statistics
        self._relative = relative
        self._inputs = inputs
        self._work = work
        self._quantiser = Quantiser(weights, statistics or [None] * len(weights))
        self._bases = Bases(topology, weights, self._quantiser)
        self._targets = Targets(
            weights=sum(w.tensor.weights for w in weights if w.coded),
            uncounted=self._bases.uncounted,
            evaluate=evaluate,
        )
        self._factors = noise_factors(weights)
        self._plans: tuple[Plan, ...] = ()
        self._units: list[EncodedUnit] = []
        self.recipe = PLAIN
        """How the base was rounded."""

    def build(
        self,
        rungs: Sequence[Rung],
        recipes: Sequence[Recipe] = RECIPES,
        *,
        may_be_pointed: bool = True,
    ) -> tuple[EncodedUnit, ...]:
        """All units, one for each rung that pays.

        Args:
            rungs: The ladder.
            recipes: Which to try for a base that does not aim at weight SNR.
            may_be_pointed: Whether the last refinements may be to points of the lattice.

        Raises:
            UsageError: BAD_LADDER where a rung aims at outputs that cannot be measured.
        """
        self._targets.check(rungs)
        first, *others = rungs
        self._bases.is_refined = any(rung.target is not Target.EXACT for rung in others)
        base = self._base(first, recipes, _climb(rungs, may_be_pointed), is_only=not others)
        if others:
            refiner = Refiner(self._weights, self._quantiser, self.recipe)
            self._search = RungSearch(
                refiner, self._targets, self._weight_snr, self._factors, self._work.part
            )
        self._plans = base.plans
        self._add(first, UnitKind.BASE, base.data, base.plans)
        for at, rung in enumerate(others, start=1):
            self._work.begin(str(rung), MOST_PARTS)
            if rung.target is Target.EXACT:
                self._add_exact(rung)
            else:
                self._climb(rung, is_last=at == len(others))
        return tuple(self._units)

    def follow(self, rungs: Sequence[Rung], near: Near) -> tuple[EncodedUnit, ...] | None:
        """All units, their levels near to those of another ladder of as many rungs.

        Args:
            rungs: The ladder.
            near: The lower rungs of the other.

        Returns:
            None where a rung that is near misses its target.

        Raises:
            UsageError: BAD_LADDER where a rung aims at outputs that cannot be measured.
        """
        self._targets.check(rungs)
        lower = [rung for rung in rungs if rung.target is not Target.EXACT]
        if len(lower) != len(near.trits) or not near.is_like(self._topology, self._weights):
            return None
        search = NearSearch(
            self._weights,
            self._quantiser,
            self._bases,
            self._targets,
            self._weight_snr,
            is_known=self._statistics is not None,
        )
        made = search.find(lower, near)
        if made is None:
            return None
        for rung, data, plans in zip(lower, made.units, made.plans, strict=True):
            self._add(rung, UnitKind.ENHANCEMENT if self._units else UnitKind.BASE, data, plans)
        if len(self._units) != len(lower):
            return None
        for rung in rungs[len(lower) :]:
            self._add_exact(rung)
        return tuple(self._units)

    def _base(
        self, rung: Rung, recipes: Sequence[Recipe], climb: Climb | None, *, is_only: bool
    ) -> Base:
        self._work.begin(str(rung), planned_parts([rung], is_known=self._statistics is not None))
        if rung.target is Target.SNR:
            uniform = UniformBase(self._weights, self._bases, self._factors)
            return uniform.reach(rung.value, climb, is_only=is_only)
        finder = BaseSearch(
            self._weights, self._bases, self._targets, self._allocation, self._work.part
        )
        if self._statistics is None or self._targets.evaluate is None:
            return finder.plain(rung)
        self.recipe, base = finder.best(rung, recipes)
        return base

    def _allocation(self, recipe: Recipe) -> Allocation:
        if self._statistics is None:
            return Allocation.of(self._relative)
        return allocate(self._weights, self._statistics, rows=recipe.rows, columns=recipe.columns)

    def _finished(self) -> tuple[Plan, ...]:
        """Integer slices as far as they go; float slices stay."""
        return tuple(
            plan if plan.piece.dtype.is_float else plan.refined(plan.most_trits - plan.trits)
            for plan in self._plans
        )

    def _add_exact(self, rung: Rung) -> None:
        after = self._finished()
        more = exact_records(after)
        data = write_rung(UnitKind.EXACT, len(self._units), self._plans, after, more=more)
        self._add(rung, UnitKind.EXACT, data, after)

    def _climb(self, rung: Rung, *, is_last: bool) -> None:
        """Add the unit of a rung, if it pays."""
        reached = decibels_of(rung.target, self._units[-1].fidelity)
        if reached is not None and reached >= rung.value:
            return
        slacks = _ways(self.recipe)
        found = self._search.reach(rung, self._stack, self._plans, slacks, is_last=is_last)
        # bytes are a limit; bits per weight a rate, which one slice more may have to pass
        if found is None or (rung.target is Target.SIZE and found.missing):
            return
        self._add(rung, UnitKind.ENHANCEMENT, found.data, found.plans)

    @property
    def _stack(self) -> list[bytes]:
        return [unit.data for unit in self._units]

    def _add(self, rung: Rung, kind: UnitKind, data: bytes, plans: tuple[Plan, ...]) -> None:
        """Add a unit, unless it does not beat what is there."""
        is_exact = rung.target is Target.EXACT or all(plan.is_exact for plan in plans)
        outputs = self._targets.evaluate and self._targets.evaluate([*self._stack, data])
        fidelity = Fidelity(weight_snr=self._weight_snr(plans, is_exact=is_exact))
        if outputs is not None:
            probes, is_calibrated = self._inputs
            fidelity = replace(
                fidelity, output_snr=outputs, probes=probes, is_calibrated=is_calibrated
            )
        must = not self._units or rung.target is Target.EXACT
        if not must and not _beats(fidelity, self._units[-1].fidelity):
            return
        self._units.append(
            EncodedUnit(
                kind=kind,
                layer=len(self._units),
                rung=str(rung),
                data=data,
                head_size=protected_size(data),
                fidelity=fidelity,
            )
        )
        self._plans = plans

    def _weight_snr(self, plans: Sequence[Plan], *, is_exact: bool = False) -> float:
        return decibels(noise_of(plans, self._factors), is_exact=is_exact)


def ends_at_points(rungs: Sequence[Rung]) -> bool:
    """Whether the last refinements of a ladder may be to points of the lattice."""
    return len(rungs) > 1 and rungs[0].target is rungs[-1].target is Target.SNR


def _climb(rungs: Sequence[Rung], may_be_pointed: bool) -> Climb | None:
    """From a base in weight SNR to the last rung that aims at that."""
    first, *others = rungs
    top = max((rung.value for rung in others if rung.target is Target.SNR), default=None)
    if first.target is not Target.SNR or top is None:
        return None
    return Climb(bottom=first.value, top=top, is_pointed=may_be_pointed and ends_at_points(rungs))


def _ways(recipe: Recipe) -> Sequence[float]:
    """Slacks to try; any will do where biases must be corrected anew and nothing else moved."""
    if recipe.feedback:
        return SLACKS
    return SLACKS[:1] if recipe.biases else ()


def _beats(here: Fidelity, below: Fidelity) -> bool:
    if here.output_snr is None or below.output_snr is None:
        return here.weight_snr > below.weight_snr
    return here.output_snr > below.output_snr
