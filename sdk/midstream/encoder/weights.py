"""Tensors as numbers, and what steps would make of them. Knows nothing of slices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from midstream.codec import grid, storage
from midstream.kernels import nearest_levels
from midstream.types import DType, Tensor

__all__ = [
    "Corrected",
    "Numbers",
    "Sample",
    "Weights",
    "entropy_bits",
    "load",
    "reachable",
    "squared_error",
    "tie",
]

_SAMPLE = 1 << 16
_STRIDES = (31, 7, 3)
"""From one weight of a sample to the next; axes are seldom multiples of these long."""
_FEWEST_SAMPLED = 1 << 12
_FEW = 64
"""Weights that tell most tensors apart."""
_PIECE = 1 << 16
"""Weights that are looked at as doubles at once."""
_FEWEST_FILLED = 256
_LEAST_MASKING = 64.0
"""What a mask's other number is at least: 100, 10,000 and more are usual, and no weights are."""
_MOST = {DType.FLOAT32: 2.0**126, DType.BFLOAT16: 2.0**126, DType.FLOAT16: 2.0**14}
"""What weights may be that are coded with loss, a quarter of what their data type holds: levels
stand for at most twice as much, and a step more where they are points."""
_LARGEST_LEVEL = 1 << 24
"""Of a base: as many as float32 has mantissas; what is finer is for the exact unit."""
_MOST_FINEST = {dtype: grid.step_index(most / _LARGEST_LEVEL) for dtype, most in _MOST.items()}
"""The least step index that these may have."""

Corrected: TypeAlias = Mapping[int, NDArray[np.float64]]
"""By the place of a tensor, what its levels should stand for instead of its weights, less the
offset."""


