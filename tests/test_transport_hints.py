"""What requests for units say of themselves: RFC 9218 and CTA-5004."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import ErrorCode, UsageError
from midstream.transport import Hints

# RFC 9651 3.3: an item of a list or dictionary as these fields use it, and nothing else
_ITEM = r'[a-z]+(=(\d{1,7}|[a-z]|"([ !#-\[\]-~]|\\[\\"])*"))?'
FIELD = re.compile(rf"{_ITEM}(, ?{_ITEM})*")


@pytest.mark.parametrize(
    ("hints", "headers"),
    [
        (Hints(), {"Priority": "u=3", "CMCD-Object": "ot=o"}),
        (
            Hints(urgency=2, is_startup=True),
            {"Priority": "u=2", "CMCD-Object": "ot=o", "CMCD-Request": "su"},
        ),
        (
            Hints(urgency=5, is_incremental=True, buffer=12.345, deadline=4.0),
            {"Priority": "u=5, i", "CMCD-Object": "ot=o", "CMCD-Request": "bl=12300,dl=4000"},
        ),
        (
            Hints(buffer=0.0, is_starved=True, is_startup=True),
            {
                "Priority": "u=3",
                "CMCD-Object": "ot=o",
                "CMCD-Request": "bl=0,su",
                "CMCD-Status": "bs",
            },
        ),
        (
            Hints(session="6e2fb550-c457-11e9", content='a "b" \\'),
            {
                "Priority": "u=3",
                "CMCD-Object": "ot=o",
                "CMCD-Session": 'cid="a \\"b\\" \\\\",sid="6e2fb550-c457-11e9"',
            },
        ),
    ],
)
def test_hints_are_these_headers(hints: Hints, headers: dict[str, str]) -> None:
    """[DEL-28]"""
    assert hints.headers() == headers


def test_what_is_not_known_is_not_said() -> None:
    hints = Hints(buffer=math.inf, deadline=math.nan)
    assert "CMCD-Request" not in hints.headers()


def test_times_are_bounded() -> None:
    """[DEL-28]"""
    hints = Hints(buffer=1e300, deadline=-5.0)
    assert hints.headers()["CMCD-Request"] == "bl=3600000,dl=0"


@pytest.mark.parametrize(
    "wrong",
    [
        {"session": "a\r\nSet-Cookie: x"},
        {"content": "é"},
        {"session": "\x7f"},
        {"content": "x" * 65},
        {"urgency": 8},
        {"urgency": -1},
    ],
)
def test_what_cannot_be_said_is_refused(wrong: dict[str, str]) -> None:
    """[DEL-28]"""
    with pytest.raises(UsageError) as caught:
        Hints(**wrong)  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
    assert "Cookie" not in str(caught.value)


@given(
    st.integers(0, 7),
    st.booleans(),
    st.none() | st.floats(),
    st.none() | st.floats(),
    st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=64),
)
def test_every_header_is_a_structured_field(
    urgency: int, flag: bool, buffer: float | None, deadline: float | None, text: str | None
) -> None:
    """[DEL-28]"""
    hints = Hints(
        urgency=urgency,
        is_incremental=flag,
        is_startup=flag,
        is_starved=flag,
        buffer=buffer,
        deadline=deadline,
        session=text,
        content=text,
    )
    for name, value in hints.headers().items():
        assert FIELD.fullmatch(value), (name, value)
        assert len(value) < 300
