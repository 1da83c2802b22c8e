"""Bases that aim at weight SNR: one step for all tensors of a kind, but for what pays.

Knows nothing of the rungs above but where the last one ends, and nothing of outputs.
"""

from collections.abc import Callable, Sequence
from functools import partial

from midstream.codec import rans
from midstream.encoder.base import Base, Bases
from midstream.encoder.decoded import rounding_noise
from midstream.encoder.folds import Foldings
from midstream.encoder.landing import landed
from midstream.encoder.near import whole
from midstream.encoder.plan import Plan
from midstream.encoder.ratio import noise_of
from midstream.encoder.recipes import PLAIN
from midstream.encoder.single import Common, Search, find_single
from midstream.encoder.stagger import Climb, staggered
from midstream.encoder.steps import (
    Allocation,
    choose_shift,
    coarsened,
    guess_shift,
    shifted,
    uniform_steps,
)
from midstream.encoder.ways import Way, shorter
from midstream.encoder.weights import Weights, squared_error

__all__ = ["UniformBase"]

_SLICE_BYTES, _RUN_BYTES = 6, 4
_HARDLY, _CLEARLY = 0.35, 1.2
"""Bytes saved for each that says where, by an estimate, beyond which nothing else need be tried."""
_ROOM = 0.01
"""Of the noise that the base of a ladder may have, left free: what is trained on from these weights
has about as much in the same steps, and follows in few bytes where it meets the target."""
_SPARE = 0.002
"""Of the noise of a last rung, left free: of slices that end after digits it is told beforehand."""
_FOLLOWING = 0.004
"""Of the noise that nearest levels may have, what levels that follow from points add, about."""
_MOST_ROUNDS = 8
"""Bases that are made, at most, until what is decoded of one has no more noise than it may."""
_EXPECTED = 1.1
"""Times what rounding is expected to add, by samples, that is aimed lower."""
_MORE = 1.05
"""Times what a base has too much that is aimed lower."""
_FASTER = 4
"""Times as much in each round: what is aimed at may have to pass that of a step."""
_LEAST_LEFT = 0.75
"""Of the noise aimed at, what is still aimed at in the next round, at least."""
_FINER = 0.6
"""Times what was aimed at, for which all steps are finer, where they can be."""


