"""Exact values to bytes and back."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import exact, grid, storage
from midstream.errors import BitstreamError, DataError, ErrorCode
from midstream.types import DType
from nearlygood import nearly

FLOATS = [DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16]


def quantised(values: np.ndarray, dtype: DType, step: int, trits: int = 0):
    numbers = np.nan_to_num(storage.to_float64(values, dtype), nan=0, posinf=0, neginf=0)
    size = grid.step_size(step, trits, dtype)
    near = np.clip(np.rint(numbers / size), -(1 << 30), 1 << 30).astype(np.int32)
    return near, np.full(len(near), size)


def normal(count: int, dtype: DType, sigma: float = 0.1) -> np.ndarray:
    return storage.from_float64(np.random.default_rng(3).normal(size=count) * sigma, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@given(
    data=st.binary(min_size=40, max_size=40),
    step=st.integers(-grid.MAX_STEP_INDEX, grid.MAX_STEP_INDEX),
    trits=st.integers(0, 24),
    shift=st.integers(-3, 3),
)
@settings(max_examples=80, deadline=None)
def test_any_bits_come_back_from_any_levels(dtype, data, step, trits, shift):
    values = storage.load(data, dtype, 320 // dtype.bits)
    near, steps = quantised(values, dtype, step, trits)
    payload = exact.encode(values, near + shift, steps, dtype)
    decoded = exact.decode(payload, near + shift, steps, dtype)
    assert decoded.dtype == storage.ELEMENT[dtype]
    assert decoded.tobytes() == data


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("step", [-70, -40, -20])
def test_bytes_are_within_three_percent_of_the_ideal(dtype, step):
    values = normal(30000, dtype)
    near, steps = quantised(values, dtype, step)
    numbers = storage.to_float64(values, dtype)
    spacing = 2.0 ** (np.frexp(numbers)[1] - 1 - storage.MANTISSA_BITS[dtype])
    ideal = np.log2(np.maximum(steps / spacing, 1)).sum()
    assert 8 * len(exact.encode(values, near, steps, dtype)) < 1.03 * ideal


@pytest.mark.parametrize("dtype", FLOATS)
def test_zeros_of_both_signs_take_a_bit_and_their_flags(dtype):
    values = np.zeros(8000, storage.ELEMENT[dtype])
    near, steps = quantised(values, dtype, -20)
    assert len(exact.encode(values, near, steps, dtype)) < 200
    signed = storage.from_float64(np.where(np.arange(8000) % 2, 0.0, -0.0), dtype)
    payload = exact.encode(signed, near, steps, dtype)
    assert len(payload) < 1200
    assert exact.decode(payload, near, steps, dtype).tobytes() == signed.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("step", [-300, -170, -100, -60, 10])
@pytest.mark.parametrize("is_even", [True, False])
def test_slices_of_one_step_and_of_many_come_back(dtype, step, is_even):
    values = normal(6000, dtype)
    near, steps = quantised(values, dtype, step)
    if not is_even:
        steps[1] *= 1.5
    payload = exact.encode(values, near, steps, dtype)
    assert exact.decode(payload, near, steps, dtype).tobytes() == values.tobytes()


def sparse(count: int, step: int, dtype: DType) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of which half are zeros of both signs, their levels and steps."""
    rng = np.random.default_rng(5)
    numbers = rng.normal(size=count) * 0.1 * rng.choice([0.0, -0.0, 0.01, 1.0], size=count)
    values = storage.from_float64(numbers, dtype)
    return values, *quantised(values, dtype, step)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("step", [-170, -120, -60])
