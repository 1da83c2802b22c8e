"""Points of the lattice to bytes and back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import Context, TensorCode, lattice, levels, points
from midstream.codec.prediction import terms
from midstream.errors import BitstreamError, ErrorCode
from midstream.types import DType, Tensor


def context(count: int, width: int = 20, *, on_lattice: bool = True) -> Context:
    return Context(
        shape=np.ones(count, np.int8), width=np.full(count, width, np.int16), lattice=on_lattice
    )


def normal(count: int, width: int = 20, seed: int = 1) -> np.ndarray:
    """Half steps of sigma 2^(width/4 - 3), on the lattice."""
    numbers = np.random.default_rng(seed).normal(size=count) * 2.0 ** (width / 4 - 3)
    return lattice.quantise(numbers / 2)


def smooth(rows: int, columns: int, seed: int = 1) -> np.ndarray:
    """Points whose rows are much like the row before, flattened."""
    walk = np.cumsum(np.random.default_rng(seed).normal(size=(rows, columns)), axis=0)
    return lattice.quantise(8 * walk.ravel())


def predicted(shape: tuple[int, ...], predictor: tuple[tuple[int, int], ...]) -> Context:
    tensor = Tensor(name="t", dtype=DType.FLOAT32, shape=shape, offset=0, row_axis=0, column_axis=1)
    code = TensorCode(width=26, lattice=True, predictor=predictor)
    where = context(tensor.weights, 26)
    return replace(where, terms=terms([(tensor, code, 0, tensor.weights)]))


@given(
    st.integers(2, 9),
    st.integers(2, 40),
    st.dictionaries(st.integers(0, 9), st.integers(-64, 64), min_size=1),
    st.integers(0, 26),
    st.integers(0, 999),
)
@settings(max_examples=150, deadline=None)
def test_any_predicted_points_come_back(rows, columns, predictor, octave, seed):
    where = predicted((rows, columns), tuple(sorted(predictor.items())))
    numbers = np.random.default_rng(seed).normal(size=rows * columns) * 2.0**octave
    values = lattice.quantise(numbers)
    payload = points.encode_many([values], [where])[0]
    decoded = points.decode([memoryview(payload)], [where])[0]
    assert decoded.dtype == np.int32
    assert np.array_equal(decoded, values)


def test_predicted_points_take_the_bytes_that_the_tables_say_and_fewer_than_others():
    values, where = smooth(150, 50), predicted((150, 50), ((0, 32),))
    payload = points.encode_many([values], [where])[0]
    excess = 8 * len(payload) - points.cost(values, where)
    assert 0 <= excess <= 26 * 2 + 24
    alone = replace(where, terms=None, width=where.width + np.int16(14))
    assert len(payload) < 0.7 * len(points.encode_many([values], [alone])[0])


def test_damaged_predicted_points_are_refused():  # COD-1, COD-4, COD-11
    where = predicted((70, 60), ((0, 32), (5, 9)))
    payload = points.encode_many([smooth(70, 60)], [where])[0]
    words = (5 * (70 * 60 // 16) + 7) // 8
    for data in (
        payload[: words - 1],
        payload[: words + 3],
        payload[:-2],
        payload + b"\0",
        payload[: words + 20] + bytes([payload[words + 20] ^ 1]) + payload[words + 21 :],
    ):
        with pytest.raises(BitstreamError):
            points.decode([memoryview(data)], [where])


@given(st.integers(0, 400), st.integers(-40, 200), st.integers(0, 24), st.integers(0, 999))
@settings(max_examples=150, deadline=None)
def test_any_points_in_any_context_come_back(count, width, octave, seed):
    numbers = np.random.default_rng(seed).normal(size=count) * 2.0**octave
    values, where = lattice.quantise(numbers), context(count, width)
    payload = points.encode_many([values], [where])[0]
    decoded = points.decode([memoryview(payload)], [where])[0]
    assert decoded.dtype == np.int32
    assert np.array_equal(decoded, values)


@pytest.mark.parametrize(("count", "lanes"), [(0, 0), (1, 1), (1023, 1), (1024, 2), (4096, 8)])
def test_the_last_levels_of_points_are_on_a_lane_for_each_512(count, lanes):
    assert levels.lanes_of_last(count) == lanes
    where = context(16 * count, 20)
    values = normal(16 * count)
    payload = points.encode_many([values], [where])[0]
    assert np.array_equal(points.decode([memoryview(payload)], [where])[0], values)


def test_slices_on_the_lattice_and_others_are_coded_side_by_side():
    values = [normal(5000), normal(41, seed=2), normal(900, seed=3)]
    where = [context(5000), context(41, on_lattice=False), context(900)]
    payloads = points.encode_many(values, where)
    assert payloads[1] == levels.encode(values[1], where[1])
    decoded = points.decode([memoryview(p) for p in payloads], where)
    assert all(np.array_equal(a, b) for a, b in zip(decoded, values, strict=True))


@pytest.mark.parametrize("width", [12, 16, 20, 28])
def test_bytes_are_as_many_as_the_tables_say(width):
    values, where = normal(40000, width), context(40000, width)
    excess = 8 * len(points.encode_many([values], [where])[0]) - points.cost(values, where)
    assert 0 <= excess <= 26 * 40 + 32


def test_a_seventh_of_a_bit_is_saved_at_equal_error():
    """The gain that the lattice has over integers at a rate where tables are fine."""
    width, count = 24, 200_000
    sigma = 2.0 ** (width / 4 - 3)
    numbers = np.random.default_rng(1).normal(size=count) * sigma
    near = lattice.quantise(numbers / 2)
    bits = points.cost(near, context(count, width)) / count
    step = 2 * np.sqrt(12 * np.square(numbers / 2 - near / 2).mean())
    scalar = np.rint(numbers / step)
    entropy = np.log2(sigma / step * np.sqrt(2 * np.pi * np.e))
    assert (
        abs(np.square(numbers - scalar * step).mean() / np.square(numbers - near).mean() - 1) < 0.02
    )
    assert 0.125 < entropy - bits < 0.155


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda data: b"", ErrorCode.BAD_LENGTH),
        (lambda data: data[:159], ErrorCode.BAD_LENGTH),
        (lambda data: data[:162], ErrorCode.BAD_LENGTH),
        (lambda data: data + b"\0", ErrorCode.TRAILING_BYTES),
        (lambda data: data[:161] + bytes([data[161] ^ 1]) + data[162:], ErrorCode.BAD_SYMBOL),
    ],
)
def test_damage_is_refused(damage, code):  # COD-1, COD-4
    payload = damage(points.encode_many([normal(4096)], [context(4096)])[0])
    with pytest.raises(BitstreamError) as caught:
        points.decode([memoryview(payload)], [context(4096)])
    assert caught.value.code is code


def test_levels_out_of_range_are_refused():  # COD-2
    numbers = np.zeros(16)
    numbers[0], numbers[2] = 1 << 29, 1 << 29
    values = lattice.quantise(numbers)
    values[0] += 8
    payload = points.encode_many([values], [context(16)])[0]
    with pytest.raises(BitstreamError) as caught:
        points.decode([memoryview(payload)], [context(16)])
    assert caught.value.code is ErrorCode.BAD_SYMBOL
