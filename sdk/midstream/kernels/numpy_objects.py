"""Objects of a flatbuffer put back to their places. Knows nothing of tensors, units or zstd.

Where an object is follows from those before it, where a reference leads from the order of what
it may lead to (spec/objects.md).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import objects
from midstream.kernels.numpy_columns import (
    WORD,
    Cursor,
    MalformedError,
    Part,
    Tables,
    Vtables,
    read_part,
    require,
)

__all__ = ["restore_objects"]

_Int = NDArray[np.int64]
_Bytes = NDArray[np.uint8]
_MOST_VALUE = (1 << 32) - 1


def restore_objects(
    columns: memoryview, holes: NDArray[np.int64], model_size: int, out: memoryview
) -> bool:
    """Write what lies between the holes of a TFLite file.

    Args:
        columns: Its objects, kind by kind.
        holes: Where each starts and its bytes, in order; (holes, 2).
        model_size: Bytes of the file.
        out: Zeros, as many as there are bytes between the holes.

    Returns:
        False where the columns are malformed; what is written is then of no use.
    """
    try:
        work = _Work.read(Cursor(np.frombuffer(columns, np.uint8)))
        require(len(out) == model_size - int(holes[:, 1].sum()))
        work.lay_out(holes, model_size)
        work.write(np.frombuffer(out, np.uint8))
    except MalformedError:
        return False
    return True


@dataclass(slots=True)
class _Work:
    """Objects on their way to their places."""

    kinds: _Bytes
    in_order: bool
    """Whether items of lists stand in their order, or in the reverse one."""
    patched: _Int
    """References that are given, by their numbers."""
    given: _Int
    """Where those lead."""
    vtables: Vtables
    places: dict[int, _Int]
    """Of each kind the places of its objects among all."""
    parts: dict[int, Part]
    starts: _Int
    """Where each object is in the file."""
    shifts: _Int
    """Bytes of holes before each."""

    @classmethod
    def read(cls, cursor: Cursor) -> "_Work":
        count = int(cursor.numbers(1, objects.MOST_OBJECTS)[0])
        order = int(cursor.take(1)[0])
        kinds = cursor.take(count)
        require(order < 2 and (not count or kinds.max() < objects.ROOT + len(objects.KINDS)))
        patches = int(cursor.numbers(1, objects.MOST_OBJECTS)[0])
        gaps, given = cursor.numbers(patches), cursor.numbers(patches, _MOST_VALUE)
        by_kind = np.argsort(kinds, kind="stable")
        ends = np.cumsum(np.bincount(kinds, minlength=objects.ROOT + len(objects.KINDS)))
        places = dict(enumerate(np.split(by_kind, ends[:-1])))
        vtables = Vtables.read(cursor, len(places[objects.VTABLE]))
        parts = {
            kind: read_part(cursor, kind, len(own), vtables)
            for kind, own in places.items()
            if len(own) and kind != objects.VTABLE
        }
        require(cursor.place == len(cursor.data))
        patched = np.cumsum(gaps + 1) - 1
        nothing = np.zeros(0, np.int64)
        return cls(kinds, bool(order), patched, given, vtables, places, parts, nothing, nothing)

    # --- where objects are ------------------------------------------------------------------

    def lay_out(self, holes: NDArray[np.int64], model_size: int) -> None:
        """Find out where each object is."""
        sizes, holed = self._sizes()
        anchored = np.flatnonzero(holed)
        require(len(anchored) == len(holes))
        self._fit_holes(anchored, holes[:, 1], sizes)
        padded = sizes + self._pads(sizes, anchored, holes)
        # where each ends if nothing was anchored, then how far its last anchor moves it
        ends = objects.HEADER_SIZE + np.cumsum(padded)
        moves = np.concatenate([[0], holes[:, 0] + holes[:, 1] - ends[anchored]])
        passed = np.cumsum(holed)
        ends += moves[passed]
        self.starts = ends - sizes
        # what lies before an anchor is padding as well
        require(np.all(np.diff(moves) >= 0))
        limits = np.append(holes[:, 0], model_size)
        require(np.all((ends <= limits[passed]) | holed))
        require(model_size == (ends[-1] if len(ends) else objects.HEADER_SIZE))
        before = np.concatenate([[0], np.cumsum(holes[:, 1])])
        self.shifts = before[passed - holed]

    def _sizes(self) -> tuple[_Int, NDArray[np.bool_]]:
        sizes = np.zeros(len(self.kinds), np.int64)
        holed = np.zeros(len(self.kinds), np.bool_)
        sizes[self.places[objects.VTABLE]] = self.vtables.sizes
        for kind, part in self.parts.items():
            sizes[self.places[kind]] = part.sizes
            if part.holed is not None:
                holed[self.places[kind]] = part.holed
        return sizes, holed

    def _fit_holes(self, anchored: _Int, lengths: _Int, sizes: _Int) -> None:
        """Give objects with holes their sizes, and what they count."""
        sizes[anchored] += lengths
        for kind, part in self.parts.items():
            if part.holed is not None:
                item = objects.KINDS[kind - objects.ROOT].form.item_size
                own = sizes[self.places[kind][part.holed]] - WORD
                require(np.all(own % item == 0))
                part.counts[part.holed] = own // item

    def _pads(self, sizes: _Int, anchored: _Int, holes: NDArray[np.int64]) -> _Int:
        """Bytes before each object so that it, or the end of a vtable, is aligned."""
        is_bytes = self.kinds == objects.BYTES
        is_vtable = self.kinds == objects.VTABLE
        # modulo four, an end follows from the object but after bytes, which add to the last
        ends = np.where(is_vtable, 0, sizes)
        ends[anchored] = holes.sum(axis=1)
        totals = np.cumsum(np.where(is_bytes, sizes, 0))
        last = np.maximum.accumulate(np.where(is_bytes, -1, np.arange(len(sizes))))
        since = totals - np.where(last < 0, 0, totals[last])
        ends = np.where(is_bytes, since + np.where(last < 0, 0, ends[last]), ends)
        before = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
        pads = -(before + np.where(is_vtable, sizes, 0)) % WORD
        pads[is_bytes] = 0
        pads[anchored] = 0
        return pads

    # --- what they hold ---------------------------------------------------------------------

    def write(self, out: _Bytes) -> None:
        """Write all objects."""
        require(len(out) >= objects.HEADER_SIZE)
        out[WORD : objects.HEADER_SIZE] = np.frombuffer(objects.IDENTIFIER, np.uint8)
        own = self.places[objects.VTABLE]
        self._write_vtables(out, (self.starts - self.shifts)[own])
        for kind, part in self.parts.items():
            to = (self.starts - self.shifts)[self.places[kind]]
            if part.tables is not None:
                self._write_tables(out, to, part, part.tables)
                own = self.starts[self.places[objects.VTABLE]][part.tables.vtables]
                _put_words(out, to, self.starts[self.places[kind]] - own)
                continue
            if kind != objects.BYTES:
                _put_words(out, to, part.counts)
                to = to + WORD
            _scatter(out, to, part.data, part.lengths)
        self._refer(out)

    def _write_vtables(self, out: _Bytes, to: _Int) -> None:
        out[to] = self.vtables.sizes & 255
        out[to + 1] = self.vtables.sizes >> 8
        _scatter(out, to + 2, self.vtables.bodies, self.vtables.sizes - 2)

    def _write_tables(self, out: _Bytes, to: _Int, part: Part, tables: Tables) -> None:
        starts = np.cumsum(part.lengths) - part.lengths
        for vtable, fields in tables.fields.items():
            chosen = tables.vtables == vtable
            kept = np.ones(int(self.vtables.extents[vtable]), np.bool_)
            for place in (0, *(p for child, p in fields.items() if child != objects.BYTES)):
                kept[place : place + WORD] = False
            columns = np.flatnonzero(kept)
            rows = starts[chosen][:, None] + np.arange(len(columns))
            out[to[chosen][:, None] + columns] = part.data[rows]
        counters = tables.places(objects.BYTES)
        there = to[counters > 0] + counters[counters > 0]
        _put_words(out, there, np.cumsum(_words(out, there)))

    # --- where references lead --------------------------------------------------------------

    def _refer(self, out: _Bytes) -> None:
        number = patch = 0
        for kind in range(objects.ROOT, objects.ROOT + len(objects.KINDS)):
            targets = self.starts[self.places[kind]]
            parent = objects.KINDS[kind - objects.ROOT].parent
            if kind > objects.ROOT and parent not in self.parts:
                require(not len(targets))
                continue
            sources, shifts, lists = self._references(kind)
            left = np.arange(len(sources))
            if patch < len(self.patched):
                last = int(np.searchsorted(self.patched, number + len(sources)))
                fixed = self.patched[patch:last] - number
                _put_words(out, (sources - shifts)[fixed], self.given[patch:last])
                left, patch = np.delete(left, fixed), last
            if lists is not None and not self.in_order:
                left = left[np.lexsort((-left, lists[left]))]
            self._point(out, sources[left], shifts[left], targets)
            number += len(sources)
        require(patch == len(self.patched))

    @staticmethod
    def _point(out: _Bytes, sources: _Int, shifts: _Int, targets: _Int) -> None:
        """Put in ways from references to what they lead to, one each."""
        require(len(sources) == len(targets))
        if len(sources):
            ways = targets - sources
            require(ways.min() > 0 and ways.max() <= _MOST_VALUE)
            _put_words(out, sources - shifts, ways)

    def _references(self, kind: int) -> tuple[_Int, _Int, _Int | None]:
        """Where a kind is referred to in the file, holes before that; the list each is in."""
        parent = objects.KINDS[kind - objects.ROOT].parent
        if kind == objects.ROOT:
            return np.zeros(1, np.int64), np.zeros(1, np.int64), None
        part = self.parts[parent]
        own = self.places[parent]
        starts, shifts = self.starts[own], self.shifts[own]
        if part.tables is None:
            lists = np.repeat(np.arange(len(own)), part.counts)
            firsts = np.cumsum(part.counts) - part.counts
            items = np.arange(len(lists)) - firsts[lists]
            return starts[lists] + WORD + WORD * items, shifts[lists], lists
        fields = part.tables.places(kind)
        there = fields > 0
        return (starts + fields)[there], shifts[there], None


def _scatter(out: _Bytes, to: _Int, data: _Bytes, lengths: _Int) -> None:
    """Write pieces of some data that follow each other there to where each belongs."""
    firsts = np.cumsum(lengths) - lengths
    out[np.repeat(to - firsts, lengths) + np.arange(len(data))] = data


def _put_words(out: _Bytes, to: _Int, values: _Int) -> None:
    """Write numbers of four bytes, modulo 2^32."""
    out[to[:, None] + np.arange(WORD)] = values.astype("<u4").view(np.uint8).reshape(-1, WORD)


def _words(out: _Bytes, places: _Int) -> _Int:
    found = np.ascontiguousarray(out[places[:, None] + np.arange(WORD)])
    return found.view("<u4").ravel().astype(np.int64)
