"""The tensor table: where the holes of a model file are, and what they hold.

Knows nothing of what lies between them (spec/bitstream.md, "Topology").
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream import kernels
from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.kernels import read_entries
from midstream.kernels.entries import LIST_ITEMS, Layout
from midstream.limits import LIMITS, Limits
from midstream.types import DType, Tensor
from midstream.wire import Reader, Writer

__all__ = ["MOST_OF_ENTRY", "check_filling", "read_holes", "read_table", "write_table"]

MOST_OF_ENTRY = 9 + 3 + 9 * 8
"""Bytes of one entry of the tensor table, at most."""
_DTYPES = {dtype.value: dtype for dtype in DType}
_MAX_DIMENSION = 1 << 31
_NO_AXIS = 15
_AXES = (*range(_NO_AXIS), None)
_GAP, _NUMBER, _RANK, _DIMENSIONS = 0, 1, 3, 4
"""Columns of entries."""
_BITS = np.zeros(256, np.int64)
_BITS[list(_DTYPES)] = [dtype.bits for dtype in _DTYPES.values()]


def write_table(tensors: Sequence[Tensor]) -> bytes:
    """The bytes of the table."""
    table = Writer()
    end = 0
    for tensor in tensors:
        _write_tensor(table, tensor, gap=tensor.offset - end)
        end = tensor.end
    return table.bytes()


def read_table(
    data: memoryview, count: int, model_size: int, limits: Limits
) -> tuple[tuple[Tensor, ...], int]:
    """The tensors of a table at the start of some data, and the bytes that it takes.

    Raises:
        BitstreamError: An entry is malformed, or a hole ends outside the file.
        LimitError: A number is over its limit.
    """
    entries = read_entries(data, 0, count, _layout(limits))
    if entries is None:
        return _read_entry_by_entry(Reader(data, "tensor table"), count, model_size, limits)
    tensors: list[Tensor] = []
    end = 0
    for index, (gap, number, axes, rank, *dimensions) in enumerate(entries.rows()):
        shape = tuple(dimensions[:rank])
        tensor = _tensor(index, end + gap, number, axes, shape, limits)
        end = _end_inside(tensor, model_size)
        tensors.append(tensor)
    return tuple(tensors), entries.stop


def _layout(limits: Limits) -> Layout:
    return _LAYOUT if limits is LIMITS else _layout_of(limits)


def _layout_of(limits: Limits) -> Layout:
    return Layout(fields="vbbl", most=(limits.model_size, 255, 255, _MAX_DIMENSION))


_LAYOUT = _layout_of(LIMITS)
assert LIMITS.dimensions <= LIST_ITEMS, "longer lists are read entry by entry"


def _read_entry_by_entry(
    table: Reader, count: int, model_size: int, limits: Limits
) -> tuple[tuple[Tensor, ...], int]:
    """The same, to say what is wrong with the first entry that cannot be read."""
    tensors: list[Tensor] = []
    end = 0
    for index in range(count):
        tensors.append(_read_tensor(table, index, end, limits))
        end = _end_inside(tensors[-1], model_size)
    return tuple(tensors), table.offset


def read_holes(
    data: memoryview, count: int, model_size: int, limits: Limits
) -> tuple[NDArray[np.int64], int]:
    """Where the holes of a table start and their bytes, (holes, 2); the bytes that it takes.

    Raises:
        BitstreamError: As `read_table`.
        LimitError: As `read_table`.
    """
    find = _find_holes if kernels.read_holes is None else kernels.read_holes
    found = find(data, count, model_size)
    if found is not None:
        return found
    tensors, stop = read_table(data, count, model_size, limits)  # says what is wrong
    pairs = [(tensor.offset, tensor.length) for tensor in tensors]
    return np.array(pairs, np.int64).reshape(-1, 2), stop


def _find_holes(
    data: memoryview, count: int, model_size: int
) -> tuple[NDArray[np.int64], int] | None:
    """None where an entry is out of the ordinary."""
    found = read_entries(data, 0, count, _LAYOUT)
    if found is None:
        return None
    entries = found.numbers
    there = np.arange(LIST_ITEMS) < entries[:, _RANK, None]
    dimensions = np.where(there, entries[:, _DIMENSIONS:], 1)
    bits = _BITS[entries[:, _NUMBER]]
    # in floats first, which do not overflow
    if np.any(dimensions.prod(axis=1, dtype=np.float64) * bits > 16 * model_size):
        return None
    lengths = (dimensions.prod(axis=1) * bits + 7) // 8
    ends = np.cumsum(entries[:, _GAP] + lengths)
    if np.any(lengths == 0) or np.any(ends > model_size):
        return None
    return np.stack([ends - lengths, lengths], axis=1), found.stop


def check_filling(got: int, tensors: Sequence[Tensor], model_size: int) -> None:
    """Make sure that what lies between the holes is as long as it must be.

    Raises:
        BitstreamError: BAD_LENGTH where it is not.
    """
    expected = model_size - sum(t.length for t in tensors)
    if got != expected:
        raise BitstreamError(
            ErrorCode.BAD_LENGTH, f"topology: {got} bytes between the holes, expected {expected}"
        )


def _write_tensor(out: Writer, tensor: Tensor, *, gap: int) -> None:
    row = _NO_AXIS if tensor.row_axis is None else tensor.row_axis
    column = _NO_AXIS if tensor.column_axis is None else tensor.column_axis
    out.varint(gap).u8(tensor.dtype).u8(row | column << 4).u8(len(tensor.shape))
    for dimension in tensor.shape:
        out.varint(dimension)


def _read_tensor(reader: Reader, index: int, end: int, limits: Limits) -> Tensor:
    offset = end + reader.varint(limit=limits.model_size)
    number, axes, rank = reader.take(3)
    _check_kind(index, number, rank, limits)
    shape = tuple(reader.varints(rank, limit=_MAX_DIMENSION))
    return _tensor(index, offset, number, axes, shape, limits)


def _check_kind(index: int, number: int, rank: int, limits: Limits) -> None:
    if number not in _DTYPES:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"tensor {index}: {number} is no data type")
    if rank > limits.dimensions:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"tensor {index}: {rank} axes, at most {limits.dimensions}"
        )


def _tensor(
    index: int, offset: int, number: int, axes: int, shape: tuple[int, ...], limits: Limits
) -> Tensor:
    """A tensor of numbers that were read, checked."""
    rank = len(shape)
    if number not in _DTYPES or rank > limits.dimensions:
        _check_kind(index, number, rank, limits)
    row, column = axes & 15, axes >> 4
    for axis in (row, column):
        if rank <= axis < _NO_AXIS:
            raise BitstreamError(ErrorCode.BAD_FIELD, f"tensor {index}: axis {axis} of {rank}")
    return Tensor.numbered(index, _DTYPES[number], shape, offset, (_AXES[row], _AXES[column]))


def _end_inside(tensor: Tensor, model_size: int) -> int:
    if not tensor.weights:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"{tensor.name}: has no weights")
    if tensor.end > model_size:
        raise BitstreamError(
            ErrorCode.BAD_OFFSET,
            f"{tensor.name}: ends at {tensor.end} in a file of {model_size} bytes",
        )
    return tensor.end
