"""Values that cross floors. Knows nothing of how they are coded, sent or run."""

import math
from dataclasses import dataclass, field
from enum import IntEnum
from numbers import Real

from midstream.frozen import setters

__all__ = ["DType", "Fidelity", "Tensor", "UnitKind", "is_number", "printable"]


def is_number(value: object) -> bool:
    """Whether a caller gave a real number, of Python's or of NumPy's, so that it compares."""
    return isinstance(value, Real)


def printable(text: str) -> str:
    """Text from outside as a terminal may be given it: controls, line ends too, are `?`."""
    return "".join(c if c.isprintable() else "?" for c in text)


class DType(IntEnum):
    """Data type of a tensor's weights; the numbers are those of the bitstream."""

    FLOAT32 = 1
    FLOAT16 = 2
    BFLOAT16 = 3
    INT32 = 4
    INT8 = 5
    UINT8 = 6
    INT4 = 7
    """Two weights a byte, the first in the low nibble, two's complement."""

    @property
    def is_float(self) -> bool:
        """Whether weights are floating point."""
        return self <= _LAST_FLOAT

    @property
    def bits(self) -> int:
        """Bits of one weight in the model file."""
        return _BITS[self]


_LAST_FLOAT = 3
_BITS = (0, 32, 16, 16, 32, 8, 8, 4)
"""By number: the hash of an enumeration's member is slow."""


class UnitKind(IntEnum):
    """What a unit does; the numbers are those of the bitstream."""

    BASE = 0
    """From nothing to coarse levels."""
    ENHANCEMENT = 1
    """Finer levels for some slices."""
    EXACT = 2
    """From the finest levels to the model file, byte for byte."""
    UPDATE = 3
    """From one release to the next."""
    CONTRIBUTION = 4
    """Another provider's correction."""
    LOSSY_UPDATE = 5
    """From the lower rungs of one release to those of the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A hole in a model file: where the weights of one tensor are."""

    name: str
    """Its name in the file; for people only, it is not in the bitstream."""
    dtype: DType
    """Data type of its weights."""
    shape: tuple[int, ...]
    """Dimensions, as stored: the last axis is the fastest."""
    offset: int
    """Where its bytes start in the model file."""
    row_axis: int | None = None
    """The output-channel axis, if it has one."""
    column_axis: int | None = None
    """The input-channel axis, if it has one; all other axes together are the taps."""

    # kept, since a decoder asks again and again
    weights: int = field(init=False, repr=False, compare=False)
    """Number of weights."""
    length: int = field(init=False, repr=False, compare=False)
    """Bytes in the model file."""
    end: int = field(init=False, repr=False, compare=False)
    """Where its bytes end in the model file."""

    def __hash__(self) -> int:
        """Of what tells tensors of a file apart: caches ask again and again."""
        return hash((self.offset, self.shape))

    def __post_init__(self) -> None:
        weights = math.prod(self.shape)
        length = (weights * self.dtype.bits + 7) // 8
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "length", length)
        object.__setattr__(self, "end", self.offset + length)

    @classmethod
    def numbered(
        cls,
        number: int,
        dtype: DType,
        shape: tuple[int, ...],
        offset: int,
        axes: tuple[int | None, int | None],
    ) -> "Tensor":
        """The same as the constructor gives, named by a number, for parsers: twice as fast."""
        tensor = object.__new__(cls)
        weights = math.prod(shape)
        length = (weights * _BITS[dtype] + 7) // 8
        _set_name(tensor, f"tensor {number}")
        _set_dtype(tensor, dtype)
        _set_shape(tensor, shape)
        _set_offset(tensor, offset)
        _set_row_axis(tensor, axes[0])
        _set_column_axis(tensor, axes[1])
        _set_weights(tensor, weights)
        _set_length(tensor, length)
        _set_end(tensor, offset + length)
        return tensor


(
    _set_name,
    _set_dtype,
    _set_shape,
    _set_offset,
    _set_row_axis,
    _set_column_axis,
    _set_weights,
    _set_length,
    _set_end,
) = setters(Tensor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How near a layer is to the original, as the publisher measured it."""

    weight_snr: float
    """Signal to noise of all coded weights as they are decoded, dB; infinite only where the model
    file is exact.

    Floats are measured against all floats, each integer type against itself; each counts by
    its number of weights.
    """
    output_snr: float | None = None
    """Signal to noise of the outputs on the probes, dB; None where it was not run."""
    probes: int = 0
    """Number of inputs that output_snr was measured on."""
    is_calibrated: bool = False
    """Whether these were the publisher's own; otherwise they are synthetic."""
