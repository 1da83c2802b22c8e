"""Entries of tables, each implementation, against plain reading and against damage."""

from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.errors import DataError
from midstream.kernels import numpy_entries
from midstream.kernels.entries import LIST_ITEMS, Entries, Layout
from midstream.wire import Reader, Writer

if find_spec("midstream.kernels._native"):
    from midstream.kernels import _native, native_entries

    IMPLEMENTATIONS = [numpy_entries, native_entries]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_entries]

ALL = Layout(fields="bvxl", most=(9, 1 << 40, 5, 300))
GOLDEN = bytes.fromhex("09 8001 02 aabb 02 ac02 07")
BOTH = pytest.mark.parametrize("module", IMPLEMENTATIONS, ids=lambda m: m.__name__.split(".")[-1])


def read(module, data: bytes, count: int, layout: Layout = ALL, start: int = 0) -> Entries | None:
    return module.read_entries(memoryview(data), start, count, layout)


def rows(entries: Entries | None) -> list[tuple[int, ...]]:
    assert entries is not None
    return list(entries.rows())


def slow_row(reader: Reader, layout: Layout) -> tuple[int, ...] | None:
    """One entry as wire.Reader reads it; None where a number of it is over its bound."""
    row: list[int] = []
    for letter, most in zip(layout.fields, layout.most, strict=True):
        if letter == "b":
            row.append(reader.u8())
            if row[-1] > most:
                return None
        elif letter == "v":
            row.append(reader.varint(limit=most))
        elif letter == "x":
            size = len(reader.blob(limit=most))
            row += [reader.offset - size, size]
        else:
            size = reader.u8()
            if size > LIST_ITEMS:
                return None
            items = [reader.varint(limit=most) for _ in range(size)]
            row += [size, *items, *[0] * (LIST_ITEMS - size)]
    return tuple(row)


def slow_read(data: bytes, count: int, layout: Layout) -> tuple[list[tuple[int, ...]], int] | None:
    reader = Reader(data)
    found: list[tuple[int, ...]] = []
    try:
        for _ in range(count):
            row = slow_row(reader, layout)
            if row is None:
                return None
            found.append(row)
    except DataError:
        return None
    return found, reader.offset


@BOTH
def test_an_entry_has_these_numbers(module) -> None:
    """A byte, a varint, where a blob is and its size, a list and what it lacks of 8 items."""
    entries = read(module, GOLDEN + b"more", 1)
    assert rows(entries) == [(9, 128, 4, 2, 2, 300, 7, 0, 0, 0, 0, 0, 0)]
    assert entries.stop == len(GOLDEN)


@BOTH
def test_entries_follow_each_other_from_a_start_on(module) -> None:
    entries = read(module, b"ahead" + GOLDEN + GOLDEN, 2, start=5)
    assert [row[:4] for row in rows(entries)] == [(9, 128, 9, 2), (9, 128, 9 + len(GOLDEN), 2)]


@BOTH
def test_no_entries_take_no_bytes(module) -> None:
    entries = read(module, b"", 0)
    assert (rows(entries), entries.stop) == ([], 0)


BAD = {
    "nothing at all": "",
    "a byte over its bound": "0a 00 00 00",
    "a varint over its bound": "00 818080808040 00 00",
    "a varint that goes on for too long": "00 80808080808080808001 00 00",
    "a varint that is not in its shortest form": "00 8000 00 00",
    "a varint that ends early": "00 80",
    "a blob over its bound": "00 00 06 aaaaaaaaaaaa 00",
    "a blob that ends early": "00 00 05 aaaa",
    "a list of nine": "00 00 00 09 000000000000000000",
    "a list that ends early": "00 00 00 02 01",
    "an item over its bound": "00 00 00 01 ad02",
}


@BOTH
@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_malformed_entry_is_not_read(module, data: str) -> None:
    assert read(module, bytes.fromhex(data), 1) is None


@BOTH
@pytest.mark.parametrize("size", range(len(GOLDEN)))
def test_an_entry_that_ends_early_is_not_read(module, size: int) -> None:
    assert read(module, GOLDEN[:size], 1) is None


@BOTH
def test_the_largest_varint_has_63_bits(module) -> None:
    layout = Layout(fields="v", most=((1 << 63) - 1,))
    data = Writer().varint((1 << 63) - 1).bytes()
    assert rows(read(module, data, 1, layout)) == [((1 << 63) - 1,)]


@BOTH
def test_no_room_is_made_for_more_entries_than_the_data_can_hold(module) -> None:
    """[BIT-2]"""
    assert read(module, bytes(100), 1 << 60) is None


@BOTH
@given(
    data=st.lists(st.sampled_from([0, 1, 2, 8, 9, 0x7F, 0x80, 0x81, 0xFF]), max_size=60).map(bytes),
    count=st.integers(0, 6),
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_as_a_reader_reads_them(module, data: bytes, count: int) -> None:
    found, expected = read(module, data, count), slow_read(data, count, ALL)
    assert (found is None) == (expected is None)
    if found is not None:
        assert (rows(found), found.stop) == expected


@pytest.mark.skipif(len(IMPLEMENTATIONS) == 1, reason="no compiler here")
@pytest.mark.parametrize(
    ("fields", "start", "numbers"),
    [(b"q", 0, 1), (b"", 0, 1), (b"b" * 9, 0, 9), (b"x", 0, 3), (b"b", 5, 1), (b"b", -1, 1)],
)
def test_the_kernel_refuses_arguments_that_do_not_fit(fields, start, numbers) -> None:
    layout = Layout(fields="b" * len(fields), most=(1,) * len(fields))
    room = Layout(fields="b", most=(1,)).room(numbers, 99)
    with pytest.raises(ValueError, match=r"field|numbers|start"):
        _native.read_entries(memoryview(b"1234"), start, fields, layout.bounds, room)
