"""Which step each tensor, row and column gets. Knows nothing of slices and rungs.

A target is met by one shift of all tensors; what they are to each other is decided here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import grid
from midstream.encoder.statistics import Statistics, TensorStatistics
from midstream.encoder.weights import Weights
from midstream.types import DType

__all__ = [
    "STEPS_PER_OCTAVE",
    "Allocation",
    "allocate",
    "choose_shift",
    "coarsened",
    "guess_shift",
    "relative_steps",
    "shifted",
    "uniform_steps",
]

STEPS_PER_OCTAVE = 16
_HALF_OCTAVE = STEPS_PER_OCTAVE // 2
_SMALLEST_SHIFT, _LARGEST_SHIFT = -60 * STEPS_PER_OCTAVE, 40 * STEPS_PER_OCTAVE
_VECTOR_FINER = 2 * 25
"""Step indices by which one-dimensional tensors are finer: two trits; they are few, and
their error is not averaged over inputs."""
_MEASURED_VECTOR_FINER = STEPS_PER_OCTAVE
"""The same where their sensitivity is known."""
_DAMPING = 0.5
"""Rows and columns follow the root of their sensitivity: to follow it in full was worse."""
_MOST_HALF_OCTAVES = 12
_FEWEST_SHARING = 8
"""Weights that a row or column must have to get a step of its own."""

_Steps = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allocation:
    """How fine tensors are to each other, and within them rows and columns."""

    relative: tuple[float, ...]
    """Step index of each tensor before the shift."""
    rows: tuple[_Steps | None, ...]
    """Half octaves added in each row of each tensor."""
    columns: tuple[_Steps | None, ...]
    """The same for each column."""

    @classmethod
    def of(cls, relative: Sequence[float]) -> "Allocation":
        """One step for each tensor."""
        none = (None,) * len(relative)
        return cls(relative=tuple(relative), rows=none, columns=none)


def allocate(
    weights: Sequence[Weights], statistics: Statistics, *, rows: bool, columns: bool
) -> Allocation:
    """Steps by one over the root of the sensitivity of the outputs.

    That minimises the sum of noises at given bits (reverse water-filling). Tensors that
    nothing is known of follow their spread.

    Args:
        weights: All tensors.
        statistics: What is known of each.
        rows: Whether rows may have steps of their own.
        columns: Whether columns may.
    """
    known = [_known_step(w, s) for w, s in zip(weights, statistics, strict=True)]
    guessed = [float(step) for step in relative_steps(weights)]
    pairs = [(k, g) for k, g in zip(known, guessed, strict=True) if k is not None]
    lift = float(np.median([k - g for k, g in pairs])) if pairs else 0.0
    return Allocation(
        relative=tuple(g + lift if k is None else k for k, g in zip(known, guessed, strict=True)),
        rows=tuple(
            _deviations(w, s.rows) if rows and s is not None else None
            for w, s in zip(weights, statistics, strict=True)
        ),
        columns=tuple(
            _deviations(w, s.columns) if columns and s is not None else None
            for w, s in zip(weights, statistics, strict=True)
        ),
    )


def _known_step(weights: Weights, statistics: TensorStatistics | None) -> float | None:
    sensitivity = None if statistics is None else statistics.sensitivity
    if not weights.coded or sensitivity is None or not sensitivity > 0:
        return None
    finer = _MEASURED_VECTOR_FINER if weights.is_vector else 0
    return -STEPS_PER_OCTAVE * 0.5 * float(np.log2(sensitivity)) - finer


def _deviations(weights: Weights, sensitivities: NDArray[np.float64] | None) -> _Steps | None:
    """Half octaves by which the steps along an axis differ from the tensor's."""
    if sensitivities is None or not weights.tensor.dtype.is_float or not weights.coded:
        return None
    if weights.tensor.weights < _FEWEST_SHARING * len(sensitivities):
        return None
    known = sensitivities > 0
    if not known.any():
        return None
    logs = -0.5 * _DAMPING * np.log2(np.where(known, sensitivities, sensitivities[known].min()))
    halves = np.rint(2 * (logs - np.median(logs)))
    halves = np.clip(halves, -_MOST_HALF_OCTAVES, _MOST_HALF_OCTAVES).astype(np.int8)
    return halves if halves.any() else None


