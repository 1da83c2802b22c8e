"""Weights of model files: as arrays, put back, and how near they are. Knows no codec."""

import lzma
import math
from collections.abc import Sequence

import numpy as np
import zstandard
from numpy.typing import NDArray

from midstream.codec import storage
from midstream.formats import open_model, skeleton
from midstream.types import DType, Tensor

__all__ = ["arrays_of", "holes", "main_dtype", "skeleton_size", "weight_snr", "with_arrays"]

Array = NDArray[np.generic]


def holes(model: bytes) -> tuple[Tensor, ...]:
    """Where the weights are; both sides code these, all of them and no others."""
    return open_model(model).tensors


def skeleton_size(model: bytes) -> int:
    """Bytes of the file with its weights zeroed, by the better of zstd -19 and xz -9e.

    It is what a whole network costs beside its weights, and is added to the bytes of a peer
    that codes arrays only.
    """
    empty = skeleton(model, holes(model))
    zstd = zstandard.ZstdCompressor(level=19).compress(empty)
    return min(len(zstd), len(lzma.compress(empty, preset=9 | lzma.PRESET_EXTREME)))


def arrays_of(model: bytes) -> list[Array]:
    """Each tensor as float32 or, for integers, int32, in its shape in the file."""
    return [_array(model, tensor) for tensor in holes(model)]


def _array(model: bytes, tensor: Tensor) -> Array:
    stored = storage.load(model[tensor.offset : tensor.end], tensor.dtype, tensor.weights)
    numbers = storage.to_float64(stored, tensor.dtype)
    kind = np.float32 if tensor.dtype.is_float else np.int32
    return numbers.astype(kind).reshape(tensor.shape)


def with_arrays(model: bytes, arrays: Sequence[Array]) -> bytes:
    """The model file with other weights, rounded to the data types in the file."""
    changed = bytearray(model)
    for tensor, array in zip(holes(model), arrays, strict=True):
        numbers = array.ravel().astype(np.float64)
        if tensor.dtype.is_float:
            stored = storage.from_float64(numbers, tensor.dtype)
        else:
            stored = numbers.astype(np.int64)
        changed[tensor.offset : tensor.end] = storage.dump(stored, tensor.dtype)
    return bytes(changed)


def weight_snr(model: bytes, other: bytes) -> float:
    """Signal to noise of all float weights together, dB; infinite where all are equal."""
    signal = noise = 0.0
    for tensor in holes(model):
        if tensor.dtype.is_float:
            original, near = _numbers(model, tensor), _numbers(other, tensor)
            signal += float(np.square(original).sum())
            noise += float(np.square(near - original).sum())
    return math.inf if noise == 0 else 10 * math.log10(signal / noise)


def _numbers(model: bytes, tensor: Tensor) -> NDArray[np.float64]:
    stored = storage.load(model[tensor.offset : tensor.end], tensor.dtype, tensor.weights)
    return storage.to_float64(stored, tensor.dtype)


def main_dtype(model: bytes) -> DType:
    """The data type of most of the weights' bytes."""
    sizes: dict[DType, int] = {}
    for tensor in holes(model):
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.length
    return max(sizes, key=lambda dtype: sizes[dtype])
