"""Reading and writing integers and bytes, bounded."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.wire import Reader, Writer

HUGE = (1 << 63) - 1


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (HUGE, "ffffffffffffffff7f")],
)
def test_a_varint_has_these_bytes(value: int, data: str) -> None:
    assert Writer().varint(value).bytes().hex() == data
    assert Reader(bytes.fromhex(data)).varint(limit=HUGE) == value


@pytest.mark.parametrize(("value", "data"), [(0, "00"), (-1, "01"), (1, "02"), (-2, "03")])
def test_a_signed_varint_has_these_bytes(value: int, data: str) -> None:
    assert Writer().signed(value).bytes().hex() == data
    assert Reader(bytes.fromhex(data)).signed(limit=2) == value


@given(st.integers(-(1 << 61), 1 << 61))
def test_a_signed_varint_comes_back(value: int) -> None:
    assert Reader(Writer().signed(value).bytes()).signed(limit=1 << 61) == value


def read_or_code(read: Callable[[Reader], Any], data: bytes) -> tuple[Any, int]:
    reader = Reader(data)
    try:
        return read(reader), reader.offset
    except (BitstreamError, LimitError) as error:
        return error.code, 0


@given(st.binary(max_size=8), st.integers(0, 6), st.sampled_from([3, 127, 128, HUGE]))
def test_varints_are_read_as_one_after_the_other(data: bytes, count: int, limit: int) -> None:
    together = read_or_code(lambda r: r.varints(count, limit=limit), data)
    alone = read_or_code(lambda r: [r.varint(limit=limit) for _ in range(count)], data)
    assert together == alone


@given(st.integers(0, HUGE))
def test_every_varint_has_one_form_only(value: int) -> None:
    data = Writer().varint(value).bytes()
    with pytest.raises(BitstreamError):
        Reader(data[:-1] + bytes([data[-1] | 0x80, 0])).varint(limit=HUGE)


@given(st.lists(st.binary(max_size=20)), st.text(max_size=20))
def test_fields_come_back_in_order(blobs: list[bytes], text: str) -> None:
    out = Writer().u8(200).u16(60_000).u32(4_000_000_000).text(text)
    for blob in blobs:
        out.blob(blob)
    reader = Reader(bytearray(out.bytes()))
    assert (reader.u8(), reader.u16(), reader.u32()) == (200, 60_000, 4_000_000_000)
    assert reader.text(limit=100) == text
    assert [bytes(reader.blob(limit=20)) for _ in blobs] == blobs
    assert (reader.offset, reader.remaining) == (len(out), 0)
    reader.end()


READS: dict[str, Callable[[Reader], Any]] = {
    "u8": Reader.u8,
    "u16": Reader.u16,
    "u32": Reader.u32,
    "varint": lambda reader: reader.varint(limit=HUGE),
    "signed": lambda reader: reader.signed(limit=HUGE),
    "blob": lambda reader: reader.blob(limit=HUGE),
    "text": lambda reader: reader.text(limit=HUGE),
    "take": lambda reader: reader.take(1),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_nothing_is_read_past_the_end(read: Callable[[Reader], Any]) -> None:
    with pytest.raises(BitstreamError) as caught:
        read(Reader(b"", "unit"))
    assert caught.value.code is ErrorCode.BAD_LENGTH


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("8000", "a varint that is not in its shortest form"),
        ("ff8000", "a varint that is not in its shortest form"),
        ("80" * 9 + "01", "a varint longer than 9 bytes"),
    ],
)
def test_a_varint_of_another_form_is_refused(data: str, problem: str) -> None:
    """[BIT-1]"""
    with pytest.raises(BitstreamError, match=problem) as caught:
        Reader(bytes.fromhex(data)).varint(limit=HUGE)
    assert caught.value.code is ErrorCode.BAD_FIELD


@pytest.mark.parametrize("name", ["varint", "signed", "blob", "text"])
def test_a_count_over_its_limit_is_refused_before_anything_is_taken(name: str) -> None:
    """[BIT-2]"""
    reader = Reader(Writer().varint(1001).bytes(), "unit")
    with pytest.raises(LimitError) as caught:
        getattr(reader, name)(limit=500)
    assert caught.value.code is ErrorCode.OVER_LIMIT


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(BitstreamError, match="not UTF-8") as caught:
        Reader(b"\x02\xff\xfe").text(limit=9)
    assert caught.value.code is ErrorCode.BAD_FIELD


def test_bytes_after_the_end_are_refused() -> None:
    reader = Reader(b"\x00\x00", "manifest")
    reader.u8()
    with pytest.raises(BitstreamError, match="manifest at 1: 1 bytes after the end") as caught:
        reader.end()
    assert caught.value.code is ErrorCode.TRAILING_BYTES


def test_what_is_taken_is_not_copied() -> None:
    data = bytearray(b"abc")
    taken = Reader(data).take(3)
    data[0] = ord("z")
    assert bytes(taken) == b"zbc"
