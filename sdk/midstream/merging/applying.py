"""A change to a model file. Knows nothing of where the change came from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream import formats
from midstream.codec import storage
from midstream.errors import BitstreamError, ErrorCode, UsageError
from midstream.types import Tensor

__all__ = ["apply_change"]

_BLOCK = 1 << 16
"""Weights that are looked at as doubles at once."""


def apply_change(
    model: bytes, tensors: Sequence[Tensor], change: NDArray[np.float32] | NDArray[np.float64]
) -> bytes:
    """Add to each float of a model file.

    Each sum is made in double precision and rounded once to the type of the weight (bfloat16
    by way of float32), so that it has the same bits everywhere.

    Args:
        model: The model file.
        tensors: Its tensors; integers among them stay.
        change: (floats,), in the order of the file.

    Returns:
        The changed file.

    Raises:
        BitstreamError: BAD_FIELD where a weight would not stay finite.
        UsageError: BAD_ARGUMENT where the change is of other floats.
    """
    floats = sum(tensor.weights for tensor in tensors if tensor.dtype.is_float)
    if change.shape != (floats,):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"change: shape {change.shape}, the model has {floats} floats"
        )
    changed = bytearray(model)
    done = 0
    for tensor in tensors:
        if not tensor.dtype.is_float:
            continue
        size = (tensor.end - tensor.offset) // tensor.weights
        for start in range(0, tensor.weights, _BLOCK):
            count = min(_BLOCK, tensor.weights - start)
            first = tensor.offset + start * size
            data = memoryview(model)[first : first + count * size]
            here = change[done + start : done + start + count].astype(np.float64)
            moved = _moved(data, tensor, here)
            changed[first : first + count * size] = storage.as_bytes(moved, tensor.dtype)
        done += tensor.weights
    with memoryview(changed) as view:
        formats.settle(view)
    return bytes(changed)


def _moved(data: memoryview, tensor: Tensor, change: NDArray[np.float64]) -> NDArray[np.generic]:
    """Some weights of one tensor, in storage form; bits of what stays, NaN too, stay."""
    dtype = tensor.dtype
    stored = storage.load(data, dtype, len(change))
    with np.errstate(invalid="ignore"):  # what stays may be anything
        sums = storage.from_float64(storage.to_float64(stored, dtype) + change, dtype)
    moved = np.where(change != 0, sums, stored)
    if not np.isfinite(storage.to_float64(moved, dtype)[change != 0]).all():
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"change: weights of {tensor.name[:80]!r} would not be finite"
        )
    return moved
