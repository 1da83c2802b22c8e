"""Samples of many tensors, looked at together. Knows nothing of how their levels are coded.

Most networks have tensors by the hundred, and most of these are small: a call for each of them
takes longer than what it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import grid
from midstream.encoder.weights import Sample, Weights
from midstream.kernels import squared_error
from midstream.types import DType

__all__ = ["Pool", "pooled"]

_ENOUGH = 1 << 16
"""Numbers that tell how much noise there is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Samples of tensors that are quantised alike, but for steps as fine as they can be."""

    members: tuple[tuple[int, int, int], ...]
    """The index of each tensor, and where its weights start and stop."""
    numbers: NDArray[np.float32] | NDArray[np.float64]
    """(sample,) of all of them."""
    dtype: DType
    """One of theirs: all floats have the same steps."""
    offset: float
    """For integers, the level that stands for zero; 0 for floats."""
    weight: float
    """What a squared error counts."""

    def noise(self, steps: Sequence[int]) -> float:
        """What nearest levels of all weights of all members have, about.

        Args:
            steps: Of all tensors.
        """
        own = {steps[at] for at, _, _ in self.members}
        if len(own) == 1:
            return self._noise(self.numbers, own.pop())
        return sum(
            self._noise(self.numbers[start:stop], steps[at]) for at, start, stop in self.members
        )

    def _noise(self, numbers: NDArray[np.float32] | NDArray[np.float64], step: int) -> float:
        sizes = grid.one_size(step, 0, self.dtype)
        return self.weight * squared_error(numbers, sizes, self.offset)


def pooled(
    weights: Sequence[Weights], factors: Sequence[float], relative: Sequence[float]
) -> list[Pool]:
    """What there is a factor for, in as few pools as there can be.

    Args:
        weights: All tensors.
        factors: What a squared error of each counts.
        relative: Step index of each before a shift.
    """
    alike: dict[tuple[object, ...], list[tuple[int, Sample]]] = {}
    for at, (w, factor, step) in enumerate(zip(weights, factors, relative, strict=True)):
        if factor:
            sample = w.sample()
            kind = None if w.tensor.dtype.is_float else w.tensor.dtype
            key = kind, w.offset, factor, step, sample.stride
            alike.setdefault(key, []).append((at, sample))
    return [_pool(own, factors[own[0][0]]) for own in alike.values()]


def _pool(own: Sequence[tuple[int, Sample]], factor: float) -> Pool:
    samples = [sample for _, sample in own]
    each = max(1, sum(len(sample.numbers) for sample in samples) // _ENOUGH)
    stops = np.cumsum([-(-len(sample.numbers) // each) for sample in samples]).tolist()
    members = zip([at for at, _ in own], [0, *stops], stops, strict=False)
    all_weights = sum(sample.share * len(sample.numbers) for sample in samples)
    return Pool(
        members=tuple(members),
        numbers=np.concatenate([sample.numbers[::each] for sample in samples]),
        dtype=samples[0].dtype,
        offset=samples[0].offset,
        weight=factor * all_weights / stops[-1],
    )
