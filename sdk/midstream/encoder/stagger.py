"""Steps of a base that fit the last rung above it. Knows nothing of slices and of outputs.

A refinement takes 9.54 dB off the noise of what it refines, and rungs are seldom a multiple of
that apart. With one step for all, the last rung refines some tensors once less than others,
and their noise rules there: 16 dB above the base that costs .3 bits a weight. Tensors that will
be refined once less start finer instead, by two thirds of a refinement: a little is lost
at either end.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream.slices import SMALL_TENSOR
from midstream.codec import storage
from midstream.codec.parameters import MAX_LEVEL
from midstream.codec.refined_points import RATIOS
from midstream.encoder.steps import STEPS_PER_OCTAVE
from midstream.encoder.weights import Weights
from midstream.kernels import squared_error

__all__ = ["Climb", "staggered"]

_DB_PER_TRIT = 20 * float(np.log10(3))
_INDICES_PER_TRIT = STEPS_PER_OCTAVE * float(np.log2(3))
_FINER, _FINER_TO_POINTS = 2 / 3, 1 / 2
"""Of what lies between two ends, by how much those start finer that end at the coarser one; at the
top they lack the rest."""
_ROUNDER = 10.7
"""Step indices from half steps of points to steps of integers that are as noisy, about."""
_MOST_ENDS = 20
_SAMPLE = 1 << 13
"""Weights of a tensor that are looked at."""
_SHARES = 32
_FINEST, _COARSEST, _ROUNDS = -60.0 * STEPS_PER_OCTAVE, 40.0 * STEPS_PER_OCTAVE, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """From a base to a last rung in weight SNR."""

    bottom: float
    """Target of the base, dB."""
    top: float
    """Target of the last rung, dB."""
    is_pointed: bool = False
    """Whether the last refinement may be to points; ends are then those of thirds and of fifths by
    turns, and refinements otherwise."""

    def finer(self, end: int) -> float:
        """Step indices from steps of a base to those that are as noisy as one of its ends."""
        if not self.is_pointed:
            return end * _INDICES_PER_TRIT
        trits, place = divmod(end - 1, len(RATIOS))
        added = STEPS_PER_OCTAVE * float(np.log2(RATIOS[place])) - _ROUNDER
        return trits * _INDICES_PER_TRIT + added if end else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sample:
    """Some weights of a tensor."""

    place: int
    """Which tensor."""
    weights: int
    """How many it has."""
    values: NDArray[np.float32] | NDArray[np.float64]
    """(sample,), some of them; floats have no offset."""
    largest: float
    """Magnitude of the largest."""
    factor: float
    """What a squared error of each of these counts."""
    step: float
    """Step index before the shift."""
    known: dict[float, float] = field(default_factory=dict)
    """Noise at the steps that were asked for: searches begin alike."""

    def noise(self, index: float) -> float:
        """What its errors count at a step."""
        if index not in self.known:
            size = 2.0 ** (index / STEPS_PER_OCTAVE)
            # levels are at most so large; what errors of finer steps count is next to nothing
            is_in_reach = self.largest < MAX_LEVEL * size
            errors = squared_error(self.values, np.array([size])) if is_in_reach else 0.0
            self.known[index] = self.factor * errors
        return self.known[index]


def staggered(
    weights: Sequence[Weights],
    factors: Sequence[float],
    relative: Sequence[float],
    climb: Climb,
) -> list[float]:
    """Step indices before the shift, some of them finer.

    Args:
        weights: All tensors.
        factors: What a squared error of each counts; 0 where it has no steps.
        relative: Step index of each, were they not staggered.
        climb: Which rungs they should fit.
    """
    samples = [
        _sample(at, *each)
        for at, each in enumerate(zip(weights, factors, relative, strict=True))
        if each[1] and each[0].tensor.dtype.is_float
    ]
    most = _finest_end(samples, climb)
    share_of_gap = _FINER_TO_POINTS if climb.is_pointed else _FINER
    finer = share_of_gap * (climb.finer(most) - climb.finer(most - 1))
    chosen: Collection[int] = ()
    for share in range(1, _SHARES):
        fewer = _pick(samples, share / _SHARES)
        if _top(samples, fewer, climb, (most, finer)) < climb.top:
            break
        chosen = fewer
    return [step - finer if at in chosen else step for at, step in enumerate(relative)]


def _finest_end(samples: Sequence[_Sample], climb: Climb) -> int:
    """The end of those that end finest: that of all, were it the same."""
    if not climb.is_pointed:
        return int((climb.top - climb.bottom) / _DB_PER_TRIT) + 1
    for end in range(1, _MOST_ENDS):
        if _top(samples, (), climb, (end, 0.0)) >= climb.top:
            return end
    return _MOST_ENDS


def _sample(place: int, weights: Weights, factor: float, step: float) -> _Sample:
    count = weights.tensor.weights
    # copied, so that they are next to each other
    some = weights.stored[:: max(1, count // _SAMPLE)].copy()
    values = storage.numbers(some, weights.tensor.dtype)
    return _Sample(
        place=place,
        weights=count,
        values=values,
        largest=float(np.abs(values).max()),
        factor=factor * count / len(values),
        step=step,
    )


def _pick(samples: Sequence[_Sample], share: float) -> set[int]:
    """Tensors that hold about so much of all weights, the largest first; the small together."""
    small = [sample for sample in samples if sample.weights < SMALL_TENSOR]
    groups = [[sample] for sample in samples if sample.weights >= SMALL_TENSOR]
    groups += [small] if small else []
    sizes = [sum(sample.weights for sample in group) for group in groups]
    left, picked = share * sum(sizes), set[int]()
    for size, group in sorted(zip(sizes, groups, strict=True), key=lambda pair: -pair[0]):
        if size <= left:
            picked |= {sample.place for sample in group}
            left -= size
    return picked


def _top(
    samples: Sequence[_Sample], fewer: Collection[int], climb: Climb, ends: tuple[int, float]
) -> float:
    """SNR of the last rung, dB, above a base that just reaches its target.

    Args:
        samples: Of all tensors.
        fewer: Those that end once less fine.
        climb: Both targets.
        ends: The finer of two, and step indices by which those start finer that have the other.
    """
    most, start = ends
    finer = [start if sample.place in fewer else 0.0 for sample in samples]
    low, high = _FINEST, _COARSEST
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        is_enough = _snr(samples, [middle - f for f in finer]) >= climb.bottom
        low, high = (middle, high) if is_enough else (low, middle)
    last = [climb.finer(most - (sample.place in fewer)) for sample in samples]
    return _snr(samples, [low - f - t for f, t in zip(finer, last, strict=True)])


def _snr(samples: Sequence[_Sample], shifts: Sequence[float]) -> float:
    pairs = zip(samples, shifts, strict=True)
    noise = sum(sample.noise(sample.step + shift) for sample, shift in pairs)
    return -10 * float(np.log10(max(noise, 1e-30)))
