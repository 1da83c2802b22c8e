"""Steps, levels and values."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import grid, storage
from midstream.codec.parameters import MAX_LEVEL
from midstream.errors import BitstreamError, ErrorCode
from midstream.types import DType

FLOATS = [DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16]
INTEGERS = [DType.INT8, DType.UINT8, DType.INT4]


def test_the_mantissas_are_the_nearest_floats_to_the_roots():
    for j, mantissa in enumerate(grid.MANTISSA):
        low, high = np.nextafter(mantissa, 0), np.nextafter(mantissa, 4)
        below, above = (Fraction(mantissa) + Fraction(x) for x in (low, high))
        assert (below / 2) ** 16 < 2**j < (above / 2) ** 16


@pytest.mark.parametrize(
    ("step", "trits", "expected"), [(0, 0, 1.0), (16, 0, 2.0), (-16, 1, 0.5 / 3), (-1, 0, None)]
)
def test_float_steps_are_sixteenths_of_octaves(step, trits, expected):
    expected = expected or grid.MANTISSA[15] / 2
    assert grid.step_size(step, trits, DType.FLOAT32) == expected


def test_integer_steps_are_powers_of_three():
    steps = grid.step_sizes(np.array([4, 2, 1], np.int32), 1, DType.INT8)
    assert steps.tolist() == [27.0, 3.0, 1.0]


@given(st.integers(-2000, 2000))
@settings(deadline=None)
def test_a_steps_index_is_found_from_its_size(index):
    assert grid.step_index(grid.step_size(index, 0, DType.FLOAT32)) == index


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1))
@settings(deadline=None)
def test_parents_are_the_nearest_third(levels):
    parents = grid.coarsen(np.array(levels, np.int32))
    assert parents.tolist() == [round(Fraction(level, 3)) for level in levels]


@pytest.mark.parametrize("dtype", FLOATS)
def test_values_are_within_half_a_step(dtype):
    values = storage.from_float64(np.random.default_rng(1).normal(size=500), dtype)
    levels = grid.quantise(values, dtype, -40, trits=1)
    size = grid.step_size(-40, 1, dtype)
    error = storage.to_float64(values, dtype) - levels * size
    assert np.abs(error).max() <= size / 2
    again = grid.reconstruct(levels, dtype, -40, 1)
    assert again.dtype == storage.ELEMENT[dtype]
    assert np.allclose(storage.to_float64(again, dtype), levels * size, rtol=2**-8)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_exact_at_their_last_trit(dtype):
    low, high = storage.integer_range(dtype)
    values = storage.load(
        storage.dump(np.arange(low, high + 1).astype(storage.ELEMENT[dtype]), dtype),
        dtype,
        high - low + 1,
    )
    levels = grid.quantise(values, dtype, 2, 5, trits=2)
    assert np.array_equal(grid.reconstruct(levels, dtype, 2, 2, 5), values)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_clipped_to_their_range(dtype):
    levels = np.array([-MAX_LEVEL, MAX_LEVEL], np.int32)
    steps, offsets = np.array([20, 20], np.int32), np.array([0, 1], np.int32)
    values = grid.reconstruct(levels, dtype, steps, 0, offsets)
    assert values.tolist() == list(storage.integer_range(dtype))


def test_levels_are_bounded():
    values = np.array([1e30, -1e30], "<f4")
    assert grid.quantise(values, DType.FLOAT32, -100).tolist() == [MAX_LEVEL, -MAX_LEVEL]


@pytest.mark.parametrize("dtype", FLOATS)
def test_values_beyond_the_dtype_become_infinite(dtype):
    values = grid.reconstruct(np.array([1, -1], np.int32), dtype, grid.MAX_STEP_INDEX)
    assert storage.to_float64(values, dtype).tolist() == [np.inf, -np.inf]


def test_bfloat16_rounds_to_even():
    numbers = np.array([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -1 - 2**-8])
    bits = storage.from_float64(numbers, DType.BFLOAT16)
    assert bits.tolist() == [0x3F80, 0x3F82, 0x3F81, 0xBF80]


@pytest.mark.parametrize("dtype", list(DType))
@given(data=st.binary(min_size=12, max_size=12))
@settings(deadline=None, max_examples=20)
def test_bytes_of_a_model_file_come_back(dtype, data):
    weights = 12 * 8 // dtype.bits
    assert storage.dump(storage.load(data, dtype, weights), dtype) == data


def test_an_odd_number_of_nibbles_fills_up_with_zero():
    values = storage.load(b"\x8f\x07", DType.INT4, 3)
    assert values.tolist() == [-1, -8, 7]
    assert storage.dump(values, DType.INT4) == b"\x8f\x07"


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_wrong_number_of_bytes_is_refused(size):
    with pytest.raises(BitstreamError) as caught:
        storage.load(bytes(size), DType.FLOAT32, 2)
    assert caught.value.code is ErrorCode.BAD_LENGTH


@pytest.mark.parametrize("dtype", list(DType))
def test_numbers_are_exact_in_the_lesser_type_too(dtype):
    if dtype in (DType.FLOAT32, DType.INT32):
        stored = np.random.default_rng(6).integers(0, 1 << 32, 9999, np.uint32)
    else:
        stored = np.arange(1 << (16 if dtype.is_float else 8))
        stored = stored.astype(f"u{np.dtype(storage.ELEMENT[dtype]).itemsize}")
    values = stored.view(storage.ELEMENT[dtype])
    found, exact = storage.numbers(values, dtype), storage.to_float64(values, dtype)
    assert found.dtype == (np.float64 if dtype is DType.INT32 else np.float32)
    with np.errstate(invalid="ignore"):  # NaNs may be signalling
        assert np.array_equal(found.astype(np.float64), exact, equal_nan=True)
    assert np.array_equal(np.signbit(found), np.signbit(exact))
