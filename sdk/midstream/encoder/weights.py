"""Tensors as numbers, and the steps they are quantised with. Knows nothing of slices.

Steps follow from a target in bits or decibels by bisection over one shift of all tensors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import grid, storage
from midstream.types import DType, Tensor

__all__ = ["Weights", "choose_steps", "load", "relative_steps", "uniform_steps"]

STEPS_PER_OCTAVE = 16
_SMALLEST_SHIFT, _LARGEST_SHIFT = -60 * STEPS_PER_OCTAVE, 40 * STEPS_PER_OCTAVE
_VECTOR_FINER = 2 * 25
"""Step indices by which one-dimensional tensors are finer: two trits; they are few, and
their error is not averaged over inputs."""
_SAMPLE = 1 << 16
_LARGEST_LEVEL = 1 << 24
"""Of a base: as many as float32 has mantissas; what is finer is for the exact unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One tensor's weights."""

    tensor: Tensor
    """Where they are."""
    stored: NDArray[np.generic]
    """(weights,), in storage form."""
    values: NDArray[np.float64]
    """(weights,), as numbers."""
    coded: bool
    """Whether they are coded as levels."""
    offset: int
    """For integers, the level that stands for zero."""
    scale: float
    """Root mean square about the offset; 1 where all are equal to it."""
    finest: int
    """Least step index: finer steps would put levels out of their range."""

    @property
    def energy(self) -> float:
        """Sum of squares about the offset."""
        return float(np.square(self.values - self.offset).sum())

    def levels(self, step: int) -> NDArray[np.int32]:
        """Nearest levels; (weights,)."""
        return grid.quantise(self.stored, self.tensor.dtype, step, self.offset)


def load(model: bytes | memoryview, tensor: Tensor) -> Weights:
    """Read one tensor's weights out of a model file."""
    data = bytes(model[tensor.offset : tensor.end])
    stored = storage.load(data, tensor.dtype, tensor.weights)
    values = storage.to_float64(stored, tensor.dtype)
    coded = tensor.dtype is not DType.INT32 and bool(np.isfinite(values).all())
    offset = 0
    if tensor.dtype is DType.UINT8:
        offset = round(float(np.median(values)))
    spread = float(np.sqrt(np.mean((values - offset) ** 2))) if coded else 0.0
    return Weights(
        tensor=tensor,
        stored=stored,
        values=values,
        coded=coded,
        offset=offset,
        scale=spread if spread > 0 else 1.0,
        finest=_finest(values) if coded else -grid.MAX_STEP_INDEX,
    )


def _finest(values: NDArray[np.float64]) -> int:
    """The step index at which the largest weight gets about the largest level of a base."""
    largest = float(np.abs(values).max())
    return grid.step_index(largest / _LARGEST_LEVEL) if largest else -grid.MAX_STEP_INDEX


def relative_steps(weights: Sequence[Weights]) -> list[int]:
    """Step indices before the shift, for targets in bits.

    Noise of each tensor, relative to its own power, grows with the root of its size: what
    minimises the sum of relative noises at given bytes (reverse water-filling), damped by
    half, since outputs do not add up the noises of all operators alike.
    """
    return [_index(w.scale * w.tensor.weights**0.25) - _finer(w) for w in weights]


def uniform_steps(weights: Sequence[Weights], factors: Sequence[float]) -> list[int]:
    """Step indices before the shift, for targets in decibels: one step for all of a kind.

    Args:
        weights: All tensors.
        factors: What a squared error of each counts, as `ratio.noise_factors` gives it.
    """
    pairs = zip(weights, factors, strict=True)
    return [_index(factor**-0.5 if factor else w.scale) for w, factor in pairs]


def _index(step: float) -> int:
    return round(STEPS_PER_OCTAVE * float(np.log2(step)))


def _finer(weights: Weights) -> int:
    return _VECTOR_FINER if len(weights.tensor.shape) < 2 else 0


def choose_steps(
    weights: Sequence[Weights],
    relative: Sequence[int],
    is_enough: Callable[[list[int]], bool],
) -> list[int]:
    """The coarsest steps that are enough.

    Args:
        weights: All tensors.
        relative: Step index of each before the shift.
        is_enough: Whether steps reach the target; monotone in the shift.

    Returns:
        For each tensor, its step index; for integer tensors, a trit exponent.
    """
    low, high = _SMALLEST_SHIFT, _LARGEST_SHIFT
    while low < high:
        middle = (low + high + 1) // 2
        if is_enough(shifted(weights, relative, middle)):
            low = middle
        else:
            high = middle - 1
    return shifted(weights, relative, low)


def shifted(weights: Sequence[Weights], relative: Sequence[int], shift: int) -> list[int]:
    """Steps after the shift, kept in what each data type allows."""
    floats = [
        min(max(base + shift, w.finest), grid.MAX_STEP_INDEX)
        for w, base in zip(weights, relative, strict=True)
    ]
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


def entropy_bits(weights: Weights, step: int) -> float:
    """Bits that a tensor's levels take, about, from a sample of large ones.

    Their order-0 entropy, but no less than what numbers so far from zero take: the coder has
    tables for distributions around zero, and a tensor of one value has no entropy at all.
    """
    stride = max(1, weights.values.size // _SAMPLE)
    sample = weights.stored[::stride]
    levels = grid.quantise(sample, weights.tensor.dtype, step, weights.offset)
    _, counts = np.unique(levels, return_counts=True)
    share = counts / counts.sum()
    entropy = float(-(share * np.log2(share)).sum())
    distance = float(np.log2(1 + np.abs(levels.astype(np.float64)).mean()))
    return max(entropy, distance) * weights.values.size


def squared_error(weights: Weights, step: int) -> float:
    """Sum of squared differences between the weights and their levels' values."""
    size = grid.step_size(step, 0, weights.tensor.dtype)
    error = weights.values - weights.offset - weights.levels(step) * size
    return float(error @ error)
