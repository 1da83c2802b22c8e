"""From levels to the very values: where in its level's cell each weight lies.

Knows nothing of how the levels were coded, nor of where cells are cut: cells.py does
(spec/coding.md, "Exact").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans, storage
from midstream.codec.cells import (
    OCTAVES,
    Core,
    cells_of,
    in_core,
    nearest_octave,
    nearest_part,
    ordinals_of,
    split_bits,
)
from midstream.codec.sections import Sections, write_truncated, write_unary
from midstream.codec.tables import BINARY_TABLES, binary_family
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import pack_bits, read_cells, write_varints
from midstream.types import DType

__all__ = ["decode", "encode"]

_SHORT, _MALFORMED = -1, -2  # what the kernel says of a payload

_Int = NDArray[np.int64]
_Float = NDArray[np.float64]


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
    ordinals = ordinals_of(values, dtype)
    numbers = storage.to_float64(values, dtype)
    zero = levels == 0
    core = zero & (np.abs(numbers) < np.ldexp(steps, -1 - OCTAVES))
    mode = _core_mode(ordinals[core], int(zero.sum()), dtype)
    core &= in_core(ordinals, mode)
    head, flags = _encode_flags(core[zero], mode)
    out = [head, flags]
    index, cell_parts = _encode_cells(numbers, levels, steps, core, dtype)
    out += cell_parts
    cells = cells_of(index, levels, steps, core, mode, dtype)
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


def _read_head(reader: Sections) -> tuple[Core, int]:
    """The mode of the core and the table of its flags."""
    head = int(reader.take(1)[0])
    number, table = head & 3, head >> 2
    if table >= BINARY_TABLES or (table and not number):
        raise BitstreamError(ErrorCode.BAD_FIELD, f"exact: head {head} is unknown")
    return Core(number), table


def _read_values(
    reader: Sections,
    levels: NDArray[np.int32],
    steps: _Float,
    mode: Core,
    table: int,
    dtype: DType,
) -> NDArray[np.unsignedinteger]:
    """The bits of all values but exceptions."""
    zero = levels == 0
    core = np.zeros(len(levels), np.bool_)
    core[zero] = _decode_flags(reader, int(zero.sum()), mode, table)
    index = _decode_cells(reader, levels, steps, core, dtype)
    cells = cells_of(index, levels, steps, core, mode, dtype)
    ordinals = cells.first + reader.truncated(cells.count)
    bits = np.where(ordinals < 0, (-1 - ordinals) | 1 << dtype.bits - 1, ordinals)
    return bits.astype(storage.bits_dtype(dtype))


def _read_cells(
    reader: Sections,
    levels: NDArray[np.int32],
    steps: _Float,
    mode: Core,
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


# --- flags of the core ---------------------------------------------------------------------


def _core_mode(ordinals: _Int, zeros: int, dtype: DType) -> Core:
    """The cheapest mode by an estimate, given all ordinals that are near enough to zero."""
    bits = {}
    place = {Core.NOTHING: 0, Core.ZERO: 0, Core.ZEROS: 1, Core.VALUES: dtype.bits - 1}
    for mode, size in place.items():
        inside = int(in_core(ordinals, mode).sum())
        # an exception takes a byte for the gap, too
        outside = (len(ordinals) - inside) * (8 + dtype.bits)
        bits[mode] = outside + inside * size + (_flag_bits(inside, zeros) if mode else 0.0)
    return min(bits, key=lambda mode: bits[mode])


def _flag_bits(ones: int, flags: int) -> float:
    shares = np.array([ones, flags - ones]) / max(flags, 1)
    return 64.0 - flags * float((shares * np.log2(np.maximum(shares, 1 / 64))).sum())


def _encode_flags(flags: NDArray[np.bool_], mode: Core) -> tuple[bytes, bytes]:
    if mode is Core.NOTHING:
        return bytes([mode]), b""
    table = min(int(flags.mean() * BINARY_TABLES), BINARY_TABLES - 1)
    tables = np.full(len(flags), table, np.int64)
    stream = rans.encode(binary_family(), [tables], [flags.astype(np.int64)])[0]
    return bytes([mode | table << 2]), stream


def _decode_flags(reader: Sections, zeros: int, mode: Core, table: int) -> NDArray[np.bool_]:
    if mode == Core.NOTHING:
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
    widths = split_bits(levels[outer], steps[outer], dtype)
    parts = np.floor((place[outer] + 0.5) * (1 << widths))
    index[outer] = np.clip(parts, 0, (1 << widths) - 1)
    # the quotient was rounded: a value next to an edge may be one part off
    index[outer] = nearest_part(index[outer], numbers[outer], levels[outer], steps[outer], widths)
    inner = (levels == 0) & ~core
    negative = place[inner] < 0
    size = np.clip(np.abs(place[inner]), 2.0 ** -(OCTAVES + 1), 0.499)
    octave = np.minimum(-np.frexp(size)[1].astype(np.int64) - 1, OCTAVES - 1)
    octave = nearest_octave(octave, np.abs(numbers[inner]), steps[inner])
    index[inner] = octave << 1 | negative
    sections = [pack_bits(index[outer].astype(np.uint64), widths)]
    sections += [np.packbits(negative, bitorder="little").tobytes(), write_unary(octave)]
    return index, sections


def _decode_cells(
    reader: Sections,
    levels: NDArray[np.int32],
    steps: _Float,
    core: NDArray[np.bool_],
    dtype: DType,
) -> _Int:
    index = np.zeros(len(levels), np.int64)
    outer = levels != 0
    index[outer] = reader.fields(split_bits(levels[outer], steps[outer], dtype))
    inner = (levels == 0) & ~core
    count = int(inner.sum())
    signs = reader.flags(count)
    index[inner] = reader.unary(count, below=OCTAVES) << 1 | signs
    return index


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
