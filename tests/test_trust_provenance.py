"""What a merged release says that it was made of."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import BitstreamError, DataError, ErrorCode
from midstream.trust import manifest
from midstream.trust.manifest import Extension
from midstream.trust.provenance import TAG, Part, Provenance, decode, encode, provenance_of
from trusting import release

MADE = Provenance(
    parent=3,
    rule="multi-krum",
    gate=(0.91, 0.925),
    parts=(
        Part(provider="east", version=4, unit=bytes(16), share=0.5),
        Part(provider="north", version=1, unit=bytes(range(16)), share=0.5),
        Part(provider="west", version=9, unit=b"w" * 16, refused="norm 12, at most 4"),
    ),
)


def test_provenance_comes_back() -> None:
    assert decode(encode(MADE).value) == MADE
    assert decode(encode(replace(MADE, gate=None)).value).gate is None


def test_a_manifest_carries_it_and_readers_may_ignore_it() -> None:
    signed = manifest.encode(replace(release(), extensions=(encode(MADE),)))
    assert provenance_of(manifest.decode(signed)) == MADE
    assert TAG % 2 == 1


def test_a_release_that_was_not_merged_has_none() -> None:
    assert provenance_of(release()) is None


def test_reasons_are_cut_to_their_bound() -> None:
    wordy = replace(MADE, parts=(Part(provider="a", version=1, unit=bytes(16), refused="x" * 999),))
    assert decode(encode(wordy).value).parts[0].refused == "x" * 256


def test_a_gate_of_another_kind_is_refused() -> None:
    value = bytearray(encode(replace(MADE, gate=None)).value)
    value[1 + 1 + len("multi-krum")] = 2
    with pytest.raises(BitstreamError) as caught:
        decode(bytes(value))
    assert caught.value.code is ErrorCode.BAD_FIELD


@given(st.binary(max_size=200))
def test_any_bytes_are_provenance_or_an_error(data: bytes) -> None:
    for value in (data, encode(MADE).value[: len(data)] + data[:3]):
        carried = replace(release(), extensions=(Extension(tag=TAG, value=value),))
        try:
            provenance_of(carried)
        except DataError:
            continue
