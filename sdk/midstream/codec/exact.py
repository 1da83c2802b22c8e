"""From levels to the very values: where in its level's cell each weight lies.

Knows nothing of how the levels were coded. Values are counted by their ordinals: the
place of a float among all floats of its dtype, so that -0.0 is -1 and 0.0 is 0
(spec/coding.md, "Exact").
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans, storage
from midstream.codec.sections import Sections, floor_log2, write_truncated, write_unary
from midstream.codec.tables import BINARY_TABLES, binary_family
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import pack_bits, read_cells, write_varints
from midstream.types import DType

__all__ = ["decode", "encode"]

_OCTAVES = 16
"""A zero level's cell is cut at 2**-1, 2**-2, ... of its half; what is left is the core."""
_RANGE_BITS = 6
_MAX_CELL_BITS = 6
_SHORT, _MALFORMED = -1, -2  # what the kernel says of a payload

_Int = NDArray[np.int64]
_Float = NDArray[np.float64]


class _Core(IntEnum):
    """What lies in the core of zero levels' cells; the numbers are those of the bitstream."""

    NOTHING = 0
    ZERO = 1
    """Only 0.0."""
    ZEROS = 2
    """0.0 and -0.0."""
    VALUES = 3
    """Anything."""


_ZERO_RANGES = {_Core.ZERO: (0, 1), _Core.ZEROS: (-1, 2)}
"""Least ordinal and number of ordinals of such a core."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Where each weight may lie, given its level and the bits read so far."""

    first: _Int  # (weights,) least ordinal
    count: _Int  # (weights,) ordinals, at least 1


def encode(
    values: NDArray[np.generic], levels: NDArray[np.int32], steps: _Float, dtype: DType
) -> bytes:
    """The payload that turns levels into exact values.

    Args:
        values: (weights,) storage array; any value at all.
        levels: (weights,)
        steps: (weights,) step of each level.
        dtype: A float dtype.
    """
    ordinals = _ordinals(values, dtype)
    numbers = storage.to_float64(values, dtype)
    zero = levels == 0
    core = zero & (np.abs(numbers) < np.ldexp(steps, -1 - _OCTAVES))
    mode = _core_mode(ordinals[core], int(zero.sum()), dtype)
    core &= _in_core(ordinals, mode)
    head, flags = _encode_flags(core[zero], mode)
    out = [head, flags]
    index, cell_parts = _encode_cells(numbers, levels, steps, core, dtype)
    out += cell_parts
    cells = _cells(index, levels, steps, core, mode, dtype)
    inside = (ordinals >= cells.first) & (ordinals < cells.first + cells.count)
    out += write_truncated(np.where(inside, ordinals - cells.first, 0), cells.count)
    out.append(_encode_exceptions(~inside, values, dtype))
    return b"".join(out)


def decode(
    payload: bytes | memoryview, levels: NDArray[np.int32], steps: _Float, dtype: DType
) -> NDArray[np.generic]:
    """The exact values, as a storage array.

    Raises:
        BitstreamError: The payload did not come from an encoder.
    """
    reader = Sections(memoryview(payload))
    mode, table = _read_head(reader)
    read = _read_values if read_cells is None else _read_cells
    found = read(reader, levels, steps, mode, table, dtype)
    _decode_exceptions(reader, found)
    return found.view(storage.ELEMENT[dtype])


def _read_head(reader: Sections) -> tuple[_Core, int]:
    """The mode of the core and the table of its flags."""
    head = int(reader.take(1)[0])
    number, table = head & 3, head >> 2
    if table >= BINARY_TABLES or (table and not number):
        raise BitstreamError(ErrorCode.BAD_FIELD, f"exact: head {head} is unknown")
    return _Core(number), table


def _read_values(
    reader: Sections,
    levels: NDArray[np.int32],
    steps: _Float,
    mode: _Core,
    table: int,
    dtype: DType,
) -> NDArray[np.unsignedinteger]:
    """The bits of all values but exceptions."""
    zero = levels == 0
    core = np.zeros(len(levels), np.bool_)
    core[zero] = _decode_flags(reader, int(zero.sum()), mode, table)
    index = _decode_cells(reader, levels, steps, core, dtype)
    cells = _cells(index, levels, steps, core, mode, dtype)
    ordinals = cells.first + reader.truncated(cells.count)
    bits = np.where(ordinals < 0, (-1 - ordinals) | 1 << dtype.bits - 1, ordinals)
    return bits.astype(storage.bits_dtype(dtype))


