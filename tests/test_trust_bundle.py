"""Bundles: unsigned containers of what a client reads first."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.limits import Limits
from midstream.trust import bundle
from midstream.trust.bundle import BundleReader
from midstream.wire import Writer

FILES = {
    "metadata/timestamp.json": b"{1}",
    "metadata/2.snapshot.json": b"",
    "units/00112233": bytes(range(200)),
}
GOLDEN = """
4d4442 00 03
17 6d657461646174612f74696d657374616d702e6a736f6e 03
18 6d657461646174612f322e736e617073686f742e6a736f6e 00
0e 756e6974732f3030313132323333 c801
7b317d
"""


def test_the_bytes_are_those_of_the_specification() -> None:
    assert bundle.encode(FILES) == bytes.fromhex(GOLDEN) + bytes(range(200))


def test_files_come_back_in_their_order() -> None:
    files = bundle.decode(bundle.encode(FILES))
    assert list(files.items()) == list(FILES.items())


def test_an_empty_bundle_is_a_bundle() -> None:
    assert bundle.decode(bundle.encode({})) == {}


def test_byte_by_byte_gives_the_same_files() -> None:
    reader = BundleReader()
    found = [file for byte in bundle.encode(FILES) for file in reader.feed(bytes([byte]))]
    assert dict(found) == FILES
    assert reader.is_whole
    reader.close()


def test_a_file_comes_out_as_soon_as_it_is_whole() -> None:
    reader = BundleReader()
    whole = bundle.encode(FILES)
    assert [path for path, _ in reader.feed(whole[:-200])] == list(FILES)[:2]
    assert reader.paths == ("units/00112233",)
    assert not reader.is_whole


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(BitstreamError, LimitError):
        bundle.decode(b"MDB\x00" + data)


@pytest.mark.parametrize("cut", range(0, 300, 7))
def test_a_bundle_cut_short_is_refused_but_gives_what_is_whole(cut: int) -> None:
    whole = bundle.encode(FILES)
    with pytest.raises(BitstreamError) as caught:
        bundle.decode(whole[: min(cut, len(whole) - 1)])
    assert caught.value.code is ErrorCode.BAD_LENGTH


def directory(*entries: tuple[str, int]) -> bytes:
    out = Writer().raw(b"MDB\x00").varint(len(entries))
    for path, size in entries:
        out.text(path).varint(size)
    return out.bytes()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"MDX\x00\x00", ErrorCode.BAD_MAGIC),
        (b"MDB\x01\x00", ErrorCode.BAD_VERSION),
        (directory(("a", 0), ("a", 0)), ErrorCode.BAD_FIELD),
        (directory(("/etc/passwd", 0)), ErrorCode.BAD_FIELD),
        (directory(("units/../../x", 0)), ErrorCode.BAD_FIELD),
        (directory((".hidden", 0)), ErrorCode.BAD_FIELD),
        (directory(("a//b", 0)), ErrorCode.BAD_FIELD),
        (directory(("", 0)), ErrorCode.BAD_FIELD),
        (directory(("a\\b", 0)), ErrorCode.BAD_FIELD),
        (directory(("a\n", 0)), ErrorCode.BAD_FIELD),
        (directory(("a", 0)) + b"x", ErrorCode.TRAILING_BYTES),
        (b"MDB\x00\x80\x00", ErrorCode.BAD_FIELD),
    ],
)
def test_a_malformed_bundle_is_refused(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(BitstreamError) as caught:
        bundle.decode(data)
    assert caught.value.code is code


@pytest.mark.parametrize(
    "data",
    [
        directory(*((f"a{i}", 0) for i in range(257))),
        directory(("a", 65 << 20)),
        directory(("a", 40 << 20), ("b", 40 << 20)),
        b"MDB\x00\x01\xff\x7f" + bytes(400),
    ],
)
def test_too_much_is_refused_before_it_is_read(data: bytes) -> None:
    with pytest.raises(LimitError):
        bundle.decode(data)


def test_what_was_whole_before_the_malformed_place_is_kept() -> None:
    reader = BundleReader()
    assert dict(reader.feed(bundle.encode(FILES) + b"trailing")) == FILES
    assert reader.error is not None
    assert reader.feed(b"more") == []
    with pytest.raises(BitstreamError, match="after the end"):
        reader.close()


def test_no_bundle_is_made_that_a_reader_would_refuse() -> None:
    with pytest.raises(BitstreamError):
        bundle.encode({"../x": b""})
    with pytest.raises(LimitError):
        bundle.encode(FILES, limits=Limits(bundle_parts=2))
    with pytest.raises(LimitError):
        bundle.encode(FILES, limits=Limits(bundle_size=100))
