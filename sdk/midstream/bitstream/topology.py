"""The file without its weights, as bytes. Knows nothing of model file formats.

A topology is what lies between the holes, and where the holes are; with it, rebuilding a
model is writing into holes (spec/bitstream.md, "Topology").
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from midstream.bitstream.filling import Content, pack
from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.kernels import read_entries
from midstream.kernels.entries import LIST_ITEMS, Layout
from midstream.limits import LIMITS, Limits
from midstream.types import DType, Tensor
from midstream.wire import Reader, Writer

__all__ = ["Topology", "check_filling", "read_table"]

_DTYPES = {dtype.value: dtype for dtype in DType}
_MAX_DIMENSION = 1 << 31
_NO_AXIS = 15
_AXES = (*range(_NO_AXIS), None)
_MOST_OF_ENTRY = 9 + 3 + 9 * 8
"""Bytes of one entry of the tensor table, at most."""
_TENSOR_MEMORY = 1024
"""What one tensor takes in a decoder, its parameters but for log-scales included."""


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A model file with its holes cut out."""

    model_size: int
    """Bytes of the whole file."""
    tensors: tuple[Tensor, ...]
    """The holes, in order of their offsets, none overlapping."""
    filling: Callable[[], Iterable[bytes | memoryview]] = field(compare=False)
    """Gives what lies between the holes, in order, in pieces."""
    working_memory: int = 0
    """Bytes that it takes by itself to read it and to fill a file from it."""

    @classmethod
    def cut(cls, model: bytes | memoryview, tensors: Sequence[Tensor]) -> "Topology":
        """Cut the holes out of a model file, which is not copied."""
        view = memoryview(model)
        gaps = _gaps(tensors, len(model))
        filling = partial(map, view.__getitem__, [slice(*gap) for gap in gaps])
        return cls(model_size=len(model), tensors=tuple(tensors), filling=filling)

    def fill(self, model: memoryview) -> None:
        """Write what lies between the holes into a buffer of the whole file; holes stay."""
        pieces = iter(self.filling())
        piece = memoryview(b"")
        for start, stop in _gaps(self.tensors, self.model_size):
            while start < stop:
                piece = piece if len(piece) else memoryview(next(pieces))
                size = min(stop - start, len(piece))
                model[start : start + size] = piece[:size]
                start, piece = start + size, piece[size:]

    def blank(self) -> bytearray:
        """The whole file, its holes zero."""
        model = bytearray(self.model_size)
        with memoryview(model) as view:
            self.fill(view)
        return model

    def write(self) -> bytes:
        """The bytes of the topology, compressed."""
        return self._written

    @cached_property
    def table(self) -> bytes:
        """The bytes of the tensor table."""
        table = Writer()
        end = 0
        for tensor in self.tensors:
            _write_tensor(table, tensor, gap=tensor.offset - end)
            end = tensor.end
        return table.bytes()

    @cached_property
    def _written(self) -> bytes:
        entries = self.table
        size = len(entries) + self.model_size - sum(t.length for t in self.tensors)
        out = Writer().varint(self.model_size).varint(len(self.tensors)).varint(size)
        return out.raw(pack([entries, *self.filling()], size)).bytes()

    @classmethod
    def read(cls, data: bytes | memoryview, *, limits: Limits = LIMITS) -> "Topology":
        """Parse what `write` gives.

        Raises:
            BitstreamError: It is malformed.
            LimitError: A count or size is over its limit.
        """
        reader = Reader(data, "topology")
        model_size = reader.varint(limit=limits.model_size)
        count = reader.varint(limit=limits.tensors)
        content_size = reader.varint(limit=min(limits.topology_size, model_size + 64 * count))
        content = Content(frame=reader.take(reader.remaining), size=content_size)
        first = content.first(count * _MOST_OF_ENTRY)
        tensors, size = read_table(memoryview(first), count, model_size, limits)
        filling = partial(content.pieces, size)
        check_filling(sum(map(len, filling())), tensors, model_size)
        return cls(
            model_size=model_size,
            tensors=tensors,
            filling=filling,
            working_memory=content.window + count * _TENSOR_MEMORY,
        )


def _gaps(tensors: Sequence[Tensor], model_size: int) -> list[tuple[int, int]]:
    """Where each piece between holes starts and ends, the empty ones too."""
    edges = [0, *(edge for t in tensors for edge in (t.offset, t.end)), model_size]
    return list(zip(edges[::2], edges[1::2], strict=True))


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
