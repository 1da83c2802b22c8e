"""codec.correlation: which neighbours predict a tensor's levels, and whether that pays."""

import numpy as np
import pytest

from midstream.codec import Context, TensorCode, correlation, levels, prediction, scales
from midstream.types import DType, Tensor


def tensor(*shape: int, row: int | None = 0, column: int | None = None) -> Tensor:
    return Tensor(
        name="t", dtype=DType.FLOAT32, shape=shape, offset=0, row_axis=row, column_axis=column
    )


def drift(shape: tuple[int, ...], axis: int, back: int = 1, share: float = 0.95) -> np.ndarray:
    """Levels each of which is like the one so far before on an axis."""
    rng = np.random.default_rng(3)
    values = np.moveaxis(rng.normal(0, 3, shape), axis, 0)
    for at in range(back, len(values)):
        values[at] = share * values[at - back] + 0.3 * values[at]
    return np.rint(np.moveaxis(values, 0, axis)).astype(np.int32).ravel()


def flat() -> TensorCode:
    return TensorCode(width=18)


@pytest.mark.parametrize(
    ("shape", "column", "axis", "back", "neighbour"),
    [
        ((60, 3, 3, 20), 3, 0, 1, 0),
        ((60, 3, 3, 20), 3, 0, 3, 2),
        ((60, 9, 1, 20), 3, 1, 1, 7),
        ((60, 9, 2, 20), 3, 1, 1, 9),
        ((40, 50, 20), 1, 1, 1, 5),
    ],
)
def test_the_neighbour_that_a_weight_resembles_is_found(shape, column, axis, back, neighbour):
    values = drift(shape, axis, back)
    found = dict(correlation.choose(values, tensor(*shape, column=column), flat()))
    assert neighbour in found
    assert max(found, key=lambda name: abs(found[name])) == neighbour
    assert 22 <= found[neighbour] <= 36


def test_nothing_is_chosen_where_nothing_resembles():
    values = np.rint(np.random.default_rng(1).normal(0, 3, 9000)).astype(np.int32)
    assert correlation.choose(values, tensor(100, 90), flat()) == ()


def test_neighbours_too_near_for_many_lanes_are_left_out():
    values = drift((7000, 10), 1)
    assert correlation.choose(values, tensor(7000, 10, column=1), flat()) == ()


@pytest.mark.parametrize("value", [0, 7])
def test_levels_all_alike_and_few_are_taken(value):
    values = np.full(640, value, np.int32)
    found = correlation.choose(values, tensor(10, 64), flat())
    assert all(abs(number) <= 64 for _, number in found)
    assert correlation.choose(values[:40], tensor(10, 4), flat()) == ()


def bits(values: np.ndarray, where: Tensor, code: TensorCode) -> float:
    context = Context(
        shape=np.full(len(values), code.shape, np.int8),
        width=scales.contexts(where, code, 0, len(values)),
        terms=prediction.terms([(where, code, 0, len(values))]),
    )
    return levels.cost(values, context)


def test_fit_predicts_where_that_saves_bits_and_only_there():
    where = tensor(60, 9, 40, column=2)
    values = drift(where.shape, 0)
    code = scales.fit(values, where)
    assert code.predictor
    unaware = scales.fit(values, tensor(60 * 9 * 40, row=None))
    assert bits(values, where, code) < 0.8 * bits(values, where, unaware)
    noise = np.random.default_rng(1).permutation(values)
    assert not scales.fit(noise, where).predictor


def test_predictors_are_chosen_on_the_scale_of_each_rows_step():
    where = tensor(60, 9, 40, column=2)
    halves = np.where(np.arange(60) % 2, 4, 0).astype(np.int8)
    smooth = drift(where.shape, 0).reshape(60, -1) * 4
    values = np.rint(smooth / np.exp2(halves[:, None] / 2)).astype(np.int32).ravel()
    code = scales.fit(values, where, row_steps=halves)
    assert np.array_equal(code.row_steps, halves)
    assert bits(values, where, code) <= bits(values, where, scales.fit(values, where))