@pytest.mark.parametrize("count", [4111, 70000])
def test_long_slices_with_many_zeros_come_back(dtype, step, count):
    values, near, steps = sparse(count, step, dtype)
    payload = exact.encode(values, near, steps, dtype)
    assert exact.decode(payload, near, steps, dtype).tobytes() == values.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_long_payload_cut_anywhere_is_refused(dtype):
    values, near, steps = sparse(35000, -80, dtype)
    payload = exact.encode(values, near, steps, dtype)
    for size in range(0, len(payload), len(payload) // 40):
        with pytest.raises(BitstreamError):
            exact.decode(payload[:size], near, steps, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_long_payload_with_other_bytes_gives_values_or_a_data_error(dtype):
    values, near, steps = sparse(5000, -80, dtype)
    payload = bytearray(exact.encode(values, near, steps, dtype))
    rng = np.random.default_rng(7)
    for place in rng.integers(1, len(payload), 60).tolist():
        payload[place] ^= int(rng.integers(1, 256))
        try:
            assert exact.decode(bytes(payload), near, steps, dtype).shape == values.shape
        except DataError:
            payload[place] = 0


def test_many_tiny_values_share_the_core():
    tiny = storage.from_float64(np.random.default_rng(1).normal(size=4000) * 1e-30, DType.FLOAT32)
    near, steps = quantised(tiny, DType.FLOAT32, -20)
    payload = exact.encode(tiny, near, steps, DType.FLOAT32)
    assert payload[0] & 3 == 3
    assert len(payload) < 4.1 * 4000
    assert exact.decode(payload, near, steps, DType.FLOAT32).tobytes() == tiny.tobytes()


def test_values_on_the_edge_of_a_cell_come_back():
    half = np.array([0.5, -0.5, 1.5, 2.5, -1.5], "<f4")
    near = np.array([0, 0, 1, 3, -2], np.int32)
    steps = np.ones(5)
    payload = exact.encode(half, near, steps, DType.FLOAT32)
    assert exact.decode(payload, near, steps, DType.FLOAT32).tobytes() == half.tobytes()


def sample() -> tuple[bytes, np.ndarray, np.ndarray]:
    values = normal(60, DType.FLOAT16)
    values[::7] = 0
    values[3] = np.inf
    near, steps = quantised(values, DType.FLOAT16, -40)
    return exact.encode(values, near, steps, DType.FLOAT16), near, steps


def test_a_payload_cut_anywhere_is_refused():
    payload, near, steps = sample()
    for size in range(len(payload)):
        with pytest.raises(BitstreamError):
            exact.decode(payload[:size], near, steps, DType.FLOAT16)


def test_a_byte_after_the_end_is_refused():  # COD-1
    payload, near, steps = sample()
    with pytest.raises(BitstreamError) as caught:
        exact.decode(payload + b"\x00", near, steps, DType.FLOAT16)
    assert caught.value.code is ErrorCode.TRAILING_BYTES


def test_exceptions_beyond_the_weights_are_refused():  # COD-5
    values = normal(8, DType.FLOAT32, 1.0)
    near, steps = quantised(values, DType.FLOAT32, -16)
    payload = exact.encode(values, near, steps, DType.FLOAT32)
    assert payload[-1] == 0
    for tail in (b"\x09" + bytes(45), b"\x01\x08" + bytes(4)):
        with pytest.raises(BitstreamError) as caught:
            exact.decode(payload[:-1] + tail, near, steps, DType.FLOAT32)
        assert caught.value.code is ErrorCode.BAD_FIELD


def test_an_octave_that_never_ends_is_refused():  # COD-5
    near, steps = np.zeros(1, np.int32), np.ones(1)
    with pytest.raises(BitstreamError) as caught:
        exact.decode(b"\x00\x00" + bytes(20), near, steps, DType.FLOAT32)
    assert caught.value.code is ErrorCode.BAD_SYMBOL


@pytest.mark.parametrize("head", [0x04, 0x80 | 1, 0xFF])
def test_an_unknown_head_is_refused(head):
    near, steps = np.zeros(1, np.int32), np.ones(1)
    with pytest.raises(BitstreamError) as caught:
        exact.decode(bytes([head]) + bytes(40), near, steps, DType.FLOAT32)
    assert caught.value.code is ErrorCode.BAD_FIELD


@pytest.mark.parametrize("dtype", FLOATS)
@given(payload=st.binary(max_size=120), steps=st.floats(2.0**-160, 2.0**160))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_values_or_a_data_error(dtype, payload, steps):
    near = np.array([0, 0, 1, -1, 1 << 30, -(1 << 30), 5, 0], np.int32)
    try:
        decoded = exact.decode(payload, near, np.full(8, steps), dtype)
    except DataError:
        return
    assert len(decoded) == 8


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nearly_good_bytes_give_values_or_a_data_error(data):
    good, near, steps = sample()
    payload = data.draw(nearly(good))
    try:
        decoded = exact.decode(payload, near, steps, DType.FLOAT16)
    except DataError:
        return
    assert len(decoded) == 60


def decoded_by(reader, monkeypatch, *arguments) -> bytes | ErrorCode:
    monkeypatch.setattr(exact, "read_cells", reader)
    try:
        return exact.decode(*arguments).tobytes()
    except BitstreamError as error:
        return error.code


@pytest.mark.skipif(not find_spec("midstream.kernels._native"), reason="no compiler")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("step", [-90, -40, -20])
def test_damaged_payloads_are_the_same_to_both_kernels(monkeypatch, dtype, step):
    from midstream.kernels.native_cells import read_cells

    values = normal(600, dtype)
    values[::5] *= np.float32(1e-3).astype(values.dtype)
    near, steps = quantised(values, dtype, step)
    steps[300:] *= 0.7
    payload = exact.encode(values, near, steps, dtype)
    rng = np.random.default_rng(step + 100)
    for _ in range(80):
        damaged = bytearray(payload)
        for place in rng.integers(0, len(payload), rng.integers(0, 4)):
            damaged[place] ^= 1 << rng.integers(8)
        damaged = damaged[
            : len(payload) - int(rng.integers(0, 3) * rng.integers(0, len(payload)) / 2)
        ]
        arguments = bytes(damaged), near, steps, dtype
        results = [decoded_by(reader, monkeypatch, *arguments) for reader in (None, read_cells)]
        assert results[0] == results[1]


def test_no_weights_take_a_few_bytes():
    nothing = np.zeros(0, "<f4")
    payload = exact.encode(nothing, np.zeros(0, np.int32), np.zeros(0), DType.FLOAT32)
    assert len(payload) <= 2
    assert len(exact.decode(payload, np.zeros(0, np.int32), np.zeros(0), DType.FLOAT32)) == 0
