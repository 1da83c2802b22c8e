"""Rounding with error feedback, and biases that take back what it changed on average."""

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream.encoder.biases import correct_biases, corrected_by
from midstream.encoder.rounding import (
    MOST_INPUTS,
    Bounds,
    Feedback,
    as_rows,
    from_rows,
    round_with_feedback,
)
from midstream.encoder.statistics import TensorStatistics
from midstream.encoder.weights import Weights, load
from midstream.types import DType, Tensor
from tensorfiles import normal

Floats = NDArray[np.float64]


def correlated(inputs: int, groups: int = 1) -> Floats:
    """Second moments of inputs that resemble each other."""
    mixed = normal(groups, 3 * inputs, inputs) + 2 * normal(groups, 3 * inputs, 1, seed=1)
    return np.asarray(np.einsum("gni,gnj->gij", mixed, mixed, dtype=np.float64)) / inputs


def output_error(errors: Floats, moments: Floats) -> float:
    grouped = errors.reshape(len(moments), -1, errors.shape[1])
    return float(np.einsum("gri,gij,grj->", grouped, moments, grouped))


def feedback(moments: Floats) -> Feedback:
    found = Feedback.of(moments)
    assert found is not None
    return found


@pytest.mark.parametrize(("rows", "inputs", "groups"), [(20, 150, 1), (30, 9, 30), (8, 1, 1)])
def test_errors_at_the_outputs_are_smaller_than_by_plain_rounding(
    rows: int, inputs: int, groups: int
) -> None:
    moments = correlated(inputs, groups)
    values, sizes = normal(rows, inputs).astype(np.float64), np.full((rows, inputs), 0.07)
    levels = round_with_feedback(values, sizes, feedback(moments))
    plain = output_error(values - np.rint(values / sizes) * sizes, moments)
    assert output_error(values - levels * sizes, moments) <= plain
    if inputs > 1:
        assert output_error(values - levels * sizes, moments) < 0.7 * plain


def test_inputs_that_have_nothing_in_common_round_plainly() -> None:
    values, sizes = normal(6, 40).astype(np.float64), np.full((6, 40), 0.3)
    moments = np.diag(np.arange(1.0, 41))[None]
    levels = round_with_feedback(values, sizes, feedback(moments))
    assert (levels == np.rint(values / sizes)).all()


def test_the_more_feedback_is_damped_the_nearer_levels_stay_to_the_weights() -> None:
    values, sizes = normal(20, 60).astype(np.float64), np.full((20, 60), 0.2)
    moments = correlated(60)
    moved, lost = [], []
    for damping in (0.02, 0.2, 2.0):
        damped = Feedback.of(moments, damping=damping)
        assert damped is not None
        errors = values - round_with_feedback(values, sizes, damped) * sizes
        moved.append(float(np.square(errors).sum()))
        lost.append(output_error(errors, moments))
    assert moved == sorted(moved, reverse=True)
    assert lost == sorted(lost)


def test_each_weight_is_a_level_of_its_own_step() -> None:
    """Where steps are fine enough for each weight to be met, no error is left to feed back."""
    levels = np.arange(-60, 60, dtype=np.int32).reshape(4, 30)
    sizes = 2.0 ** (np.arange(120).reshape(4, 30) % 7 - 3)
    found = round_with_feedback(levels * sizes, sizes, feedback(correlated(30)))
    assert (found == levels).all()


def test_levels_stay_in_their_bounds_but_for_what_is_too_far() -> None:
    values, sizes = normal(5, 70, scale=9).astype(np.float64), np.ones((5, 70))
    low = np.full((5, 70), -1.0)
    for slack in (np.inf, 2.0):
        bounds = Bounds(low=low, high=-low, slack=np.full((5, 70), slack))
        levels = round_with_feedback(values, sizes, feedback(correlated(70)), bounds)
        outside = np.abs(levels) > 1
        assert outside.any() == (slack == 2.0)
        assert (np.abs(levels[outside]) > 2).all()


def test_moments_that_say_nothing_give_no_feedback() -> None:
    assert Feedback.of(np.zeros((1, 3, 3))) is None
    assert Feedback.of(np.full((1, 3, 3), np.nan)) is None
    assert Feedback.of(np.broadcast_to(1.0, (1, MOST_INPUTS + 1, MOST_INPUTS + 1))) is None


def test_inputs_that_never_differ_from_their_mean_round_all_the_same() -> None:
    mean = normal(3, 40).astype(np.float64)
    found = Feedback.of(mean[:, :, None] * mean[:, None, :], mean)
    assert found is not None
    assert np.isfinite(found.factor).all()


def test_about_the_mean_only_differences_count() -> None:
    mean = 5 + normal(1, 30).astype(np.float64)
    about = correlated(30)
    apart = feedback(about)
    together = Feedback.of(about + mean[:, :, None] * mean[:, None, :], mean)
    assert together is not None
    assert together.factor == pytest.approx(apart.factor, rel=0.01, abs=0.01)


def test_an_input_that_is_always_zero_is_no_obstacle() -> None:
    moments = correlated(5, groups=2)
    moments[1] = 0
    moments[0, 2], moments[0, :, 2] = 0, 0
    values = normal(2, 5).astype(np.float64)
    levels = round_with_feedback(values, np.full((2, 5), 0.5), feedback(moments))
    assert np.abs(levels[1] * 0.5 - values[1]).max() <= 0.25


def tensor(*shape: int, row_axis: int | None = None) -> Tensor:
    return Tensor(name="w", dtype=DType.FLOAT32, shape=shape, offset=0, row_axis=row_axis)


def loaded(array: NDArray[np.float32], row_axis: int | None = None) -> Weights:
    return load(array.tobytes(), tensor(*array.shape, row_axis=row_axis))


@pytest.mark.parametrize("axis", [0, 1, 3])
def test_rows_are_the_output_channels_wherever_they_lie(axis: int) -> None:
    there = tensor(2, 3, 4, 5, row_axis=axis)
    flat = np.arange(120)
    rows = as_rows(flat, there)
    assert (rows[1] == flat.reshape(there.shape).take(1, axis).ravel()).all()
    assert (from_rows(rows, there) == flat).all()


def test_a_corrected_bias_gives_the_average_output_back() -> None:
    weights = [loaded(normal(4, 6), 0), loaded(normal(4, seed=2))]
    mean = normal(6, seed=3).astype(np.float64)
    statistics = [
        TensorStatistics(order=0, mean=mean[None], bias=1),
        TensorStatistics(order=0),
    ]
    errors = normal(24, seed=4, scale=0.1).astype(np.float64)
    corrected = correct_biases(weights, statistics, {0: errors})
    rounded = (weights[0].values - errors).reshape(4, 6)
    before = weights[0].values.reshape(4, 6) @ mean + weights[1].values
    assert rounded @ mean + corrected[1] == pytest.approx(before)


def test_a_bias_that_two_operators_add_is_left_alone() -> None:
    mean = np.ones((1, 6))
    user = TensorStatistics(order=0, mean=mean, bias=2)
    assert corrected_by([user, user, None]) == {}
    assert corrected_by([user, None, None]) == {2: 0}
