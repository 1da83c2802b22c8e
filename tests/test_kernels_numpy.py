"""The hot loops against plain Python, and against damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream import kernels
from midstream.codec import rans, tables
from midstream.kernels import pack_bits, read_varints, unpack_bits, write_varints


def slow_decode(payload: bytes, frequencies: list[list[int]], lanes: int) -> list[int]:
    """spec/coding.md, "Entropy coder", to the letter, symbol by symbol."""
    states = [int.from_bytes(payload[4 * k : 4 * k + 4], "little") for k in range(lanes)]
    words = [
        int.from_bytes(payload[k : k + 2], "little") for k in range(4 * lanes, len(payload), 2)
    ]
    symbols = []
    for place, table in enumerate(frequencies):
        x = states[place % lanes]
        start = 0
        symbol = 0
        while x % 4096 >= start + table[symbol]:
            start += table[symbol]
            symbol += 1
        frequency = table[symbol]
        x = frequency * (x >> 12) + x % 4096 - start
        if x < 65536:
            x = x * 65536 + words.pop(0)
        states[place % lanes] = x
        symbols.append(symbol)
    assert states == [65536] * lanes
    assert not words
    return symbols


def random_slice(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 246, count)
    sizes = tables.level_family().sizes[table]
    return table, (rng.random(count) * sizes).astype(np.int64)


@pytest.mark.parametrize("count", [1, 2, 4095, 4096, 9001])
def test_a_decoder_written_to_the_letter_of_the_spec_agrees(count):  # COD-4
    family = tables.level_family()
    table, symbols = random_slice(count, count)
    payload = rans.encode(family, [table], [symbols])[0]
    each = [
        family.frequencies[family.firsts[t] : family.firsts[t] + family.sizes[t]].tolist()
        for t in table
    ]
    assert slow_decode(payload, each, rans.lanes_of(count)) == symbols.tolist()


def test_slices_of_all_sizes_decode_side_by_side():
    family = tables.level_family()
    pairs = [random_slice(count, count) for count in (1, 5000, 0, 70000, 2048, 3, 4096)]
    payloads = rans.encode(family, [t for t, _ in pairs], [s for _, s in pairs])
    symbols, sizes = rans.decode(family, [memoryview(p) for p in payloads], [t for t, _ in pairs])
    assert sizes == [len(payload) for payload in payloads]
    for found, (_, expected) in zip(symbols, pairs, strict=True):
        assert np.array_equal(found, expected)


def test_encoding_together_gives_the_bytes_of_encoding_alone():
    family = tables.level_family()
    pairs = [random_slice(count, count) for count in (700, 5000, 9000)]
    together = rans.encode(family, [t for t, _ in pairs], [s for _, s in pairs])
    alone = [rans.encode(family, [t], [s])[0] for t, s in pairs]
    assert together == alone


@pytest.mark.parametrize(
    ("symbols", "lanes"),
    [(0, 0), (1, 1), (4095, 1), (4096, 2), (8191, 2), (8192, 4), (65536, 32), (10**6, 32)],
)
def test_lanes_follow_from_the_number_of_symbols(symbols, lanes):
    assert rans.lanes_of(symbols) == lanes


def test_nothing_decodes_to_nothing():
    assert rans.decode(tables.binary_family(), [memoryview(b"x")], [np.zeros(0, np.int64)]) == (
        [pytest.approx(np.zeros(0))],
        [0],
    )


widths_and_values = st.lists(
    st.integers(0, 57).flatmap(lambda w: st.tuples(st.just(w), st.integers(0, (1 << w) - 1))),
    max_size=200,
)


@given(widths_and_values)
@settings(max_examples=60, deadline=None)
def test_packed_bits_come_back(fields):
    widths = np.array([width for width, _ in fields], np.int64)
    values = np.array([value for _, value in fields], np.uint64)
    packed = pack_bits(values, widths)
    assert len(packed) == (int(widths.sum()) + 7) // 8
    assert np.array_equal(unpack_bits(np.frombuffer(packed, np.uint8), widths), values)


def test_bits_are_packed_from_the_least_significant_one():
    packed = pack_bits(np.array([1, 2, 0xABC], np.uint64), np.array([1, 3, 12], np.int64))
    assert packed == bytes.fromhex("c5ab")


def test_fields_without_bits_take_no_bytes():
    assert pack_bits(np.zeros(3, np.uint64), np.zeros(3, np.int64)) == b""


@given(st.lists(st.integers(0, (1 << 35) - 1)), st.binary(max_size=4))
@settings(max_examples=60, deadline=None)
def test_varints_come_back(values, tail):
    data = write_varints(np.array(values, np.uint64))
    read = read_varints(np.frombuffer(data + tail, np.uint8), len(values))
    assert read is not None
    assert read[0].tolist() == values
    assert read[1] == len(data)


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x00", b"\x80\x80\x80\x80\x80\x01", b"\xff" * 9]
)
def test_a_malformed_varint_is_refused(data):
    assert read_varints(np.frombuffer(data, np.uint8), 1) is None


def test_the_package_exports_what_it_says():
    assert sorted(kernels.__all__) == kernels.__all__
    assert all(hasattr(kernels, name) for name in kernels.__all__)
