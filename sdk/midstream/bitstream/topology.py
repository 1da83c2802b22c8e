"""The file without its weights, as bytes. Knows nothing of model file formats.

A topology is what lies between the holes, and where the holes are; with it, rebuilding a
model is writing into holes (spec/bitstream.md, "Topology").
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from midstream.bitstream.filling import pack
from midstream.bitstream.restoring import open_content, pack_objects
from midstream.bitstream.slices import Slice, partition
from midstream.bitstream.tensor_table import (
    MOST_OF_ENTRY,
    check_filling,
    read_table,
    write_table,
)
from midstream.limits import LIMITS, Limits
from midstream.types import Tensor
from midstream.wire import Reader, Writer

__all__ = ["Topology"]

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
    model: memoryview = field(default=memoryview(b""), repr=False, compare=False)
    """The file, where it was cut out of one."""

    @classmethod
    def cut(cls, model: bytes | memoryview, tensors: Sequence[Tensor]) -> "Topology":
        """Cut the holes out of a model file, which is not copied."""
        view = memoryview(model)
        gaps = _gaps(tensors, len(model))
        filling = partial(map, view.__getitem__, [slice(*gap) for gap in gaps])
        return cls(model_size=len(model), tensors=tuple(tensors), filling=filling, model=view)

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
        return write_table(self.tensors)

    def partition(self, coded: Sequence[bool | None]) -> tuple[Slice, ...]:
        """The slices of its tensors; those of the last call are kept.

        Args:
            coded: As `slices.partition` takes them.
        """
        known = self._partitions
        key = tuple(coded)
        if key not in known:
            known.clear()
            known[key] = partition(self.tensors, key)
        return known[key]

    @cached_property
    def _partitions(self) -> dict[tuple[bool | None, ...], tuple[Slice, ...]]:
        return {}

    @cached_property
    def _written(self) -> bytes:
        entries = self.table
        size = len(entries) + self.model_size - sum(t.length for t in self.tensors)
        out = Writer().varint(self.model_size).varint(len(self.tensors)).varint(size)
        packed = pack_objects(self.model, self.tensors, entries, self.filling())
        return out.raw(packed or pack([entries, *self.filling()], size)).bytes()

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
        content = open_content(
            reader.take(reader.remaining), content_size, count, model_size, limits
        )
        first = content.first(count * MOST_OF_ENTRY)
        tensors, size = read_table(memoryview(first), count, model_size, limits)
        filling = partial(content.pieces, size)
        check_filling(sum(map(len, filling())), tensors, model_size)
        return cls(
            model_size=model_size,
            tensors=tensors,
            filling=filling,
            working_memory=content.memory + count * _TENSOR_MEMORY,
        )


def _gaps(tensors: Sequence[Tensor], model_size: int) -> list[tuple[int, int]]:
    """Where each piece between holes starts and ends, the empty ones too."""
    edges = [0, *(edge for t in tensors for edge in (t.offset, t.end)), model_size]
    return list(zip(edges[::2], edges[1::2], strict=True))
