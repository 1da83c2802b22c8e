"""What optimisers do to weights that have no gradient: they decay. Knows nothing of bytes.

Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) multiplies every weight by one
factor in every step. Units that are never active get no gradient, so nothing else moves their
weights, and these are known to the bit once the factor and the number of steps are.
"""

import numpy as np
from numpy.typing import NDArray

from midstream.codec.references import DECAY_BITS, MAX_DECAYS, Decayed
from midstream.types import DType, Tensor

__all__ = ["find_decay"]

_MOST_MODES = 3
"""Ratios that are tried."""
_TRIED = 1 << 8
"""Weights, about such a ratio, on which factors are tried."""
_NEAR = 0.6
"""Octaves from it: rounding moves small steps so far, depending on the mantissa."""
_FEWEST = 8
_HALF_ULP = 24
"""A factor is 1 minus so many 2**-24: those are the float32 numbers below 1."""
_FINE = 8
"""Halves of an ulp in a step; below that, what is rounded off moves the sum of all steps."""
_MOST_BITS = 8.0
"""Of a weight that is not as expected, whatever else moved it."""
_CLOSER = 64
"""Times; what something else moved does not come so much closer by chance."""
_LEAST_SHARE = 1 / 16
"""Of the weights that are not 0: so many must come that much closer."""

_Stored = NDArray[np.generic]
_Floats = NDArray[np.float32]
_Float = NDArray[np.float64]
_Int = NDArray[np.int64]


def find_decay(old: _Stored, new: _Stored, tensor: Tensor) -> Decayed | None:
    """The steps of decay that weights without a gradient went through; None where none did.

    Args:
        old: (weights,) storage array.
        new: (weights,) storage array.
        tensor: Both their shape and data type.
    """
    if tensor.dtype is not DType.FLOAT32:
        return None  # coarser floats are copies: what decayed were the float32 weights
    before, after = old.view(np.float32), new.view(np.float32)
    places = _shrunk(before, after)
    fewest = _LEAST_SHARE * np.count_nonzero(after)
    if len(places) < max(fewest, _FEWEST):
        return None
    before, after = before[places], after[places]
    ratio = np.log2(_shrinkage(before, after))
    found = [_best(before, after, ratio, mode) for mode in _modes(ratio)]
    closer = [_closer(decay, before, after, tensor) for decay in found]
    if max(closer, default=0) < fewest:
        return None
    return found[closer.index(max(closer))]


def _closer(decay: Decayed, before: _Floats, after: _Floats, tensor: Tensor) -> int:
    """How many weights it brings a lot closer to what they became."""
    expected = decay.apply(before, tensor, 0).view(np.float32)
    return int((_CLOSER * _distances(expected, after) <= _distances(before, after)).sum())


def _shrunk(before: _Floats, after: _Floats) -> _Int:
    """Places of weights that came closer to 0, and did not reach it; (so many,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        is_shrunk = (np.abs(after) < np.abs(before)) & np.isfinite(before)
    return np.flatnonzero(is_shrunk & (after != 0) & (np.signbit(before) == np.signbit(after)))


def _shrinkage(before: _Floats, after: _Floats) -> _Float:
    """By how much weights shrank, in 2**-24 of them."""
    return np.ldexp(1 - after.astype(np.float64) / before, _HALF_ULP)


def _modes(ratio: _Float) -> list[float]:
    """Where ratios cluster, in octaves, the least ones first: nothing shrinks less than by decay.

    They are counted in half octaves, three of which are looked at together.
    """
    counts = np.bincount(np.floor(2 * (ratio - ratio.min())).astype(np.int64))
    near = np.convolve(np.pad(counts, 2), np.ones(3, np.int64), "same")
    is_peak = (near[1:-1] >= near[:-2]) & (near[1:-1] > near[2:])
    is_peak &= near[1:-1] >= _LEAST_SHARE * len(ratio)
    centres = ratio.min() + (np.flatnonzero(is_peak) - 0.5) / 2
    return [_mode(ratio[np.abs(ratio - centre) <= 0.75]) for centre in centres[:_MOST_MODES]]


def _mode(ratio: _Float) -> float:
    """The half-sample mode.

    Robertson and Cryer, "An iterative procedure for estimating the mode", JASA 69 (1974).
    """
    ratio = np.sort(ratio)
    while len(ratio) > _FEWEST:
        half = len(ratio) // 2
        start = int(np.argmin(ratio[half:] - ratio[:-half]))
        ratio = ratio[start : start + half]
    return float(np.median(ratio))


def _best(before: _Floats, after: _Floats, ratio: _Float, mode: float) -> Decayed:
    """The factor and the number of steps that bring weights of a ratio closest to what they are."""
    near = np.flatnonzero(np.abs(ratio - mode) < _NEAR)
    near = near[:: max(1, len(near) // _TRIED)]
    steps, halves = _candidates(2**mode)
    score = _scores(before[near], after[near], steps, halves)
    best = int(np.argmin(score))
    return Decayed(steps=int(steps[best]), decay=-int(halves[best]) << DECAY_BITS - _HALF_ULP)


def _candidates(total: float) -> tuple[_Int, _Int]:
    """Numbers of steps, and how many halves of an ulp each step may take, so that they add up."""
    pairs = []
    for steps in range(1, MAX_DECAYS + 1):
        each = total / steps
        low, high = (each - 2, each + 2) if each > _FINE else (0.6 * each, 1.6 * each)
        pairs += [(steps, halves) for halves in range(max(1, round(low)), round(high) + 1)]
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _scores(before: _Floats, after: _Floats, steps: _Int, halves: _Int) -> _Float:
    """About how many bits weights take after each of these ways to decay; (ways,)."""
    factors = (1 - np.ldexp(halves.astype(np.float64), -_HALF_ULP)).astype(np.float32)
    numbers = np.tile(before, (len(steps), 1))
    score = np.zeros(len(steps))
    for step in range(1, MAX_DECAYS + 1):
        numbers *= factors[:, None]
        here = np.flatnonzero(steps == step)
        bits = np.log2(1 + 2 * _distances(numbers[here], after))
        score[here] = np.minimum(bits, _MOST_BITS).sum(axis=1)
    return score


def _distances(expected: _Floats, after: _Floats) -> _Int:
    """How many floats lie between numbers of the same sign."""
    steps: _Int = np.abs(expected.view(np.int32).astype(np.int64) - after.view(np.int32))
    return steps
