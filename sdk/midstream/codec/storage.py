"""Weights as a model file stores them, and as numbers. Knows nothing of levels.

A storage array has one element a weight: float32 "<f4", float16 "<f2", bfloat16 "<u2" (its
bits), int32 "<i4", int8 and int4 "i1", uint8 "u1".
"""

import numpy as np
from numpy.typing import NDArray

from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import round_floats, widen_halves
from midstream.types import DType

__all__ = [
    "ELEMENT",
    "MANTISSA_BITS",
    "as_bytes",
    "bits_dtype",
    "dump",
    "from_float64",
    "integer_range",
    "load",
    "numbers",
    "to_float64",
]

ELEMENT = {
    DType.FLOAT32: "<f4",
    DType.FLOAT16: "<f2",
    DType.BFLOAT16: "<u2",
    DType.INT32: "<i4",
    DType.INT8: "i1",
    DType.UINT8: "u1",
    DType.INT4: "i1",
}
"""The element type of each dtype's storage arrays."""
_RANGE = {
    DType.INT32: (-(1 << 31), (1 << 31) - 1),
    DType.INT8: (-128, 127),
    DType.UINT8: (0, 255),
    DType.INT4: (-8, 7),
}
MANTISSA_BITS = {DType.FLOAT32: 23, DType.FLOAT16: 10, DType.BFLOAT16: 7}
"""Stored bits of the mantissa of each float dtype."""


def integer_range(dtype: DType) -> tuple[int, int]:
    """The least and the greatest value of an integer dtype."""
    return _RANGE[dtype]


def bits_dtype(dtype: DType) -> str:
    """The unsigned integer type with as many bits as one weight of a float dtype."""
    return f"<u{dtype.bits // 8}"


def load(data: bytes | bytearray | memoryview, dtype: DType, weights: int) -> NDArray[np.generic]:
    """The storage array of so many bytes of a model file; a copy only for int4.

    Raises:
        BitstreamError: BAD_LENGTH where the bytes are not so many weights.
    """
    expected = (weights * dtype.bits + 7) // 8
    if len(data) != expected:
        raise BitstreamError(
            ErrorCode.BAD_LENGTH,
            f"{weights} weights of {dtype.name}: {len(data)} bytes, expected {expected}",
        )
    if dtype is not DType.INT4:
        return np.frombuffer(data, ELEMENT[dtype])
    packed = np.frombuffer(data, np.uint8)
    nibbles = np.stack([packed & 15, packed >> 4], axis=1).ravel()[:weights]
    return (nibbles ^ 8).astype(np.int8) - np.int8(8)


def dump(values: NDArray[np.generic], dtype: DType) -> bytes:
    """The bytes of a storage array in a model file."""
    if dtype is not DType.INT4:
        return values.astype(ELEMENT[dtype], copy=False).tobytes()
    nibbles = np.zeros((len(values) + 1) // 2 * 2, np.uint8)
    nibbles[: len(values)] = values.astype(np.uint8) & 15
    return (nibbles[::2] | nibbles[1::2] << 4).tobytes()


def as_bytes(values: NDArray[np.generic], dtype: DType) -> memoryview:
    """The same as `dump`, not copied where it need not be."""
    if dtype is DType.INT4:
        return memoryview(dump(values, dtype))
    return values.astype(ELEMENT[dtype], copy=False).view(np.uint8).data


def to_float64(values: NDArray[np.generic], dtype: DType) -> NDArray[np.float64]:
    """The numbers of a storage array, exactly."""
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        if dtype is DType.BFLOAT16:
            return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        numbers = values.astype(np.float64)
        if dtype is DType.FLOAT16:
            numbers *= 1.0  # NumPy widens these itself, and leaves them signalling
        return numbers


def numbers(values: NDArray[np.generic], dtype: DType) -> NDArray[np.float32] | NDArray[np.float64]:
    """The numbers of a storage array, exactly, in the lesser of these types."""
    if dtype is DType.FLOAT32:
        return values.astype(np.float32, copy=False)
    if dtype is DType.INT32:
        return to_float64(values, dtype)
    if dtype is DType.BFLOAT16:
        return (values.astype(np.uint32) << 16).view(np.float32)
    if dtype is DType.FLOAT16:
        return widen_halves(values.astype(np.float16, copy=False))
    return values.astype(np.float32)


def from_float64(numbers: NDArray[np.float64], dtype: DType) -> NDArray[np.generic]:
    """Numbers rounded to the nearest of a float dtype, ties to even; infinite beyond it.

    bfloat16 is rounded twice, to float32 and from there (spec/coding.md, "Grid").
    """
    return round_floats(numbers, 1 + MANTISSA_BITS[dtype])