def _read_cells(
    reader: Sections,
    levels: NDArray[np.int32],
    steps: _Float,
    mode: _Core,
    table: int,
    dtype: DType,
) -> NDArray[np.unsignedinteger]:
    """The same by a kernel."""
    assert read_cells is not None, "asked only where there is one"
    data, mantissa = np.frombuffer(reader.payload, np.uint8), storage.MANTISSA_BITS[dtype]
    found, size = read_cells(
        data, levels, steps, mode=mode, table=table, bits=dtype.bits, mantissa=mantissa
    )
    if size == _SHORT:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"exact: {len(data)} bytes are too few")
    if size == _MALFORMED:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, "exact: flags or octaves are malformed")
    reader.take(size)
    return found


def _ordinals(values: NDArray[np.generic], dtype: DType) -> _Int:
    bits = values.view(storage.bits_dtype(dtype)).astype(np.int64)
    sign = 1 << dtype.bits - 1
    return np.where(bits >= sign, sign - 1 - bits, bits)


def _first_at(points: _Float, dtype: DType) -> _Int:
    """The ordinal of the least value that is not below each point."""
    rounded = storage.from_float64(points, dtype)
    ordinal = _ordinals(rounded, dtype)
    # -0.0 is not below 0.0: the least value that is not below any zero is -0.0
    ordinal[points == 0] = -1
    return ordinal + (storage.to_float64(rounded, dtype) < points)


def _split_bits(levels: NDArray[np.int32], steps: _Float, dtype: DType) -> _Int:
    """Into how many sub-cells, as a power of two, a cell of a level other than 0 is cut."""
    low = _first_at((levels - 0.5) * steps, dtype)
    count = np.maximum(_first_at((levels + 0.5) * steps, dtype) - low, 1)
    return np.clip(floor_log2(count) - _RANGE_BITS, 0, _MAX_CELL_BITS)


# --- flags of the core ---------------------------------------------------------------------


def _in_core(ordinals: _Int, mode: _Core) -> NDArray[np.bool_]:
    """Which of the values near zero count as core."""
    if mode in _ZERO_RANGES:
        first, count = _ZERO_RANGES[mode]
        inside: NDArray[np.bool_] = (ordinals >= first) & (ordinals < first + count)
        return inside
    return np.full(len(ordinals), mode is _Core.VALUES)


def _core_mode(ordinals: _Int, zeros: int, dtype: DType) -> _Core:
    """The cheapest mode by an estimate, given all ordinals that are near enough to zero."""
    bits = {}
    place = {_Core.NOTHING: 0, _Core.ZERO: 0, _Core.ZEROS: 1, _Core.VALUES: dtype.bits - 1}
    for mode, size in place.items():
        inside = int(_in_core(ordinals, mode).sum())
        # an exception takes a byte for the gap, too
        outside = (len(ordinals) - inside) * (8 + dtype.bits)
        bits[mode] = outside + inside * size + (_flag_bits(inside, zeros) if mode else 0.0)
    return min(bits, key=lambda mode: bits[mode])


def _flag_bits(ones: int, flags: int) -> float:
    shares = np.array([ones, flags - ones]) / max(flags, 1)
    return 64.0 - flags * float((shares * np.log2(np.maximum(shares, 1 / 64))).sum())


def _encode_flags(flags: NDArray[np.bool_], mode: _Core) -> tuple[bytes, bytes]:
    if mode is _Core.NOTHING:
        return bytes([mode]), b""
    table = min(int(flags.mean() * BINARY_TABLES), BINARY_TABLES - 1)
    tables = np.full(len(flags), table, np.int64)
    stream = rans.encode(binary_family(), [tables], [flags.astype(np.int64)])[0]
    return bytes([mode | table << 2]), stream


def _decode_flags(reader: Sections, zeros: int, mode: _Core, table: int) -> NDArray[np.bool_]:
    if mode == _Core.NOTHING:
        return np.zeros(zeros, np.bool_)
    tables = np.full(zeros, table, np.int64)
    flags, sizes = rans.decode(binary_family(), [reader.payload], [tables])
    reader.take(sizes[0])
    return flags[0].astype(np.bool_)


# --- which part of the cell ----------------------------------------------------------------


