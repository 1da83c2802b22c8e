"""Levels to bytes and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import Context, levels
from midstream.codec.parameters import MAX_LEVEL
from midstream.errors import BitstreamError, DataError, ErrorCode


def context(count: int, shape: int = 1, width: int = 12) -> Context:
    return Context(shape=np.full(count, shape, np.int8), width=np.full(count, width, np.int16))


def laplace(count: int, sigma: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.rint(rng.laplace(size=count) * sigma / np.sqrt(2)).astype(np.int32)


@given(
    st.lists(
        st.tuples(
            st.integers(-MAX_LEVEL, MAX_LEVEL), st.integers(0, 2), st.integers(-(2**15), 2**15 - 1)
        ),
        max_size=60,
    )
)
@settings(max_examples=100, deadline=None)
def test_any_levels_in_any_context_come_back(entries):
    values = np.array([level for level, _, _ in entries], np.int32)
    where = Context(
        shape=np.array([shape for _, shape, _ in entries], np.int8),
        width=np.array([width for _, _, width in entries], np.int16),
    )
    payload = levels.encode(values, where)
    decoded = levels.decode([memoryview(payload)], [where])[0]
    assert decoded.dtype == np.int32
    assert np.array_equal(decoded, values)


@pytest.mark.parametrize("width", [0, 8, 16, 24, 25, 40, 60])
def test_bytes_are_as_many_as_the_tables_say(width):
    values = laplace(20000, 2 ** (width / 4 - 3))
    where = context(20000, 0, width)
    bits = 8 * len(levels.encode(values, where))
    lanes = 8
    assert 0 <= bits - levels.cost(values, where) <= 26 * lanes + 16


@pytest.mark.parametrize("width", [8, 16, 24, 32, 40])
def test_the_code_is_within_one_percent_of_the_entropy_of_what_it_models(width):
    sigma = 2 ** (width / 4 - 3)
    values = laplace(200_000, sigma)
    edges = np.arange(np.abs(values).max() + 1)
    tail = np.exp(-np.sqrt(2) * (edges + 0.5) / sigma) / 2
    share = np.diff(1 - tail, prepend=0.5)
    share[0] *= 2
    entropy = -np.log2(share[np.abs(values)]).sum()
    assert levels.cost(values, context(200_000, 0, width)) < entropy * 1.01 + 200


@pytest.mark.parametrize("count", [40_011, 140_000])  # on 16 and 32 lanes
def test_long_slices_of_all_widths_come_back(count):
    width = np.random.default_rng(2).integers(0, 64, count).astype(np.int16)
    values = (laplace(count, 1000.0) * 2.0 ** (width / 4 - 12)).astype(np.int32)
    values[:: count // 9] = 1 << 20
    where = Context(shape=np.ones(count, np.int8), width=width)
    payload = levels.encode(values, where)
    assert np.array_equal(levels.decode([memoryview(payload)], [where])[0], values)


def test_wider_levels_than_the_context_says_cost_more():
    values = laplace(2000, 8.0)
    costs = [levels.cost(values, context(2000, 0, width)) for width in (24, 16, 8)]
    assert costs == sorted(costs)


def test_a_payload_cut_anywhere_is_refused():
    values = np.concatenate([laplace(300, 30.0), [5000, -7000]]).astype(np.int32)
    where = context(302, 0, 26)
    payload = levels.encode(values, where)
    for size in range(len(payload)):
        with pytest.raises(BitstreamError):
            levels.decode([memoryview(payload)[:size]], [where])


def test_a_byte_after_the_end_is_refused():  # COD-1
    where = context(100)
    payload = levels.encode(laplace(100, 1.0), where) + b"\x00"
    with pytest.raises(BitstreamError) as caught:
        levels.decode([memoryview(payload)], [where])
    assert caught.value.code in (ErrorCode.TRAILING_BYTES, ErrorCode.BAD_SYMBOL)


def test_a_damaged_slice_is_refused_and_named():  # COD-4
    where = context(5000)
    payloads = [levels.encode(laplace(5000, 1.0, seed), where) for seed in range(3)]
    damaged = bytearray(payloads[1])
    damaged[100] ^= 4
    batch = [memoryview(payloads[0]), memoryview(damaged), memoryview(payloads[2])]
    with pytest.raises(BitstreamError, match="slice 1 of 3"):
        levels.decode(batch, [where] * 3)


def test_a_state_below_its_bound_is_refused():  # COD-4
    # state 1 and word 0 would come to 65536 after no symbol but one more than there are
    with pytest.raises(BitstreamError, match="do not add up"):
        levels.decode([memoryview(b"\x00\xff\xff\x00\x00\x00\x00")], [context(1)])


@given(st.binary(max_size=80), st.integers(0, 40), st.integers(-5, 140))
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_levels_or_a_data_error(payload, count, width):
    try:
        decoded = levels.decode([memoryview(payload)], [context(count, 2, width)])
    except DataError:
        return
    assert len(decoded[0]) == count


def test_a_level_beyond_the_bound_is_refused():  # COD-2
    where = context(1, 0, 0)
    payload = levels.encode(np.array([MAX_LEVEL], np.int32), where)
    assert payload[:6] == b"\x01\x80\x80\x80\x80\x08"
    for larger in (b"\x01\x82\x80\x80\x80\x08", b"\x01\xfe\xff\xff\xff\x7f"):
        with pytest.raises(BitstreamError, match="beyond"):
            levels.decode([memoryview(larger + payload[6:])], [where])


def test_no_levels_take_no_bytes():
    assert levels.encode(np.zeros(0, np.int32), context(0)) == b""
