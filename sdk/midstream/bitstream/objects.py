"""The objects of a TFLite file, kind by kind, so that none of its offsets is sent.

Knows nothing of tensors, only of where there are holes. What is not as writers of flatbuffers
leave it stands as bytes (spec/objects.md, "Columns").
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream.walking import WORD, Found, View, are_among, find_objects
from midstream.kernels import list_objects, objects, write_varints
from midstream.kernels.objects import Form

__all__ = ["columns_of", "columns_of_found"]

_SHORT = 64
"""Bytes of gaps that are looked at together."""

_Int = NDArray[np.int64]


def columns_of(model: memoryview, holes: _Int) -> bytes | None:
    """The columns of a file; what they restore to may differ where a file is out of the ordinary.

    Args:
        model: A model file of any kind.
        holes: Where each starts and its bytes, in order; (holes, 2).

    Returns:
        Its objects; None where it is no TFLite file, has too many, or is laid out otherwise.
    """
    if bytes(model[WORD : objects.HEADER_SIZE]) != objects.IDENTIFIER:
        return None
    return columns_of_found(model, holes) if list_objects is None else list_objects(model, holes)


def columns_of_found(model: memoryview, holes: _Int) -> bytes | None:
    """The same of a file that says that it is one, in NumPy."""
    view = View.of(model)
    found = find_objects(view)
    if found is None or not len(found.starts[objects.ROOT]):
        return None
    line = _Line.of(view, found, holes)
    if line is None or len(line.kinds) > objects.MOST_OBJECTS:
        return None
    return b"".join(_write(view, found, line))


@dataclass(frozen=True, slots=True)
class _Line:
    """All objects in the order of their places."""

    kinds: NDArray[np.uint8]
    starts: _Int
    ends: _Int
    vtables: _Int
    """Where each vtable is."""
    extents: _Int
    """Bytes of a table of each."""
    holes: _Int
    """As `columns_of` takes them."""

    @classmethod
    def of(cls, view: View, found: Found, holes: _Int) -> "_Line | None":
        """None where objects lie over each other."""
        vtables = np.unique(np.concatenate(list(found.vtables.values())))
        groups = {objects.VTABLE: vtables, **found.starts}
        kinds = np.repeat(np.array(list(groups), np.uint8), [len(g) for g in groups.values()])
        starts = np.concatenate(list(groups.values()))
        own = np.concatenate([_ends(view, kind, group) for kind, group in groups.items()])
        order = np.argsort(starts, kind="stable")
        kinds, starts, ends = kinds[order], starts[order], own[order]
        following = np.append(starts[1:], len(view.bytes))
        extents = view.half(vtables + 2)
        for kind, places in found.vtables.items():
            index = np.searchsorted(vtables, places)
            np.minimum.at(extents, index, (following - starts)[kinds == kind])
            ends[kinds == kind] += extents[index]
        for kind, places in found.vtables.items():  # now that all extents are known
            index = np.searchsorted(vtables, places)
            ends[kinds == kind] = starts[kinds == kind] + extents[index]
        if np.any(ends > following):
            return None
        return cls(kinds, starts, ends, vtables, extents, holes).filled(view)

    def filled(self, view: View) -> "_Line":
        """With bytes wherever what lies between objects is not as expected."""
        before = np.concatenate([[objects.HEADER_SIZE], self.ends])
        after = np.append(self.starts, len(view.bytes))
        sizes = np.where(self.kinds == objects.VTABLE, self.ends - self.starts, 0)
        pads = np.append(-(before[:-1] + sizes) % WORD, 0)
        is_odd = after - before != pads
        is_odd[:-1] &= ~are_among(self.starts + WORD, self.holes[:, 0])
        gaps = np.flatnonzero(~is_odd & (after > before))
        is_odd[gaps] = _are_set(view, before[gaps], after[gaps])
        is_odd &= after > before
        kinds = np.concatenate([self.kinds, np.zeros(int(is_odd.sum()), np.uint8)])
        starts = np.concatenate([self.starts, before[is_odd]])
        ends = np.concatenate([self.ends, after[is_odd]])
        order = np.argsort(starts, kind="stable")
        return _Line(
            kinds[order], starts[order], ends[order], self.vtables, self.extents, self.holes
        )


def _are_set(view: View, starts: _Int, ends: _Int) -> NDArray[np.bool_]:
    """Between which places there is a byte other than zero; nowhere is nothing between."""
    are_set = np.zeros(len(starts), np.bool_)
    lengths = ends - starts
    short = lengths <= _SHORT
    if short.any():
        firsts = np.cumsum(lengths[short]) - lengths[short]
        are_set[short] = np.maximum.reduceat(view.pieces(starts[short], lengths[short]), firsts) > 0
    for at in np.flatnonzero(~short):
        are_set[at] = np.any(view.bytes[starts[at] : ends[at]])
    return are_set


def _ends(view: View, kind: int, starts: _Int) -> _Int:
    """Where objects of a kind end; tables where they start."""
    if kind == objects.VTABLE:
        return starts + view.half(starts)
    form = objects.KINDS[kind - objects.ROOT].form
    if form is Form.TABLE:
        return starts.copy()
    return starts + WORD + form.item_size * (view.word(starts) + (form is Form.TEXT))


# --- columns ------------------------------------------------------------------------------------


def _write(view: View, found: Found, line: _Line) -> Iterator[bytes]:
    patched = np.concatenate(found.patched)
    yield _varints([len(line.kinds)]) + bytes([bool(found.in_order)]) + line.kinds.tobytes()
    yield _varints([len(patched)]) + _varints(np.diff(patched, prepend=-1) - 1)
    yield _varints(np.concatenate(found.given))
    sizes = view.half(line.vtables)
    yield _varints((sizes - 4) // 2) + _varints(view.half(line.vtables + 2) - line.extents)
    yield view.pieces(line.vtables + 2, sizes - 2).tobytes()
    raw = line.kinds == objects.BYTES
    lengths = (line.ends - line.starts)[raw]
    yield _varints(lengths) + view.pieces(line.starts[raw], lengths).tobytes()
    for kind, starts in found.starts.items():
        yield from _write_kind(view, found, line, kind, starts)


def _write_kind(view: View, found: Found, line: _Line, kind: int, starts: _Int) -> Iterator[bytes]:
    form = objects.KINDS[kind - objects.ROOT].form
    if form is Form.TABLE:
        yield from _write_tables(view, line, kind, starts, found.vtables[kind])
        return
    counts = view.word(starts)
    if form is Form.TEXT:
        yield view.pieces(starts + WORD, counts + 1).tobytes()
    elif form is Form.LIST:
        yield _varints(counts)
    else:
        holed = are_among(starts + WORD, line.holes[:, 0])
        yield _varints(np.where(holed, 0, counts + 1))
        lengths = np.where(holed, 0, form.item_size * counts)
        yield _items(view.pieces(starts + WORD, lengths), form)


def _items(data: NDArray[np.uint8], form: Form) -> bytes:
    """What vectors hold."""
    if form not in (Form.INTEGERS, Form.INDICES):
        return data.tobytes()
    numbers = data.view("<i4").astype(np.int64)
    if form is Form.INDICES:
        numbers = np.diff(numbers, prepend=0)
    return _varints(numbers << 1 ^ numbers >> 63)


def _write_tables(
    view: View, line: _Line, kind: int, starts: _Int, vtables: _Int
) -> Iterator[bytes]:
    index = np.searchsorted(line.vtables, vtables)
    yield _varints(index)
    inside = {at: _plain_bytes(view, line, kind, at) for at in np.unique(index).tolist()}
    widths = np.zeros(len(line.vtables), np.int64)
    for at, columns in inside.items():
        widths[at] = len(columns)
    widths = widths[index]
    firsts = np.cumsum(widths) - widths
    rows = np.empty(int(widths.sum()), np.uint8)
    for at, columns in inside.items():
        chosen = np.flatnonzero(index == at)
        data = view.bytes[starts[chosen, None] + columns]
        rows[firsts[chosen, None] + np.arange(len(columns))] = data
    if kind == objects.COUNTED:
        _difference(view, line, starts, index, inside, firsts, rows)
    yield rows.tobytes()


def _plain_bytes(view: View, line: _Line, kind: int, at: int) -> _Int:
    """Which bytes of tables of a vtable are neither its offset nor references."""
    kept = np.ones(int(line.extents[at]), np.bool_)
    kept[:WORD] = False
    for field, _ in objects.children(kind):
        if place := _place(view, line, at, field):
            kept[place : place + WORD] = False
    return np.flatnonzero(kept)


def _place(view: View, line: _Line, at: int, field: int) -> int:
    """Where a field is in tables of a vtable; 0 where they do not have it."""
    start = int(line.vtables[at])
    if WORD + 2 * field >= view.halves[start]:
        return 0
    return int(view.halves[start + WORD + 2 * field])


def _difference(
    view: View,
    line: _Line,
    starts: _Int,
    index: _Int,
    inside: dict[int, _Int],
    firsts: _Int,
    rows: NDArray[np.uint8],
) -> None:
    """Put differences in place of the numbers that most often grow by one."""
    places = np.zeros(len(line.vtables), np.int64)
    columns = np.zeros(len(line.vtables), np.int64)
    for at, plain in inside.items():
        place = _place(view, line, at, objects.COUNTER)
        if place and np.isin(place + np.arange(WORD), plain).all():
            places[at] = place
            columns[at] = np.searchsorted(plain, place)
    there = places[index] > 0
    numbers = view.word((starts + places[index])[there])
    changes = np.diff(numbers, prepend=0).astype("<u4").view(np.uint8).reshape(-1, WORD)
    to = (firsts + columns[index])[there]
    rows[to[:, None] + np.arange(WORD)] = changes


def _varints(numbers: _Int | list[int]) -> bytes:
    return write_varints(np.asarray(numbers).astype(np.uint64))
