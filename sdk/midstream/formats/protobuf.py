"""Bounded reading of protocol buffers. Knows nothing of what the fields mean.

A message is a run of fields; what has a length is a span that is only looked into where its
meaning is known, so reading takes time linear in the file for each level of nesting. Fields
are counted: a small file cannot be read for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from midstream.errors import ErrorCode, FormatError, LimitError

__all__ = ["Field", "Message", "Source"]

_VARINT, _FIXED64, _SPAN, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_MOST_FIELDS = 1 << 22
_VARINT_BYTES = 10


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message, looked at but not into."""

    number: int
    """Its number in the schema."""
    value: int
    """Of a varint or a fixed number, its unsigned bits; else 0."""
    start: int
    """Of a span, where it starts in the file."""
    stop: int
    """Of a span, one past its end; else the same as `start`."""
    is_span: bool
    """Whether it has a length: a message, bytes, text or packed numbers."""


class Source:
    """The bytes of a file, and how much more of it may be read."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data).cast("B")
        """All of them."""
        self._fields = _MOST_FIELDS

    def message(self) -> "Message":
        """The whole file as one message."""
        return Message(self, 0, len(self.data))

    def spend(self) -> None:
        """Count a field.

        Raises:
            LimitError: The file has more than any model needs.
        """
        self._fields -= 1
        if self._fields < 0:
            raise LimitError(ErrorCode.OVER_LIMIT, f"protobuf: more than {_MOST_FIELDS} fields")

    def varint(self, place: int, stop: int) -> tuple[int, int]:
        """A varint of at most 64 bits, and where it ends."""
        value = 0
        for position in range(_VARINT_BYTES):
            if place >= stop:
                raise _bad(ErrorCode.TRUNCATED, f"a number at {place} leaves what it is in")
            byte = self.data[place]
            place += 1
            value |= (byte & 0x7F) << 7 * position
            if byte < 0x80:
                return value & (1 << 64) - 1, place
        raise _bad(ErrorCode.BAD_HEADER, f"a number before {place} has more than 64 bits")


@dataclass(frozen=True, slots=True)
class Message:
    """A run of fields: bytes [start, stop) of a file."""

    source: Source
    """The file."""
    start: int
    """Its first byte."""
    stop: int
    """One past its last."""

    def __iter__(self) -> Iterator[Field]:
        """All fields, in order.

        Raises:
            FormatError: A field is malformed or leaves the message.
            LimitError: The file has too many.
        """
        place = self.start
        while place < self.stop:
            self.source.spend()
            tag, place = self.source.varint(place, self.stop)
            field, place = self._field(tag >> 3, tag & 7, place)
            yield field

    def _field(self, number: int, kind: int, place: int) -> tuple[Field, int]:
        if kind == _VARINT:
            value, end = self.source.varint(place, self.stop)
            return Field(number, value, place, place, is_span=False), end
        if kind in _SIZES:
            end = self._inside(place, _SIZES[kind])
            value = int.from_bytes(self.source.data[place:end], "little")
            return Field(number, value, place, place, is_span=False), end
        if kind != _SPAN or not number:
            raise _bad(ErrorCode.BAD_HEADER, f"field {number} of wire type {kind} at {place}")
        size, start = self.source.varint(place, self.stop)
        end = self._inside(start, size)
        return Field(number, 0, start, end, is_span=True), end

    def _inside(self, place: int, size: int) -> int:
        if size > self.stop - place:
            raise _bad(ErrorCode.BAD_OFFSET, f"{size} bytes at {place}, {self.stop - place} left")
        return place + size

    def messages(self, number: int) -> Iterator["Message"]:
        """The messages that fields of one number hold."""
        for field in self:
            if field.number == number and field.is_span:
                yield self.inside(field)

    def inside(self, field: Field) -> "Message":
        """What a field holds, as a message."""
        return Message(self.source, field.start, field.stop)

    def text(self, field: Field, limit: int) -> str:
        """What a field holds, as text, what is not UTF-8 in it replaced; cut at `limit` bytes."""
        stop = min(field.stop, field.start + limit)
        return str(self.source.data[field.start : stop], "utf-8", "replace")

    def numbers(self, field: Field, limit: int) -> list[int]:
        """The varints of a field, packed or a single one.

        Raises:
            LimitError: There are more than `limit`.
        """
        if not field.is_span:
            return [field.value]
        values: list[int] = []
        place = field.start
        while place < field.stop:
            if len(values) == limit:
                raise LimitError(ErrorCode.OVER_LIMIT, f"protobuf: more than {limit} numbers")
            value, place = self.source.varint(place, field.stop)
            values.append(value)
        return values


def _bad(code: ErrorCode, problem: str) -> FormatError:
    return FormatError(code, f"protobuf: {problem}")
