"""Bounded reading of flatbuffers. Knows nothing of what the tables mean.

Every offset is checked against the buffer before it is followed, so a hostile file costs one
error and never a read outside of it. Tables may share what they point to, so a small file can
describe a huge one: what is read is counted, and reading ends with an error long before it hurts.
"""

import struct
from collections.abc import Iterator

from midstream.errors import ErrorCode, FormatError, LimitError

__all__ = ["Buffer", "Table"]

_TABLE_COST = 16
"""What visiting a table counts as, bytes; about what the smallest table takes in a file."""
_LEAST_BUDGET = 1 << 16
_MOST_BUDGET = 16 << 20
_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}
_SIGNED = {size: struct.Struct("<" + code).unpack_from for size, code in _CODES.items()}
_UNSIGNED = {size: struct.Struct("<" + code.upper()).unpack_from for size, code in _CODES.items()}
"""What reads an integer, by its bytes."""
_DISTANCE = _UNSIGNED[2]


class Buffer:
    """The bytes of a flatbuffer."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data).cast("B")
        """All of them."""
        self._size = len(self.data)
        self.vtables: dict[int, int] = {}
        """Bytes of those that are there."""
        # a file that shares nothing is read once at most; twice leaves room for honest sharing
        self._budget = min(2 * len(self.data) + _LEAST_BUDGET, _MOST_BUDGET)

    def spend(self, size: int) -> None:
        """Count what is read.

        Raises:
            LimitError: More was read than any honest file of this size needs.
        """
        self._budget -= size
        if self._budget < 0:
            raise LimitError(
                ErrorCode.OVER_LIMIT,
                f"flatbuffer: more to read than {len(self.data)} bytes can hold",
            )

    def number(self, offset: int, size: int, *, signed: bool = False) -> int:
        """A little-endian integer of 1, 2, 4 or 8 bytes."""
        if offset < 0 or offset + size > self._size:
            self.span(offset, size)
        number: int = (_SIGNED if signed else _UNSIGNED)[size](self.data, offset)[0]
        return number

    def vtable_size(self, offset: int) -> int:
        """Bytes of a vtable, which must be there; most tables share theirs with others."""
        size = self.vtables.get(offset)
        if size is None:
            size = self.number(offset, 2)
            if size < 4 or size % 2:
                raise FormatError(ErrorCode.BAD_HEADER, f"flatbuffer: a vtable of {size} bytes")
            self.span(offset, size)
            self.vtables[offset] = size
        return size

    def span(self, offset: int, size: int) -> memoryview:
        """Bytes [offset, offset + size), which must be there."""
        if offset < 0 or size < 0 or offset + size > self._size:
            raise FormatError(
                ErrorCode.BAD_OFFSET,
                f"flatbuffer: {size} bytes at {offset} of {len(self.data)}",
            )
        return self.data[offset : offset + size]

    def root(self) -> "Table":
        """The table that the file begins with."""
        return Table(self, self.number(0, 4))


class Table:
    """One table: fields by their number in the schema."""

    __slots__ = ("_buffer", "_offset", "_vtable", "_vtable_size")

    def __init__(self, buffer: Buffer, offset: int) -> None:
        buffer.spend(_TABLE_COST)
        self._buffer = buffer
        self._offset = offset
        self._vtable = vtable = offset - buffer.number(offset, 4, signed=True)
        self._vtable_size = buffer.vtables.get(vtable) or buffer.vtable_size(vtable)

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry >= self._vtable_size:
            return None
        distance = _DISTANCE(self._buffer.data, self._vtable + entry)[0]  # in a checked vtable
        return self._offset + distance if distance else None

    def number(self, field: int, size: int, *, default: int = 0, signed: bool = False) -> int:
        """An integer field."""
        place = self._place(field)
        return default if place is None else self._buffer.number(place, size, signed=signed)

    def has(self, field: int) -> bool:
        """Whether a field is there."""
        return self._place(field) is not None

    def vector(self, field: int, item_size: int, limit: int) -> tuple[int, int] | None:
        """Where a vector's items start and how many there are; None where it is absent."""
        place = self._place(field)
        if place is None:
            return None
        start = place + self._buffer.number(place, 4)
        count = self._buffer.number(start, 4)
        if count > limit:
            raise LimitError(
                ErrorCode.OVER_LIMIT, f"flatbuffer: a vector of {count}, at most {limit}"
            )
        self._buffer.span(start + 4, count * item_size)
        return start + 4, count

    def numbers(self, field: int, limit: int) -> tuple[int, ...]:
        """A vector of int32; empty where it is absent."""
        start, count = self.vector(field, 4, limit) or (0, 0)
        self._buffer.spend(4 * count)
        return struct.unpack(f"<{count}i", self._buffer.span(start, 4 * count))

    def table(self, field: int) -> "Table | None":
        """A table in a field; None where it is absent."""
        place = self._place(field)
        return None if place is None else Table(self._buffer, place + self._buffer.number(place, 4))

    def bytes(self, field: int, item_size: int, limit: int) -> bytes:
        """A vector as its bytes; empty where it is absent."""
        start, count = self.vector(field, item_size, limit) or (0, 0)
        self._buffer.spend(item_size * count)
        return bytes(self._buffer.span(start, item_size * count))

    def tables(self, field: int, limit: int) -> Iterator["Table"]:
        """A vector of tables; none where it is absent."""
        start, count = self.vector(field, 4, limit) or (0, 0)
        places = range(start, start + 4 * count, 4)
        for place, distance in zip(places, self._distances(start, count), strict=True):
            yield Table(self._buffer, place + distance)

    def _distances(self, start: int, count: int) -> tuple[int, ...]:
        """Items of a vector of references, which is there."""
        return struct.unpack(f"<{count}I", self._buffer.span(start, 4 * count))

    def counted(self, field: int, limit: int) -> tuple[int, int]:
        """Where the bytes of a vector start and how many there are; none where it is absent."""
        start, count = self.vector(field, 1, limit) or (0, 0)
        self._buffer.spend(count)
        return start, count

    def text(self, field: int, limit: int) -> str:
        """A string, what is not UTF-8 in it replaced; empty where it is absent."""
        start, count = self.counted(field, limit)
        return str(self._buffer.span(start, count), "utf-8", "replace")
