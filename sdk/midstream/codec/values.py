"""Exact floats to bytes and back, without levels: an octave by a table, the rest as it is.

Knows nothing of steps but that sigma is counted from them. The magnitudes of a slice are
sorted into parts of octaves about the sigma that each weight's context tells; what is left
of the bits of a magnitude is next to uniform (spec/coding.md, "Values").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans, storage
from midstream.codec.parameters import Context
from midstream.codec.sections import Sections, floor_log2
from midstream.codec.tables import (
    LOW_SHARES,
    SHAPES,
    VALUE_PARTS,
    VALUE_PHASES,
    ZERO_SHARES,
    value_family,
)
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import pack_bits, read_ranges
from midstream.types import DType

__all__ = ["decode", "encode_many"]

_FIRST_OCTAVE = -12
_PART_BITS = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 2, 0], np.int64)
"""Each octave, relative to that of sigma, is cut into 2 to the power of this many parts."""
_ZERO, _LOW, _PARTS, _HIGH = 0, 1, 2, 2 + VALUE_PARTS
_SYMBOLS = _HIGH + 1
_SPLITS = 256
"""Weights of widths below a slice's split, 0 to 255, have classes of their own."""
_WIDTH_OF_SIGMA_ONE = 12
_CLASSES = len(ZERO_SHARES) * len(LOW_SHARES)

_Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Float:
    """The layout of a float dtype, and which bits of it a slice needs."""

    bits: int
    mantissa: int
    trailing: int
    """Low bits that are 0 in every value."""

    @property
    def bias(self) -> int:
        return (1 << self.bits - 2 - self.mantissa) - 1

    @property
    def infinity(self) -> int:
        """The bits of infinity, without the sign."""
        return (1 << self.bits - 1) - (1 << self.mantissa)


@dataclass(frozen=True, eq=False)
class _Scales:
    """What the contexts of a slice say of its values."""

    octave: NDArray[np.int16]  # (weights,), of sigma
    table: NDArray[np.int8]  # (weights,), without the slice's classes
    width: NDArray[np.uint8]  # (weights,), 0 to 255

    @classmethod
    def of(cls, context: Context, steps: NDArray[np.int32]) -> "_Scales":
        quarters = (steps >> 2).astype(np.int16) + context.width - _WIDTH_OF_SIGMA_ONE
        table = context.shape * np.int8(VALUE_PHASES) + (quarters & 3).astype(np.int8)
        width = np.clip(context.width, 0, _SPLITS - 1).astype(np.uint8)
        return cls(quarters >> 2, table, width)

    @cached_property
    def first(self) -> int:
        """The least octave of sigma."""
        return int(self.octave.min(initial=0))

    def tables(self, split: int, classes: Sequence[int]) -> NDArray[np.int16]:
        """The table of each weight, given the classes of wide and of narrow ones."""
        wide, narrow = (np.int16(kind * SHAPES * VALUE_PHASES) for kind in classes)
        tables: NDArray[np.int16] = np.where(self.width < split, narrow, wide)
        tables += self.table
        return tables

    def places(self, symbols: NDArray[np.integer[Any]]) -> _Int:
        """Where in the arrays of `_ranges`, laid out flat, each weight's symbol is."""
        return (self.octave - self.first).astype(np.int64) * _SYMBOLS + symbols

    def ranges(self, kind: _Float) -> tuple[_Int, _Int]:
        return _ranges(self.first, int(self.octave.max(initial=0)), kind)


