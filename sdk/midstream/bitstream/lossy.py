"""The head of a lossy update: which units it applies to, and what the new ones look like.

The new units are there but for the payloads of their records: those follow as records of the
update, or are those of the parent's (spec/lossy.md, "Head").
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import zstandard

from midstream.bitstream.head import Head
from midstream.bitstream.patch import DICTIONARY, read_sources, write_sources
from midstream.bitstream.unit import Operation, Unit
from midstream.codec import references
from midstream.codec.references import LowRank
from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.types import UnitKind
from midstream.wire import Reader, Writer

__all__ = ["LossyHead", "Outline", "Place", "Way", "stack_id"]

_ID_SIZE = 16
_WINDOW_BITS = 23
_LEVEL = 19
_MAX_LAYER = 255
_WAY_SHIFT = 4
_KINDS = (UnitKind.BASE, UnitKind.ENHANCEMENT)
_OPERATIONS = set(Operation) - {Operation.DIFFERENCES, Operation.MOVES}
"""Those of bases and enhancements."""


def stack_id(units: Sequence[bytes | bytearray | memoryview]) -> bytes:
    """What a base and the units on it are called: half a hash of their bytes, in order."""
    digest = hashlib.sha256()
    for unit in units:
        digest.update(unit)
    return digest.digest()[:_ID_SIZE]


class Way(IntEnum):
    """Where the payload of a record is from; the numbers are those of the bitstream."""

    GIVEN = 0
    """It is a record of the update."""
    KEPT = 1
    """It is that of the parent's record of the same unit, slice and operation."""
    MOVED = 2
    """It codes levels that the update moves, with all others of its slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A record without its payload."""

    slice: int
    """Index of the slice."""
    operation: Operation
    """What is done to it."""
    way: Way
    """Where its payload is from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A unit without the payloads of its records."""

    kind: UnitKind
    """Base or enhancement."""
    layer: int
    """The layer that is reached with it."""
    head: bytes
    """Of a base; empty otherwise."""
    places: tuple[Place, ...]
    """Its records, in order."""

    @classmethod
    def of(cls, unit: Unit) -> "Outline":
        """What is sent of a unit all of whose levels are moved."""
        places = tuple(
            Place(slice=record.slice, operation=record.operation, way=usual(record.operation))
            for record in unit.records
        )
        return cls(kind=unit.kind, layer=unit.layer, head=bytes(unit.head), places=places)


def usual(operation: Operation) -> Way:
    """The way of most records of an operation."""
    is_moved = operation in (Operation.LEVELS, Operation.DIGITS)
    return Way.MOVED if is_moved else Way.GIVEN


@dataclass(frozen=True, kw_only=True)
class LossyHead:
    """What a decoder must know before the first slice."""

    parent: bytes
    """The `stack_id` of the units that it applies to."""
    units: tuple[Outline, ...]
    """The new units, the base first."""
    sources: tuple[int | None, ...]
    """For each new tensor, the old one that its levels are from."""
    products: Mapping[int, LowRank] = field(default_factory=dict)
    """What is added to what levels of some of these tensors stood for."""

    def write(self, old: Sequence[Outline], tensors: int) -> bytes:
        """The bytes of the head.

        Args:
            old: The units that it applies to.
            tensors: How many tensors their base has.
        """
        content = _content(self.units, self.sources, self.products)
        parameters = zstandard.ZstdCompressionParameters.from_level(
            _LEVEL, window_log=_WINDOW_BITS, write_content_size=False
        )
        packer = zstandard.ZstdCompressor(
            dict_data=_dictionary(old, tensors), compression_params=parameters
        )
        return Writer().raw(self.parent).varint(len(content)).raw(packer.compress(content)).bytes()

    @classmethod
    def read(
        cls,
        data: bytes | memoryview,
        old: Sequence[Outline],
        tensors: int,
        *,
        limits: Limits = LIMITS,
    ) -> "LossyHead":
        """Parse what `write` gives, on the units that it applies to.

        Raises:
            BitstreamError: It is malformed, or the new base's head is.
            LimitError: A count or size is over its limit.
        """
        reader = Reader(data, "lossy update")
        parent = bytes(reader.take(_ID_SIZE))
        size = reader.varint(limit=limits.unit_size)
        frame = bytes(reader.take(reader.remaining))
        content = Reader(_unpack(frame, size, _dictionary(old, tensors)), "lossy update")
        units, new = _read_outlines(content, limits)
        sources = read_sources(content, len(new.topology.tensors), tensors)
        products = _read_products(content, new)
        content.end()
        return cls(parent=parent, units=units, sources=sources, products=products)


