"""Datagrams of the carousel: what is damaged or none of ours is refused."""

import random
import zlib
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import DataError, ErrorCode, LimitError
from midstream.limits import Limits
from midstream.session.datagrams import HEADER_SIZE, Datagram, ObjectKey, ObjectKind

KEY = ObjectKey(kind=ObjectKind.UNIT, id=b"12345678", size=1000, symbol_size=4)
GOOD = Datagram(key=KEY, row=1, column=7, symbol=b"abcd")


def sealed(start: bytes, symbol: bytes) -> bytes:
    """A datagram whose check is right, whatever it says."""
    return start + zlib.crc32(start + symbol).to_bytes(4, "little") + symbol


def test_the_bytes_are_these() -> None:
    assert GOOD.encode().hex() == "ca01010007e80300003132333435363738bf74409e61626364"
    assert len(GOOD.encode()) == HEADER_SIZE + 4


@given(row=st.integers(0, 1), column=st.integers(0, 222), symbol=st.binary(min_size=4, max_size=4))
def test_a_datagram_comes_back(row: int, column: int, symbol: bytes) -> None:
    datagram = replace(GOOD, row=row, column=column, symbol=symbol)
    assert Datagram.decode(datagram.encode()) == datagram


def test_every_flipped_bit_is_found() -> None:
    """[DEL-20]"""
    data = GOOD.encode()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DataError):
            Datagram.decode(bytes(damaged))


def test_every_cut_datagram_is_found() -> None:
    """[DEL-20]"""
    for size in range(len(GOOD.encode())):
        with pytest.raises(DataError):
            Datagram.decode(GOOD.encode()[:size])


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    for given_bytes in (data, sealed(b"\xca" + data[:16].ljust(16, b"\0"), data[16:])):
        with suppress(DataError):
            assert Datagram.decode(given_bytes).encode() == given_bytes


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("cb010100 07 e8030000", ErrorCode.BAD_MAGIC),
        ("ca110100 07 e8030000", ErrorCode.BAD_VERSION),
        ("ca020100 07 e8030000", ErrorCode.BAD_FIELD),
        ("ca010100 07 00000000", ErrorCode.BAD_FIELD),
        ("ca010200 07 e8030000", ErrorCode.BAD_FIELD),
        ("ca010100 df e8030000", ErrorCode.BAD_FIELD),
        ("ca010200 de e8030000", ErrorCode.BAD_FIELD),
        ("ca010300 df e8030000", ErrorCode.BAD_FIELD),
        ("ca010000 ff e8030000", ErrorCode.BAD_FIELD),
    ],
)
def test_what_makes_no_sense_is_refused(start: str, code: ErrorCode) -> None:
    """[DEL-20]"""
    with pytest.raises(DataError) as caught:
        Datagram.decode(sealed(bytes.fromhex(start) + KEY.id, b"abcd"))
    assert caught.value.code is code


def test_a_symbol_without_bytes_is_refused() -> None:
    with pytest.raises(DataError):
        Datagram.decode(sealed(GOOD.encode()[: HEADER_SIZE - 4], b""))


@pytest.mark.parametrize("kind", list(ObjectKind))
def test_an_object_over_its_limit_is_refused(kind: ObjectKind) -> None:
    datagram = replace(GOOD, key=replace(KEY, kind=kind))
    assert Datagram.decode(datagram.encode(), limits=Limits(unit_size=1000, bundle_size=1000))
    with pytest.raises(LimitError):
        Datagram.decode(datagram.encode(), limits=Limits(unit_size=999, bundle_size=999))


def test_random_datagrams_of_the_right_start_are_refused() -> None:
    rng = random.Random(1)
    for _ in range(1000):
        with pytest.raises(DataError):
            Datagram.decode(GOOD.encode()[:17] + rng.randbytes(rng.randrange(60)))