Numbers: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One tensor's weights."""

    tensor: Tensor
    """Where they are."""
    stored: NDArray[np.generic]
    """(weights,), in storage form."""
    coded: bool
    """Whether they are coded as levels."""
    offset: int
    """For integers, the level that stands for zero."""
    energy: float
    """Sum of squares about the offset."""
    scale: float
    """Root mean square about the offset; 1 where all are equal to it."""
    finest: int
    """Least step index: finer steps would put levels out of their range."""
    same_as: int | None = None
    """Index of an earlier tensor of the same bytes; then it is not coded."""
    known: Numbers | None = None
    """(weights,), as numbers, where they are few: these are asked for again and again."""

    def numbers(self, start: int = 0, stop: int | None = None) -> Numbers:
        """The weights from `start` to `stop`, in single precision where that is exact."""
        if self.known is not None:
            return self.known[start:stop]
        return storage.numbers(self.stored[start:stop], self.tensor.dtype)

    @property
    def values(self) -> NDArray[np.float64]:
        """(weights,), as numbers; made anew each time, since all of them are twice the model."""
        return storage.to_float64(self.stored, self.tensor.dtype)

    @property
    def largest(self) -> float:
        """The magnitude of the largest weight, without a copy of all of them."""
        return _largest(self.numbers())

    @property
    def is_vector(self) -> bool:
        """Whether it has but one axis longer than one, as biases have."""
        tensor = self.tensor
        return tensor.column_axis is None and sum(size > 1 for size in tensor.shape) < 2

    def sample(self) -> "Sample":
        """Some of the weights, to know about all by."""
        if self.known is not None:
            return Sample(self.known, self.tensor.dtype, self.offset, 1, 1.0)
        stride = next((s for s in _STRIDES if len(self.stored) >= s * _FEWEST_SAMPLED), 1)
        some = storage.numbers(self.stored[::stride].copy(), self.tensor.dtype)
        return Sample(
            numbers=some,
            dtype=self.tensor.dtype,
            offset=self.offset,
            stride=stride,
            share=len(self.stored) / -(-len(self.stored) // stride),
        )

    def levels(self, step: int, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
        """Nearest levels, of the weights from `start` to `stop`."""
        dtype = self.tensor.dtype
        offset = 0.0 if dtype.is_float else self.offset
        return nearest_levels(self.numbers(start, stop), grid.one_size(step, 0, dtype), offset)


class Sample(NamedTuple):
    """Some weights of a tensor, evenly spread."""

    numbers: Numbers
    """(sample,), as numbers."""
    dtype: DType
    """Data type of the weights."""
    offset: int
    """For integers, the level that stands for zero."""
    stride: int
    """From one to the next."""
    share: float
    """Weights of the tensor for each of these."""


def load(model: bytes | memoryview, tensor: Tensor) -> Weights:
    """Read one tensor's weights out of a model file."""
    data = memoryview(model)[tensor.offset : tensor.end]
    stored = storage.load(data, tensor.dtype, tensor.weights)
    if not stored.flags.aligned:
        stored = stored.copy()
    numbers = storage.numbers(stored, tensor.dtype)
    largest = _largest(numbers)
    coded = tensor.dtype is not DType.INT32 and math.isfinite(largest)
    coded = coded and not (_is_filled(tensor, numbers) or _is_mask(tensor, numbers, largest))
    offset = 0
    if tensor.dtype is DType.UINT8:
        offset = round(float(np.median(numbers)))
    energy = _energy(numbers, offset) if coded else 0.0
    spread = math.sqrt(energy / len(stored))
    return Weights(
        tensor=tensor,
        stored=stored,
        coded=coded,
        offset=offset,
        energy=energy,
        scale=spread if spread > 0 else 1.0,
        finest=_finest(largest) if coded else -grid.MAX_STEP_INDEX,
        known=numbers if len(numbers) < _FEWEST_SAMPLED else None,
    )


def reachable(weights: Weights) -> Weights:
    """The same, not coded where levels might stand for more than its data type holds.

    What is decoded would be infinite. Such tensors are masks, too, beside which nothing else
    would count.
    """
    most = _MOST_FINEST.get(weights.tensor.dtype)
    if most is None or weights.finest <= most:
        return weights
    return replace(weights, coded=False)


def _is_filled(tensor: Tensor, numbers: NDArray[np.float32] | NDArray[np.float64]) -> bool:
    """Whether all of a matrix is one number but 0, which takes less as it is than as levels.

    Vectors may be biases, which are corrected; zeros cost next to nothing as levels.
    """
    if sum(size > 1 for size in tensor.shape) < 2 or tensor.weights < _FEWEST_FILLED:
        return False
    first = numbers[0]
    return bool(first and first == numbers[-1] and (numbers == first).all())


def _is_mask(tensor: Tensor, numbers: Numbers, largest: float) -> bool:
    """Whether floats are 0 or one large number, as what is added to hide places from attention.

    Beside such squares no weights would count.
    """
    if not tensor.dtype.is_float or largest < _LEAST_MASKING:
        return False
    value, is_zero = numbers.min() or numbers.max(), numbers == 0
    return bool(is_zero.any() and (is_zero | (numbers == value)).all())


def _energy(stored: NDArray[np.float32] | NDArray[np.float64], offset: int) -> float:
    """Sum of squares about an offset, piece by piece: all numbers are twice the model."""
    total = 0.0
    for first in range(0, len(stored), _PIECE):
        numbers = stored[first : first + _PIECE].astype(np.float64)
        if offset:
            numbers -= offset
        # a library's product would wake threads, which then wait for more, and round as they like
        total += float(np.einsum("i,i->", numbers, numbers))
    return total


def tie(weights: Sequence[Weights], *, vectors: bool) -> list[Weights]:
    """The same tensors, each that repeats an earlier one tied to it.

    Args:
        weights: All tensors.
        vectors: Whether vectors are tied, too: those that are alike, such as biases of zeros,
            must not be where some of them will be corrected.
    """
    alike: dict[tuple[DType, int, bytes], list[int]] = {}
    tied = []
    for place, w in enumerate(weights):
        others = alike.setdefault(_sample(w), []) if vectors or not w.is_vector else []
        same = [at for at in others if _have_same_bytes(weights[at].stored, w.stored)]
        tied.append(replace(w, coded=False, same_as=same[0]) if same else w)
        if not same:
            others.append(place)
    return tied


def _sample(weights: Weights) -> tuple[DType, int, bytes]:
    """What tensors of the same bytes have in common, and few others."""
    stored = weights.stored
    few = stored[:: max(1, len(stored) // _FEW)]
    return weights.tensor.dtype, len(stored), few.tobytes()


def _have_same_bytes(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    return bool(np.array_equal(one.view(np.uint8), other.view(np.uint8)))


def _largest(numbers: NDArray[np.float32] | NDArray[np.float64]) -> float:
    """The magnitude of the largest; not a number where one of them is none."""
    least, most = float(numbers.min()), float(numbers.max())
    return most if most >= -least else -least


def _finest(largest: float) -> int:
    """The step index at which the largest weight gets about the largest level of a base."""
    return grid.step_index(largest / _LARGEST_LEVEL) if largest else -grid.MAX_STEP_INDEX


def entropy_bits(weights: Weights, step: int) -> float:
    """Bits that a tensor's levels take, about, from a sample of large ones.

    Their order-0 entropy, but no less than what numbers so far from zero take: the coder has
    tables for distributions around zero, and a tensor of one value has no entropy at all.
    """
    stride = max(1, weights.tensor.weights // _SAMPLE)
    sample = weights.stored[::stride]
    levels = grid.quantise(sample, weights.tensor.dtype, step, weights.offset)
    _, counts = np.unique(levels, return_counts=True)
    share = counts / counts.sum()
    entropy = float(-(share * np.log2(share)).sum())
    distance = float(np.log2(1 + np.abs(levels.astype(np.float64)).mean()))
    return max(entropy, distance) * weights.tensor.weights


def squared_error(weights: Weights, step: int) -> float:
    """Sum of squared differences between the weights and their levels' values."""
    dtype = weights.tensor.dtype
    sizes = grid.one_size(step, 0, dtype)
    return grid.error(weights.stored, dtype, sizes, weights.offset)