def relative_steps(weights: Sequence[Weights]) -> list[int]:
    """Step indices before the shift, where nothing is known of the outputs.

    Noise of each tensor, relative to its own power, grows with the root of its size: what
    minimises the sum of relative noises at given bytes (reverse water-filling), damped by
    half, since outputs do not add up the noises of all operators alike.
    """
    return [
        _index(w.scale * w.tensor.weights**0.25) - (_VECTOR_FINER if w.is_vector else 0)
        for w in weights
    ]


def uniform_steps(weights: Sequence[Weights], factors: Sequence[float]) -> list[int]:
    """Step indices before the shift, for targets in weight SNR: one step for all of a kind.

    Args:
        weights: All tensors.
        factors: What a squared error of each counts, as `ratio.noise_factors` gives it.
    """
    pairs = zip(weights, factors, strict=True)
    return [_index(factor**-0.5 if factor else w.scale) for w, factor in pairs]


def _index(step: float) -> int:
    return round(STEPS_PER_OCTAVE * float(np.log2(step)))


def choose_shift(
    weights: Sequence[Weights],
    relative: Sequence[float],
    is_enough: Callable[[list[int]], bool],
    *,
    guess: int | None = None,
) -> int:
    """The largest shift whose steps are enough.

    Args:
        weights: All tensors.
        relative: Step index of each before the shift.
        is_enough: Whether steps reach the target; monotone in the shift.
        guess: About where that is; less is looked at, the nearer it is.
    """
    low, high = _SMALLEST_SHIFT, _LARGEST_SHIFT
    middle, reach = guess or 0, 1
    is_above = is_below = guess is None
    while low < high:
        if is_above and is_below:
            middle = (low + high + 1) // 2
        middle = min(max(middle, low + 1), high)
        if is_enough(shifted(weights, relative, middle)):
            low, middle, is_above = middle, middle + reach, True
        else:
            high, middle, is_below = middle - 1, middle - reach, True
        reach *= 2
    return low


def coarsened(
    weights: Sequence[Weights], fine: Sequence[float], coarse: Sequence[float], aim: float
) -> list[int]:
    """Tensors that may be a step coarser than all are, the largest first.

    Args:
        weights: All tensors.
        fine: What the squared errors of each count at steps that are fine enough.
        coarse: The same, a step coarser.
        aim: What all of them may count together.
    """
    spare, found = aim - sum(fine), []
    for at in sorted(range(len(weights)), key=lambda at: -weights[at].tensor.weights):
        if coarse[at] - fine[at] <= spare and weights[at].tensor.dtype.is_float:
            found.append(at)
            spare -= coarse[at] - fine[at]
    return found


def guess_shift(
    weights: Sequence[Weights], relative: Sequence[float], factors: Sequence[float], aim: float
) -> int:
    """The shift at which noise is about what is aimed at: fine steps have a 12th of their square.

    Args:
        weights: All tensors.
        relative: Step index of each before the shift.
        factors: What a squared error of each counts.
        aim: The sum of what all squared errors count.
    """
    triples = zip(weights, relative, factors, strict=True)
    noise = sum(f * w.tensor.weights * 4 ** (r / STEPS_PER_OCTAVE) / 12 for w, r, f in triples if f)
    return round(STEPS_PER_OCTAVE / 2 * float(np.log2(aim / noise))) if noise > 0 else 0


def shifted(weights: Sequence[Weights], relative: Sequence[float], shift: float) -> list[int]:
    """Steps after the shift, kept in what each data type allows."""
    floats = [
        min(step if (step := round(base + shift)) > w.finest else w.finest, grid.MAX_STEP_INDEX)
        for w, base in zip(weights, relative, strict=True)
    ]
    if all(w.tensor.dtype.is_float for w in weights):
        return floats
    exponents = _exponents(weights, floats)
    return [
        step if w.tensor.dtype.is_float else exponents[w.tensor.dtype]
        for w, step in zip(weights, floats, strict=True)
    ]


def _exponents(weights: Sequence[Weights], steps: Sequence[int]) -> dict[DType, int]:
    """One trit exponent for all tensors of an integer type, since they share slices."""
    found: dict[DType, list[float]] = {}
    for w, step in zip(weights, steps, strict=True):
        if not w.tensor.dtype.is_float:
            found.setdefault(w.tensor.dtype, []).append(step / STEPS_PER_OCTAVE)
    limit = {DType.INT4: 1}
    return {
        dtype: max(0, min(limit.get(dtype, 4), round(float(np.median(logs)) / np.log2(3))))
        for dtype, logs in found.items()
    }
