"""Bounded reading of flatbuffers. Knows nothing of what the tables mean.

Every offset is checked against the buffer before it is followed, so a hostile file costs one
error and never a read outside of it.
"""

from collections.abc import Iterator

from midstream.errors import ErrorCode, FormatError, LimitError

__all__ = ["Buffer", "Table"]


class Buffer:
    """The bytes of a flatbuffer."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data).cast("B")
        """All of them."""

    def number(self, offset: int, size: int, *, signed: bool = False) -> int:
        """A little-endian integer."""
        return int.from_bytes(self.span(offset, size), "little", signed=signed)

    def span(self, offset: int, size: int) -> memoryview:
        """Bytes [offset, offset + size), which must be there."""
        if offset < 0 or size < 0 or offset + size > len(self.data):
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

    __slots__ = ("_buffer", "_fields", "_offset")

    def __init__(self, buffer: Buffer, offset: int) -> None:
        self._buffer = buffer
        self._offset = offset
        vtable = offset - buffer.number(offset, 4, signed=True)
        size = buffer.number(vtable, 2)
        if size < 4 or size % 2:
            raise FormatError(ErrorCode.BAD_HEADER, f"flatbuffer: a vtable of {size} bytes")
        raw = buffer.span(vtable, size)[4:]
        self._fields = [int.from_bytes(raw[i : i + 2], "little") for i in range(0, len(raw), 2)]

    def _place(self, field: int) -> int | None:
        if field >= len(self._fields) or not self._fields[field]:
            return None
        return self._offset + self._fields[field]

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

    def numbers(self, field: int, limit: int) -> list[int]:
        """A vector of int32; empty where it is absent."""
        found = self.vector(field, 4, limit)
        if found is None:
            return []
        start, count = found
        return [self._buffer.number(start + 4 * i, 4, signed=True) for i in range(count)]

    def tables(self, field: int, limit: int) -> Iterator["Table"]:
        """A vector of tables; none where it is absent."""
        start, count = self.vector(field, 4, limit) or (0, 0)
        for place in range(start, start + 4 * count, 4):
            yield Table(self._buffer, place + self._buffer.number(place, 4))

    def text(self, field: int, limit: int) -> str:
        """A string, what is not UTF-8 in it replaced; empty where it is absent."""
        found = self.vector(field, 1, limit)
        return "" if found is None else str(self._buffer.span(*found), "utf-8", "replace")
