"""How the weights of a network are cut into slices. Knows nothing of their values.

The cut follows from the tensors alone, so it is not in the bitstream (spec/bitstream.md,
"Slices").
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from midstream.codec import lattice
from midstream.frozen import setters
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

    # kept, since a decoder asks again and again
    weights: int = field(init=False, repr=False, compare=False)
    """Number of weights."""

    def __post_init__(self) -> None:
        _set_weights(self, sum([run.stop - run.start for run in self.runs]))


_, _, _, _set_weights = setters(Slice)
_set_tensor, _set_start, _set_stop = setters(Run)


def _run(tensor: int, start: int, stop: int) -> Run:
    """The same as the constructor gives, twice as fast."""
    run = object.__new__(Run)
    _set_tensor(run, tensor)
    _set_start(run, start)
    _set_stop(run, stop)
    return run


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
    groups: dict[tuple[DType, bool], _Group] = {}
    for index, (tensor, is_coded) in enumerate(zip(tensors, coded, strict=True)):
        if is_coded is None:
            continue
        if tensor.weights >= SMALL_TENSOR:
            slices += _cut(index, tensor, is_coded)
            continue
        key = tensor.dtype, is_coded
        group = groups.get(key)
        if group is None or group.weights + tensor.weights > GROUP_WEIGHTS:
            slices += [group.slice(*key)] if group else []
            group = groups[key] = _Group()
        group.add(index, tensor.weights)
    slices += [group.slice(*key) for key, group in groups.items()]
    return tuple(sorted(slices, key=_first_weight))


class _Group:
    """Small tensors that share a slice which is still open."""

    __slots__ = ("runs", "weights")

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.weights = 0

    def add(self, index: int, weights: int) -> None:
        self.runs.append(_run(index, 0, weights))
        self.weights += weights

    def slice(self, dtype: DType, coded: bool) -> Slice:
        return Slice(dtype=dtype, coded=coded, runs=tuple(self.runs))


def _first_weight(piece: Slice) -> tuple[int, int]:
    first = piece.runs[0]
    return first.tensor, first.start


def _cut(index: int, tensor: Tensor, coded: bool) -> list[Slice]:
    pieces = -(-tensor.weights // LIMITS.slice_weights)
    edges = [_edge(tensor.weights, piece, pieces) for piece in range(pieces + 1)]
    return [
        Slice(dtype=tensor.dtype, coded=coded, runs=(_run(index, start, stop),))
        for start, stop in pairwise(edges)
    ]


def _edge(weights: int, piece: int, pieces: int) -> int:
    """Where a piece starts: even, so that no byte of two int4 weights is cut."""
    return weights if piece == pieces else (weights * piece // pieces + 1) & ~1
