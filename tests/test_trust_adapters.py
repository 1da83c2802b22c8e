"""Adapter policies: one encoding each, and nothing that makes no sense can be built or read."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.errors import BitstreamError, DataError, ErrorCode, LimitError, TrustError
from midstream.trust import adapters
from midstream.trust.adapters import AdapterPolicy, PolicyPart

EXAMPLE = AdapterPolicy(
    network="net",
    parts=(
        PolicyPart(provider="a"),
        PolicyPart(provider="b", share=32768, is_required=True),
        PolicyPart(provider="c"),
    ),
    never_together=(frozenset({"a", "c"}),),
    largest_norm=2.0,
)
BYTES = bytes.fromhex(
    "4d4450 00 03 6e6574 0000000000000040"  # magic, version, "net", norm 2
    "03 01 61 808004 00  01 62 808002 01  01 63 808004 00"  # a whole, b half and required, c
    "01 02 00 02".replace(" ", "")  # a and c never together
)


def policy(**changes: Any) -> AdapterPolicy:
    values = {name: getattr(EXAMPLE, name) for name in EXAMPLE.__slots__}
    return AdapterPolicy(**(values | changes))


def test_a_policy_has_these_bytes() -> None:
    assert adapters.encode(EXAMPLE) == BYTES
    assert adapters.decode(BYTES) == EXAMPLE


def test_required_parts_come_first_and_others_in_their_order() -> None:
    """[CON-11]."""
    assert [part.provider for part in EXAMPLE.ordered] == ["b", "a", "c"]


def test_what_never_goes_together_is_refused_by_name() -> None:
    EXAMPLE.check_apart("c", ["b"])
    with pytest.raises(TrustError, match="adapter of c: never together with a") as caught:
        EXAMPLE.check_apart("c", ["b", "a"])
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


BAD: dict[str, dict[str, Any]] = {
    "no parts": {"parts": ()},
    "too many parts": {"parts": tuple(PolicyPart(provider=f"p{n}") for n in range(17))},
    "a provider twice": {"parts": (PolicyPart(provider="a"),) * 2, "never_together": ()},
    "a name that is none": {"parts": (PolicyPart(provider="A b"),), "never_together": ()},
    "a network that is none": {"network": "root"},
    "a share of nothing": {
        "parts": (PolicyPart(provider="a", share=0),),
        "never_together": (),
    },
    "a share that is too large": {
        "parts": (PolicyPart(provider="a", share=(16 << 16) + 1),),
        "never_together": (),
    },
    "no norm": {"largest_norm": 0.0},
    "a norm that is no number": {"largest_norm": float("nan")},
    "a norm without end": {"largest_norm": float("inf")},
    "an exclusion of one": {"never_together": (frozenset({"a"}),)},
    "an exclusion of a stranger": {"never_together": (frozenset({"a", "z"}),)},
    "too many exclusions": {"never_together": (frozenset({"a", "c"}),) * 65},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
def test_a_policy_that_makes_no_sense_cannot_be_built(changes: dict[str, Any]) -> None:
    """[CON-9]."""
    with pytest.raises(BitstreamError, match="policy") as caught:
        policy(**changes)
    assert caught.value.code is ErrorCode.BAD_FIELD


def test_a_policy_that_requires_what_it_excludes_is_refused() -> None:
    """[CON-9]."""
    parts = tuple(PolicyPart(provider=name, is_required=True) for name in "abc")
    with pytest.raises(BitstreamError, match="a and c are both required, and never together"):
        policy(parts=parts)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.BAD_LENGTH),
        (b"MDM" + BYTES[3:], ErrorCode.BAD_MAGIC),
        (BYTES[:3] + b"\1" + BYTES[4:], ErrorCode.BAD_VERSION),
        (BYTES + b"\0", ErrorCode.TRAILING_BYTES),
        (BYTES[:-2] + b"\2\0", ErrorCode.BAD_FIELD),
        (BYTES[:-2] + b"\0\0", ErrorCode.BAD_FIELD),
        (BYTES.replace(b"\x80\x80\x02\x01", b"\x80\x80\x02\x03"), ErrorCode.BAD_FIELD),
        (BYTES[:-1] + b"\3", ErrorCode.OVER_LIMIT),
    ],
)
def test_a_malformed_policy_is_refused(data: bytes, code: ErrorCode) -> None:
    """[CON-9]."""
    with pytest.raises(DataError) as caught:
        adapters.decode(data)
    assert caught.value.code is code


@pytest.mark.parametrize("size", range(len(BYTES)))
def test_a_policy_that_is_cut_is_refused(size: int) -> None:
    with pytest.raises(BitstreamError):
        adapters.decode(BYTES[:size])


def test_a_policy_without_end_is_refused() -> None:
    with pytest.raises(LimitError):
        adapters.decode(bytes(2 << 20))


@settings(max_examples=300)
@given(st.data())
def test_any_bytes_are_refused_or_have_one_encoding(data: st.DataObject) -> None:
    changed = bytearray(BYTES)
    for place in data.draw(st.lists(st.integers(0, len(BYTES) - 1), max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    try:
        found = adapters.decode(changed)
    except DataError:
        return
    assert adapters.encode(found) == changed
