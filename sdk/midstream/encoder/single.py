"""The base of a ladder of one rung in weight SNR: as few bytes as reach it.

Levels are thrifty: finer than a plain base would have them, and fewer bits. How fine they must
be, samples of the weights tell; only what these tell is made in full.
Knows nothing of other rungs and of outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from midstream.bitstream import partition
from midstream.codec import TensorCode
from midstream.encoder.economy import Known, Trial, noises
from midstream.encoder.folds import Foldings
from midstream.encoder.narrow import Narrow
from midstream.encoder.samples import Pool, pooled
from midstream.encoder.steps import choose_shift, coarsened, guess_shift, shifted
from midstream.encoder.weights import Weights

__all__ = ["Common", "Search", "Single", "find_single"]

_MOST_FINER = 12
"""Step indices that thrifty levels are finer than plain ones, at most, by samples."""
_MOST_REPAIRS = 64
"""Tensors that are made again, a step finer, where samples promised too much."""
_SPARE = 1e-9
"""Of the noise aimed at: sums differ by their order."""
_SHARE_OF_STEP = 1 - 2.0**-0.125
"""Of a tensor's noise, what a step finer takes away."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Single:
    """Thrifty levels that reach a target."""

    codes: tuple[TensorCode, ...]
    """How each tensor is coded."""
    levels: tuple[Narrow, ...]
    """Of each tensor; empty where it is not coded."""
    plain_bits: float
    """What the nearest levels of a step that reaches the target take, about."""


class _Made(NamedTuple):
    """Thrifty levels of one tensor."""

    levels: Narrow
    """Empty where it is not coded."""
    noise: float
    """What their squared errors count."""
    code: TensorCode
    """How they are coded."""


@dataclass(slots=True)
class Common:
    """What searches of one network with and without foldings know together."""

    pools: list[Pool] | None = None
    """Samples of all tensors."""
    shifts: dict[float, int] = field(default_factory=dict)
    """At which nearest levels have about so much noise."""
    trials: dict[tuple[int, bool], Trial] = field(default_factory=dict)
    """The last of each tensor, with and without foldings."""
    made: dict[tuple[int, bool], tuple[int, _Made]] = field(default_factory=dict)
    """Of these the last levels, and at which step."""