def _encode_cells(
    numbers: _Float, levels: NDArray[np.int32], steps: _Float, core: NDArray[np.bool_], dtype: DType
) -> tuple[_Int, list[bytes]]:
    """The part of its cell that each weight is in, and the sections that say so."""
    index = np.zeros(len(levels), np.int64)
    outer = levels != 0
    with np.errstate(invalid="ignore"):
        place = numbers / steps - levels  # -0.5 to 0.5, NaN and beyond for what is an exception
    place = np.nan_to_num(place, nan=0.0)
    widths = _split_bits(levels[outer], steps[outer], dtype)
    parts = np.floor((place[outer] + 0.5) * (1 << widths))
    index[outer] = np.clip(parts, 0, (1 << widths) - 1)
    # the quotient was rounded: a value next to an edge may be one part off
    index[outer] = _nudge(index[outer], numbers[outer], levels[outer], steps[outer], widths)
    inner = (levels == 0) & ~core
    negative = place[inner] < 0
    size = np.clip(np.abs(place[inner]), 2.0 ** -(_OCTAVES + 1), 0.499)
    octave = np.minimum(-np.frexp(size)[1].astype(np.int64) - 1, _OCTAVES - 1)
    octave = _nudge_octave(octave, np.abs(numbers[inner]), steps[inner])
    index[inner] = octave << 1 | negative
    sections = [pack_bits(index[outer].astype(np.uint64), widths)]
    sections += [np.packbits(negative, bitorder="little").tobytes(), write_unary(octave)]
    return index, sections


def _nudge(
    index: _Int, numbers: _Float, levels: NDArray[np.int32], steps: _Float, widths: _Int
) -> _Int:
    below = numbers < _edge(levels, index, widths, steps)
    above = numbers >= _edge(levels, index + 1, widths, steps)
    return np.clip(index - below + above, 0, (1 << widths) - 1)


def _nudge_octave(octave: _Int, sizes: _Float, steps: _Float) -> _Int:
    below = sizes < np.ldexp(steps, -2 - octave)
    above = sizes >= np.ldexp(steps, -1 - octave)
    return np.clip(octave + below - above, 0, _OCTAVES - 1)


def _decode_cells(
    reader: Sections,
    levels: NDArray[np.int32],
    steps: _Float,
    core: NDArray[np.bool_],
    dtype: DType,
) -> _Int:
    index = np.zeros(len(levels), np.int64)
    outer = levels != 0
    index[outer] = reader.fields(_split_bits(levels[outer], steps[outer], dtype))
    inner = (levels == 0) & ~core
    count = int(inner.sum())
    signs = reader.flags(count)
    index[inner] = reader.unary(count, below=_OCTAVES) << 1 | signs
    return index


def _edge(levels: NDArray[np.int32], index: _Int, widths: _Int, steps: _Float) -> _Float:
    """Where a part of a cell starts; one rounding, that of the product."""
    return (levels - 0.5 + np.ldexp(index.astype(np.float64), -widths)) * steps


def _cells(
    index: _Int,
    levels: NDArray[np.int32],
    steps: _Float,
    core: NDArray[np.bool_],
    mode: _Core,
    dtype: DType,
) -> _Cells:
    """The ordinals that each weight may still have."""
    low, high = np.empty(len(levels)), np.empty(len(levels))
    outer = levels != 0
    widths = _split_bits(levels[outer], steps[outer], dtype)
    low[outer] = _edge(levels[outer], index[outer], widths, steps[outer])
    high[outer] = _edge(levels[outer], index[outer] + 1, widths, steps[outer])
    inner = ~outer
    octave, negative = index[inner] >> 1, (index[inner] & 1).astype(np.bool_)
    far, near = np.ldexp(steps[inner], -1 - octave), np.ldexp(steps[inner], -2 - octave)
    low[inner] = np.where(negative, -far, near)
    high[inner] = np.where(negative, -near, far)
    low[core] = np.ldexp(-steps[core], -1 - _OCTAVES)
    high[core] = -low[core]
    first = _first_at(low, dtype)
    count = np.maximum(_first_at(high, dtype) - first, 1)
    if mode in _ZERO_RANGES:
        first[core], count[core] = _ZERO_RANGES[mode]
    return _Cells(first, count)


# --- what lies outside its cell ----------------------------------------------------------------


def _encode_exceptions(
    outside: NDArray[np.bool_], values: NDArray[np.generic], dtype: DType
) -> bytes:
    where = np.flatnonzero(outside)
    numbers = np.array([len(where), *np.diff(where, prepend=-1) - 1], np.uint64)
    return write_varints(numbers) + storage.dump(values[where], dtype)


def _decode_exceptions(reader: Sections, values: NDArray[np.generic]) -> None:
    count = int(reader.varints(1)[0])
    if count > len(values):
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"exact: {count} exceptions of {len(values)} weights"
        )
    where = np.cumsum(reader.varints(count) + 1) - 1
    if count and where[-1] >= len(values):
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"exact: an exception at {where[-1]} of {len(values)} weights"
        )
    values[where] = reader.take(count * values.itemsize).view(values.dtype)
    reader.end()
