"""Weights that are kept in every rung, and come back bit for bit. Knows nothing of levels.

A payload is that of raw bytes or, for floats, values with one sigma for the whole slice: a
few numbers that are not finite do not cost the others their compression. Or it says which floats
are those of earlier places, and has but the others (spec/coding.md, "Raw" and "Repeats").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.codec import raw, repeats, storage, values
from midstream.codec.grid import MAX_STEP_INDEX
from midstream.codec.sigmas import Sigmas
from midstream.codec.tables import SHAPES
from midstream.errors import BitstreamError, ErrorCode
from midstream.types import DType

__all__ = ["decode", "encode", "encode_shorter"]

_VALUES, _REPEATS = 3, 5
"""The methods that raw bytes know nothing of."""
_HEAD = 4
_MAX_QUARTERS = MAX_STEP_INDEX // 4
_MEDIAN = 0.6745
"""Of the magnitudes of normal numbers of sigma one."""


def encode(stored: NDArray[np.generic], dtype: DType) -> bytes:
    """The shortest payload of a storage array."""
    payload = _encode_plain(stored, dtype)
    return min(payload, _encode_repeats(stored, dtype) or payload, key=len)


def encode_shorter(stored: NDArray[np.generic], dtype: DType, size: int) -> bytes | None:
    """A payload of fewer bytes than so many, where a quick look finds that there may be one."""
    payloads = [_encode_repeats(stored, dtype), _encode_promising(stored, dtype, size)]
    shortest = min((payload for payload in payloads if payload), key=len, default=None)
    return None if shortest is None or len(shortest) >= size else shortest


def _encode_plain(stored: NDArray[np.generic], dtype: DType, *, may_be_slow: bool = True) -> bytes:
    """Without a look at what repeats."""
    if not dtype.is_float:
        data = storage.dump(stored, dtype)
        return raw.encode(data, _item_size(dtype), may_be_slow=may_be_slow)
    quarters = _quarters(storage.to_float64(stored, dtype))
    payload = min((_encode(stored, dtype, s, quarters) for s in range(SHAPES)), key=len)
    other = _encode_promising(stored, dtype, len(payload), may_be_slow=may_be_slow)
    return min(payload, other or payload, key=len)


def _encode_promising(
    stored: NDArray[np.generic], dtype: DType, size: int, *, may_be_slow: bool = True
) -> bytes | None:
    """The bytes as they are, where a quick look finds that they may take fewer than so many."""
    data, item_size = storage.dump(stored, dtype), _item_size(dtype)
    if raw.estimate(data, item_size) >= size * raw.PROMISING:
        return None
    return raw.encode(data, item_size, may_be_slow=may_be_slow)


def _encode_repeats(stored: NDArray[np.generic], dtype: DType) -> bytes | None:
    """What does not repeat, and where the other floats were before; None where none do."""
    if not dtype.is_float:
        return None
    bits = stored.view(storage.bits_dtype(dtype))
    runs = repeats.find(bits)
    if not len(runs):
        return None
    left = repeats.literals(bits, runs).view(storage.ELEMENT[dtype])
    rest = _encode_plain(left, dtype, may_be_slow=False)
    return bytes([_REPEATS]) + repeats.write(runs) + rest


def decode(payload: memoryview, weights: int, dtype: DType) -> NDArray[np.generic]:
    """The storage array of so many weights.

    Raises:
        BitstreamError: The payload did not come from an encoder.
    """
    if dtype.is_float and payload[:1] == bytes([_REPEATS]):
        return _decode_repeats(payload[1:], weights, dtype)
    return _decode_plain(payload, weights, dtype)


def _decode_repeats(payload: memoryview, weights: int, dtype: DType) -> NDArray[np.generic]:
    runs, taken = repeats.read(payload, weights)
    left = weights - repeats.count(runs)
    bits = _decode_plain(payload[taken:], left, dtype).view(storage.bits_dtype(dtype))
    return repeats.expand(bits, runs).view(storage.ELEMENT[dtype])


def _decode_plain(payload: memoryview, weights: int, dtype: DType) -> NDArray[np.generic]:
    if not (dtype.is_float and payload[:1] == bytes([_VALUES])):
        size = (weights * dtype.bits + 7) // 8
        return storage.load(raw.decode(payload, size, _item_size(dtype)), dtype, weights)
    if len(payload) < _HEAD:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"raw: {len(payload)} bytes of values")
    shape, quarters = payload[1], int.from_bytes(payload[2:_HEAD], "little", signed=True)
    if shape >= SHAPES or abs(quarters) > _MAX_QUARTERS:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"raw: shape {shape}, sigma {quarters}")
    sigmas = Sigmas.uniform(weights, shape=shape, quarters=quarters)
    return values.decode(payload[_HEAD:], sigmas, dtype)


def _encode(stored: NDArray[np.generic], dtype: DType, shape: int, quarters: int) -> bytes:
    sigmas = Sigmas.uniform(len(stored), shape=shape, quarters=quarters)
    coded = values.encode_many([stored], [sigmas], [dtype])[0]
    return bytes([_VALUES, shape]) + quarters.to_bytes(2, "little", signed=True) + coded


def _quarters(numbers: NDArray[np.float64]) -> int:
    """The quarter octave of sigma, by the median of what is finite and not zero."""
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    if not len(sizes):
        return 0
    quarters = round(4 * float(np.log2(np.median(sizes) / _MEDIAN)))
    return min(max(quarters, -_MAX_QUARTERS), _MAX_QUARTERS)


def _item_size(dtype: DType) -> int:
    return max(1, dtype.bits // 8)
