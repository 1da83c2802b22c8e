"""Which ladder is near to another: the one that moves the fewest levels and meets its targets.

Knows nothing of updates (spec/lossy.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from midstream.encoder.base import Bases
from midstream.encoder.ladder import Rung, Target
from midstream.encoder.near import FEW_SLACKS, SLACKS, Follower, Near, Stack, loosest
from midstream.encoder.plan import Plan
from midstream.encoder.quantiser import Quantiser
from midstream.encoder.recipes import PLAIN, RECIPES
from midstream.encoder.targets import Targets
from midstream.encoder.weights import Weights

__all__ = ["NearSearch"]

_PLAIN_AND_FEEDBACK = (RECIPES[0], PLAIN)
"""Steps are those of the others anyway."""
_LOSS_DB = 0.25
"""What a rung in bits may lose at most to be near to another."""
_LARGER = 1.1
"""Over the bytes of the ladder that one is near to, those that it takes at most."""
_IDLE, _MOST = 0.9, 1.02
"""Of a budget in bits, what it takes at least, where the other one took that much, and at most."""
_SMALL = 1 << 20
"""Weights of networks of which many ladders are made."""
_FINER = (8, 16)
"""Step indices by which the steps of a tensor get finer at once."""
_FINER_TENSORS, _FINER_ROUNDS = 32, 4
"""Tensors of which that is tried, the smallest ones, and how often one of them gets finer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tried:
    """A ladder by other steps."""

    near: Near
    """What it is near to, in its steps."""
    lack: float
    """Decibels that its worst rung misses its target by; not above 0 where all are met."""
    size: int
    """Bytes of its units."""

    def gain(self, before: "_Tried") -> float:
        """Decibels for each byte more."""
        return (before.lack - self.lack) / max(self.size - before.size, 1)


class NearSearch:
    """Looks for the lower rungs of a ladder near to those of another.

    Args:
        weights: The new network's tensors.
        quantiser: Rounds them.
        bases: Writes bases of them.
        targets: Measures stacks.
        weight_snr: Measures slices by their weights, dB.
        is_known: Whether there are statistics of the network.
    """

    def __init__(
        self,
        weights: Sequence[Weights],
        quantiser: Quantiser,
        bases: Bases,
        targets: Targets,
        weight_snr: Callable[[Sequence[Plan]], float],
        *,
        is_known: bool,
    ) -> None:
        self._weights = weights
        self._quantiser = quantiser
        self._bases = bases
        self._targets = targets
        self._weight_snr = weight_snr
        self._recipes = _PLAIN_AND_FEEDBACK if is_known else (PLAIN,)
        self._is_large = sum(w.tensor.weights for w in weights) > _SMALL

    def find(self, rungs: Sequence[Rung], near: Near) -> Stack | None:
        """The ladder that moves the fewest levels.

        Where steps as they were miss a target in decibels, those of some tensors get finer, of
        small networks.

        Args:
            rungs: As many as the other ladder has.
            near: The other ladder.

        Returns:
            None where a rung misses its target, or they are much larger than the others.
        """
        follower = self._follower(near)
        best = [self._qualities(follower.make(recipe, SLACKS[-1])) for recipe in self._recipes]
        goals = [max(each) - _LOSS_DB for each in zip(*best, strict=True)]
        made = self._loosest(rungs, near, goals)
        if made is None and not self._is_large:
            finer = self._finer(rungs, near)
            made = self._loosest(rungs, finer, goals) if finer is not None else None
        if made is None or sum(map(len, made.units)) > _LARGER * sum(map(len, near.units)):
            return None
        return made

    def _follower(self, near: Near) -> Follower:
        return Follower(near, self._weights, self._quantiser, self._bases)

    def _loosest(self, rungs: Sequence[Rung], near: Near, goals: Sequence[float]) -> Stack | None:
        slacks = FEW_SLACKS if self._is_large else SLACKS
        return loosest(
            self._follower(near),
            self._recipes,
            slacks,
            lambda stack: self._is_good(rungs, stack, near, goals),
        )

    def _finer(self, rungs: Sequence[Rung], near: Near) -> Near | None:
        """The other ladder in finer steps of the tensors where a byte gives the most.

        Returns:
            None where targets in decibels were met by steps as they were, or are not by any.
        """
        here = self._tried(rungs, near)
        places = self._places(near)
        for _ in range(_FINER_ROUNDS if here.lack > 0 else 0):
            tried = [
                self._tried(rungs, here.near.finer(place, indices))
                for place in places
                for indices in _FINER
            ]
            if met := [one for one in tried if one.lack <= 0]:
                return min(met, key=lambda one: one.size).near
            best = max(tried, key=lambda one: one.gain(here), default=here)
            if best.lack >= here.lack:
                return None
            here = best
        return None

    def _places(self, near: Near) -> list[int]:
        """Tensors whose steps may get finer."""
        pairs = zip(self._weights, near.head.codes, strict=True)
        found = [
            (w.tensor.weights, place)
            for place, (w, code) in enumerate(pairs)
            if code.coded and w.tensor.dtype.is_float and not w.is_vector
        ]
        return [place for _, place in sorted(found)[:_FINER_TENSORS]]

    def _tried(self, rungs: Sequence[Rung], near: Near) -> _Tried:
        stacks = [self._follower(near).make(recipe, SLACKS[-1]) for recipe in self._recipes]
        lacks = [self._lack(rungs, stack) for stack in stacks]
        lack, place = min((lack, place) for place, lack in enumerate(lacks))
        return _Tried(near=near, lack=lack, size=sum(map(len, stacks[place].units)))

    def _lack(self, rungs: Sequence[Rung], stack: Stack) -> float:
        pairs = zip(rungs, self._decibels(rungs, stack), strict=True)
        aims = (Target.OUTPUTS, Target.SNR)
        return max((r.value - found for r, found in pairs if r.target in aims), default=0.0)

    def _decibels(self, rungs: Sequence[Rung], stack: Stack) -> list[float]:
        """What each rung reaches, of the weights where it aims at that."""
        return [
            self._weight_snr(plans) if rung.target is Target.SNR else found
            for rung, plans, found in zip(rungs, stack.plans, self._qualities(stack), strict=True)
        ]

    def _qualities(self, stack: Stack) -> list[float]:
        """Decibels after each unit, of the outputs where they can be measured."""
        if self._targets.evaluate is None:
            return [self._weight_snr(plans) for plans in stack.plans]
        return [self._targets.outputs(stack.units[: n + 1]) for n in range(len(stack.units))]

    def _is_good(
        self, rungs: Sequence[Rung], stack: Stack, near: Near, goals: Sequence[float]
    ) -> bool:
        """Whether each rung meets its target."""
        found = zip(rungs, self._decibels(rungs, stack), strict=True)
        return all(
            decibels >= rung.value
            if rung.target in (Target.OUTPUTS, Target.SNR)
            else decibels >= goals[place] and self._is_in_budget(rung, place, stack, near)
            for place, (rung, decibels) in enumerate(found)
        )

    def _is_in_budget(self, rung: Rung, place: int, stack: Stack, near: Near) -> bool:
        budget = self._targets.budget(rung)
        bits, known = (
            self._targets.bits(units[: place + 1]) for units in (stack.units, near.units)
        )
        return _IDLE * min(known, budget) <= bits <= _MOST * budget
