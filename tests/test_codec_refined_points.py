"""Refinements to points of the lattice, to bytes and back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import Context, TensorCode, lattice, refined_points, tables
from midstream.codec.parameters import MAX_LEVEL
from midstream.codec.prediction import terms
from midstream.errors import BitstreamError, DataError, ErrorCode
from midstream.kernels.codewords import CODEWORDS, coset_kinds, distances
from midstream.types import DType, Tensor
from nearlygood import nearly
from stacks import points_above

SHAPE = (130, 40)


def context(count: int, shape: int = 1, width: int = 12) -> Context:
    return Context(shape=np.full(count, shape, np.int8), width=np.full(count, width, np.int16))


def predicted(width: int = 12) -> Context:
    tensor = Tensor(name="t", dtype=DType.FLOAT32, shape=SHAPE, offset=0, row_axis=0, column_axis=1)
    code = TensorCode(width=width, predictor=((0, 20), (5, 9)))
    found = terms([(tensor, code, 0, tensor.weights)])
    return replace(context(tensor.weights, width=width), terms=found)


def nested(count: int, sigma: float, ratio: int) -> tuple[np.ndarray, np.ndarray]:
    """Parents of that spread, in their steps, and the points that they follow from."""
    rng = np.random.default_rng(7)
    children = lattice.quantise(rng.normal(size=count) * sigma * ratio / 2)
    return refined_points.parents_of(children, ratio), children


def encoded(parents: np.ndarray, children: np.ndarray, where: Context, ratio: int) -> bytes:
    return refined_points.encode_many([parents], [children], [where], [0], [ratio])[0]


def decoded(payload: bytes, parents: np.ndarray, where: Context) -> np.ndarray:
    return refined_points.decode([memoryview(payload)], [where], [parents], [0])[0][0]


@pytest.mark.parametrize("ratio", refined_points.RATIOS)
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100, 4099, 70_003])
def test_points_come_back(count: int, ratio: int) -> None:
    parents, children = nested(count, 1.5, ratio)
    payload = encoded(parents, children, context(count), ratio)
    assert decoded(payload, parents, context(count)).tolist() == children.tolist()


@pytest.mark.parametrize("ratio", refined_points.RATIOS)
@pytest.mark.parametrize("width", [-9, 3, 17, 60])
def test_predicted_points_come_back(width: int, ratio: int) -> None:
    parents, children = nested(SHAPE[0] * SHAPE[1], 2.0 ** (width / 4 - 3), ratio)
    where = predicted(width)
    payload = encoded(parents, children, where, ratio)
    assert decoded(payload, parents, where).tolist() == children.tolist()
    assert payload != encoded(parents, children, replace(where, terms=None), ratio)


@given(
    st.lists(st.integers(-MAX_LEVEL // 8, MAX_LEVEL // 8) | st.integers(-3, 3), max_size=70),
    st.integers(-40, 300),
    st.sampled_from(refined_points.RATIOS),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_any_points_in_any_cells_come_back(
    levels: list[int], width: int, ratio: int, seed: int
) -> None:
    parents = np.array(levels, np.int32)
    children = points_above(np.random.default_rng(seed), parents, ratio)
    where = context(len(parents), width=width)
    payload = encoded(parents, children, where, ratio)
    assert decoded(payload, parents, where).tolist() == children.tolist()


@pytest.mark.parametrize("ratio", refined_points.RATIOS)
@pytest.mark.parametrize("where", [context(5200), predicted()], ids=["alone", "predicted"])
def test_bytes_are_as_many_as_the_tables_say(where: Context, ratio: int) -> None:
    parents, children = nested(5200, 1.0, ratio)
    bits = 8 * len(encoded(parents, children, where, ratio))
    lanes = 1 + 2  # of codewords, of weights
    expected = refined_points.cost(parents, children, where, 0, ratio)
    assert -32 <= bits - 8 - 16 * lanes - expected <= 16 * lanes + 60


@pytest.mark.parametrize(("ratio", "bits"), [(3, 0.835), (5, 1.572)])
def test_points_in_wide_cells_take_what_their_number_says(ratio: int, bits: float) -> None:
    """Of 2^12 half steps to the sixteenth one is a point."""
    parents, children = nested(65536, 200.0, ratio)
    taken = refined_points.cost(parents, children, context(65536, width=43), 0, ratio) / 65536
    assert bits < taken < bits + 0.025


def test_points_take_fewer_bits_the_nearer_they_are_expected() -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=SHAPE) * 0.6, axis=0).ravel()
    children = lattice.quantise(walk)
    parents = refined_points.parents_of(children, 5)
    tensor = Tensor(name="t", dtype=DType.FLOAT32, shape=SHAPE, offset=0, row_axis=0, column_axis=1)
    near = terms([(tensor, TensorCode(predictor=((0, 32),)), 0, tensor.weights)])
    spread = replace(context(len(walk), width=6), terms=near)
    alone = context(len(walk), width=16)
    costs = [refined_points.cost(parents, children, own, 0, 5) for own in (spread, alone)]
    assert costs[0] < 0.9 * costs[1]


def test_codewords_of_all_kinds_of_cosets_are_known() -> None:
    patterns = (np.arange(1 << 16)[:, None] >> np.arange(16) & 1).astype(np.int8)
    far = distances(patterns.T.copy())
    kinds = coset_kinds(far)
    assert far[5].tolist() == np.abs(patterns[5] - CODEWORDS).sum(axis=1).tolist()
    assert sorted(set(kinds.tolist())) == list(range(len(tables.COSETS)))
    for kind, counts in enumerate(tables.COSETS):
        expected = np.bincount([d for d, n in counts.items() for _ in range(n)], minlength=17)
        own = far[kinds == kind]
        found = np.apply_along_axis(np.bincount, 1, own[:: 1 + len(own) // 99], minlength=17)
        assert (found == expected).all()


def test_frequencies_of_codewords_leave_none_out() -> None:
    every = tables.codeword_frequencies().astype(np.int64)
    for kind, counts in enumerate(tables.COSETS):
        sums = sum(n * every[1:, kind, d] for d, n in counts.items())
        assert (sums <= 4096).all()
        assert (sums > 4096 - 32).all()


def test_a_share_that_suits_the_codewords_is_chosen() -> None:
    parents = np.zeros(4096, np.int32)
    heads = [encoded(parents, parents, context(4096), ratio)[0] for ratio in (3, 5)]
    assert [head & 15 for head in heads] == [1, 1]
    wide = [encoded(*nested(65536, 40.0, ratio), context(65536), ratio)[0] for ratio in (3, 5)]
    assert [head & 15 for head in wide] == [11, 6]


@pytest.mark.parametrize("head", [0x00, 0x10, 0x26, 0x46, 0x86])
def test_a_head_that_no_encoder_writes_is_refused(head: int) -> None:  # COD-17
    parents, children = nested(200, 1.0, 5)
    payload = bytes([head]) + encoded(parents, children, context(200), 5)[1:]
    with pytest.raises(BitstreamError) as caught:
        decoded(payload, parents, context(200))
    assert caught.value.code is ErrorCode.BAD_FIELD


@pytest.mark.parametrize("ratio", refined_points.RATIOS)
def test_a_payload_cut_anywhere_is_refused(ratio: int) -> None:  # COD-1
    parents, children = nested(200, 1.0, ratio)
    payload = encoded(parents, children, context(200), ratio)
    for size in range(len(payload)):
        with pytest.raises(BitstreamError):
            decoded(payload[:size], parents, context(200))


def test_a_byte_after_the_end_is_refused() -> None:  # COD-1
    parents, children = nested(200, 1.0, 3)
    payload = encoded(parents, children, context(200), 3) + b"\0"
    with pytest.raises(BitstreamError) as caught:
        decoded(payload, parents, context(200))
    assert caught.value.code is ErrorCode.TRAILING_BYTES


def test_a_level_beyond_the_bound_is_refused() -> None:  # COD-2
    parents = np.full(20, MAX_LEVEL // 5, np.int32)
    payload = encoded(parents, points_above(np.random.default_rng(1), parents, 5), context(20), 5)
    with pytest.raises(BitstreamError, match="beyond"):
        decoded(payload, parents + 2, context(20))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_nearly_good_bytes_give_levels_or_a_data_error(data: st.DataObject) -> None:
    ratio = data.draw(st.sampled_from(refined_points.RATIOS))
    parents, children = nested(40, 1.0, ratio)
    payload = data.draw(nearly(encoded(parents, children, context(40), ratio)))
    try:
        found = decoded(payload, parents, context(40))
    except DataError:
        return
    assert len(found) == 40
    assert np.abs(found - 5 * parents).max() <= 2 or np.abs(found - 3 * parents).max() <= 2
