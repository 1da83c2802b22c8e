"""Exact floats without levels to bytes and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import Sigmas, TensorCode, storage, values
from midstream.errors import BitstreamError, DataError, ErrorCode
from midstream.types import DType, Tensor
from nearlygood import nearly

FLOATS = [DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16]


def told(count: int, *widths: int, step: int = -160, shape: int = 1) -> Sigmas:
    """The same few widths over and over, and one step."""
    origin = (step >> 2) - 12
    return Sigmas(
        quarters=np.resize(np.array(widths, np.int16), count) + np.int16(origin),
        stops=np.array([count], np.int64),
        shapes=np.array([shape], np.int16),
        origins=np.array([origin], np.int16),
    )


def normal(count: int, dtype: DType, sigma: float) -> np.ndarray:
    return storage.from_float64(np.random.default_rng(3).normal(size=count) * sigma, dtype)


def encode(stored, sigmas, dtype) -> bytes:
    return values.encode_many([stored], [sigmas], [dtype])[0]


def decode(payload, sigmas, dtype) -> np.ndarray:
    return values.decode(memoryview(payload), sigmas, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@given(
    data=st.binary(min_size=40, max_size=40),
    step=st.integers(-2560, 2560),
    widths=st.lists(st.integers(-896, 896), min_size=1, max_size=4),
    shape=st.integers(0, 2),
)
@settings(max_examples=150, deadline=None)
def test_any_bits_come_back_whatever_their_context(dtype, data, step, widths, shape):
    stored = storage.load(data, dtype, 320 // dtype.bits)
    sigmas = told(len(stored), *widths, step=step, shape=shape)
    decoded = decode(encode(stored, sigmas, dtype), sigmas, dtype)
    assert decoded.dtype == storage.ELEMENT[dtype]
    assert decoded.tobytes() == data


@pytest.mark.parametrize("dtype", [DType.FLOAT16, DType.BFLOAT16])
@pytest.mark.parametrize("octave", [-30, -14, 0, 15])
def test_every_value_of_a_small_dtype_comes_back(dtype, octave):
    stored = np.arange(1 << 16, dtype=np.uint16).view(storage.ELEMENT[dtype])
    sigmas = told(len(stored), 12, step=16 * octave)
    decoded = decode(encode(stored, sigmas, dtype), sigmas, dtype)
    assert decoded.tobytes() == stored.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [12, 13, 14, 15, 28])
def test_bytes_are_near_the_ideal(dtype, width):
    sigma = 2.0 ** (width / 4 - 3 - 10)
    stored = normal(40000, dtype, sigma)
    sigmas = told(len(stored), width)
    numbers = np.abs(storage.to_float64(stored, dtype))
    exponent = np.frexp(np.maximum(numbers, 2.0**-14 if dtype is DType.FLOAT16 else 0))[1]
    spacing = 2.0 ** (exponent - 1.0 - storage.MANTISSA_BITS[dtype])
    density = np.exp(-0.5 * (numbers / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    ideal = -np.log2(density * spacing).sum()
    # tables give their share to octaves of normal numbers that float16 does not have
    slack = 1.009 if dtype is DType.FLOAT16 and width < 16 else 1.005
    assert ideal / 8 < len(encode(stored, sigmas, dtype)) < slack * ideal / 8 + 132


@pytest.mark.parametrize(("share", "bits"), [(1.0, 0.16), (0.5, 16.5)])
def test_zeros_take_little(share, bits):
    stored = np.where(np.random.default_rng(2).random(20000) < share, 0, normal(20000, 1, 0.01))
    sigmas = told(len(stored), 16)
    assert 8 * len(encode(stored.astype("<f4"), sigmas, DType.FLOAT32)) < bits * 20000


def test_zeros_among_narrow_weights_cost_wide_ones_nothing():
    stored = normal(16000, DType.FLOAT32, 2.0**-9)
    sigmas = told(len(stored), 16)
    alone = len(encode(stored, sigmas, DType.FLOAT32))
    mixed = np.stack([stored, np.zeros(16000)], axis=1).ravel().astype("<f4")
    sigmas = told(len(mixed), 16, 0)
    assert len(encode(mixed, sigmas, DType.FLOAT32)) < alone + 300


def test_bits_that_are_zero_everywhere_are_left_out():
    halves = normal(4000, DType.FLOAT16, 2.0**-9)
    sigmas = told(len(halves), 16)
    narrow = len(encode(halves, sigmas, DType.FLOAT16))
    payload = encode(halves.astype("<f4"), sigmas, DType.FLOAT32)
    assert payload[0] == 13
    assert len(payload) < 1.03 * narrow  # what float16 has no bits for, float32 has


def test_several_slices_are_written_side_by_side_into_one_buffer():
    parts = [normal(count, dtype, 0.1) for count, dtype in zip([5, 0, 5000], FLOATS, strict=True)]
    sigmas = [told(len(part), 10, 20) for part in parts]
    payloads = values.encode_many(parts, sigmas, FLOATS)
    assert payloads[2] == encode(parts[2], sigmas[2], DType.BFLOAT16)
    buffer = memoryview(bytearray(b"." * 10030))
    places = [(buffer, at) for at in (1, 21, 29)]
    values.decode_into([memoryview(p) for p in payloads], sigmas, FLOATS, places)
    assert bytes(buffer) == b"." + parts[0].tobytes() + 8 * b"." + parts[2].tobytes() + b"."


def joined(*parts: Sigmas) -> Sigmas:
    return Sigmas(
        quarters=np.concatenate([part.quarters for part in parts]),
        stops=np.cumsum([len(part.quarters) for part in parts]),
        shapes=np.concatenate([part.shapes for part in parts]),
        origins=np.concatenate([part.origins for part in parts]),
    )


def test_runs_have_tables_of_their_own():
    parts = [normal(3000, DType.FLOAT32, sigma) for sigma in (0.1, 0.001, 10.0)]
    parts[1][::2] = 0
    sigmas = [told(3000, 12, shape=shape, step=s) for shape, s in enumerate((-53, -160, 53))]
    together, stored = joined(*sigmas), np.concatenate(parts)
    payload = encode(stored, together, DType.FLOAT32)
    assert decode(payload, together, DType.FLOAT32).tobytes() == stored.tobytes()
    apart = [encode(*pair, DType.FLOAT32) for pair in zip(parts, sigmas, strict=True)]
    assert len(payload) < sum(map(len, apart)) * 1.03


def test_sigmas_follow_the_vectors_and_steps_of_a_tensor():
    tensor = Tensor(
        name="a", dtype=DType.FLOAT32, shape=(3, 4), offset=0, row_axis=0, column_axis=1
    )
    code = TensorCode(
        step=-37,
        width=14,
        rows=np.array([0, 1, -3], np.int8),
        columns=np.array([5, 0, 0, 7], np.int8),
        row_steps=np.array([2, 0, -24], np.int8),
    )
    sigmas = Sigmas.of([(tensor, code, 2, 12)])
    rows, columns = np.divmod(np.arange(2, 12), 4)
    widths = 14 + code.rows[rows] + code.columns[columns] + 2 * code.row_steps[rows]
    assert sigmas.widths().tolist() == widths.tolist()
    assert sigmas.quarters.tolist() == (widths - 10 - 12).tolist()


def sample() -> tuple[bytes, Sigmas]:
    stored = normal(60, DType.FLOAT16, 0.1)
    stored[::7] = 0
    stored[3] = np.inf
    sigmas = told(60, 16, 4)
    return encode(stored, sigmas, DType.FLOAT16), sigmas


def test_a_payload_cut_anywhere_is_refused():  # COD-1
    payload, sigmas = sample()
    for size in range(len(payload)):
        with pytest.raises(BitstreamError):
            decode(payload[:size], sigmas, DType.FLOAT16)


def test_a_byte_after_the_end_is_refused():  # COD-1
    payload, sigmas = sample()
    with pytest.raises(BitstreamError) as caught:
        decode(payload + b"\x00", sigmas, DType.FLOAT16)
    assert caught.value.code is ErrorCode.TRAILING_BYTES


@pytest.mark.parametrize(
    "head", [b"\x0b\0\0\0\0", b"\0\x10\0\0\0", b"\0\0\0\x80\0", b"\0\0\0\0\xff"]
)
def test_an_unknown_head_is_refused(head):  # COD-12
    payload, sigmas = sample()
    with pytest.raises(BitstreamError) as caught:
        decode(head + payload[5:], sigmas, DType.FLOAT16)
    assert caught.value.code is ErrorCode.BAD_FIELD


@pytest.mark.parametrize("dtype", FLOATS)
@given(payload=st.binary(max_size=120), step=st.integers(-2560, 2560))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_values_or_a_data_error(dtype, payload, step):
    sigmas = told(8, 0, 20, -300, step=step)
    try:
        decoded = decode(payload, sigmas, dtype)
    except DataError:
        return
    assert len(decoded) == 8


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nearly_good_bytes_give_values_or_a_data_error(data):
    good, sigmas = sample()
    payload = data.draw(nearly(good))
    try:
        decoded = decode(payload, sigmas, DType.FLOAT16)
    except DataError:
        return
    assert len(decoded) == 60
