"""Units as bytes: exact layout, what is refused, and reading as bytes arrive."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.bitstream import (
    Operation,
    Record,
    Unit,
    UnitReader,
    protected_size,
    read_unit,
    write_unit,
)
from midstream.bitstream import unit as unit_module
from midstream.errors import BitstreamError, ErrorCode, LimitError, MidstreamError
from midstream.limits import LIMITS
from midstream.types import UnitKind

GOLDEN = bytes.fromhex("4d4455 00 00 00 02 aabb 02 00 00 03 010203 ac02 03 01 ff")


def record(index: int, operation: Operation, payload: bytes = b"x") -> Record:
    return Record(slice=index, operation=operation, payload=payload)


GOLDEN_RECORDS = [
    record(0, Operation.LEVELS, b"\x01\x02\x03"),
    record(300, Operation.RAW, b"\xff"),
]


def whole(data: bytes) -> Unit:
    return read_unit(data)


def piecewise(data: bytes, pieces: Iterable[bytes] | None = None) -> Unit:
    """What the reader of arriving bytes makes of them; byte by byte, unless said otherwise."""
    reader = UnitReader()
    records: list[Record] = []
    for piece in pieces if pieces is not None else (data[i : i + 1] for i in range(len(data))):
        records += reader.feed(piece)
    reader.close()
    assert reader.header is not None
    kind, layer, head = reader.header
    return Unit(kind=kind, layer=layer, head=head, records=tuple(records))


READERS = pytest.mark.parametrize("read", [whole, piecewise])
Read = Callable[[bytes], Unit]


def test_a_unit_has_these_bytes() -> None:
    assert write_unit(UnitKind.BASE, 0, b"\xaa\xbb", GOLDEN_RECORDS) == GOLDEN


@READERS
def test_a_unit_comes_back(read: Read) -> None:
    unit = read(GOLDEN)
    assert (unit.kind, unit.layer, bytes(unit.head)) == (UnitKind.BASE, 0, b"\xaa\xbb")
    assert [replace(r, payload=bytes(r.payload)) for r in unit.records] == GOLDEN_RECORDS


@READERS
@pytest.mark.parametrize("size", range(len(GOLDEN)))
def test_a_truncated_unit_is_refused(read: Read, size: int) -> None:
    with pytest.raises(BitstreamError) as caught:
        read(GOLDEN[:size])
    assert caught.value.code is ErrorCode.BAD_LENGTH


@READERS
def test_bytes_after_a_unit_are_refused(read: Read) -> None:
    """[BIT-3]"""
    with pytest.raises(BitstreamError, match="1 bytes after the end") as caught:
        read(GOLDEN + b"\0")
    assert caught.value.code is ErrorCode.TRAILING_BYTES


BAD = {
    "another magic": ("4d4456 00 01 01 00 00", ErrorCode.BAD_MAGIC),
    "a later version": ("4d4455 01 01 01 00 00", ErrorCode.BAD_VERSION),
    "an unknown kind": ("4d4455 00 ff 01 00 00", ErrorCode.BAD_FIELD),
    "layer 256": ("4d4455 00 01 8002 00 00", ErrorCode.OVER_LIMIT),
    "a longer form of layer 1": ("4d4455 00 01 8100 00 00", ErrorCode.BAD_FIELD),
    "a head over its limit": ("4d4455 00 00 00 8180808004", ErrorCode.OVER_LIMIT),
    "too many records": ("4d4455 00 01 01 00 81808008", ErrorCode.OVER_LIMIT),
    "a slice over its limit": ("4d4455 00 01 01 00 01 81808008", ErrorCode.OVER_LIMIT),
    "an unknown operation": ("4d4455 00 01 01 00 01 00 ff 00", ErrorCode.BAD_FIELD),
    "a payload over its limit": ("4d4455 00 01 01 00 01 00 00 8180808004", ErrorCode.OVER_LIMIT),
}


@READERS
@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD)
def test_a_bad_field_is_refused(read: Read, data: str, code: ErrorCode) -> None:
    """[BIT-2]"""
    with pytest.raises(MidstreamError) as caught:
        read(bytes.fromhex(data))
    assert caught.value.code is code


@READERS
@pytest.mark.parametrize("kind", [UnitKind.ENHANCEMENT, UnitKind.EXACT])
def test_what_has_no_head_must_not_have_one(read: Read, kind: UnitKind) -> None:
    """[BIT-4]"""
    with pytest.raises(BitstreamError, match="a head of 1 bytes") as caught:
        read(write_unit(kind, 1, b"h", []))
    assert caught.value.code is ErrorCode.BAD_FIELD
    assert read(write_unit(kind, 1, b"", [])).head == b""


@READERS
@pytest.mark.parametrize("kind", [UnitKind.BASE, UnitKind.UPDATE])
def test_what_has_a_head_must_not_be_without(read: Read, kind: UnitKind) -> None:
    """[BIT-4]"""
    with pytest.raises(BitstreamError, match="a head of 0 bytes"):
        read(write_unit(kind, 0, b"", []))


@READERS
def test_records_out_of_order_are_refused(read: Read) -> None:
    """[BIT-6]"""
    records = [record(2, Operation.DIGITS), record(1, Operation.DIGITS)]
    with pytest.raises(BitstreamError, match="slice 1 after slice 2") as caught:
        read(write_unit(UnitKind.ENHANCEMENT, 1, b"", records))
    assert caught.value.code is ErrorCode.BAD_FIELD


@READERS
def test_records_of_one_slice_keep_their_order(read: Read) -> None:
    """[BIT-6]"""
    operations = [Operation.DIGITS, Operation.DIGITS, Operation.EXACT]
    records = [record(7, operation) for operation in operations]
    unit = read(write_unit(UnitKind.EXACT, 2, b"", records))
    assert [r.operation for r in unit.records] == operations


def test_a_limit_of_the_caller_holds() -> None:
    """[BIT-2]"""
    limits = replace(LIMITS, unit_size=2)
    with pytest.raises(LimitError):
        read_unit(GOLDEN, limits=limits)
    with pytest.raises(LimitError):
        UnitReader(limits=limits).feed(GOLDEN)


def test_payloads_are_not_copied() -> None:
    data = bytearray(GOLDEN)
    unit = read_unit(data)
    data[-1] = 0x11
    assert bytes(unit.records[1].payload) == b"\x11"


def test_the_protected_part_of_a_base_ends_with_its_head() -> None:
    assert protected_size(GOLDEN) == 9
    assert protected_size(write_unit(UnitKind.EXACT, 2, b"", GOLDEN_RECORDS)) == 0


def test_a_record_comes_out_with_its_last_byte() -> None:
    reader = UnitReader()
    came = [len(reader.feed(GOLDEN[i : i + 1])) for i in range(len(GOLDEN))]
    assert [i for i, count in enumerate(came) if count] == [15, len(GOLDEN) - 1]


def test_an_empty_piece_changes_nothing() -> None:
    reader = UnitReader()
    assert reader.feed(b"") == []
    assert reader.header is None
    assert len(reader.feed(GOLDEN)) == 2
    assert reader.feed(b"") == []
    reader.close()


def test_bytes_that_come_after_the_last_record_are_refused() -> None:
    """[BIT-3]"""
    reader = UnitReader()
    reader.feed(GOLDEN)
    with pytest.raises(BitstreamError) as caught:
        reader.feed(b"\0")
    assert caught.value.code is ErrorCode.TRAILING_BYTES


units = st.builds(
    lambda layer, records: write_unit(
        UnitKind.ENHANCEMENT, layer, b"", sorted(records, key=lambda r: r.slice)
    ),
    st.integers(0, 255),
    st.lists(
        st.builds(
            Record,
            slice=st.integers(0, 1 << 24),
            operation=st.sampled_from(Operation),
            payload=st.binary(max_size=300),
        ),
        max_size=9,
    ),
)


@given(units, st.lists(st.integers(0, 600), max_size=6))
def test_however_a_unit_arrives_it_reads_the_same(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert piecewise(data, pieces) == read_unit(data)


@given(units)
def test_a_unit_that_was_read_is_written_as_it_was(data: bytes) -> None:
    unit = read_unit(data)
    assert write_unit(unit.kind, unit.layer, bytes(unit.head), unit.records) == data


def outcome(read: Callable[[bytes], object], data: bytes) -> object:
    """What is read of some bytes, or what is said against them."""
    try:
        return read(data)
    except MidstreamError as error:
        return error.code, str(error)


@given(units, st.data())
def test_all_records_at_once_are_read_as_one_by_one(data: bytes, drawn: st.DataObject) -> None:
    place = drawn.draw(st.integers(0, len(data) - 1))
    damaged = data[:place] + bytes([drawn.draw(st.integers(0, 255))]) + data[place + 1 :]
    found = outcome(read_unit, damaged)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unit_module, "read_entries", lambda *_: None)
        assert outcome(read_unit, damaged) == found
