"""Weight SNR: one number for the weights of all data types. Knows nothing of rungs."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from midstream.encoder.plan import Plan
from midstream.encoder.weights import Weights
from midstream.types import DType

__all__ = ["decibels", "noise_factors", "noise_of"]

_MOST = 200.0
"""dB said of weights whose numbers are all right but whose bytes are not, such as -0.0."""


def noise_factors(weights: Sequence[Weights]) -> list[float]:
    """What a squared error of each tensor counts, so that their sum is noise over signal.

    Floats are measured against the energy of all floats, and each integer type against its
    own, since a unit of one says nothing of a unit of another; each kind counts by its number
    of weights.

    Returns:
        A factor for each tensor; 0 where it is not coded, or all of its kind are zero.
    """
    energies: defaultdict[DType, float] = defaultdict(float)
    counts: defaultdict[DType, int] = defaultdict(int)
    for w in weights:
        if w.coded:
            energies[_kind(w)] += w.energy
            counts[_kind(w)] += w.tensor.weights
    total = sum(counts[kind] for kind, energy in energies.items() if energy > 0)
    factors = {
        kind: counts[kind] / total / energy for kind, energy in energies.items() if energy > 0
    }
    return [factors.get(_kind(w), 0.0) if w.coded else 0.0 for w in weights]


def noise_of(plans: Sequence[Plan], factors: Sequence[float]) -> float:
    """Noise over signal of the weights that decoding gives.

    Args:
        plans: All slices.
        factors: What a squared error of each tensor counts.
    """
    return sum(
        # the tensors of a slice have one data type, and so one factor
        factors[plan.piece.runs[0].tensor] * plan.squared_error
        for plan in plans
        if plan.piece.coded
    )


def _kind(weights: Weights) -> DType:
    dtype = weights.tensor.dtype
    return DType.FLOAT32 if dtype.is_float else dtype


def decibels(noise: float, *, is_exact: bool) -> float:
    """Noise over signal as a ratio in dB; infinite only where the model file is exact."""
    if is_exact:
        return float("inf")
    return min(-10 * float(np.log10(noise)), _MOST) if noise > 0 else _MOST