class UniformBase:
    """Makes bases of one network.

    Args:
        weights: All tensors.
        bases: Writes them.
        factors: What a squared error of each tensor counts.
    """

    def __init__(self, weights: Sequence[Weights], bases: Bases, factors: Sequence[float]) -> None:
        self._weights = weights
        self._bases = bases
        self._factors = factors
        self._searches: dict[bool, Search] = {}
        self._common = Common()

    def reach(self, target: float, climb: Climb | None, *, is_only: bool) -> Base:
        """The base that reaches a target, or the nearest to it.

        Args:
            target: Weight SNR, dB, of what is decoded.
            climb: To the last rung above it that aims at that, if any does; tensors that it
                refines once less start finer, and levels may follow from points at the end.
            is_only: Whether no rung is above it; levels may then be thrifty.
        """
        relative: Sequence[float] = uniform_steps(self._weights, self._factors)
        if climb is not None:
            relative = staggered(self._weights, self._factors, relative, climb)
        make = self._single if is_only else self._plain
        if climb is not None and climb.is_pointed:
            make = partial(self._pointed, noise=10 ** (-climb.top / 10))
        self._searches.clear()
        self._common = Common()
        limit = 10 ** (-target / 10)
        aim = _lower(limit, _EXPECTED * self._rounding(relative, limit))
        made: list[tuple[float, float, Base]] = []
        for turn in range(_MOST_ROUNDS):
            base = make(relative, aim)
            noise = noise_of(base.plans, self._factors)
            if noise <= limit:
                return base
            if any(aim <= _FINER * other and base.data == own.data for _, other, own in made):
                break  # steps are as fine as they can be
            made.append((noise, aim, base))
            aim = _lower(aim, _MORE * _FASTER**turn * (noise - limit))
        return min(made, key=lambda one: one[0])[-1]

    def _pointed(self, relative: Sequence[float], aim: float, *, noise: float) -> Base:
        """The plain base, but for slices whose levels follow from points."""
        base = self._plain(relative, (1 - _FOLLOWING) * aim)
        return self._bases.of(base.head, landed(base.plans, self._factors, (1 - _SPARE) * noise))

    def _rounding(self, relative: Sequence[float], limit: float) -> float:
        """What rounding to half precision adds to so much noise, about."""
        guess = guess_shift(self._weights, relative, self._factors, limit)
        steps = shifted(self._weights, relative, guess)
        return max(rounding_noise(self._weights, steps, self._factors, limit), 0.0)

    def _single(self, relative: Sequence[float], aim: float) -> Base:
        """With what repeats left out or not; both are found where either may be the shorter."""
        folds, ways = self._bases.folds, []
        guess = guess_shift(self._weights, relative, self._factors, aim)
        promise = folds.promise(self._weights, shifted(self._weights, relative, guess))
        if promise > _HARDLY:
            ways += self._ways(relative, aim, folds.by_tensor, folds.folded)
        if promise < _CLEARLY or not ways:
            ways += self._ways(relative, aim, {}, whole)
        made = [self._written(way, relative, aim) for way in shorter(ways)]
        return min(made or [self._plain(relative, aim)], key=lambda one: len(one.data))

    def _ways(
        self,
        relative: Sequence[float],
        aim: float,
        foldings: Foldings,
        fold: Callable[[Plan], Plan],
    ) -> list[Way]:
        """Thrifty levels, not written yet; none where none were found."""
        is_folded = bool(foldings)
        if is_folded not in self._searches:
            own = Search(self._weights, self._factors, relative, foldings, self._common)
            self._searches[is_folded] = own
        found = find_single(self._searches[is_folded], aim)
        if found is None:
            return []
        head, plans = self._bases.planned(found.codes, found.levels, fold=fold)
        return [Way(head=head, plans=plans, plain_bits=found.plain_bits)]

    def _written(self, way: Way, relative: Sequence[float], aim: float) -> Base:
        """Thrifty levels, or the nearest ones where these take fewer bytes."""
        base = self._bases.of(way.head, way.plans)
        if 8 * (len(base.data) - self._bases.uncounted - _overhead(base.plans)) <= way.plain_bits:
            return base
        return min(base, self._plain(relative, aim), key=lambda one: len(one.data))

    def _plain(self, relative: Sequence[float], aim: float) -> Base:
        """The nearest levels with the widest steps whose noise is at most what is aimed at.

        Some tensors are a step coarser than others, so that it hardly has less.
        """

        def noises(steps: Sequence[int]) -> list[float]:
            triples = zip(self._weights, steps, self._factors, strict=True)
            return [f * squared_error(w, s) if f else 0.0 for w, s, f in triples]

        guess = guess_shift(self._weights, relative, self._factors, aim)
        shift = choose_shift(
            self._weights, relative, lambda steps: sum(noises(steps)) <= aim, guess=guess
        )
        fine, coarse = (noises(shifted(self._weights, relative, s)) for s in (shift, shift + 1))
        mixed = [step + shift for step in relative]
        for at in coarsened(self._weights, fine, coarse, (1 - _ROOM) * aim):
            mixed[at] += 1
        return self._bases.make(Allocation.of(mixed), PLAIN, 0)


def _lower(aim: float, by: float) -> float:
    """What is aimed at, lowered by so much, but not to next to nothing."""
    return max(aim - by, _LEAST_LEFT * aim)


def _overhead(plans: Sequence[Plan]) -> int:
    """Bytes that slices and tensors take, about, however few bits their levels have."""
    coded = [plan.piece for plan in plans if plan.piece.coded]
    lanes = sum(rans.lanes_of(piece.weights) for piece in coded)
    return 4 * lanes + sum(_SLICE_BYTES + _RUN_BYTES * len(piece.runs) for piece in coded)