def encode_many(
    values: Sequence[NDArray[np.generic]],
    contexts: Sequence[Context],
    steps: Sequence[NDArray[np.int32]],
    dtypes: Sequence[DType],
) -> list[bytes]:
    """The payloads of several slices, much faster than one by one.

    Args:
        values: Storage arrays of float dtypes; any value at all.
        contexts: How wide the levels of each weight spread.
        steps: The step index of each weight.
        dtypes: Of each slice.
    """
    heads, tables, symbols, fields = [], [], [], []
    for stored, context, step, dtype in zip(values, contexts, steps, dtypes, strict=True):
        bits = stored.view(storage.bits_dtype(dtype)).astype(np.int64)
        sign = bits >> dtype.bits - 1
        magnitude = bits & (1 << dtype.bits - 1) - 1
        kind = _Float(dtype.bits, storage.MANTISSA_BITS[dtype], _trailing(magnitude, dtype))
        scales = _Scales.of(context, step)
        symbol = _symbols(magnitude, sign, scales.octave, kind)
        split, classes = _split(symbol, scales.width)
        place = scales.places(symbol)
        lows, widths = scales.ranges(kind)
        field = (magnitude - lows.ravel()[place] >> kind.trailing) << 1 | sign
        heads.append(bytes([kind.trailing, split, *classes]))
        tables.append(scales.tables(split, classes))
        symbols.append(symbol)
        fields.append(pack_bits(field.astype(np.uint64), widths.ravel()[place]))
    streams = rans.encode(value_family(), tables, symbols)
    return [b"".join(parts) for parts in zip(heads, streams, fields, strict=True)]


def decode(
    payloads: Sequence[memoryview],
    contexts: Sequence[Context],
    steps: Sequence[NDArray[np.int32]],
    dtypes: Sequence[DType],
) -> list[NDArray[np.generic]]:
    """The exact values of several slices, as storage arrays.

    Raises:
        BitstreamError: A payload did not come from an encoder, or bytes follow it.
    """
    kinds, scales, readers, tables = [], [], [], []
    for payload, context, step, dtype in zip(payloads, contexts, steps, dtypes, strict=True):
        reader = Sections(payload)
        kind, split, classes = _read_head(reader, dtype)
        scale = _Scales.of(context, step)
        kinds.append(kind)
        scales.append(scale)
        readers.append(reader)
        tables.append(scale.tables(split, classes))
    symbols, taken = rans.decode(value_family(), [reader.payload for reader in readers], tables)
    results: list[NDArray[np.generic]] = []
    for number, (kind, scale, reader) in enumerate(zip(kinds, scales, readers, strict=True)):
        reader.take(taken[number])
        bits = _decode_bits(reader, scale, symbols[number], kind)
        results.append(bits.view(storage.ELEMENT[dtypes[number]]))
    return results


def _read_head(reader: Sections, dtype: DType) -> tuple[_Float, int, list[int]]:
    trailing, split, *classes = reader.take(4).tolist()
    mantissa = storage.MANTISSA_BITS[dtype]
    if trailing > mantissa or max(classes) >= _CLASSES:
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"values: {trailing} zero bits, classes {classes}"
        )
    return _Float(dtype.bits, mantissa, trailing), split, classes


def _decode_bits(
    reader: Sections, scales: _Scales, symbols: NDArray[np.uint8], kind: _Float
) -> NDArray[np.unsignedinteger]:
    lows, widths = scales.ranges(kind)
    read = read_ranges(
        np.frombuffer(reader.payload, np.uint8),
        symbols,
        scales.octave,
        lows,
        widths,
        first=scales.first,
        trailing=kind.trailing,
        bits=kind.bits,
    )
    if read is None:
        raise BitstreamError(
            ErrorCode.BAD_LENGTH, f"values: {len(reader.payload)} bytes are too few"
        )
    reader.take(read[1])
    reader.end()
    return read[0]


def _trailing(magnitude: _Int, dtype: DType) -> int:
    """Low bits of the mantissa that are 0 in all values."""
    used = int(np.bitwise_or.reduce(magnitude, initial=0))
    low = (used & -used).bit_length() - 1 if used else 0
    return min(low, storage.MANTISSA_BITS[dtype])


