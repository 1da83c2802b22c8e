"""Hostile conditions and ranges of a request: what is selected is in the file, always."""

from choices import Choices
from midstream.origin.conditions import select

ETAG = '"abc"'
TEXTS = (
    "bytes=",
    "0-",
    "-",
    "9",
    "99-",
    "5-3",
    ",",
    " ",
    "\t",
    "9" * 18,
    "9" * 19,
    "W/",
    ETAG,
    "*",
)
TEXTS += ('"', "٣", "²", "x" * 40, "\x00", "-5", "1-2", "bytes", "=")
NAMES = ("Range", "If-Range", "If-None-Match")


def value(choices: Choices) -> str:
    """Pieces of good ones, in any order, and any text."""
    if choices.integer(0, 3) == 0:
        return choices.raw(choices.integer(0, 60)).decode("latin-1")
    pieces = [TEXTS[choices.integer(0, len(TEXTS) - 1)] for _ in range(choices.integer(0, 5))]
    return ("bytes=" if choices.integer(0, 1) else "") + "".join(pieces)


def test_one(choices: Choices) -> None:
    """One request."""
    size = choices.integer(0, 300)
    count = choices.integer(1, 3)
    headers = {NAMES[(at + choices.integer(0, 2)) % 3]: value(choices) for at in range(count)}
    selection = select("GET", headers, size=size, etag=ETAG)
    assert selection.status in (200, 206, 304, 416)
    assert 0 <= selection.start <= selection.stop <= size
    if selection.status == 206:
        assert selection.start < selection.stop
    elif selection.status != 200:
        assert selection.start == selection.stop == 0
