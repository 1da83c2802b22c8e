"""Parity of small files: damage anywhere, in the file, in its end, in the parity itself."""

from contextlib import suppress
from random import Random

import numpy as np
import pytest
import reedsolo
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream import fec
from midstream.errors import DataError, ErrorCode, LimitError, RecoveryError
from midstream.limits import LIMITS

HEADER = 8


def content(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


def flipped(data: bytes, start: int, count: int = 1) -> bytes:
    damaged = bytearray(data)
    for place in range(start, start + count):
        damaged[place] ^= 0xFF
    return bytes(damaged)


def columns_of(size: int, symbols: int) -> int:
    return max(4, -(-size // (255 - symbols)))


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 819, 820, 821, 5000])
def test_a_whole_file_comes_back(size: int) -> None:
    data = content(size)
    assert fec.correct(data, fec.protect(data)) == data


@pytest.mark.parametrize(("size", "repair"), [(0, 0.25), (7, 0.25), (821, 0.25), (3000, 0.9)])
def test_each_column_is_a_codeword_of_reedsolo(size: int, repair: float) -> None:
    data = content(size)
    parity = fec.protect(data, repair=repair)
    symbols = parity[4]
    columns = columns_of(size, symbols)
    half = columns * symbols // 2
    body = parity[HEADER : HEADER + half] + parity[2 * HEADER + half : -HEADER]
    rows = max(1, -(-size // columns))
    table = data.ljust(rows * columns, b"\0")
    coder = reedsolo.RSCodec(symbols)
    for column in range(columns):
        word = table[column::columns] + body[column::columns]
        assert bytes(coder.encode(table[column::columns])) == word


@pytest.mark.parametrize(
    ("repair", "symbols"), [(0, 40), (0.1, 40), (0.25, 51), (0.5, 85), (0.9, 121), (5, 126)]
)
def test_the_share_of_parity_is_kept_in_bounds(repair: float, symbols: int) -> None:
    assert fec.protect(b"x", repair=repair)[4] == symbols


@pytest.mark.parametrize("size", [40, 500, 5000])
@pytest.mark.parametrize("start", [0.0, 0.3, 0.9])
def test_a_burst_of_64_bytes_is_corrected(size: int, start: float) -> None:
    data = content(size)
    place = int(start * size)
    damaged = flipped(data, place, min(64, size - place))
    assert fec.correct(damaged, fec.protect(data)) == data


@pytest.mark.parametrize("missing", [1, 20, 51 * 4])
def test_a_missing_end_counts_half_of_damage(missing: int) -> None:
    """[REC-6]"""
    data = content(800)
    assert fec.correct(data[:-missing], fec.protect(data)) == data


def test_a_missing_end_and_damage_are_corrected_together() -> None:
    data = content(800)
    damaged = flipped(data[:-80], 100, 60)
    assert fec.correct(damaged, fec.protect(data)) == data


def test_nothing_of_a_tiny_file_needs_to_come() -> None:
    data = content(50)
    assert fec.correct(b"", fec.protect(data)) == data


@pytest.mark.parametrize("start", [8, 100, 150, 200])
def test_damage_of_the_parity_is_corrected_too(start: int) -> None:
    data = content(600)
    parity = flipped(fec.protect(data), start, 20)
    assert fec.correct(flipped(data, 10, 20), parity) == data


@pytest.mark.parametrize("copy", [0, 1, 2])
def test_a_lost_copy_of_the_header_is_outvoted(copy: int) -> None:
    """[REC-5]"""
    data = content(600)
    parity = fec.protect(data)
    half = (len(parity) - 3 * HEADER) // 2
    start = (0, HEADER + half, len(parity) - HEADER)[copy]
    assert fec.correct(flipped(data, 5), flipped(parity, start, HEADER)) == data


def test_every_copy_of_the_header_may_have_damage_at_another_place() -> None:
    """[REC-5]"""
    data = content(600)
    parity = fec.protect(data)
    half = (len(parity) - 3 * HEADER) // 2
    for place in (0, HEADER + half + 1, len(parity) - HEADER + 4):
        parity = flipped(parity, place)
    assert fec.correct(flipped(data, 5), parity) == data


@pytest.mark.parametrize("data", [content(600), bytes(600), b""], ids=["random", "zeros", "empty"])
@pytest.mark.parametrize("missing", [1, 8, 30, 90])
def test_parity_without_its_end_still_corrects(data: bytes, missing: int) -> None:
    """[REC-5] [REC-6]"""
    parity = fec.protect(data)
    damaged = flipped(data, 3, 9) if data else data
    assert fec.correct(damaged, parity[:-missing]) == data


def test_more_damage_than_the_parity_covers_is_refused() -> None:
    data = content(800)
    with pytest.raises(RecoveryError, match="a codeword of 51 parity symbols") as caught:
        fec.correct(flipped(data, 0, 150), fec.protect(data))
    assert caught.value.code is ErrorCode.BAD_CODEWORD


def test_more_missing_than_the_parity_covers_is_refused() -> None:
    data = content(800)
    with pytest.raises(RecoveryError):
        fec.correct(data[:-400], fec.protect(data))


def test_more_damaged_codewords_than_the_limit_are_refused_at_once() -> None:
    data = bytes(LIMITS.damaged_codewords * 300)
    damaged = flipped(data, 0, LIMITS.damaged_codewords + 1)
    with pytest.raises(RecoveryError, match="1025 damaged codewords, at most 1024"):
        fec.correct(damaged, fec.protect(data))


def test_parity_of_another_file_is_refused() -> None:
    with pytest.raises(RecoveryError, match="its parity is of 500"):
        fec.correct(content(600), fec.protect(content(500)))


@pytest.mark.parametrize("size", [0, 1, 8, 23])
def test_parity_too_short_for_its_headers_is_refused(size: int) -> None:
    with pytest.raises(RecoveryError, match=f"parity of {size} bytes"):
        fec.correct(b"data", fec.protect(b"data")[:size])


@pytest.mark.parametrize("place", [0, 3, 4, 5, 7])
def test_parity_whose_headers_agree_on_nonsense_is_refused(place: int) -> None:
    parity = fec.protect(b"data")
    half = (len(parity) - 3 * HEADER) // 2
    for start in (0, HEADER + half, len(parity) - HEADER):
        parity = flipped(parity, start + place)
    with pytest.raises(RecoveryError):
        fec.correct(b"data", parity)


def test_parity_cut_to_less_than_half_is_refused() -> None:
    parity = fec.protect(content(600))
    with pytest.raises(RecoveryError, match="no header fits 100 bytes"):
        fec.correct(content(600), parity[:100])


def test_a_file_over_the_limit_is_refused() -> None:
    size = LIMITS.bundle_size + 1
    header = size.to_bytes(4, "little") + bytes([40, 0, 0, 0])
    whole = columns_of(size, 40) * 40 + 3 * HEADER
    with pytest.raises(LimitError) as caught:
        fec.correct(b"", header.ljust(whole // 2 + 1, b"\0"))
    assert caught.value.code is ErrorCode.OVER_LIMIT


@given(st.binary(max_size=700), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_scattered_damage_within_the_bound_is_corrected(data: bytes, random: Random) -> None:
    parity = fec.protect(data)
    half = (len(parity) - 3 * HEADER) // 2
    body = [i for i in range(HEADER, len(parity) - HEADER) if not 0 <= i - HEADER - half < HEADER]
    damaged = data
    for place in random.sample(range(len(data) + len(body)), 20):  # half of a codeword's symbols
        if place < len(data):
            damaged = flipped(damaged, place)
        else:
            parity = flipped(parity, body[place - len(data)])
    assert fec.correct(damaged, parity) == data


@given(st.binary(max_size=300), st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_give_a_file_or_a_data_error(data: bytes, parity: bytes) -> None:
    with suppress(DataError):
        fec.correct(data, parity)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=100))
@settings(deadline=None)
def test_damaged_parity_gives_a_file_or_a_data_error(place: int, damage: bytes) -> None:
    data = content(300)
    parity = bytearray(fec.protect(data))
    parity[place : place + len(damage)] = damage
    with suppress(DataError):
        assert len(fec.correct(flipped(data, 7), bytes(parity))) <= len(parity) * 6
