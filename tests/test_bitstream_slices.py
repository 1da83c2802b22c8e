"""How weights are cut into slices: the rules of the bitstream, and that nothing is lost."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from midstream.bitstream import Run, Slice, partition
from midstream.types import DType, Tensor

F32 = DType.FLOAT32


def tensors(*sizes: int | tuple[int, DType]) -> list[Tensor]:
    made: list[Tensor] = []
    for size in sizes:
        weights, dtype = size if isinstance(size, tuple) else (size, F32)
        offset = made[-1].end if made else 0
        made.append(Tensor(name="w", dtype=dtype, shape=(weights,), offset=offset))
    return made


def cut(*sizes: int | tuple[int, DType]) -> list[list[tuple[int, int, int]]]:
    """(tensor, start, stop) of all runs of each slice."""
    slices = partition(tensors(*sizes), [True] * len(sizes))
    return [[(run.tensor, run.start, run.stop) for run in piece.runs] for piece in slices]


def test_a_tied_tensor_is_in_no_slice():
    slices = partition(tensors(5, 6, 70_000, 7), [True, None, None, True])
    assert [[run.tensor for run in piece.runs] for piece in slices] == [[0, 3]]


def test_no_tensors_give_no_slices() -> None:
    assert cut() == []


@pytest.mark.parametrize("weights", [4096, 65536])
def test_a_large_tensor_has_a_slice_of_its_own(weights: int) -> None:
    assert cut(10, weights, 20) == [[(0, 0, 10), (2, 0, 20)], [(1, 0, weights)]]


def test_a_tensor_over_the_limit_is_cut_into_nearly_equal_pieces() -> None:
    assert cut(65537) == [[(0, 0, 32768)], [(0, 32768, 65537)]]
    assert cut(200_003) == [
        [(0, 0, 50_000)],
        [(0, 50_000, 100_002)],
        [(0, 100_002, 150_002)],
        [(0, 150_002, 200_003)],
    ]


def test_a_tensor_that_does_not_fit_opens_a_slice() -> None:
    assert cut(4000, 4000, 4000, 4000, 384, 1) == [
        [(0, 0, 4000), (1, 0, 4000), (2, 0, 4000), (3, 0, 4000), (4, 0, 384)],
        [(5, 0, 1)],
    ]


def test_small_tensors_share_slices_by_data_type() -> None:
    assert cut(5, (6, DType.INT8), 7, (8, DType.INT8)) == [
        [(0, 0, 5), (2, 0, 7)],
        [(1, 0, 6), (3, 0, 8)],
    ]


def test_coded_and_raw_tensors_do_not_share() -> None:
    slices = partition(tensors(5, 6, 7), [True, False, True])
    assert [(s.coded, s.weights, [run.tensor for run in s.runs]) for s in slices] == [
        (True, 12, [0, 2]),
        (False, 6, [1]),
    ]


def test_slices_stand_in_order_of_their_first_weight() -> None:
    assert cut((5, DType.INT8), 70_000, 5) == [
        [(0, 0, 5)],
        [(1, 0, 35_000)],
        [(1, 35_000, 70_000)],
        [(2, 0, 5)],
    ]


def test_the_weights_of_a_slice_are_those_of_its_runs() -> None:
    runs = (Run(tensor=0, start=2, stop=5), Run(tensor=1, start=0, stop=4))
    assert Slice(dtype=F32, coded=True, runs=runs).weights == 7


sizes = st.tuples(
    st.one_of(st.integers(1, 5000), st.integers(60_000, 200_000)), st.sampled_from(DType)
)


@example([((131071, DType.FLOAT32), False)])
@given(st.lists(st.tuples(sizes, st.booleans()), max_size=30))
def test_every_weight_is_in_exactly_one_slice(chosen: list[tuple[tuple[int, DType], bool]]) -> None:
    holes = tensors(*(size for size, _ in chosen))
    coded = [is_coded for _, is_coded in chosen]
    slices = partition(holes, coded)
    runs = sorted((r.tensor, r.start, r.stop) for piece in slices for r in piece.runs)
    ends = dict.fromkeys(range(len(holes)), 0)
    for tensor, start, stop in runs:
        assert start == ends[tensor] < stop
        assert start % 2 == 0
        ends[tensor] = stop
    assert [ends[i] for i in range(len(holes))] == [hole.weights for hole in holes]
    assert all(piece.weights <= 65536 for piece in slices)
    for piece in slices:
        assert {(holes[r.tensor].dtype, coded[r.tensor]) for r in piece.runs} == {
            (piece.dtype, piece.coded)
        }


def test_very_many_tiny_tensors_are_cut_in_linear_time() -> None:
    slices = partition(tensors(*[1] * 40_000), [True] * 40_000)
    assert [piece.weights for piece in slices] == [16384, 16384, 7232]
