"""Exact floats to bytes and back, without levels: an octave by a table, the rest as it is.

Knows nothing of tensors. The magnitudes of a slice are sorted into parts of octaves about
the sigma of each weight; what is left of the bits of a magnitude is next to uniform
(spec/coding.md, "Values").
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans, storage
from midstream.codec.sigmas import Sigmas, alone
from midstream.codec.tables import LOW_SHARES, SHAPES, VALUE_PHASES, ZERO_SHARES, value_family
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import decode_floats, pack_bits
from midstream.kernels.floats import (
    BAD_STATE,
    FIRST_OCTAVE,
    HIGH,
    LOW,
    PART_BITS,
    PARTS,
    SHORT,
    SYMBOLS,
    ZERO,
    Layout,
    Slice,
)
from midstream.types import DType

__all__ = ["decode", "decode_into", "encode_many", "frequencies", "prepare"]

_HEAD = 5
_PART_BITS = np.array(PART_BITS, np.int64)
_SPLITS = 256
"""Weights of widths below a slice's split, 0 to 255, have classes of their own."""
_CLASSES = len(ZERO_SHARES) * len(LOW_SHARES)
_EIGHTH_BITS = 3
_LANE_SYMBOLS = 512
_LANES = 32
_LEAST = np.iinfo(np.int16).min

_Int = NDArray[np.int64]


def encode_many(
    values: Sequence[NDArray[np.generic]], sigmas: Sequence[Sigmas], dtypes: Sequence[DType]
) -> list[bytes]:
    """The payloads of several slices, much faster than one by one.

    Args:
        values: Storage arrays of float dtypes; any value at all.
        sigmas: Of each slice.
        dtypes: Of each slice.
    """
    heads, tables, symbols, fields = [], [], [], []
    for stored, sigma, dtype in zip(values, sigmas, dtypes, strict=True):
        head, table, symbol, field = _cut(stored, sigma, dtype)
        heads.append(head)
        tables.append(table)
        symbols.append(symbol)
        fields.append(field)
    lanes = [_lanes(len(symbol)) for symbol in symbols]
    streams = rans.encode(value_family(), tables, symbols, lanes)
    return [b"".join(parts) for parts in zip(heads, streams, fields, strict=True)]


def _cut(
    stored: NDArray[np.generic], sigmas: Sigmas, dtype: DType
) -> tuple[bytes, NDArray[np.int16], _Int, bytes]:
    """The head of a slice, its tables and symbols, and the bytes of its fields."""
    bits = stored.view(storage.bits_dtype(dtype)).astype(np.int64)
    sign = bits >> dtype.bits - 1
    magnitude = bits & (1 << dtype.bits - 1) - 1
    octave = sigmas.quarters >> 2
    symbol = _symbols(magnitude, sign, octave, dtype)
    trailing = _trailing(magnitude[symbol != ZERO], dtype)
    low = int(magnitude[symbol == LOW].max(initial=0)).bit_length()
    layout = _layout(dtype, trailing, low)
    width = np.clip(sigmas.widths(), 0, _SPLITS - 1).astype(np.uint8)
    split, classes = _split(symbol, width)
    field = (magnitude - layout.least(symbol, octave) >> trailing) << 1 | sign
    head = bytes([trailing, low, split, *classes])
    return head, _tables(sigmas, width, split, classes), symbol, _pack(symbol, field, layout)


def _pack(symbols: _Int, fields: _Int, layout: Layout) -> bytes:
    """The whole bytes of all fields that there are, and what is beyond them."""
    there = fields[symbols != ZERO]
    low: NDArray[np.uint8] = there.astype("<u4").view(np.uint8).reshape(-1, 4)
    widths = layout.widths.take(symbols).astype(np.int64)
    return low[:, : layout.whole].tobytes() + pack_bits(
        (fields >> 8 * layout.whole).astype(np.uint64), widths
    )


def decode(payload: memoryview, sigmas: Sigmas, dtype: DType) -> NDArray[np.generic]:
    """The exact values of a slice, as a storage array.

    Raises:
        BitstreamError: The payload did not come from an encoder, or bytes follow it.
    """
    out = bytearray(len(sigmas.quarters) * dtype.bits // 8)
    decode_into([payload], [sigmas], [dtype], [(memoryview(out), 0)])
    return np.frombuffer(out, storage.ELEMENT[dtype])


def decode_into(
    payloads: Sequence[memoryview],
    sigmas: Sequence[Sigmas],
    dtypes: Sequence[DType],
    places: Sequence[tuple[memoryview, int]],
) -> None:
    """Write the exact values of several slices, as a model file stores them.

    Args:
        payloads: Of each slice.
        sigmas: Of each slice.
        dtypes: Of each slice.
        places: A buffer of bytes, and the one that the first value of the slice starts at.

    Raises:
        BitstreamError: A payload did not come from an encoder, or bytes follow it.
    """
    slices = [prepare(*parts) for parts in zip(payloads, sigmas, dtypes, places, strict=True)]
    for piece, taken in zip(slices, decode_floats(slices, frequencies()), strict=True):
        left = len(piece.payload)
        if taken == SHORT:
            raise BitstreamError(ErrorCode.BAD_LENGTH, f"values: {left} bytes are too few")
        if taken == BAD_STATE:
            raise BitstreamError(ErrorCode.BAD_SYMBOL, "values: a state is not that of an encoder")
        if taken != left:
            raise BitstreamError(
                ErrorCode.TRAILING_BYTES, f"values: {left - taken} bytes after the end"
            )


def prepare(
    payload: memoryview, sigmas: Sigmas, dtype: DType, place: tuple[memoryview, int]
) -> Slice:
    """What a kernel decodes a slice from.

    Raises:
        BitstreamError: The head of the payload is malformed.
    """
    if len(payload) < _HEAD:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"values: {len(payload)} bytes for a head")
    trailing, low, split, *classes = payload[:_HEAD]
    if trailing > storage.MANTISSA_BITS[dtype] or low >= dtype.bits or max(classes) >= _CLASSES:
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"values: {trailing} zero bits, {low} bits, classes {classes}"
        )
    splits, (wide, narrow) = _splits(sigmas, split), [_first_tables(sigmas, c) for c in classes]
    out, at = place
    return Slice(
        payload=payload[_HEAD:],
        quarters=sigmas.quarters,
        stops=sigmas.stops,
        splits=splits,
        narrow=narrow,
        wide=wide,
        lanes=_lanes(len(sigmas.quarters)),
        layout=_layout(dtype, trailing, low),
        out=out,
        at=at,
    )


