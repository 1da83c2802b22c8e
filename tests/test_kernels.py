"""The hot loops, each implementation, against plain Python and against damage."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream import kernels
from midstream.codec import rans, tables
from midstream.kernels import numpy_kernels

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_kernels

    IMPLEMENTATIONS = [numpy_kernels, native_kernels]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_kernels]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request, monkeypatch):
    """One implementation, which the codec uses too."""
    monkeypatch.setattr(rans, "rans_decode", request.param.rans_decode)
    monkeypatch.setattr(rans, "rans_encode", request.param.rans_encode)
    return request.param


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
@pytest.mark.usefixtures("kernel")
def test_a_decoder_written_to_the_letter_of_the_spec_agrees(count):  # COD-4
    family = tables.level_family()
    table, symbols = random_slice(count, count)
    payload = rans.encode(family, [table], [symbols])[0]
    each = [
        family.frequencies[family.firsts[t] : family.firsts[t] + family.sizes[t]].tolist()
        for t in table
    ]
    assert slow_decode(payload, each, rans.lanes_of(count)) == symbols.tolist()


@pytest.mark.usefixtures("kernel")
def test_slices_of_all_sizes_decode_side_by_side():
    family = tables.level_family()
    pairs = [random_slice(count, count) for count in (1, 5000, 0, 70000, 2048, 3, 4096)]
    payloads = rans.encode(family, [t for t, _ in pairs], [s for _, s in pairs])
    symbols, sizes = rans.decode(family, [memoryview(p) for p in payloads], [t for t, _ in pairs])
    assert sizes == [len(payload) for payload in payloads]
    for found, (_, expected) in zip(symbols, pairs, strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.usefixtures("kernel")
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


@pytest.mark.usefixtures("kernel")
def test_nothing_decodes_to_nothing():
    assert rans.decode(tables.binary_family(), [memoryview(b"x")], [np.zeros(0, np.int64)]) == (
        [pytest.approx(np.zeros(0))],
        [0],
    )


fields_of_bits = st.lists(
    st.integers(0, 57).flatmap(lambda w: st.tuples(st.just(w), st.integers(0, (1 << w) - 1))),
    max_size=200,
)


@pytest.mark.parametrize("module", IMPLEMENTATIONS)
@given(fields=fields_of_bits)
@settings(max_examples=60, deadline=None)
def test_packed_bits_come_back(module, fields):
    widths = np.array([width for width, _ in fields], np.int64)
    values = np.array([value for _, value in fields], np.uint64)
    packed = module.pack_bits(values, widths)
    assert len(packed) == (int(widths.sum()) + 7) // 8
    assert packed == numpy_kernels.pack_bits(values, widths)
    assert np.array_equal(module.unpack_bits(np.frombuffer(packed, np.uint8), widths), values)


@pytest.mark.parametrize("module", IMPLEMENTATIONS)
@given(fields=fields_of_bits, data=st.binary(min_size=1500, max_size=1500))
@settings(max_examples=60, deadline=None)
def test_any_bits_are_read_alike(module, fields, data):
    widths = np.array([width for width, _ in fields], np.int64)
    found = module.unpack_bits(np.frombuffer(data, np.uint8), widths)
    assert np.array_equal(found, numpy_kernels.unpack_bits(np.frombuffer(data, np.uint8), widths))


def test_bits_are_packed_from_the_least_significant_one(kernel):
    packed = kernel.pack_bits(np.array([1, 2, 0xABC], np.uint64), np.array([1, 3, 12], np.int64))
    assert packed == bytes.fromhex("c5ab")


def test_fields_without_bits_take_no_bytes(kernel):
    assert kernel.pack_bits(np.zeros(3, np.uint64), np.zeros(3, np.int64)) == b""


@pytest.mark.parametrize("module", IMPLEMENTATIONS)
@given(values=st.lists(st.integers(0, (1 << 35) - 1)), tail=st.binary(max_size=4))
@settings(max_examples=60, deadline=None)
def test_varints_come_back(module, values, tail):
    data = module.write_varints(np.array(values, np.uint64))
    read = module.read_varints(np.frombuffer(data + tail, np.uint8), len(values))
    assert read is not None
    assert read[0].tolist() == values
    assert read[1] == len(data)


@pytest.mark.parametrize("module", IMPLEMENTATIONS)
@given(
    data=st.lists(st.sampled_from([0, 1, 0x7F, 0x80, 0x81, 0xFF]), max_size=40).map(bytes),
    count=st.integers(0, 12),
)
@settings(max_examples=300, deadline=None)
def test_any_varints_are_read_alike(module, data, count):
    found = module.read_varints(np.frombuffer(data, np.uint8), count)
    expected = numpy_kernels.read_varints(np.frombuffer(data, np.uint8), count)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found[1] == expected[1]
        assert found[0].tolist() == expected[0].tolist()


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x00", b"\x80\x80\x80\x80\x80\x01", b"\xff" * 9]
)
def test_a_malformed_varint_is_refused(kernel, data):
    assert kernel.read_varints(np.frombuffer(data, np.uint8), 1) is None


def random_streams(seed: int) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Frequencies and starts of the symbols of some slices, and what decodes them."""
    rng = np.random.default_rng(seed)
    family = tables.level_family()
    counts = rng.choice([0, 1, 3, 40, 700, 3000], 4)
    lanes = rng.choice([1, 2, 7, 32], 4)
    used = rng.choice(246, 5, replace=False)
    rows = rng.integers(0, 5, counts.sum())
    entries = family.firsts[used[rows]]
    entries += (rng.random(len(rows)) * family.sizes[used[rows]]).astype(np.int64)
    encode = (entries.astype(np.int32), family.frequencies, family.starts, counts, lanes)
    return encode, (counts, lanes, rows, *family.lookup(used))


