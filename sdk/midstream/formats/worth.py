"""Which places of a model file are worth to be holes. Knows no format."""

from collections.abc import Iterable

from midstream.types import DType, Tensor

__all__ = ["apart", "is_worth"]

_SMALLEST = 16
"""Fewer weights than this are topology: their parameters would cost more than they save."""
_MANY_INTS = 1024
"""int32 tensors are weights only from this size on; smaller ones are shapes and indices."""


def is_worth(tensor: Tensor, *, may_be_index: bool = True) -> bool:
    """Whether a tensor has enough weights to be coded.

    Args:
        tensor: Which.
        may_be_index: Whether int32 numbers may be shapes and indices; biases are not.
    """
    is_index = tensor.dtype is DType.INT32 and may_be_index
    return tensor.weights >= (_MANY_INTS if is_index else _SMALLEST)


def apart(holes: Iterable[Tensor | None]) -> tuple[Tensor, ...]:
    """Holes in order of their offsets, without those that overlap one before them."""
    kept: list[Tensor] = []
    for hole in sorted((hole for hole in holes if hole), key=lambda hole: hole.offset):
        if not kept or hole.offset >= kept[-1].end:
            kept.append(hole)
    return tuple(kept)
