"""Contents of topologies, those too of which only the objects are sent.

Knows nothing of what objects are (spec/objects.md).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from midstream.bitstream.filling import Content, pack_fields
from midstream.bitstream.objects import columns_of
from midstream.bitstream.tensor_table import read_holes
from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.kernels import restore_objects
from midstream.limits import Limits
from midstream.types import Tensor
from midstream.wire import Reader, Writer

__all__ = ["Restored", "open_content", "pack_objects"]

_MARK = b"\1"
"""A zstd frame starts with another byte."""
_MOST = 1 << 20
"""Bytes of a content that is restored, and of what it is restored from: both are held at once."""
_MEMORY = 32
"""Bytes of memory that restoring takes for each of both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A content that was put together again, as `filling.Content` gives one."""

    whole: bytearray
    """All of it."""
    memory: int
    """Bytes of memory that this took at most."""

    def first(self, size: int) -> bytes | bytearray:
        """All bytes: as many as asked for, or more."""
        del size
        return self.whole

    def pieces(self, skip: int = 0) -> Iterator[memoryview]:
        """All bytes but the first `skip`."""
        yield memoryview(self.whole)[skip:]


def open_content(
    data: bytes | memoryview, size: int, count: int, model_size: int, limits: Limits
) -> Content | Restored:
    """Open what stands after the sizes of a topology.

    Args:
        data: Nothing follows it.
        size: Bytes of the content.
        count: Tensors in its table.
        model_size: Bytes of the model file.
        limits: Bounds on what it claims.

    Raises:
        BitstreamError: It is malformed.
        LimitError: A number is over its limit.
    """
    if data[:1] != _MARK:
        return Content(frame=data, size=size)
    most = min(_MOST, limits.topology_size)
    reader = Reader(data[1:], "topology")
    packed = Content(size=reader.varint(limit=most), frame=reader.take(reader.remaining))
    if size > most:
        raise LimitError(ErrorCode.OVER_LIMIT, f"topology: {size} bytes of objects, at most {most}")
    whole = packed.whole
    unpacked = memoryview(b"".join(packed.pieces()) if whole is None else whole)
    holes, stop = read_holes(unpacked, count, model_size, limits)
    content = bytearray(size)
    with memoryview(content) as view:
        view[: min(stop, size)] = unpacked[: min(stop, size)]
        if not restore_objects(unpacked[stop:], holes, model_size, view[stop:]):
            raise BitstreamError(ErrorCode.BAD_FIELD, "topology: its objects are malformed")
    memory = packed.memory + _MEMORY * (size + len(unpacked))
    return Restored(whole=content, memory=memory)


def pack_objects(
    model: memoryview,
    tensors: Sequence[Tensor],
    table: bytes,
    filling: Iterable[bytes | memoryview],
) -> bytes | None:
    """The objects of a model file in place of what lies between its holes.

    Args:
        model: The file; empty where it is not there.
        tensors: Its holes.
        table: The bytes of the tensor table.
        filling: What lies between the holes, in pieces.

    Returns:
        What `open_content` takes; None where this is not how the file is best described.
    """
    holes = np.array([(t.offset, t.length) for t in tensors], np.int64).reshape(-1, 2)
    size = len(model) - int(holes[:, 1].sum())
    if not 0 < size + len(table) <= _MOST:
        return None
    columns = columns_of(model, holes)
    if columns is None or len(columns) >= size:
        return None
    restored = bytearray(size)
    if not restore_objects(memoryview(columns), holes, len(model), memoryview(restored)):
        return None
    if restored != b"".join(filling):
        return None
    fields = table + columns
    return Writer().raw(_MARK).varint(len(fields)).raw(pack_fields(fields)).bytes()
