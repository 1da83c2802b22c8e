"""Units as bytes: a header, a head, and records of slices. Knows nothing of their payloads.

A unit is read either whole (`read_unit`) or as it arrives (`UnitReader`); both refuse the
same bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from io import BytesIO
from typing import TypeVar

from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import read_entries
from midstream.kernels.entries import Layout
from midstream.limits import LIMITS, Limits
from midstream.types import UnitKind
from midstream.wire import Reader, Writer

__all__ = [
    "MAGIC",
    "VERSION",
    "Operation",
    "Record",
    "Unit",
    "UnitReader",
    "protected_size",
    "read_unit",
    "write_unit",
]

MAGIC = b"MDU"
VERSION = 0
"""The format's version; 0 means that its bytes may still change."""

_E = TypeVar("_E", bound=IntEnum)
_MAX_LAYER = 255
_SLICES = 1 << 24
_COUNT_SIZE = 4
"""Bytes that the number of records takes, at most."""
_WITH_HEAD = (UnitKind.BASE, UnitKind.UPDATE, UnitKind.LOSSY_UPDATE)


class Operation(IntEnum):
    """What a record does to its slice; the numbers are those of the bitstream."""

    LEVELS = 0
    """From nothing to levels."""
    DIGITS = 1
    """One refinement: the step divided by three."""
    EXACT = 2
    """From levels to the values of the model file."""
    RAW = 3
    """The values of the model file as they are, from any state."""
    VALUES = 4
    """From nothing to the values of the model file, without levels."""
    DIFFERENCES = 5
    """From the values of the parent's model file to those of the new one, in updates alone."""
    MOVES = 6
    """From the levels of the parent's slices to those of a new one, in lossy updates alone."""
    REPEATS = 7
    """Which weights repeat others of the slice; what follows is done to those others alone."""
    POINTS = 8
    """The last refinement: the step divided by five, levels that are points of the lattice."""


_OPERATIONS = tuple(Operation)
"""By number: to call an enumeration is slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One operation on one slice."""

    slice: int
    """Index of the slice."""
    operation: Operation
    """What is done to it."""
    payload: memoryview | bytes
    """Coded as spec/coding.md says for the operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A parsed unit."""

    kind: UnitKind
    """What it does."""
    layer: int
    """The quality layer that is reached with it."""
    head: memoryview | bytes
    """What a decoder must know first, in bases and updates; empty otherwise."""
    records: tuple[Record, ...]
    """In order of slices; several records of one slice apply in the order they stand."""


def write_unit(kind: UnitKind, layer: int, head: bytes, records: Iterable[Record]) -> bytes:
    """The bytes of a unit.

    Args:
        kind: What it is.
        layer: Its layer.
        head: Its head; empty where its kind has none.
        records: In order of slices; those that are made one by one are let go of one by one.
    """
    start = Writer().raw(MAGIC).u8(VERSION).u8(kind).varint(layer).blob(head).bytes()
    out = BytesIO()
    out.write(bytes(len(start) + _COUNT_SIZE))
    count = sum(_write_record(out, record) for record in records)
    return _put_before(out, len(start) + _COUNT_SIZE, start + Writer().varint(count).bytes())


def _write_record(out: BytesIO, record: Record) -> int:
    """One record more: their number."""
    size = len(record.payload)
    out.write(Writer().varint(record.slice).u8(record.operation).varint(size).bytes())
    out.write(record.payload)
    return 1


def _put_before(out: BytesIO, room: int, first: bytes) -> bytes:
    """What was written after some room, right after what comes first; nothing is held twice."""
    with out.getbuffer() as view:
        end = len(first) + len(view) - room
        view[len(first) : end] = view[room:]
        view[: len(first)] = first
    out.truncate(end)
    return out.getvalue()


def protected_size(data: bytes | memoryview) -> int:
    """Bytes from the start of a unit to the end of its head: the part with more repair."""
    reader = Reader(data, "unit")
    _, _, head = _read_header(reader, LIMITS)
    return reader.offset if head else 0


def read_unit(data: bytes | bytearray | memoryview, *, limits: Limits = LIMITS) -> Unit:
    """Parse a whole unit; payloads are views of `data`.

    Raises:
        BitstreamError: It is malformed.
        LimitError: A count or size is over its limit.
    """
    reader = Reader(data, "unit")
    kind, layer, head = _read_header(reader, limits)
    count = reader.varint(limit=_SLICES)
    records = _read_records(memoryview(data).cast("B"), reader.offset, count, limits)
    if records is None:
        records = _read_record_by_record(reader, count, limits)
    return Unit(kind=kind, layer=layer, head=head, records=tuple(records))


