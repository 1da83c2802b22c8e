"""Steps of tensors, rows and columns by what the outputs feel."""

import numpy as np
import pytest

from midstream.encoder.statistics import TensorStatistics
from midstream.encoder.steps import Allocation, allocate, coarsened
from midstream.encoder.weights import Weights, load
from midstream.types import DType, Tensor
from tensorfiles import normal


def matrix(rows: int = 32, columns: int = 64) -> Weights:
    tensor = Tensor(
        name="w",
        dtype=DType.FLOAT32,
        shape=(rows, columns),
        offset=0,
        row_axis=0,
        column_axis=1,
    )
    return load(normal(rows, columns).tobytes(), tensor)


def known(sensitivity: float | None, **more: np.ndarray) -> TensorStatistics:
    return TensorStatistics(order=0, sensitivity=sensitivity, **more)


def allocated(*statistics: TensorStatistics | None) -> Allocation:
    return allocate([matrix() for _ in statistics], statistics, rows=True, columns=True)


def test_four_times_the_sensitivity_is_half_the_step() -> None:
    one, other = allocated(known(1.0), known(4.0)).relative
    assert one - other == pytest.approx(16)


def test_what_nothing_is_known_of_follows_its_spread_among_the_others() -> None:
    for nothing in (None, known(None), known(0.0)):
        relative = allocated(known(1.0), nothing, known(1.0)).relative
        assert relative[1] == pytest.approx(relative[0])


def test_rows_and_columns_follow_the_root_of_their_sensitivity() -> None:
    rows = np.ones(32)
    rows[3], rows[4] = 16, 1 / 256  # steps by the fourth root: half, and four times
    columns = np.ones(64)
    columns[7] = 256
    allocation = allocated(known(1.0, rows=rows, columns=columns))
    found_rows, found_columns = allocation.rows[0], allocation.columns[0]
    assert found_rows is not None
    assert found_columns is not None
    assert (found_rows[3], found_rows[4], np.count_nonzero(found_rows)) == (-2, 4, 2)
    assert (found_columns[7], np.count_nonzero(found_columns)) == (-4, 1)


def test_rows_alike_have_one_step() -> None:
    assert allocated(known(1.0, rows=np.ones(32))).rows == (None,)


def test_a_dead_row_gets_no_finer_a_step_than_the_least_alive() -> None:
    rows = np.ones(32)
    rows[0] = 0
    assert allocated(known(1.0, rows=rows)).rows == (None,)
    assert allocated(known(1.0, rows=np.zeros(32))).rows == (None,)


def test_rows_and_columns_can_be_left_alone() -> None:
    steep = np.geomspace(1, 1e6, 32)
    found = allocate([matrix()], [known(1.0, rows=steep)], rows=False, columns=False)
    assert (found.rows, found.columns) == ((None,), (None,))


def test_a_row_of_few_weights_has_no_step_of_its_own() -> None:
    thin = matrix(rows=32, columns=4)
    found = allocate([thin], [known(1.0, rows=np.geomspace(1, 1e6, 32))], rows=True, columns=True)
    assert found.rows == (None,)


def test_the_largest_tensors_get_coarser_as_far_as_noise_allows() -> None:
    weights = [matrix(8), matrix(64), matrix(32), matrix(16)]
    fine, coarse = [1.0, 1.0, 1.0, 1.0], [1.25, 2.0, 1.5, 1.25]
    assert coarsened(weights, fine, coarse, 5.0) == [1]
    assert coarsened(weights, fine, coarse, 5.75) == [1, 2, 3]
    assert coarsened(weights, fine, coarse, 4.75) == [2, 3]
    assert coarsened(weights, fine, coarse, 3.5) == []


def test_integers_get_no_coarser() -> None:
    tensor = Tensor(name="w", dtype=DType.INT8, shape=(64, 64), offset=0, row_axis=0, column_axis=1)
    numbers = np.random.default_rng(1).integers(-128, 128, (64, 64)).astype("i1")
    weights = [load(numbers.tobytes(), tensor), matrix()]
    assert coarsened(weights, [1.0, 1.0], [1.0, 1.5], 4.0) == [1]
