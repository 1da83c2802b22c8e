"""Floats that were there before, in order or mirrored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream import rebuild
from midstream.codec import kept, repeats
from midstream.decoder import read_stack
from midstream.encoder import encode
from midstream.errors import BitstreamError, DataError, ErrorCode
from midstream.kernels import copy_runs, find_runs, numpy_repeats, numpy_runs
from midstream.kernels.numpy_runs import ALTERNATING, MIRRORED, NEGATIVE
from midstream.types import DType
from nearlygood import nearly
from tensorfiles import normal, safetensors

KINDS = {DType.FLOAT32: "<f4", DType.FLOAT16: "<f2"}
HALF = normal(1, 200)[0]
SIGNS = np.resize([-1, 1], 200)
CASES = {
    "again": [HALF, HALF],
    "turned round": [HALF, HALF[::-1]],
    "negative": [HALF, -HALF],
    "turned round and negative": [HALF, -HALF[::-1]],
    "signs by turns": [HALF, HALF * SIGNS],
    "turned round, signs by turns": [HALF, HALF[::-1] * SIGNS],
    "one number": [HALF, np.full(300, HALF[3])],
    "a number that changes its sign": [HALF, HALF[:1], np.tile([-HALF[0], HALF[0]], 50)],
    "zeros of both signs": [np.zeros(90), -np.zeros(90)],
    "infinities and others": [np.full(20, np.nan), HALF, np.full(20, -np.inf), -HALF],
}


def floats(case: str, dtype: DType) -> np.ndarray:
    return np.concatenate(CASES[case]).astype(KINDS[dtype])


def bits_of(values: np.ndarray) -> np.ndarray:
    return values.view(f"<u{values.itemsize}")


@pytest.mark.parametrize("dtype", list(KINDS))
@pytest.mark.parametrize("case", CASES)
def test_what_repeats_is_found_and_comes_back(case, dtype):
    values = floats(case, dtype)
    runs = repeats.find(bits_of(values))
    assert repeats.count(runs) >= 0.3 * len(values)
    left = repeats.literals(bits_of(values), runs)
    assert repeats.expand(left, runs).tobytes() == values.tobytes()
    written = repeats.write(runs)
    found, taken = repeats.read(memoryview(written + b"more"), len(values))
    assert np.array_equal(found, runs)
    assert taken == len(written)


@pytest.mark.parametrize("dtype", list(KINDS))
@pytest.mark.parametrize(
    "case", ["turned round", "turned round and negative", "again", "signs by turns"]
)
def test_half_of_the_bytes_are_saved(case, dtype):
    values = floats(case, dtype)
    payload = kept.encode(values, dtype)
    assert payload[0] == 5
    assert len(payload) < 0.5 * values.nbytes
    assert kept.decode(memoryview(payload), len(values), dtype).tobytes() == values.tobytes()


def test_nothing_is_found_where_nothing_repeats():
    assert len(repeats.find(bits_of(normal(1, 5000)[0]))) == 0


def test_lossless_releases_have_them():
    time = np.arange(256) / 256 * 2 * np.pi
    sines = np.sin(np.arange(1, 41)[:, None] * time) * np.hanning(257)[:256]
    # exactly symmetric, as those of libraries nearly are
    sines[:, 129:] = -sines[:, 127:0:-1]
    model = safetensors({"sines": sines.astype("<f4"), "others": normal(70, 70)})
    for ladder in ("exact", ("2b", "exact")):
        units = [unit.data for unit in encode(model, ladder=ladder).units]
        payloads = [bytes(r[-1].payload) for r in read_stack(units).records]
        assert any(payload[:1] == b"\5" for payload in payloads)
        assert bytes(rebuild(units)) == model


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(0, 7)), max_size=9),
    st.integers(1, 1 << 15),
    st.sampled_from([np.uint16, np.uint32]),
)
@settings(max_examples=150, deadline=None)
def test_runs_are_found_as_by_numpy(drawn, magnitudes, kind):
    top = kind(1 << 8 * np.dtype(kind).itemsize - 1)
    generator = np.random.default_rng(len(drawn))
    values = generator.integers(0, magnitudes, 40).astype(kind)
    for length, start, flags in drawn:
        old = values[start : start + length][:: -1 if flags & MIRRORED else 1].copy()
        old[:: 1 + (flags & ALTERNATING > 0)] ^= (
            top if flags & (NEGATIVE | ALTERNATING) else kind(0)
        )
        values = np.concatenate([values, generator.integers(0, magnitudes, 3).astype(kind), old])
    found = find_runs(values)
    assert np.array_equal(found, numpy_repeats.find_runs(values))
    assert found.dtype == np.int64


def test_runs_are_found_by_numpy_and_in_few_or_no_values():
    values = bits_of(floats("turned round, signs by turns", DType.FLOAT32))
    for find in (find_runs, numpy_repeats.find_runs):
        assert find(values).tolist() == [[200, 199, 200, MIRRORED | ALTERNATING | NEGATIVE]]
        for few in (values[:0], values[:1], np.full(8, 3, np.uint16)):
            assert find(few).shape == (0, 4)
        assert find(np.full(9, 3, np.uint16)).tolist() == [[1, 0, 8, 0]]


RUNS = st.tuples(st.integers(1, 30), st.integers(0, 40), st.integers(1, 60), st.integers(0, 7))


@given(st.lists(RUNS, max_size=6), st.sampled_from([np.uint16, np.uint32]))
@settings(max_examples=150, deadline=None)
def test_runs_are_copied_as_one_by_one(drawn, kind):
    values = np.random.default_rng(len(drawn)).integers(0, 1 << 16, 700).astype(kind)
    runs, end = [], 0
    for gap, back, length, flags in drawn:
        start = end + gap
        source = max(start - 1 - back, 0)
        length = min(length, source + 1) if flags & MIRRORED else length
        runs.append((start, source, length, flags))
        end = start + length
    expected = values.copy()
    for start, source, length, flags in runs:
        for i in range(length):
            old = expected[source - i if flags & MIRRORED else source + i]
            sign = flags & NEGATIVE ^ (i & 1 if flags & ALTERNATING else 0)
            flip = kind(sign << 8 * values.itemsize - 1)
            expected[start + i] = old ^ flip
    for copy in (copy_runs, numpy_runs.copy_runs):
        out = values.copy()
        copy(np.array(runs, np.int64).reshape(-1, 4), out)
        assert np.array_equal(out, expected)


BAD_RUNS = [(5, 5, 2, 0), (5, -1, 2, 0), (5, 2, 4, 2), (5, 0, 0, 0), (5, 0, 6, 0), (11, 0, 1, 0)]


@pytest.mark.parametrize("run", BAD_RUNS)
@pytest.mark.parametrize("copy", [copy_runs, numpy_runs.copy_runs])
def test_runs_from_nowhere_are_not_copied(copy, run):
    with pytest.raises(ValueError, match="from nowhere"):
        copy(np.array([run], np.int64), np.zeros(10, np.uint32))


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        (b"", ErrorCode.BAD_LENGTH),
        (b"\x80", ErrorCode.BAD_LENGTH),
        (b"\x02\x05\x01\x08", ErrorCode.BAD_LENGTH),
        (b"\xff\xff\xff\xff\x7f", ErrorCode.BAD_LENGTH),
        (b"\x01\x05\x00\x08", ErrorCode.BAD_FIELD),
        (b"\x01\x05\x06\x08", ErrorCode.BAD_FIELD),
        (b"\x01\x05\x04\x1a", ErrorCode.BAD_FIELD),
        (b"\x01\x05\x01\x03", ErrorCode.BAD_FIELD),
        (b"\x01\x05\x01\x30", ErrorCode.BAD_FIELD),
        (b"\x01\x05\x01\xfc\xff\xff\xff\x7f", ErrorCode.BAD_FIELD),
    ],
)
def test_malformed_runs_are_refused(runs, code):  # COD-15
    with pytest.raises(BitstreamError) as caught:
        repeats.read(memoryview(runs), 10)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("payload", "dtype"),
    [
        (b"\x05\x00\x05\x00\x00" + bytes(40), DType.FLOAT32),
        (b"\x05\x00\x00" + bytes(10), DType.INT8),
    ],
)
def test_repeats_within_themselves_or_of_integers_are_refused(payload, dtype):  # COD-15
    with pytest.raises(BitstreamError) as caught:
        kept.decode(memoryview(payload), 10, dtype)
    assert caught.value.code is ErrorCode.BAD_FIELD


AGAIN = kept.encode(np.tile(HALF, 2).astype("<f2"), DType.FLOAT16)


@given(payload=st.binary(max_size=80).map(b"\x05".__add__) | nearly(AGAIN))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_weights_or_a_data_error(payload):
    try:
        decoded = kept.decode(memoryview(payload), 400, DType.FLOAT16)
    except DataError:
        return
    assert len(decoded) == 400


def test_what_is_nearly_good_repeats():
    assert AGAIN[0] == 5
