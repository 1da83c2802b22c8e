"""Ladders as people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.encoder import Rung, Target, parse_ladder
from midstream.errors import ErrorCode, UsageError


def test_a_ladder_is_read_rung_by_rung() -> None:
    assert parse_ladder("2.5b, 20dB ,45kB,exact") == (
        Rung(target=Target.BITS, value=2.5),
        Rung(target=Target.SNR, value=20),
        Rung(target=Target.SIZE, value=45),
        Rung(target=Target.EXACT),
    )


def test_a_list_of_rungs_is_the_same_as_a_string() -> None:
    assert parse_ladder(["2.5b", "exact"]) == parse_ladder("2.5b,exact")


def test_a_rung_is_written_as_it_was_read() -> None:
    text = "2.5b,20dB,45kB,exact"
    assert ",".join(map(str, parse_ladder(text))) == text


@pytest.mark.parametrize(
    "ladder",
    [
        "",
        ",",
        "2.5",
        "b",
        "-1b",
        "1e2b",
        "nanb",
        "2.5B",
        "12345678b",
        "exact!",
        "0.4b",
        "24.5b",
        "0.5dB",
        "121dB",
        "0.01kB",
        "4b,2b",
        "4b,4b",
        "exact,4b",
        "exact,exact",
        [],
        ["4b,6b"],
        [f"{i}dB" for i in range(1, 34)],
    ],
)
def test_a_ladder_that_makes_no_sense_is_refused(ladder: str | list[str]) -> None:
    with pytest.raises(UsageError, match="ladder: ") as caught:
        parse_ladder(ladder)
    assert caught.value.code is ErrorCode.BAD_LADDER


def test_different_kinds_of_targets_may_follow_each_other() -> None:
    assert len(parse_ladder("4b,2dB,1kB")) == 3


@given(st.text(max_size=30))
def test_any_text_is_a_ladder_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert parse_ladder(text)
