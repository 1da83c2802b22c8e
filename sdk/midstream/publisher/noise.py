"""How near the tensors of each layer are to the original. Knows nothing of bytes sent."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream import decoder
from midstream.codec import TensorCode, storage
from midstream.types import Tensor

__all__ = ["tensor_snr"]

_PIECE = 1 << 20
"""Weights compared at once; even, so that no byte of two int4 weights is cut."""


def tensor_snr(
    units: Sequence[bytes | memoryview], original_sha256: bytes
) -> list[tuple[float, ...]] | None:
    """Weight SNR of each tensor after each layer, dB; infinite where it is exact.

    Args:
        units: The base, then each unit with the one before it as its parent.
        original_sha256: Hash of the model file that they were made from.

    Returns:
        For each tensor its SNR after each layer; None where the last layer is not the original.

    Raises:
        BitstreamError: A unit is malformed, or does not belong on the one before it.
        LimitError: A count or size is over its limit.
    """
    original = decoder.rebuild(units)
    if hashlib.sha256(original).digest() != original_sha256:
        return None
    stack = decoder.read_stack(units)
    pairs = list(zip(stack.head.topology.tensors, stack.head.codes, strict=True))
    layers = []
    for count in range(1, len(units)):
        model = memoryview(decoder.rebuild(units[:count]))
        layers.append([_snr(memoryview(original), model, *pair) for pair in pairs])
    layers.append([math.inf] * len(pairs))
    return list(zip(*layers, strict=True))


def _snr(original: memoryview, model: memoryview, tensor: Tensor, code: TensorCode) -> float:
    """Signal to noise about the offset of the levels, of finite weights; dB."""
    signal = noise = 0.0
    if original[tensor.offset : tensor.end] == model[tensor.offset : tensor.end]:
        return math.inf
    for start in range(0, tensor.weights, _PIECE):
        stop = min(start + _PIECE, tensor.weights)
        true, coded = (_numbers(data, tensor, start, stop) for data in (original, model))
        finite = np.isfinite(true)
        signal += float(np.square(true[finite] - code.offset).sum())
        noise += float(np.square((true - coded)[finite]).sum())
    if not noise:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _numbers(data: memoryview, tensor: Tensor, start: int, stop: int) -> NDArray[np.float64]:
    bits = tensor.dtype.bits
    first = tensor.offset + start * bits // 8
    last = tensor.offset + (stop * bits + 7) // 8
    stored = storage.load(data[first:last], tensor.dtype, stop - start)
    return storage.to_float64(stored, tensor.dtype)
