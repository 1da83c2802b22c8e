"""How the weights of a network are cut into slices. Knows nothing of their values.

The cut follows from the tensors alone, so it is not in the bitstream (spec/bitstream.md,
"Slices").
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from midstream.codec import lattice
from midstream.limits import LIMITS
from midstream.types import DType, Tensor

__all__ = ["GROUP_WEIGHTS", "SMALL_TENSOR", "Run", "Slice", "partition"]

SMALL_TENSOR = 4096
"""A tensor of fewer weights shares its slice with others of its kind."""
assert SMALL_TENSOR <= lattice.FEWEST_WEIGHTS, "points are cut by slices"
GROUP_WEIGHTS = 16384
"""Weights of such a shared slice, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive weights of one tensor, in flattened order."""

    tensor: int
    """Index of the tensor."""
    start: int
    """First weight."""
    stop: int
    """One past the last weight."""

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Weights that are coded together; its index is its place in the partition."""

    dtype: DType
    """The one data type of all its weights."""
    coded: bool
    """False where its weights are kept as they are."""
    runs: tuple[Run, ...]
    """In order of tensors."""

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(run.weights for run in self.runs)


def partition(tensors: Sequence[Tensor], coded: Sequence[bool | None]) -> tuple[Slice, ...]:
    """Cut tensors into slices.

    Args:
        tensors: The tensors of a network, in order of their offsets.
        coded: For each, whether it is coded as levels or kept raw; None for one that is tied
            to an earlier one.

    Returns:
        Slices in order of their first weight. Every weight that is not tied is in exactly one.
    """
    slices: list[Slice] = []
    groups: dict[tuple[DType, bool], list[Run]] = {}
    sizes: Counter[tuple[DType, bool]] = Counter()
    for index, (tensor, is_coded) in enumerate(zip(tensors, coded, strict=True)):
        if is_coded is None:
            continue
        if tensor.weights >= SMALL_TENSOR:
            slices += _cut(index, tensor, is_coded)
            continue
        key = tensor.dtype, is_coded
        group = groups.setdefault(key, [])
        if sizes[key] + tensor.weights > GROUP_WEIGHTS:
            slices.append(Slice(dtype=key[0], coded=key[1], runs=tuple(group)))
            group.clear()
            sizes[key] = 0
        sizes[key] += tensor.weights
        group.append(Run(tensor=index, start=0, stop=tensor.weights))
    slices += [Slice(dtype=d, coded=c, runs=tuple(group)) for (d, c), group in groups.items()]
    return tuple(sorted(slices, key=lambda piece: (piece.runs[0].tensor, piece.runs[0].start)))


def _cut(index: int, tensor: Tensor, coded: bool) -> list[Slice]:
    pieces = -(-tensor.weights // LIMITS.slice_weights)
    edges = [_edge(tensor.weights, piece, pieces) for piece in range(pieces + 1)]
    return [
        Slice(dtype=tensor.dtype, coded=coded, runs=(Run(tensor=index, start=start, stop=stop),))
        for start, stop in pairwise(edges)
    ]


def _edge(weights: int, piece: int, pieces: int) -> int:
    """Where a piece starts: even, so that no byte of two int4 weights is cut."""
    return weights if piece == pieces else (weights * piece // pieces + 1) & ~1
