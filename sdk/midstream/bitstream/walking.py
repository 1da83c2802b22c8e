"""Where the objects of a TFLite file are, kind by kind. Knows nothing of columns.

(spec/objects.md, "Kinds".)
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import objects
from midstream.kernels.objects import Form

__all__ = ["WORD", "Found", "View", "are_among", "find_objects"]

WORD = 4
"""Bytes of a count, and of a reference."""
_MOST_TEXT = 1 << 20

_Int = NDArray[np.int64]
_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class View:
    """A file as numbers of several sizes, from any byte on."""

    bytes: NDArray[np.uint8]
    halves: NDArray[np.uint16]
    words: NDArray[np.uint32]

    @classmethod
    def of(cls, model: memoryview) -> "View":
        """A view of at least four bytes, which are not copied."""
        size = len(model)
        halves: NDArray[np.uint16] = np.ndarray((size - 1,), "<u2", model, 0, (1,))
        words: NDArray[np.uint32] = np.ndarray((size - 3,), "<u4", model, 0, (1,))
        return cls(np.frombuffer(model, np.uint8), halves, words)

    def word(self, places: _Int) -> _Int:
        """Numbers of four bytes."""
        return self.words[places].astype(np.int64)

    def half(self, places: _Int) -> _Int:
        """Numbers of two bytes."""
        return self.halves[places].astype(np.int64)

    def pieces(self, starts: _Int, lengths: _Int) -> NDArray[np.uint8]:
        """Bytes of several places, one after the other."""
        firsts = np.cumsum(lengths) - lengths
        return self.bytes[np.repeat(starts - firsts, lengths) + np.arange(int(lengths.sum()))]


def are_among(places: _Int, starts: _Int) -> _Mask:
    """Which places are among some that rise."""
    if not len(starts):
        return np.zeros(len(places), np.bool_)
    found: _Mask = starts[np.searchsorted(starts[:-1], places)] == places
    return found


@dataclass(slots=True)
class Found:
    """Objects that were found."""

    starts: dict[int, _Int] = field(default_factory=dict)
    """Of each kind, in order."""
    vtables: dict[int, _Int] = field(default_factory=dict)
    """Of each kind of table where the vtable of each is."""
    patched: list[_Int] = field(default_factory=list)
    """References that lead to none of them, by their numbers."""
    given: list[_Int] = field(default_factory=list)
    """How far those lead."""
    in_order: bool | None = None
    """Whether items of lists stand in their order, or in the reverse one; None where there is no
    list of two."""


def find_objects(view: View) -> Found | None:
    """Find all objects; None where there are more than a topology may have."""
    found, number = Found(), 0
    taken: set[int] = set()
    for kind in range(objects.ROOT, objects.ROOT + len(objects.KINDS)):
        sources, lists = _references(view, found, kind)
        if number + len(sources) > objects.MOST_OBJECTS:
            return None
        if len(sources):
            starts = _follow(view, found, kind, sources, lists, number, taken)
            taken.update(starts.tolist())
        number += len(sources)
    return found


def _references(view: View, found: Found, kind: int) -> tuple[_Int, _Int | None]:
    """Where a kind is referred to, and in which list each time."""
    parent = objects.KINDS[kind - objects.ROOT].parent
    nothing = np.zeros(0, np.int64)
    if kind == objects.ROOT:
        return np.zeros(1, np.int64), None
    starts = found.starts.get(parent, nothing)
    if not len(starts):
        return nothing, None
    if parent not in found.vtables:
        return _items(view.word(starts), starts)
    field = objects.KINDS[kind - objects.ROOT].field
    vtables = found.vtables[parent]
    has = view.half(vtables) > WORD + 2 * field
    places = starts.copy()
    places[has] += view.half(vtables[has] + WORD + 2 * field)
    return places[(places > starts) & (places + WORD <= len(view.bytes))], None


def _items(counts: _Int, starts: _Int) -> tuple[_Int, _Int]:
    """Where the items of lists are, and the list of each."""
    lists = np.repeat(np.arange(len(starts)), counts)
    firsts = np.cumsum(counts) - counts
    return starts[lists] + WORD + WORD * (np.arange(len(lists)) - firsts[lists]), lists


def _follow(
    view: View,
    found: Found,
    kind: int,
    sources: _Int,
    lists: _Int | None,
    number: int,
    taken: set[int],
) -> _Int:
    """Add the objects that references lead to; those that do not stand as expected are patched."""
    ways = view.word(sources)
    targets = sources + ways
    order = np.arange(len(sources))
    if lists is not None:
        if found.in_order is None and np.any(pairs := lists[1:] == lists[:-1]):
            found.in_order = bool(np.diff(targets)[pairs][0] > 0)
        if not found.in_order:
            order = np.lexsort((-order, lists))
    # a set, for numpy.isin takes longer than all the rest
    kept = np.array([target not in taken for target in targets.tolist()], np.bool_)
    kept &= _are_objects(view, kind, targets)
    before = np.maximum.accumulate(np.where(kept, targets, -1)[order])
    kept[order[1:]] &= targets[order[1:]] > before[:-1]
    found.patched.append(np.flatnonzero(~kept) + number)
    found.given.append(ways[~kept])
    starts = targets[order][kept[order]]
    found.starts[kind] = starts
    if objects.KINDS[kind - objects.ROOT].form is Form.TABLE:
        found.vtables[kind] = starts - view.words[starts].view(np.int32)
    return starts


def _are_objects(view: View, kind: int, places: _Int) -> _Mask:
    """Which places an object of a kind may be at."""
    form = objects.KINDS[kind - objects.ROOT].form
    size = len(view.bytes)
    fits: _Mask = (places >= objects.HEADER_SIZE) & (places % WORD == 0) & (places + WORD <= size)
    there = places[fits]
    if form is Form.TABLE:
        fits[fits] = _are_tables(view, there)
        return fits
    counts = view.word(there) + (form is Form.TEXT)
    fits[fits] = ends_fit = there + WORD + form.item_size * counts <= size
    if form is Form.TEXT:
        fits[fits] = _are_texts(view, there[ends_fit] + WORD, counts[ends_fit])
    return fits


def _are_tables(view: View, places: _Int) -> _Mask:
    size = len(view.bytes)
    vtables = places - view.words[places].view(np.int32)
    fits: _Mask = (vtables >= objects.HEADER_SIZE) & (vtables + WORD <= size)
    there = vtables[fits]
    sizes = view.half(there)
    ends = there + sizes
    is_vtable = (sizes >= WORD) & (sizes % 2 == 0) & (ends <= size) & (ends % WORD == 0)
    fits[fits] = is_vtable & (view.half(there + 2) >= WORD)
    return fits


def _are_texts(view: View, starts: _Int, lengths: _Int) -> _Mask:
    """Which end with a zero, and have no other."""
    if not len(starts) or lengths.sum() > _MOST_TEXT:
        return np.zeros(len(starts), np.bool_)
    zeros = view.pieces(starts, lengths) == 0
    firsts = np.cumsum(lengths) - lengths
    is_text: _Mask = zeros[firsts + lengths - 1] & (
        np.add.reduceat(zeros.astype(np.int64), firsts) == 1
    )
    return is_text