def _layout(dtype: DType, trailing: int, low: int) -> Layout:
    return Layout.of(dtype.bits, storage.MANTISSA_BITS[dtype], trailing, low)


def _lanes(symbols: int) -> int:
    """Lanes of a stream: one for each 512 symbols, a power of two, 1 to 32; 0 if empty."""
    if not symbols:
        return 0
    return min(max(1 << (symbols // _LANE_SYMBOLS).bit_length() >> 1, 1), _LANES)


@cache
def frequencies() -> NDArray[np.uint16]:
    """Those of the symbols of all tables, for the kernels; (tables, symbols)."""
    return value_family().frequencies.reshape(-1, SYMBOLS).astype(np.uint16)


def _splits(sigmas: Sigmas, split: int) -> NDArray[np.int16]:
    """The quarters of the split in each run."""
    if not split:  # widths below 0 count as 0: none is narrow
        return np.full_like(sigmas.origins, _LEAST)
    if len(sigmas.origins) == 1:
        return alone(int(sigmas.origins[0]) + split)
    return sigmas.origins + np.int16(split)


def _first_tables(sigmas: Sigmas, slice_class: int) -> NDArray[np.int16]:
    """The first table of each run's shape in a class."""
    if len(sigmas.shapes) == 1:
        return alone(int(sigmas.shapes[0]) * VALUE_PHASES + int(_first_table(slice_class)))
    return sigmas.shapes * np.int16(VALUE_PHASES) + _first_table(slice_class)


def _first_table(slice_class: int) -> np.int16:
    return np.int16(slice_class * SHAPES * VALUE_PHASES)


def _tables(
    sigmas: Sigmas, width: NDArray[np.uint8], split: int, classes: Sequence[int]
) -> NDArray[np.int16]:
    """The table of each weight, given the classes of wide and of narrow ones."""
    wide, narrow = (_first_table(kind) for kind in classes)
    shapes = np.repeat(sigmas.shapes, np.diff(sigmas.stops, prepend=0))
    tables: NDArray[np.int16] = np.where(width < split, narrow, wide)
    tables += shapes * np.int16(VALUE_PHASES)
    tables += sigmas.quarters & 3
    return tables


def _trailing(magnitude: _Int, dtype: DType) -> int:
    """Low bits of the mantissa that are 0 in all values but 0.0 itself."""
    used = int(np.bitwise_or.reduce(magnitude, initial=0))
    # where there is -0.0 and nothing else, all of them are
    low = (used & -used).bit_length() - 1 if used else dtype.bits * (len(magnitude) > 0)
    return min(low, storage.MANTISSA_BITS[dtype])


def _symbols(magnitude: _Int, sign: _Int, octave: NDArray[np.int16], dtype: DType) -> _Int:
    """The symbol of each value."""
    mantissa = storage.MANTISSA_BITS[dtype]
    bias = (1 << dtype.bits - 2 - mantissa) - 1
    infinity = (1 << dtype.bits - 1) - (1 << mantissa)
    inside = (magnitude >> mantissa) - bias - octave - FIRST_OCTAVE
    octaves = np.clip(inside, 0, len(_PART_BITS) - 1)
    cut = _PART_BITS[octaves]
    eighth = magnitude >> mantissa - _EIGHTH_BITS & (1 << _EIGHTH_BITS) - 1
    part = eighth >> _EIGHTH_BITS - cut
    symbol: _Int = PARTS + np.cumsum(1 << _PART_BITS)[octaves] - (1 << cut) + part
    symbol[inside >= len(_PART_BITS)] = HIGH
    symbol[(inside < 0) | (magnitude < 1 << mantissa)] = LOW
    symbol[magnitude >= infinity] = HIGH
    symbol[(magnitude == 0) & (sign == 0)] = ZERO
    return symbol


def _split(symbols: _Int, width: NDArray[np.uint8]) -> tuple[int, list[int]]:
    """The split, and the classes of weights on and below it, that give the shortest code."""
    kinds = np.minimum(symbols, PARTS)  # zero, low, others
    counts = np.bincount(3 * width.astype(np.int64) + kinds, minlength=_SPLITS * 3).reshape(
        _SPLITS, 3
    )
    narrow = np.cumsum(counts, axis=0) - counts
    wide = counts.sum(axis=0) - narrow
    zero_share = np.array(ZERO_SHARES)[:, None] / 1024
    low_share = (1 - zero_share) * np.array(LOW_SHARES) / 1024
    shares = np.stack([zero_share + 0 * low_share, low_share, 1 - zero_share - low_share])
    lengths = -np.log2(shares.reshape(3, -1))
    bits = wide @ lengths, narrow @ lengths
    split = int(np.argmin(bits[0].min(axis=1) + bits[1].min(axis=1)))
    return split, [int(np.argmin(side[split])) for side in bits]