class Search:
    """Steps and levels of one network.

    What was found is kept: where nearly the same noise is aimed at, little of it differs.

    Args:
        weights: All tensors.
        factors: What a squared error of each counts.
        relative: Step index of each before the shift.
        foldings: Of each that has any, those of its slices, by their start.
        common: What another search with other foldings found, and what it will find.
    """

    def __init__(
        self,
        weights: Sequence[Weights],
        factors: Sequence[float],
        relative: Sequence[float],
        foldings: Foldings,
        common: Common | None = None,
    ) -> None:
        self._foldings = foldings
        self._common = Common() if common is None else common
        self._weights = weights
        self._factors = factors
        self._relative = relative
        self._shift: int | None = None
        self._trials: list[Trial | None] = []
        self._known: Known = {}
        self._noises: dict[int, list[float]] = {}
        self.plain_bits = 0.0

    def begin(self, aim: float) -> int:
        """The shift at which nearest levels have about so much noise; trials are about it."""
        shifts = self._common.shifts
        if aim not in shifts:
            shifts[aim] = self._find_shift(aim)
        if shifts[aim] != self._shift:
            self._try(shifts[aim])
        return shifts[aim]

    def _find_shift(self, aim: float) -> int:
        """The shift at which nearest levels have about so much noise."""
        common = self._common
        if common.pools is None:
            common.pools = pooled(self._weights, self._factors, self._relative)
        pools = common.pools

        def is_fine_enough(steps: list[int]) -> bool:
            return sum(pool.noise(steps) for pool in pools) <= aim

        guess = guess_shift(self._weights, self._relative, self._factors, aim)
        return choose_shift(self._weights, self._relative, is_fine_enough, guess=guess)

    def _try(self, shift: int) -> None:
        """Trials about a shift; what is known of others is forgotten."""
        self._shift = shift
        self._known.clear()
        self._noises.clear()
        pairs = enumerate(zip(self._weights, self.steps(shift), strict=True))
        self._trials = [self._trial(at, step) if w.coded else None for at, (w, step) in pairs]
        self.plain_bits = sum(trial.bits for trial in self._trials if trial is not None)

    def _trial(self, at: int, step: int) -> Trial:
        """One about a step; what is known of the tensor's nearest levels is kept."""
        trials, foldings = self._common.trials, self._foldings.get(at)
        key, like = (at, bool(foldings)), (at, not foldings)
        if key not in trials or trials[key].step != step:
            ways = trials[like].ways if like in trials and trials[like].step == step else None
            trials[key] = Trial(self._weights[at], step, foldings, ways)
            self._common.made.pop(key, None)
        return trials[key]

    def steps(self, shift: int) -> list[int]:
        """The step of each tensor."""
        return shifted(self._weights, self._relative, shift)

    def noises(self, shift: int) -> list[float]:
        """What thrifty levels of each tensor have, about."""
        if shift not in self._noises:
            self._noises[shift] = self._find_noises(shift)
        return self._noises[shift]

    def _find_noises(self, shift: int) -> list[float]:
        """The same, not known yet."""
        counted = [at for at, f in enumerate(self._factors) if f and self._trials[at] is not None]
        trials = [trial for at in counted if (trial := self._trials[at]) is not None]
        steps, found = self.steps(shift), [0.0] * len(self._factors)
        own = noises(trials, [steps[at] for at in counted], self._known)
        for at, noise in zip(counted, own, strict=True):
            found[at] = self._factors[at] * noise
        return found

    def mixed(
        self, shift: int, fine: Sequence[float], coarse: Sequence[float], aim: float
    ) -> list[int]:
        """Steps of a shift, a step coarser for some tensors, the largest first.

        Args:
            shift: At which all are fine enough.
            fine: The noise of each tensor there.
            coarse: The same a step coarser.
            aim: How much there may be.
        """
        steps, others = self.steps(shift), self.steps(shift + 1)
        for at in coarsened(self._weights, fine, coarse, aim):
            steps[at] = others[at]
        return steps

    def made(self, steps: list[int], aim: float) -> list[_Made] | None:
        """Thrifty levels with at most so much noise; steps become finer where there is more."""
        cuts = self._cuts()
        made = [self._one(at, step, cuts[at]) for at, step in enumerate(steps)]
        noises = [one.noise for one in made]
        for _ in range(_MOST_REPAIRS):
            if sum(noises) <= aim:
                return made
            at = self._cause(noises, steps, sum(noises) - aim)
            if at is None:
                break
            steps[at] -= 1
            made[at] = self._one(at, steps[at], cuts[at])
            noises[at] = made[at].noise
        return None

    def _one(self, at: int, step: int, cuts: Sequence[tuple[int, int]]) -> _Made:
        """Thrifty levels of a tensor; those of its last step are known."""
        made, key = self._common.made, (at, at in self._foldings)
        if key not in made or made[key][0] != step:
            made[key] = step, self._make(at, step, cuts)
        return made[key][1]

    def _make(self, at: int, step: int, cuts: Sequence[tuple[int, int]]) -> _Made:
        """The same, not known yet."""
        trial, factor = self._trials[at], self._factors[at]
        if trial is None:
            code = TensorCode(coded=False, same_as=self._weights[at].same_as)
            return _Made(levels=np.zeros(0, np.int32), noise=0.0, code=code)
        levels, error, code = trial.made(step, cuts)
        return _Made(levels=levels, noise=factor * error, code=code)

    def _cause(self, noises: Sequence[float], steps: Sequence[int], excess: float) -> int | None:
        """The tensor whose next finer step takes away so much and little more, or the most.

        None where there are no finer steps.
        """
        gains = {
            at: _SHARE_OF_STEP * noises[at]
            for at, w in enumerate(self._weights)
            if w.coded and w.tensor.dtype.is_float and steps[at] > w.finest
        }
        enough = [at for at, gain in gains.items() if gain >= excess]
        if enough:
            return min(enough, key=gains.__getitem__)
        return max(gains, key=gains.__getitem__, default=None)

    def _cuts(self) -> list[list[tuple[int, int]]]:
        """Where the slices of each tensor start and stop."""
        cuts: list[list[tuple[int, int]]] = [[] for _ in self._weights]
        coded = [w.coded if w.same_as is None else None for w in self._weights]
        for piece in partition([w.tensor for w in self._weights], coded):
            for run in piece.runs:
                cuts[run.tensor].append((run.start, run.stop))
        return cuts


def find_single(search: Search, aim: float) -> Single | None:
    """Thrifty levels whose noise is at most what is aimed at; None where none were found.

    Args:
        search: Where they are looked for.
        aim: The sum of what all squared errors count.
    """
    shift = search.begin(aim)
    fine, coarse = search.noises(shift), None
    for _ in range(_MOST_FINER):
        if sum(fine) <= aim:
            break
        shift -= 1
        fine, coarse = search.noises(shift), fine
    coarse = coarse or search.noises(shift + 1)
    steps = search.mixed(shift, fine, coarse, aim)
    made = search.made(steps, aim * (1 - _SPARE))
    if made is None:
        return None
    return Single(
        codes=tuple(one.code for one in made),
        levels=tuple(one.levels for one in made),
        plain_bits=search.plain_bits,
    )
