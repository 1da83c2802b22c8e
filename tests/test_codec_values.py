"""Exact floats without levels to bytes and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import Context, storage, values
from midstream.errors import BitstreamError, DataError, ErrorCode
from midstream.types import DType

FLOATS = [DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16]


def told(count: int, *widths: int, step: int = -160, shape: int = 1):
    """The same few widths over and over, and one step."""
    width = np.resize(np.array(widths, np.int16), count)
    context = Context(shape=np.full(count, shape, np.int8), width=width)
    return context, np.full(count, step, np.int32)


def normal(count: int, dtype: DType, sigma: float) -> np.ndarray:
    return storage.from_float64(np.random.default_rng(3).normal(size=count) * sigma, dtype)


def encode(stored, context, steps, dtype) -> bytes:
    return values.encode_many([stored], [context], [steps], [dtype])[0]


def decode(payload, context, steps, dtype) -> np.ndarray:
    return values.decode([memoryview(payload)], [context], [steps], [dtype])[0]


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
    context, steps = told(len(stored), *widths, step=step, shape=shape)
    decoded = decode(encode(stored, context, steps, dtype), context, steps, dtype)
    assert decoded.dtype == storage.ELEMENT[dtype]
    assert decoded.tobytes() == data


@pytest.mark.parametrize("dtype", [DType.FLOAT16, DType.BFLOAT16])
@pytest.mark.parametrize("octave", [-30, -14, 0, 15])
def test_every_value_of_a_small_dtype_comes_back(dtype, octave):
    stored = np.arange(1 << 16, dtype=np.uint16).view(storage.ELEMENT[dtype])
    context, steps = told(len(stored), 12, step=16 * octave)
    decoded = decode(encode(stored, context, steps, dtype), context, steps, dtype)
    assert decoded.tobytes() == stored.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [12, 13, 14, 15, 28])
def test_bytes_are_within_half_a_percent_of_the_ideal(dtype, width):
    sigma = 2.0 ** (width / 4 - 3 - 10)
    stored = normal(40000, dtype, sigma)
    context, steps = told(len(stored), width)
    numbers = np.abs(storage.to_float64(stored, dtype))
    exponent = np.frexp(np.maximum(numbers, 2.0**-14 if dtype is DType.FLOAT16 else 0))[1]
    spacing = 2.0 ** (exponent - 1.0 - storage.MANTISSA_BITS[dtype])
    density = np.exp(-0.5 * (numbers / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    ideal = -np.log2(density * spacing).sum()
    assert ideal / 8 < len(encode(stored, context, steps, dtype)) < 1.005 * ideal / 8 + 132


@pytest.mark.parametrize(("share", "bits"), [(1.0, 0.06), (0.5, 16.5)])
def test_zeros_take_little(share, bits):
    stored = np.where(np.random.default_rng(2).random(20000) < share, 0, normal(20000, 1, 0.01))
    context, steps = told(len(stored), 16)
    assert 8 * len(encode(stored.astype("<f4"), context, steps, DType.FLOAT32)) < bits * 20000


def test_zeros_among_narrow_weights_cost_wide_ones_nothing():
    stored = normal(16000, DType.FLOAT32, 2.0**-9)
    context, steps = told(len(stored), 16)
    alone = len(encode(stored, context, steps, DType.FLOAT32))
    mixed = np.stack([stored, np.zeros(16000)], axis=1).ravel().astype("<f4")
    context, steps = told(len(mixed), 16, 0)
    assert len(encode(mixed, context, steps, DType.FLOAT32)) < alone + 150


def test_bits_that_are_zero_everywhere_are_left_out():
    halves = normal(4000, DType.FLOAT16, 2.0**-9)
    context, steps = told(len(halves), 16)
    narrow = len(encode(halves, context, steps, DType.FLOAT16))
    payload = encode(halves.astype("<f4"), context, steps, DType.FLOAT32)
    assert payload[0] == 13
    assert len(payload) < 1.03 * narrow  # what float16 has no bits for, float32 has


def test_several_slices_are_decoded_side_by_side():
    parts = [normal(count, dtype, 0.1) for count, dtype in zip([5, 0, 5000], FLOATS, strict=True)]
    where = [told(len(part), 10, 20) for part in parts]
    contexts, steps = [context for context, _ in where], [step for _, step in where]
    payloads = values.encode_many(parts, contexts, steps, FLOATS)
    assert payloads[2] == encode(parts[2], *where[2], DType.BFLOAT16)
    decoded = values.decode([memoryview(p) for p in payloads], contexts, steps, FLOATS)
    assert [d.tobytes() for d in decoded] == [part.tobytes() for part in parts]


def sample() -> tuple[bytes, Context, np.ndarray]:
    stored = normal(60, DType.FLOAT16, 0.1)
    stored[::7] = 0
    stored[3] = np.inf
    context, steps = told(60, 16, 4)
    return encode(stored, context, steps, DType.FLOAT16), context, steps


def test_a_payload_cut_anywhere_is_refused():  # COD-1
    payload, context, steps = sample()
    for size in range(len(payload)):
        with pytest.raises(BitstreamError):
            decode(payload[:size], context, steps, DType.FLOAT16)


def test_a_byte_after_the_end_is_refused():  # COD-1
    payload, context, steps = sample()
    with pytest.raises(BitstreamError) as caught:
        decode(payload + b"\x00", context, steps, DType.FLOAT16)
    assert caught.value.code is ErrorCode.TRAILING_BYTES


@pytest.mark.parametrize("head", [b"\x0b\0\0\0", b"\0\0\x80\0", b"\0\0\0\xff"])
def test_an_unknown_head_is_refused(head):  # COD-12
    payload, context, steps = sample()
    with pytest.raises(BitstreamError) as caught:
        decode(head + payload[4:], context, steps, DType.FLOAT16)
    assert caught.value.code is ErrorCode.BAD_FIELD


@pytest.mark.parametrize("dtype", FLOATS)
@given(payload=st.binary(max_size=120), step=st.integers(-2560, 2560))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_values_or_a_data_error(dtype, payload, step):
    context, steps = told(8, 0, 20, -300, step=step)
    try:
        decoded = decode(payload, context, steps, dtype)
    except DataError:
        return
    assert len(decoded) == 8
