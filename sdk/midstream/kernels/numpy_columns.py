"""Columns of objects, read kind by kind. Knows nothing of where objects go.

(spec/objects.md, "Columns".)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import objects
from midstream.kernels.numpy_kernels import read_varints
from midstream.kernels.objects import Form

__all__ = ["Cursor", "MalformedError", "Part", "Tables", "Vtables", "read_part", "require"]

_Int = NDArray[np.int64]
_Bytes = NDArray[np.uint8]
_MOST = (1 << 35) - 1
_MOST_FIELDS = 255
_MOST_TRIM = 65535
WORD = 4
"""Bytes of a count, and of a reference."""


class MalformedError(Exception):
    """Columns that no writer gives."""


def require(condition: object) -> None:
    """Refuse columns that are not as they must be."""
    if not condition:
        raise MalformedError


@dataclass(slots=True)
class Cursor:
    """A place in bytes that moves on as they are read."""

    data: _Bytes
    place: int = 0

    def take(self, size: int) -> _Bytes:
        """So many bytes."""
        require(size <= len(self.data) - self.place)
        self.place += size
        return self.data[self.place - size : self.place]

    def numbers(self, count: int, most: int = _MOST) -> _Int:
        """So many varints, each at most so large."""
        left = self.data[self.place :]
        require(count <= len(left))
        found = read_varints(left, count)
        if found is None:
            raise MalformedError
        values, size = found
        self.place += size
        require(not count or values.max() <= most)
        return values.astype(np.int64)

    def texts(self, count: int) -> tuple[_Bytes, _Int]:
        """So many texts, each with the zero that ends it, and their sizes with it."""
        left = self.data[self.place :]
        ends = np.flatnonzero(left == 0)[:count] + 1
        require(len(ends) == count)
        size = int(ends[-1]) if count else 0
        return self.take(size), np.diff(ends, prepend=0)


@dataclass(frozen=True, slots=True)
class Vtables:
    """Where fields are in tables."""

    sizes: _Int
    """Bytes of each vtable."""
    starts: _Int
    """Where each is in `bodies`, less its own size, which is not there."""
    bodies: _Bytes
    extents: _Int
    """Bytes of a table of each."""

    @classmethod
    def read(cls, cursor: Cursor, count: int) -> "Vtables":
        """So many of them."""
        fields = cursor.numbers(count, _MOST_FIELDS)
        trims = cursor.numbers(count, _MOST_TRIM)
        sizes = 4 + 2 * fields
        starts = np.cumsum(sizes - 2) - (sizes - 2)
        bodies = cursor.take(int((sizes - 2).sum()))
        tables = bodies[starts].astype(np.int64) | bodies[starts + 1].astype(np.int64) << 8
        require(np.all(tables - trims >= WORD))
        return cls(sizes, starts, bodies, tables - trims)

    def field(self, vtable: int, field: int) -> int:
        """Where a field is in tables of a vtable; 0 where they do not have it."""
        if 4 + 2 * field >= self.sizes[vtable]:
            return 0
        at = self.starts[vtable] + 2 + 2 * field
        return int(self.bodies[at]) | int(self.bodies[at + 1]) << 8


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one kind."""

    vtables: _Int
    """Of each table the index of its own."""
    fields: dict[int, dict[int, int]]
    """Of each vtable: kinds that its tables refer to, and where they do; as well as
    objects.BYTES, and where the counter is."""

    def places(self, kind: int) -> _Int:
        """Where each table refers to a kind; 0 where it does not."""
        found = np.zeros(max(self.fields, default=0) + 1, np.int64)
        for vtable, fields in self.fields.items():
            found[vtable] = fields.get(kind, 0)
        return found[self.vtables]


@dataclass(frozen=True, slots=True)
class Part:
    """All objects of one kind, in order."""

    sizes: _Int
    """Bytes of each in the file, the hole in it included."""
    counts: _Int
    """What each begins with, where it is no table."""
    data: _Bytes
    """What they hold but for counts and references."""
    lengths: _Int
    """Bytes of each in `data`."""
    holed: NDArray[np.bool_] | None = None
    """Whether each has a hole; None where none has. Their sizes are not known."""
    tables: Tables | None = None


def read_part(cursor: Cursor, kind: int, count: int, vtables: Vtables) -> Part:
    """So many objects of a kind."""
    if kind == objects.BYTES:
        sizes = cursor.numbers(count)
        require(np.all(sizes > 0))
        return Part(sizes, sizes, cursor.take(int(sizes.sum())), sizes)
    form = objects.KINDS[kind - objects.ROOT].form
    if form is Form.TABLE:
        return _read_tables(cursor, kind, count, vtables)
    if form is Form.TEXT:
        data, lengths = cursor.texts(count)
        return Part(WORD + lengths, lengths - 1, data, lengths)
    counts = cursor.numbers(count)
    if form is Form.LIST:
        return Part(WORD + WORD * counts, counts, data=np.zeros(0, np.uint8), lengths=0 * counts)
    return _read_numbers(cursor, form, counts)


def _read_numbers(cursor: Cursor, form: Form, counts: _Int) -> Part:
    holed = counts == 0
    items = np.maximum(counts - 1, 0)
    lengths = form.item_size * items
    total = int(items.sum())
    if form in (Form.INTEGERS, Form.INDICES):
        folded = cursor.numbers(total)
        numbers = folded >> 1 ^ -(folded & 1)
        if form is Form.INDICES:
            numbers = np.cumsum(numbers)
        data = numbers.astype("<u4").view(np.uint8)  # modulo 2^32
    else:
        data = cursor.take(form.item_size * total)
    return Part(WORD + lengths, items, data, lengths, holed=holed if holed.any() else None)


def _read_tables(cursor: Cursor, kind: int, count: int, vtables: Vtables) -> Part:
    known = len(vtables.sizes)
    own = cursor.numbers(count)
    require(not count or own.max() < known)
    used = np.unique(own).tolist()
    fields = {vtable: _fields(kind, vtable, vtables) for vtable in used}
    lengths = np.zeros(known, np.int64)
    for vtable in used:
        outside = sum(other != objects.BYTES for other in fields[vtable])
        lengths[vtable] = vtables.extents[vtable] - WORD - WORD * outside
    sizes, lengths = vtables.extents[own], lengths[own]
    data = cursor.take(int(lengths.sum()))
    return Part(sizes, 0 * sizes, data, lengths, tables=Tables(own, fields))


def _fields(kind: int, vtable: int, vtables: Vtables) -> dict[int, int]:
    """Kinds that a table refers to, by where it does, and where its counter is."""
    found = {child: vtables.field(vtable, field) for field, child in objects.children(kind)}
    if kind == objects.COUNTED:
        found[objects.BYTES] = vtables.field(vtable, objects.COUNTER)
    there = {child: place for child, place in found.items() if place}
    ends = sorted(there.values())
    inside = [WORD, *(place + WORD for place in ends)]
    limits = [*ends, int(vtables.extents[vtable])]
    require(all(end <= limit for end, limit in zip(inside, limits, strict=True)))
    return there
