"""Which bytes a request means: ranges and conditions of RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.origin.conditions import Selection, select

ETAG = '"abc"'


def chosen(size: int = 100, method: str = "GET", **headers: str) -> tuple[int, int, int]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    found = select(method, fields, size=size, etag=ETAG)
    return found.status, found.start, found.stop


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=10-", 10, 100),
        ("bytes=99-", 99, 100),
        ("bytes=90-500", 90, 100),
        ("bytes=-1", 99, 100),
        ("bytes=-500", 0, 100),
        ("bytes= 1-2 ", 1, 3),
    ],
)
def test_one_range_is_a_part(asked: str, start: int, stop: int) -> None:
    assert chosen(Range=asked) == (206, start, stop)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(asked: str) -> None:
    assert chosen(Range=asked) == (416, 0, 0)


def test_no_range_of_an_empty_file_can_be_satisfied() -> None:
    assert chosen(0, Range="bytes=0-") == (416, 0, 0)
    assert chosen(0, Range="bytes=-5") == (416, 0, 0)
    assert chosen(0) == (200, 0, 0)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=1-2,4-5",
        "bytes=a-b",
        "bytes=1 -2",
        "bytes=+1-2",
        "bytes=\u0661-\u0662",
        "packets=0-1",
        "bytes=0-" + "9" * 4000,
    ],
)
def test_a_range_that_makes_no_sense_is_ignored(asked: str) -> None:
    assert chosen(Range=asked) == (200, 0, 100)


def test_a_range_of_a_head_request_is_ignored() -> None:
    assert chosen(method="HEAD", Range="bytes=1-2") == (200, 0, 100)


def test_a_range_is_of_the_version_that_was_named() -> None:
    """[DEL-10]"""
    assert chosen(Range="bytes=1-2", If_Range=ETAG) == (206, 1, 3)
    for other in ('"abd"', 'W/"abc"', "Tue, 24 Nov 2026 02:00:00 GMT", ""):
        assert chosen(Range="bytes=1-2", If_Range=other) == (200, 0, 100)


@pytest.mark.parametrize("held", [ETAG, 'W/"abc"', '"x", "abc"', '"x",W/"abc"', "*", " * "])
def test_what_the_client_has_is_not_sent_again(held: str) -> None:
    assert chosen(If_None_Match=held) == (304, 0, 0)
    assert chosen(If_None_Match=held, Range="bytes=0-1") == (304, 0, 0)


@pytest.mark.parametrize("held", ['"abd"', "abc", "", '"ab', "bytes"])
def test_another_version_is_sent(held: str) -> None:
    assert chosen(If_None_Match=held) == (200, 0, 100)


@given(asked=st.text(max_size=40), held=st.text(max_size=20), size=st.integers(0, 1 << 60))
def test_any_headers_select_bytes_of_the_file(asked: str, held: str, size: int) -> None:
    fields = {"Range": "bytes=" + asked, "If-None-Match": held}
    found = select("GET", fields, size=size, etag=ETAG)
    assert isinstance(found, Selection)
    assert 0 <= found.start <= found.stop <= size