def _symbols(magnitude: _Int, sign: _Int, octave: NDArray[np.int16], kind: _Float) -> _Int:
    """The symbol of each value."""
    leading = floor_log2(np.maximum(magnitude, 1))
    subnormal = leading < kind.mantissa
    exponent = np.where(subnormal, leading - kind.mantissa + 1, magnitude >> kind.mantissa)
    digits = np.minimum(leading, kind.mantissa)  # bits below the leading one
    inside = exponent - kind.bias - octave - _FIRST_OCTAVE
    octaves = np.clip(inside, 0, len(_PART_BITS) - 1)
    cut = _PART_BITS[octaves]
    # the upper bits below the leading one, as if there were always enough of them
    part = ((magnitude & (1 << digits) - 1) << 3 >> digits) >> 3 - cut
    symbol: _Int = _PARTS + np.cumsum(1 << _PART_BITS)[octaves] - (1 << cut) + part
    symbol[(inside < 0) | (magnitude == 0)] = _LOW
    symbol[(inside >= len(_PART_BITS)) | (magnitude >= kind.infinity)] = _HIGH
    symbol[(magnitude == 0) & (sign == 0)] = _ZERO
    return symbol


def _split(symbols: _Int, width: NDArray[np.uint8]) -> tuple[int, list[int]]:
    """The split, and the classes of weights on and below it, that give the shortest code."""
    kinds = np.minimum(symbols, _PARTS)  # zero, low, others
    counts = np.bincount(3 * width.astype(np.int64) + kinds, minlength=_SPLITS * 3).reshape(
        _SPLITS, 3
    )
    narrow = np.cumsum(counts, axis=0) - counts
    wide = counts.sum(axis=0) - narrow
    zero_share = np.array(ZERO_SHARES)[:, None] / 4096
    low_share = (1 - zero_share) * np.array(LOW_SHARES) / 4096
    shares = np.stack([zero_share + 0 * low_share, low_share, 1 - zero_share - low_share])
    lengths = -np.log2(shares.reshape(3, -1))
    bits = wide @ lengths, narrow @ lengths
    split = int(np.argmin(bits[0].min(axis=1) + bits[1].min(axis=1)))
    return split, [int(np.argmin(side[split])) for side in bits]


def _ranges(first: int, last: int, kind: _Float) -> tuple[_Int, _Int]:
    """Least magnitude and width of the field of each symbol: (octaves, symbols)."""
    edges = _edges(np.arange(first, last + 1), kind)
    lows = np.zeros((len(edges), _SYMBOLS), np.int64)
    lows[:, _PARTS:_HIGH] = edges[:, :-1]
    counts = np.ones_like(lows)
    counts[:, _LOW] = edges[:, 0]
    counts[:, _PARTS:_HIGH] = np.diff(edges, axis=1)
    counts[:, _HIGH] = 1 << kind.bits - 1
    below = np.maximum(counts - 1, 0)
    bits = np.where(below > 0, floor_log2(np.maximum(below, 1)) + 1, 0)
    widths = 1 + np.maximum(bits - kind.trailing, 0)
    widths[:, _ZERO] = 0
    return lows, widths


def _edges(octaves: _Int, kind: _Float) -> _Int:
    """Magnitudes at which parts start, and where the last ends: (octaves, parts + 1)."""
    counts = 1 << _PART_BITS
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    cut = np.append(np.repeat(_PART_BITS, counts), 0)
    part = np.append(np.arange(VALUE_PARTS) - starts, 0)
    octave = np.append(np.repeat(np.arange(len(_PART_BITS)), counts), len(_PART_BITS))
    exponent = octaves[:, None] + kind.bias + _FIRST_OCTAVE + octave
    normal = np.clip(exponent, 1, kind.infinity >> kind.mantissa) << kind.mantissa
    normal += part << kind.mantissa - cut
    digits = np.clip(exponent + kind.mantissa - 1, -1, kind.mantissa)
    # the octaves below the least normal number have ever fewer values, the last of them one
    subnormal = np.where(digits < 0, 0, (1 << np.maximum(digits, 0)) * ((1 << cut) + part) >> cut)
    return np.where(exponent > 0, np.minimum(normal, kind.infinity), subnormal)
