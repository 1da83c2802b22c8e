"""The file without its weights, as bytes. Knows nothing of model file formats.

A topology is what lies between the holes, and where the holes are; with it, rebuilding a
model is writing into holes (spec/bitstream.md, "Topology").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import zstandard

from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.limits import LIMITS, Limits
from midstream.types import DType, Tensor
from midstream.wire import Reader, Writer

__all__ = ["Topology"]

_ZSTD_LEVEL = 19
_ZSTD_WINDOW = 1 << 23
_MAX_DIMENSION = 1 << 31
_NO_AXIS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A model file with its holes cut out."""

    model_size: int
    """Bytes of the whole file."""
    tensors: tuple[Tensor, ...]
    """The holes, in order of their offsets, none overlapping."""
    filling: bytes | memoryview
    """What lies between the holes, in order."""

    @classmethod
    def cut(cls, model: bytes | memoryview, tensors: Sequence[Tensor]) -> "Topology":
        """Cut the holes out of a model file."""
        edges = [0, *(edge for t in tensors for edge in (t.offset, t.end)), len(model)]
        gaps = zip(edges[::2], edges[1::2], strict=True)
        filling = b"".join(model[start:stop] for start, stop in gaps)
        return cls(model_size=len(model), tensors=tuple(tensors), filling=filling)

    def blank(self) -> bytearray:
        """The whole file, its holes zero."""
        model = bytearray(self.model_size)
        end = taken = 0
        for start, next_end in [*((t.offset, t.end) for t in self.tensors), (self.model_size, 0)]:
            model[end:start] = self.filling[taken : taken + start - end]
            taken += start - end
            end = next_end
        return model

    def write(self) -> bytes:
        """The bytes of the topology, compressed."""
        table = Writer()
        end = 0
        for tensor in self.tensors:
            _write_tensor(table, tensor, gap=tensor.offset - end)
            end = tensor.end
        content = table.bytes() + self.filling
        packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_content_size=False)
        out = Writer().varint(self.model_size).varint(len(self.tensors)).varint(len(content))
        return out.raw(packed.compress(content)).bytes()

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
        content = _decompress(bytes(reader.take(reader.remaining)), content_size)
        table = Reader(content, "tensor table")
        tensors: list[Tensor] = []
        end = 0
        for index in range(count):
            tensors.append(_read_tensor(table, index, end, limits))
            end = _end_inside(tensors[-1], model_size)
        filling = table.take(table.remaining)
        _check_filling(len(filling), model_size - sum(t.length for t in tensors))
        return cls(model_size=model_size, tensors=tuple(tensors), filling=filling)


def _decompress(frame: bytes, size: int) -> bytes:
    """Undo zstd, never reserving more than `size` bytes."""
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.content_size not in (zstandard.CONTENTSIZE_UNKNOWN, size):
            raise BitstreamError(
                ErrorCode.BAD_LENGTH,
                f"topology: zstd frame of {parameters.content_size}, not {size}",
            )
        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        content = unpacker.decompress(frame, max_output_size=max(size, 1), allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"topology: zstd says {error}") from None
    if len(content) != size:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"topology: {len(content)} bytes, not {size}")
    return content


def _check_filling(got: int, expected: int) -> None:
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
    number, axes, rank = reader.u8(), reader.u8(), reader.u8()
    if number not in DType.__members__.values():
        raise BitstreamError(ErrorCode.BAD_FIELD, f"tensor {index}: {number} is no data type")
    if rank > limits.dimensions:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"tensor {index}: {rank} axes, at most {limits.dimensions}"
        )
    shape = tuple(reader.varint(limit=_MAX_DIMENSION) for _ in range(rank))
    row, column = (_read_axis(axis, rank, index) for axis in (axes & 15, axes >> 4))
    return Tensor(
        name=f"tensor {index}",
        dtype=DType(number),
        shape=shape,
        offset=offset,
        row_axis=row,
        column_axis=column,
    )


def _read_axis(axis: int, rank: int, index: int) -> int | None:
    if axis == _NO_AXIS:
        return None
    if axis >= rank:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"tensor {index}: axis {axis} of {rank}")
    return axis


def _end_inside(tensor: Tensor, model_size: int) -> int:
    if not tensor.weights:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"{tensor.name}: has no weights")
    if tensor.end > model_size:
        raise BitstreamError(
            ErrorCode.BAD_OFFSET,
            f"{tensor.name}: ends at {tensor.end} in a file of {model_size} bytes",
        )
    return tensor.end
