"""The raw escape."""

import contextlib
import lzma

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import raw
from midstream.errors import BitstreamError, DataError, ErrorCode


@given(st.binary(max_size=300), st.sampled_from([1, 2, 4]))
@settings(deadline=None)
def test_any_bytes_come_back(data, itemsize):
    assert raw.decode(raw.encode(data, itemsize), len(data), itemsize) == data


@pytest.mark.parametrize(
    ("data", "itemsize", "method"),
    [
        (np.random.default_rng(1).bytes(200), 4, 0),
        (b"the same again " * 40, 1, 1),
        (np.linspace(0.5, 0.9, 400).astype("<f4").tobytes(), 4, 2),
    ],
)
def test_the_shortest_method_is_chosen(data, itemsize, method):
    payload = raw.encode(data, itemsize)
    assert payload[0] == method
    assert len(payload) <= len(data) + 1
    assert raw.decode(memoryview(payload), len(data), itemsize) == data


def test_bytes_are_shuffled_by_their_place_in_the_element():
    frame = zstandard.compress(bytes([0, 2, 4, 1, 3, 5, 9]))
    assert raw.decode(b"\x02" + frame, 7, 2) == bytes([0, 1, 2, 3, 4, 5, 9])


def repeated() -> bytes:
    """Numbers of a small alphabet in no order: a scale for each row times whole numbers."""
    rng = np.random.default_rng(8)
    scales = rng.random((16, 1)) + 0.5
    return (np.rint(rng.standard_normal((16, 1000)) * 9) * scales).astype("<f4").tobytes()


def test_numbers_that_repeat_in_no_order_take_less_than_xz_takes():
    payload = raw.encode(repeated(), 4)
    assert payload[0] == 4
    assert len(payload) < len(lzma.compress(repeated(), preset=9))
    assert raw.decode(memoryview(payload), 64_000, 4) == repeated()


def uniform(seed: int, count: int) -> bytes:
    """Numbers whose mantissas are noise."""
    return np.random.default_rng(seed).uniform(-1, 1, count).astype("<f4").tobytes()


@pytest.mark.parametrize(
    ("data", "is_promising"),
    [
        (uniform(1, 40_000), False),
        (uniform(1, 20_000) * 2, True),
        (repeated(), True),
    ],
    ids=["noise", "repeats from afar", "repeats in no order"],
)
def test_a_quick_look_tells_what_promises_fewer_bytes(data, is_promising):
    bound = 0.75 * len(data)
    assert (raw.estimate(data, 4) < bound) == is_promising
    assert (len(raw.encode(data, 4)) < bound) == is_promising


def test_a_payload_of_lzma_is_whole():  # COD-1 COD-6
    payload = raw.encode(repeated(), 4)
    for wrong in (payload[:-1], payload[:3000], payload + b"x", b"\x04" + payload):
        with pytest.raises(BitstreamError):
            raw.decode(wrong, 64_000, 4)
    for length in (63_999, 64_001, 0):
        with pytest.raises(BitstreamError):
            raw.decode(payload, length, 4)


ZEROS = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 20))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", ErrorCode.BAD_LENGTH),
        (b"\x03abc", ErrorCode.BAD_FIELD),
        (b"\x04abc", ErrorCode.BAD_FIELD),
        (b"\x05abc", ErrorCode.BAD_FIELD),
        (b"\x00ab", ErrorCode.BAD_LENGTH),
        (b"\x00abcd", ErrorCode.BAD_LENGTH),
        (b"\x01abc", ErrorCode.BAD_FIELD),
        (b"\x01" + zstandard.compress(b"ab"), ErrorCode.BAD_LENGTH),
        (b"\x01" + zstandard.compress(b"abcd"), ErrorCode.BAD_LENGTH),
        (b"\x01" + ZEROS, ErrorCode.BAD_FIELD),
        (b"\x01" + zstandard.compress(b"abc")[:-1], ErrorCode.BAD_FIELD),
        (b"\x01" + zstandard.compress(b"abc") + b"x", ErrorCode.BAD_FIELD),
        # RFC 8878 3.1.1.1: a window of 1 kB, a content of an exabyte; zstd would reserve it
        (b"\x01\x28\xb5\x2f\xfd\xc0\x00" + (1 << 60).to_bytes(8, "little"), ErrorCode.BAD_LENGTH),
        (
            b"\x02" + zstandard.ZstdCompressor(write_content_size=False).compress(b"ab"),
            ErrorCode.BAD_LENGTH,
        ),
    ],
)
def test_a_bad_payload_is_refused(payload, code):  # COD-1 COD-6
    with pytest.raises(BitstreamError) as caught:
        raw.decode(payload, 3, 1)
    assert caught.value.code is code


@given(st.binary(max_size=60), st.integers(0, 50))
@settings(deadline=None)
def test_any_bytes_give_data_or_a_data_error(payload, length):
    with contextlib.suppress(DataError):
        assert len(raw.decode(payload, length, 2)) == length
