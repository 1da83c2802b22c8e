"""Entries of a table, field by field. Knows nothing of what they say.

There is nothing here for NumPy to do at once: where an entry starts, those before it say.
(spec/bitstream.md, "Primitive types".)
"""

from midstream.kernels.entries import LIST_ITEMS, Entries, Layout

__all__ = ["read_entries"]

_VARINT_BYTES = 9  # 63 bits


class _MalformedError(Exception):
    """An entry is not of its layout, or has a number that is too large."""


def read_entries(data: memoryview, start: int, count: int, layout: Layout) -> Entries | None:
    """Read entries that follow each other.

    Args:
        data: Bytes of the table and of what is around it.
        start: Where in them it starts.
        count: How many entries there are.
        layout: Their fields.

    Returns:
        The entries; None where they end early, a varint is not in its shortest form or longer
        than 9 bytes, a list has more than 8 items or a number is over its bound.
    """
    numbers = layout.room(count, len(data) - start)
    if numbers is None:
        return None
    cursor = _Cursor(data, start)
    fields = [
        (_READ[letter], most) for letter, most in zip(layout.fields, layout.most, strict=True)
    ]
    try:
        for row in numbers:
            row[:] = [number for read, most in fields for number in read(cursor, most)]
    except _MalformedError:
        return None
    return Entries(numbers=numbers, layout=layout, stop=cursor.place)


class _Cursor:
    """A place in bytes that moves on as they are read."""

    __slots__ = ("data", "place")

    def __init__(self, data: memoryview, place: int) -> None:
        self.data = data
        self.place = place

    def byte(self) -> int:
        if self.place >= len(self.data):
            raise _MalformedError
        self.place += 1
        return self.data[self.place - 1]

    def varint(self, most: int) -> int:
        value, byte, bits = 0, 0x80, 0
        while byte >= 0x80:
            if bits == 7 * _VARINT_BYTES:
                raise _MalformedError
            byte = self.byte()
            value |= (byte & 0x7F) << bits
            bits += 7
        if value > most or (not byte and bits > 7):
            raise _MalformedError
        return value


def _byte(cursor: _Cursor, most: int) -> list[int]:
    value = cursor.byte()
    if value > most:
        raise _MalformedError
    return [value]


def _varint(cursor: _Cursor, most: int) -> list[int]:
    return [cursor.varint(most)]


def _blob(cursor: _Cursor, most: int) -> list[int]:
    size = cursor.varint(most)
    start = cursor.place
    if size > len(cursor.data) - start:
        raise _MalformedError
    cursor.place += size
    return [start, size]


def _list(cursor: _Cursor, most: int) -> list[int]:
    size = cursor.byte()
    if size > LIST_ITEMS:
        raise _MalformedError
    items = [cursor.varint(most) for _ in range(size)]
    return [size, *items, *[0] * (LIST_ITEMS - size)]


_READ = {"b": _byte, "v": _varint, "x": _blob, "l": _list}
