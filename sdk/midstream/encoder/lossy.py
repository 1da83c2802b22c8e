"""Units of one release to an update of those of the release before it.

Each slice is looked at by itself: whether its levels are told in fewer bytes by what was there,
or are sent as they are. Knows nothing of releases, runtimes or disks.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from midstream.bitstream import Head, Operation, Record, Topology, Unit, read_unit, write_unit
from midstream.bitstream.climbs import (
    Climb,
    climbs_of,
    expect,
    levels_of,
    payloads_of,
    records_of,
)
from midstream.bitstream.lossy import LossyHead, Outline, Place, Way, stack_id
from midstream.codec import moves, references
from midstream.codec.references import LowRank
from midstream.encoder.matching import match, named
from midstream.encoder.products import find_products
from midstream.types import Tensor, UnitKind

__all__ = ["encode_lossy_update"]

_Units = Sequence[bytes | memoryview]
_Kept = dict[tuple[int, int, int], deque[bytes | memoryview]]


def encode_lossy_update(old_units: _Units, new_units: _Units) -> bytes:
    """The unit that makes the lower units of one release of those of another.

    Args:
        old_units: The base of the parent, and enhancements on it.
        new_units: The base of the new release, and enhancements on it.

    Raises:
        BitstreamError: Units are malformed.
        LimitError: A count or size in them is over its limit.
    """
    before, after = _parse(old_units), _parse(new_units)
    old, new = Head.read(before[0].head), Head.read(after[0].head)
    sources = match(_named(new.topology), _named(old.topology))
    climbs = climbs_of(old, records_of(before, len(old.slices)))
    near = [None if source is None else climbs[source] for source in sources]
    found = find_products(near, climbs_of(new, records_of(after, len(new.slices))))
    slices = _slices(before, after, new, near)
    products = {
        place: product
        for place, product in found.items()
        if _shortens(slices, place, product, (new, records_of(after, len(new.slices)), near))
    }
    head = LossyHead(
        parent=stack_id(old_units),
        units=_with_ways([Outline.of(unit) for unit in after], slices),
        sources=sources,
        products=products,
    )
    data = head.write([Outline.of(unit) for unit in before], len(old.topology.tensors))
    records = [record for one in slices for record in one.records]
    return write_unit(UnitKind.LOSSY_UPDATE, after[-1].layer, data, records)


def _named(topology: Topology) -> tuple[Tensor, ...]:
    """The tensors by their names, which files have where there are no weights."""
    model = bytearray(topology.model_size)
    topology.fill(memoryview(model))
    return named(topology.tensors, bytes(model))


def _parse(units: _Units) -> list[Unit]:
    return [read_unit(unit) for unit in units]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """How one slice is told."""

    ways: tuple[Way, ...]
    """Of its records, in order."""
    records: tuple[Record, ...]
    """What the update holds of it."""

    @property
    def size(self) -> int:
        """Bytes of its payloads."""
        return sum(len(record.payload) for record in self.records)


def _slices(
    before: Sequence[Unit], after: Sequence[Unit], new: Head, near: Sequence[Climb | None]
) -> list[_Slice]:
    kept: _Kept = defaultdict(deque)
    for at, unit in enumerate(before):
        for record in unit.records:
            kept[at, record.slice, record.operation].append(record.payload)
    own = records_of(after, len(new.slices))
    found = []
    for index, given in enumerate(_given(after, own, kept)):
        moved = _moved(new, index, own[index], near) if given.size else None
        found.append(given if moved is None or moved.size >= given.size else moved)
    return found


def _shortens(
    slices: list[_Slice],
    place: int,
    product: LowRank,
    known: tuple[Head, Sequence[Sequence[Record]], Sequence[Climb | None]],
) -> bool:
    """Whether a tensor takes fewer bytes by a product; its slices are then told so."""
    new, own, near = known
    here = [i for i, piece in enumerate(new.slices) if piece.runs[0].tensor == place]
    tried = [_moved(new, i, own[i], near, {place: product}) for i in here]
    made = [one for one in tried if one is not None]
    size = len(references.write(product)) + sum(one.size for one in made)
    if len(made) < len(here) or size >= sum(slices[i].size for i in here):
        return False
    for i, one in zip(here, made, strict=True):
        slices[i] = one
    return True


def _given(after: Sequence[Unit], own: Sequence[Sequence[Record]], kept: _Kept) -> list[_Slice]:
    """Slices whose payloads are sent as they are, but for those that were there already."""
    ways: list[list[Way]] = [[] for _ in own]
    for at, unit in enumerate(after):
        for record in unit.records:
            there = kept[at, record.slice, record.operation]
            is_kept = bool(there) and there.popleft() == record.payload
            ways[record.slice].append(Way.KEPT if is_kept else Way.GIVEN)
    return [
        _Slice(
            ways=tuple(here),
            records=tuple(r for r, way in zip(records, here, strict=True) if way is Way.GIVEN),
        )
        for here, records in zip(ways, own, strict=True)
    ]


def _moved(
    new: Head,
    index: int,
    records: Sequence[Record],
    near: Sequence[Climb | None],
    products: Mapping[int, LowRank] | None = None,
) -> _Slice | None:
    """A slice whose levels are moved; None where it has none, or nothing that they are near to."""
    piece = new.slices[index]
    if all(near[run.tensor] is None for run in piece.runs):
        return None
    levels = levels_of(new, piece, records)
    if levels is None or max(int(np.abs(level).max()) for level in levels) > moves.FARTHEST:
        return None
    firsts = bytes(record.payload[0] for record in records[1:])
    if payloads_of(new, piece, levels, firsts) != [bytes(record.payload) for record in records]:
        return None  # an encoder that packed otherwise
    expected = expect(new, piece, len(levels) - 1, near, products)
    payload = firsts + moves.encode(levels, expected.levels, expected.widths)
    record = Record(slice=index, operation=Operation.MOVES, payload=payload)
    return _Slice(ways=(Way.MOVED,) * len(records), records=(record,))


def _with_ways(outlines: Sequence[Outline], slices: Sequence[_Slice]) -> tuple[Outline, ...]:
    """Units with the ways of their records."""
    left = [deque(one.ways) for one in slices]
    return tuple(
        replace(
            outline,
            places=tuple(
                Place(slice=p.slice, operation=p.operation, way=left[p.slice].popleft())
                for p in outline.places
            ),
        )
        for outline in outlines
    )