def _read_records(data: memoryview, start: int, count: int, limits: Limits) -> list[Record] | None:
    """All records of a unit; None where one of them, or what follows them, is malformed."""
    entries = read_entries(data, start, count, _layout(limits))
    if entries is None or entries.stop != len(data):
        return None
    records: list[Record] = []
    before = 0
    for index, operation, first, size in entries.rows():
        if index < before:
            return None
        before = index
        payload = data[first : first + size]
        records.append(Record(slice=index, operation=_OPERATIONS[operation], payload=payload))
    return records


def _layout(limits: Limits) -> Layout:
    return _LAYOUT if limits is LIMITS else _layout_of(limits)


def _layout_of(limits: Limits) -> Layout:
    return Layout(fields="vbx", most=(_SLICES, len(_OPERATIONS) - 1, limits.unit_size))


_LAYOUT = _layout_of(LIMITS)


def _read_record_by_record(reader: Reader, count: int, limits: Limits) -> list[Record]:
    """The same, to say what is wrong with the first that cannot be read."""
    records: list[Record] = []
    for _ in range(count):
        records.append(_read_record(reader, limits))
        _check_order(records)
    reader.end()
    return records


def _read_header(reader: Reader, limits: Limits) -> tuple[UnitKind, int, memoryview]:
    if (magic := bytes(reader.take(3))) != MAGIC:
        raise BitstreamError(ErrorCode.BAD_MAGIC, f"unit: starts with {magic!r}, not {MAGIC!r}")
    if (version := reader.u8()) != VERSION:
        raise BitstreamError(
            ErrorCode.BAD_VERSION, f"unit: version {version}, this reader knows {VERSION}"
        )
    kind = _member(UnitKind, reader.u8(), "kind of unit")
    layer = reader.varint(limit=_MAX_LAYER)
    head = reader.blob(limit=limits.unit_size)
    if bool(head) != (kind in _WITH_HEAD) and kind is not UnitKind.CONTRIBUTION:
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"unit: a head of {len(head)} bytes in a unit of kind {kind.name}"
        )
    return kind, layer, head


def _read_record(reader: Reader, limits: Limits) -> Record:
    index = reader.varint(limit=_SLICES)
    operation = _member(Operation, reader.u8(), "operation")
    return Record(slice=index, operation=operation, payload=reader.blob(limit=limits.unit_size))


def _check_order(records: list[Record]) -> None:
    if len(records) > 1 and records[-1].slice < records[-2].slice:
        raise BitstreamError(
            ErrorCode.BAD_FIELD,
            f"unit: slice {records[-1].slice} after slice {records[-2].slice}",
        )


def _member(kind: type[_E], value: int, what: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"unit: {value} is no {what}") from None


class UnitReader:
    """Reads a unit as it arrives, record by record.

    Bytes go in by `feed`; records come out as soon as they are whole. It holds at most
    one unfinished record. `close` says whether the unit was whole.
    """

    def __init__(self, *, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._rest = bytearray()
        self._missing = 0
        self._left: int | None = None
        self._last: list[Record] = []
        self.header: tuple[UnitKind, int, bytes] | None = None
        """Kind, layer and head, once they have arrived."""

    def feed(self, data: bytes | memoryview) -> list[Record]:
        """Take bytes, give the records that they complete.

        Raises:
            BitstreamError: The unit is malformed.
            LimitError: A count or size is over its limit.
        """
        self._rest += data
        self._missing -= len(data)
        # without this a long record would be copied again for each piece of it
        return [] if self._missing > 0 else self._read()

    def close(self) -> None:
        """Make sure that the unit is whole.

        Raises:
            BitstreamError: BAD_LENGTH where it is not.
        """
        if self._left != 0:
            raise BitstreamError(ErrorCode.BAD_LENGTH, "unit: ends before its last record")

    def _read(self) -> list[Record]:
        reader = Reader(bytes(self._rest), "unit")
        whole = 0
        records: list[Record] = []
        try:
            while self._left != 0:
                records += self._next(reader)
                whole = reader.offset
            reader.end()
        except BitstreamError as error:
            if error.code is not ErrorCode.BAD_LENGTH:
                raise
            self._missing = reader.missing
        del self._rest[:whole]
        return records

    def _next(self, reader: Reader) -> list[Record]:
        """What is next: the header, which gives no record, or one record."""
        if self._left is None:
            kind, layer, head = _read_header(reader, self._limits)
            self._left = reader.varint(limit=_SLICES)
            self.header = kind, layer, bytes(head)
            return []
        record = _read_record(reader, self._limits)
        self._last = [*self._last[-1:], record]
        _check_order(self._last)
        self._left -= 1
        return [record]