@pytest.mark.parametrize("seed", range(20))
def test_all_encode_alike(kernel, seed):
    arguments, _ = random_streams(seed)
    found, expected = kernel.rans_encode(*arguments), numpy_kernels.rans_encode(*arguments)
    assert [part.tobytes() for part in found] == [part.tobytes() for part in expected]
    assert [part.dtype for part in found] == [part.dtype for part in expected]


@pytest.mark.parametrize("damage", ["none", "words", "states", "both", "cut"])
@pytest.mark.parametrize("seed", range(10))
def test_all_decode_alike_whatever_the_words(kernel, seed, damage):
    arguments, rest = random_streams(seed)
    states, words, taken = kernel.rans_encode(*arguments)
    rng = np.random.default_rng(seed)
    if damage in ("words", "both"):
        words[:] = rng.integers(0, 1 << 16, len(words))
    if damage in ("states", "both"):
        # among them some below their bound, and 0
        states[:] = rng.integers(0, 1 << 32, len(states)) >> rng.integers(0, 33, len(states))
    words = np.append(words, np.uint16(0))[: 3 if damage == "cut" else None]
    starts = np.cumsum(taken) - taken
    found = kernel.rans_decode(words, starts, states, *rest)
    expected = numpy_kernels.rans_decode(words, starts, states, *rest)
    assert [part.tobytes() for part in found] == [part.tobytes() for part in expected]
    assert [part.dtype for part in found] == [part.dtype for part in expected]


def test_the_package_exports_what_it_says():
    assert len(set(kernels.__all__)) == len(kernels.__all__)
    assert all(hasattr(kernels, name) for name in kernels.__all__)


@pytest.mark.parametrize("size", [0, 1, (1 << 24) - 1, 1 << 24, (1 << 24) + (3 << 20) + 5])
def test_a_blank_is_zeros_that_can_be_written(kernel, size):
    dirty = bytearray(b"\xff") * size
    del dirty  # its memory may be given again
    blank = kernel.blank(size)
    assert type(blank) is bytearray
    assert len(blank) == blank.count(0) == size
    blank += b"more"
    assert len(blank) == size + 4


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), (1 << 62, MemoryError)])
def test_a_blank_that_cannot_be_is_an_error(kernel, size, error):
    with pytest.raises(error):
        kernel.blank(size)
