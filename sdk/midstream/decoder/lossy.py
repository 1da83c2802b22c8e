"""Lossy updates: from the lower units of one release to those of the next, byte for byte.

Knows nothing of transport or trust: the unit given was verified before, and what comes out is
for the caller to hold against what was signed.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence

from midstream.bitstream import Head, Operation, Record, Slice, Unit, read_unit, write_unit
from midstream.bitstream.climbs import Climb, climbs_of, expect, payloads_of
from midstream.bitstream.lossy import LossyHead, Outline, Place, Way, stack_id
from midstream.bitstream.parts import is_resizable
from midstream.codec import moves
from midstream.codec.references import LowRank
from midstream.decoder.stack import Stack, may_have_digits, read_stack
from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.types import UnitKind

__all__ = ["apply_lossy_update", "lossy_memory", "lossy_work"]

_Units = Sequence[bytes | bytearray | memoryview]
_ID_SIZE = 16
_SLICE_MEMORY = 480
"""Of one weight of a slice; a test holds the decoder to it."""
_LISTED_MEMORY = 1024
"""Of each slice and each record."""
_FIXED_MEMORY = 18 << 20
"""Tables of the entropy coder, window and dictionary of the head."""


def apply_lossy_update(
    units: _Units, update: bytes | bytearray | memoryview, *, limits: Limits = LIMITS
) -> tuple[bytes, ...]:
    """The units of the new release that an update makes of those of the one before it.

    Args:
        units: The base of the parent, and the enhancements on it up to the rung that the update
            is from.
        update: The unit.
        limits: Bounds on what they claim.

    Returns:
        The new base, and the enhancements on it up to the rung that the update leads to.

    Raises:
        BitstreamError: It is malformed, or for other units (WRONG_PARENT).
        LimitError: A count or size is over its limit.
        UsageError: There are no units to apply it to.
    """
    parsed = read_unit(update, limits=limits)
    _check_parent(parsed, units)
    old = read_stack(units, limits=limits)
    before = [read_unit(unit, limits=limits) for unit in units]
    outlines = [Outline.of(unit) for unit in before]
    tensors = len(old.head.topology.tensors)
    lossy = LossyHead.read(parsed.head, outlines, tensors, limits=limits)
    new = Head.read(lossy.units[0].head, limits=limits)
    climbs = _sources(lossy, new, climbs_of(old.head, old.records))
    made = _Made(lossy.units, before)
    found = _by_slice(parsed.records, len(new.slices))
    for index, piece in enumerate(new.slices):
        own = made.places(index)
        made.fill(index, _payloads(new, piece, own, found[index], (climbs, lossy.products), limits))
    result = tuple(made.units())
    read_stack(result, limits=limits)
    return result


def lossy_memory(old: Stack, new: Stack, update: int) -> int:
    """Bytes that applying takes at most: the unit and those of both releases included.

    Args:
        old: The units that it applies to.
        new: Those that it gives.
        update: Bytes of the unit.
    """
    tensors = old.head.topology.tensors
    most = max((len(records) for records in old.records), default=0)
    slices = max((piece.weights for piece in new.head.slices), default=0)
    largest = max((tensor.weights for tensor in tensors), default=0)
    levels = sum(tensor.weights for tensor in tensors) * (4 * most + 2)
    listed = _LISTED_MEMORY * (len(new.head.slices) + sum(map(len, (*old.records, *new.records))))
    own = _SLICE_MEMORY * slices + 26 * largest + listed + _FIXED_MEMORY
    topologies = old.head.topology.working_memory + new.head.topology.working_memory
    return 2 * (old.size + new.size) + update + levels + own + topologies


def lossy_work(new: Stack, update: bytes | bytearray | memoryview) -> int:
    """Weights that applying decodes, once for each record of theirs (spec/trust.md, "Updates").

    Args:
        new: The units that it gives.
        update: The unit, which was applied.
    """
    moved = [r.slice for r in read_unit(update).records if r.operation is Operation.MOVES]
    return sum(new.head.slices[at].weights * len(new.records[at]) for at in moved)


def _check_parent(update: Unit, units: _Units) -> None:
    if update.kind is not UnitKind.LOSSY_UPDATE:
        raise BitstreamError(
            ErrorCode.WRONG_PARENT, f"lossy update: a unit of kind {update.kind.name} on a rung"
        )
    parent, here = bytes(update.head[:_ID_SIZE]), stack_id(units)
    if parent != here:
        raise BitstreamError(
            ErrorCode.WRONG_PARENT, f"lossy update: for the units {parent.hex()}, not {here.hex()}"
        )


def _sources(lossy: LossyHead, new: Head, old: Sequence[Climb]) -> list[Climb | None]:
    """For each new tensor, the old levels that its own may be near to."""
    found: list[Climb | None] = []
    for tensor, source in zip(new.topology.tensors, lossy.sources, strict=True):
        if source is not None and not is_resizable(old[source].tensor, tensor):
            raise BitstreamError(
                ErrorCode.BAD_FIELD, f"lossy update: {tensor.name} from tensor {source} of a kind"
            )
        found.append(None if source is None else old[source])
    for place in lossy.products:
        tensor, near = new.topology.tensors[place], found[place]
        if near is None or near.tensor.shape != tensor.shape:
            raise BitstreamError(
                ErrorCode.BAD_FIELD, f"lossy update: {tensor.name} is a sum with nothing"
            )
    return found


def _by_slice(records: Sequence[Record], slices: int) -> list[list[Record]]:
    found: list[list[Record]] = [[] for _ in range(slices)]
    for record in records:
        if record.slice >= slices:
            raise BitstreamError(
                ErrorCode.BAD_FIELD, f"lossy update: slice {record.slice} of {slices}"
            )
        found[record.slice].append(record)
    return found


def _payloads(
    new: Head,
    piece: Slice,
    places: Sequence[Place],
    records: Sequence[Record],
    known: tuple[Sequence[Climb | None], Mapping[int, LowRank]],
    limits: Limits,
) -> list[bytes | memoryview]:
    """What the update gives of one slice, for each of its places that is not kept."""
    ways = {place.way for place in places}
    if Way.MOVED not in ways:
        given = [place.operation for place in places if place.way is Way.GIVEN]
        if given != [record.operation for record in records]:
            raise _bad(piece, "other records than its units have")
        return [record.payload for record in records]
    operations = [place.operation for place in places]
    trits = len(places) - 1
    is_climb = operations == [Operation.LEVELS, *[Operation.DIGITS] * trits]
    if len(ways) > 1 or not is_climb or [r.operation for r in records] != [Operation.MOVES]:
        raise _bad(piece, "levels that are moved, and something else")
    if not piece.coded or not may_have_digits(piece, trits, new.codes, limits):
        raise _bad(piece, "levels that cannot be moved")
    payload = memoryview(records[0].payload)
    expected = expect(new, piece, trits, *known)
    levels = moves.decode(payload[trits:], expected.levels, expected.widths)
    return [*payloads_of(new, piece, levels, bytes(payload[:trits]))]


def _bad(piece: Slice, problem: str) -> BitstreamError:
    return BitstreamError(
        ErrorCode.BAD_FIELD, f"lossy update: slice of tensor {piece.runs[0].tensor}: {problem}"
    )


class _Made:
    """New units while they are filled.

    Args:
        outlines: What they look like.
        before: The units that they come from.
    """

    def __init__(self, outlines: Sequence[Outline], before: Sequence[Unit]) -> None:
        self._outlines = outlines
        self._kept: dict[tuple[int, int, int], deque[bytes | memoryview]] = defaultdict(deque)
        for at, unit in enumerate(before):
            for record in unit.records:
                self._kept[at, record.slice, record.operation].append(record.payload)
        self._payloads: dict[tuple[int, int], bytes | memoryview] = {}
        self._places: dict[int, list[tuple[int, int, Place]]] = defaultdict(list)
        for at, outline in enumerate(outlines):
            for row, place in enumerate(outline.places):
                self._places[place.slice].append((at, row, place))

    def places(self, index: int) -> list[Place]:
        """The records of a slice, in order."""
        return [place for _, _, place in self._places[index]]

    def fill(self, index: int, payloads: Sequence[bytes | memoryview]) -> None:
        """Take the payloads of a slice that are not those of before."""
        given = iter(payloads)
        for at, row, place in self._places[index]:
            if place.way is not Way.KEPT:
                self._payloads[at, row] = next(given)
                continue
            kept = self._kept[at, index, place.operation]
            if not kept:
                raise BitstreamError(
                    ErrorCode.BAD_FIELD, f"lossy update: nothing to keep in slice {index}"
                )
            self._payloads[at, row] = kept.popleft()

    def units(self) -> Iterator[bytes]:
        """The units, once all slices are filled."""
        for at, outline in enumerate(self._outlines):
            records = []
            for row, place in enumerate(outline.places):
                payload = self._payloads.get((at, row))
                if payload is None:
                    raise BitstreamError(
                        ErrorCode.BAD_FIELD, f"lossy update: no slice {place.slice} in its base"
                    )
                records.append(
                    Record(slice=place.slice, operation=place.operation, payload=payload)
                )
            yield write_unit(outline.kind, outline.layer, outline.head, records)
