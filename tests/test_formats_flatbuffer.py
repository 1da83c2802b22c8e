"""Bounded reading of flatbuffers, on bytes made by hand."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import DataError, ErrorCode, FormatError, LimitError
from midstream.formats.flatbuffer import Buffer, Table
from models import Data, Scalar, write
from models import Table as Fields


def _root(fields: Fields) -> Table:
    return Buffer(write(fields, b"TEST")).root()


def _ints(*values: int) -> Data:
    return Data(np.array(values, "<i4"))


def test_a_number_comes_back_and_an_absent_one_is_its_default() -> None:
    table = _root(Fields({0: Scalar("I", 7), 2: Scalar("b", -3)}))
    assert table.number(0, 4) == 7
    assert table.number(2, 1, signed=True) == -3
    assert table.number(1, 4, default=9) == 9
    assert table.number(5, 4) == 0


def test_a_field_is_there_or_not() -> None:
    table = _root(Fields({1: Scalar("I", 0)}))
    assert table.has(1)
    assert not table.has(0)
    assert not table.has(200)


def test_a_vector_of_numbers_comes_back_and_an_absent_one_is_empty() -> None:
    table = _root(Fields({0: _ints(1, -2, 3)}))
    assert table.numbers(0, 3) == (1, -2, 3)
    assert table.numbers(1, 3) == ()


def test_a_text_comes_back_and_an_absent_one_is_empty() -> None:
    table = _root(Fields({0: "größe"}))
    assert table.text(0, 100) == "größe"
    assert table.text(1, 100) == ""


def test_text_that_is_not_utf_8_is_read_with_marks_in_its_place() -> None:
    table = _root(Fields({0: Data(np.frombuffer(b"a\xffb", np.uint8))}))
    assert table.text(0, 100) == "a�b"


def test_tables_of_a_vector_come_in_order_and_none_where_it_is_absent() -> None:
    table = _root(Fields({0: [Fields({0: Scalar("I", i)}) for i in range(3)]}))
    assert [item.number(0, 4) for item in table.tables(0, 3)] == [0, 1, 2]
    assert list(table.tables(1, 3)) == []


def test_a_vector_longer_than_its_limit_is_refused() -> None:
    table = _root(Fields({0: _ints(1, 2, 3)}))
    with pytest.raises(LimitError, match="a vector of 3, at most 2") as caught:
        table.numbers(0, 2)
    assert caught.value.code is ErrorCode.OVER_LIMIT


def test_a_vector_that_leaves_the_file_is_refused() -> None:
    data = bytearray(write(Fields({0: _ints(1, 2, 3)}), b"TEST"))
    data[-16:-12] = struct.pack("<I", 4)
    with pytest.raises(FormatError) as caught:
        Buffer(bytes(data)).root().numbers(0, 100)
    assert caught.value.code is ErrorCode.BAD_OFFSET


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04\0\0",
        struct.pack("<I", 4),  # the root is past the end
        struct.pack("<I", 0xFFFFFFFF) + b"TEST",
        struct.pack("<Ii", 4, 100) + bytes(8),  # its vtable is before the file
        struct.pack("<Ii", 4, -100) + bytes(8),  # or after it
        struct.pack("<IiHHH", 4, -4, 100, 4, 0),  # a vtable that leaves the file
    ],
)
def test_an_offset_out_of_the_file_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        Buffer(data).root()
    assert caught.value.code is ErrorCode.BAD_OFFSET


@pytest.mark.parametrize("size", [0, 2, 3, 5])
def test_a_vtable_of_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(FormatError, match=f"a vtable of {size} bytes") as caught:
        Buffer(struct.pack("<IiHHII", 4, -4, size, 8, 0, 0)).root()
    assert caught.value.code is ErrorCode.BAD_HEADER


@pytest.mark.parametrize(("offset", "size"), [(-1, 1), (0, -1), (4, 1), (5, 0), (0, 1 << 70)])
def test_a_span_outside_is_refused(offset: int, size: int) -> None:
    with pytest.raises(FormatError):
        Buffer(b"four").span(offset, size)


def _vector_of_one_table(count: int) -> bytes:
    """A table with a vector of so many tables, all of them the same empty one after it."""
    head = struct.pack("<IHHHH", 12, 6, 8, 4, 0) + struct.pack("<iII", 8, 4, count)
    end = len(head) + 4 * count
    items = np.arange(end - len(head), 0, -4, dtype="<u4").tobytes()
    return head + items + struct.pack("<iI", end - 4, 0)


def test_tables_that_are_shared_are_read_as_often_as_they_are_named() -> None:
    tables = list(Buffer(_vector_of_one_table(5)).root().tables(0, 5))
    assert [table.has(0) for table in tables] == [True] * 5


def test_more_shared_tables_than_the_file_could_hold_are_refused() -> None:
    with pytest.raises(LimitError, match="more to read than") as caught:
        list(Buffer(_vector_of_one_table(1 << 15)).root().tables(0, 1 << 15))
    assert caught.value.code is ErrorCode.OVER_LIMIT


def test_one_table_met_again_and_again_costs_an_error_not_the_day() -> None:
    buffer = Buffer(write(Fields({0: _ints(*range(1000))}), b"TEST"))
    table = buffer.root()
    with pytest.raises(LimitError, match="more to read than"):
        [table.numbers(0, 1000) for _ in range(1000)]


@given(st.binary(max_size=200))
def test_any_bytes_give_values_or_a_data_error(data: bytes) -> None:
    try:
        table = Buffer(data).root()
        table.number(0, 8)
        table.numbers(1, 50)
        table.text(2, 50)
        assert all(isinstance(item.number(0, 4), int) for item in table.tables(3, 50))
    except DataError:
        pass