def _content(
    units: Sequence[Outline],
    sources: Sequence[int | None],
    products: Mapping[int, LowRank] | None = None,
) -> bytes:
    out = Writer().varint(len(units))
    for unit in units:
        out.u8(unit.kind).varint(unit.layer).blob(unit.head).varint(len(unit.places))
        last = 0
        for place in unit.places:
            out.varint(place.slice - last).u8(place.operation | place.way << _WAY_SHIFT)
            last = place.slice
    added = sorted((products or {}).items())
    out.raw(write_sources(sources)).varint(len(added))
    last = -1
    for tensor, product in added:
        out.varint(tensor - last - 1).blob(references.write(product))
        last = tensor
    return out.bytes()


def _read_products(reader: Reader, new: Head) -> dict[int, LowRank]:
    tensors = new.topology.tensors
    found: dict[int, LowRank] = {}
    last = -1
    for _ in range(reader.varint(limit=len(tensors))):
        last += 1 + reader.varint(limit=1 << 24)
        if last >= len(tensors):
            raise _bad(f"a reference of tensor {last} of {len(tensors)}")
        payload = reader.blob(limit=reader.remaining)
        reference = references.read(payload, tensors[last])
        if not isinstance(reference, LowRank):
            raise _bad(f"a reference of tensor {last} that is no product")
        found[last] = reference
    return found


def _dictionary(old: Sequence[Outline], tensors: int) -> zstandard.ZstdCompressionDict:
    content = _content(old, range(tensors))[:DICTIONARY]
    return zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _unpack(frame: bytes, size: int, dictionary: zstandard.ZstdCompressionDict) -> bytes:
    unpacker = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=1 << _WINDOW_BITS)
    try:
        claimed = zstandard.get_frame_parameters(frame).content_size
        if claimed not in (zstandard.CONTENTSIZE_UNKNOWN, size):
            raise _bad(f"a zstd frame of {claimed} bytes, not {size}")
        content = unpacker.decompress(frame, max_output_size=max(size, 1), allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise _bad(f"zstd says {error}") from None
    if len(content) != size:
        raise _bad(f"does not unpack to {size} bytes")
    return content


def _read_outlines(reader: Reader, limits: Limits) -> tuple[tuple[Outline, ...], Head]:
    """All units, and the head of their base."""
    count = reader.varint(limit=limits.units)
    if not count:
        raise _bad("of no units")
    kind, layer, data = _read_front(reader, 0, limits)
    head = Head.read(data, limits=limits)
    # what repeats, LEVELS, refinements, what ends them: few bytes under zstd cannot claim many
    most = len(head.slices) * (limits.trits + 3)
    units = [Outline(kind=kind, layer=layer, head=data, places=_read_places(reader, most))]
    for place in range(1, count):
        kind, layer, _ = _read_front(reader, place, limits)
        most -= len(units[-1].places)
        units.append(Outline(kind=kind, layer=layer, head=b"", places=_read_places(reader, most)))
    return tuple(units), head


def _read_front(reader: Reader, place: int, limits: Limits) -> tuple[UnitKind, int, bytes]:
    """Kind, layer and head."""
    kind, layer = reader.u8(), reader.varint(limit=_MAX_LAYER)
    if kind != _KINDS[min(place, 1)]:
        raise _bad(f"unit {place} is of kind {kind}")
    head = bytes(reader.blob(limit=limits.unit_size))
    if bool(head) != (not place):
        raise _bad(f"unit {place} has a head of {len(head)} bytes")
    return UnitKind(kind), layer, head


def _read_places(reader: Reader, most: int) -> tuple[Place, ...]:
    # a record is two bytes at least: more of them than there are bytes are no allocation
    count = reader.varint(limit=min(reader.remaining, most))
    places: list[Place] = []
    last = 0
    for _ in range(count):
        last += reader.varint(limit=1 << 24)
        places.append(_read_place(last, reader.u8()))
    return tuple(places)


def _read_place(index: int, value: int) -> Place:
    operation, way = value & (1 << _WAY_SHIFT) - 1, value >> _WAY_SHIFT
    if operation not in _OPERATIONS or way > Way.MOVED:
        raise _bad(f"operation {operation} in way {way}")
    if way == Way.MOVED and usual(Operation(operation)) is not Way.MOVED:
        raise _bad(f"operation {operation} moves no levels")
    return Place(slice=index, operation=Operation(operation), way=Way(way))


def _bad(problem: str) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"lossy update: {problem}")
