"""Refinements to bytes and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import Context, digits, grid
from midstream.codec.parameters import MAX_LEVEL
from midstream.errors import BitstreamError, DataError, ErrorCode
from midstream.kernels import write_varints
from nearlygood import nearly


def context(count: int, shape: int = 1, width: int = 12) -> Context:
    return Context(shape=np.full(count, shape, np.int8), width=np.full(count, width, np.int16))


def nested(count: int, sigma: float, moved: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    children = np.rint(rng.normal(size=count) * sigma * 3).astype(np.int32)
    parents = grid.coarsen(children)
    parents[rng.random(count) < moved] += 1
    return parents, children


@given(
    st.lists(
        st.tuples(
            st.integers(-MAX_LEVEL // 4, MAX_LEVEL // 4),
            st.integers(-MAX_LEVEL // 4, MAX_LEVEL // 4) | st.integers(-2, 2),
            st.integers(-(2**15), 2**15 - 1),
        ),
        max_size=60,
    ),
    st.integers(0, 23),
)
@settings(max_examples=100, deadline=None)
def test_any_digits_in_any_context_come_back(entries, trits):
    parents = np.array([parent for parent, _, _ in entries], np.int32)
    children = 3 * parents + np.array([digit for _, digit, _ in entries], np.int32)
    where = Context(
        shape=np.zeros(len(entries), np.int8),
        width=np.array([width for _, _, width in entries], np.int16),
    )
    payload = digits.encode(parents, children, where, trits)
    decoded = digits.decode([memoryview(payload)], [where], [parents], [trits])[0]
    assert decoded.dtype == np.int32
    assert np.array_equal(decoded, children)


@pytest.mark.parametrize("moved", [0.0, 0.01, 0.15, 0.6])
def test_bytes_are_as_many_as_the_tables_say(moved):
    parents, children = nested(20000, 1.0, moved)
    payload = digits.encode(parents, children, context(20000), 0)
    escapes = np.count_nonzero(np.abs(children - 3 * parents) > 1)
    count = write_varints(np.array([escapes], np.uint64))  # no part of what the tables say
    assert payload[1:].startswith(count)
    bits = 8 * (len(payload) - len(count))
    assert abs(bits - digits.cost(parents, children, context(20000), 0)) <= 26 * 12


def test_moved_parents_cost_little_more_than_their_entropy():
    plain = digits.cost(*nested(20000, 1.0), context(20000), 0)
    moved = digits.cost(*nested(20000, 1.0, 0.15), context(20000), 0)
    entropy = 20000 * -(0.15 * np.log2(0.15) + 0.85 * np.log2(0.85))
    assert moved - plain < 1.6 * entropy


def test_a_spike_at_zero_is_cheap():
    parents, children = nested(20000, 1.0)
    children[parents == 0] = 0
    parents, spiked = parents, children
    plain = digits.cost(*nested(20000, 1.0), context(20000), 0)
    assert digits.cost(parents, spiked, context(20000), 0) < 0.85 * plain


def test_refinements_shift_the_width():
    assert [digits.width_shift(trits) for trits in range(5)] == [0, 6, 13, 19, 25]
    parents, children = nested(2000, 9.0)
    later = digits.encode(parents, children, context(2000, width=12), 2)
    first = digits.encode(parents, children, context(2000, width=25), 0)
    assert later == first


def test_slices_decode_side_by_side_each_with_its_own_trits():
    slices = [nested(count, sigma, 0.05) for count, sigma in ((3, 1.0), (6000, 3.0), (900, 0.3))]
    contexts = [context(3), context(6000, 0, 18), context(900, 2, 3)]
    trits = [0, 1, 5]
    parents, children = [p for p, _ in slices], [c for _, c in slices]
    payloads = digits.encode_many(parents, children, contexts, trits)
    decoded = digits.decode([memoryview(p) for p in payloads], contexts, parents, trits)
    assert all(np.array_equal(a, b) for a, b in zip(decoded, children, strict=True))


def test_a_payload_cut_anywhere_is_refused():
    parents, children = nested(200, 1.0, 0.2)
    payload = digits.encode(parents, children, context(200), 0)
    for size in range(len(payload)):
        with pytest.raises(BitstreamError):
            digits.decode([memoryview(payload)[:size]], [context(200)], [parents], [0])


def test_a_byte_after_the_end_is_refused():  # COD-1
    parents, children = nested(200, 1.0)
    payload = digits.encode(parents, children, context(200), 0) + b"\x00"
    with pytest.raises(BitstreamError) as caught:
        digits.decode([memoryview(payload)], [context(200)], [parents], [0])
    assert caught.value.code is ErrorCode.TRAILING_BYTES


def test_a_level_beyond_the_bound_is_refused():  # COD-2
    parents = np.array([MAX_LEVEL // 3], np.int32)
    payload = digits.encode(parents, 3 * parents + 1, context(1), 0)
    with pytest.raises(BitstreamError, match="beyond"):
        digits.decode([memoryview(payload)], [context(1)], [parents + 1], [0])


@given(st.binary(max_size=60), st.integers(0, 40), st.integers(0, 24))
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_levels_or_a_data_error(payload, count, trits):
    parents = np.arange(count, dtype=np.int32) - 5
    try:
        decoded = digits.decode([memoryview(payload)], [context(count)], [parents], [trits])
    except DataError:
        return
    assert len(decoded[0]) == count


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nearly_good_bytes_give_levels_or_a_data_error(data):
    parents, children = nested(40, 1.0, 0.2)
    payload = data.draw(nearly(digits.encode(parents, children, context(40), 0)))
    try:
        decoded = digits.decode([memoryview(payload)], [context(40)], [parents], [0])
    except DataError:
        return
    assert len(decoded[0]) == 40
    assert np.abs(decoded[0]).max() <= MAX_LEVEL
