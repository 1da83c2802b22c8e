"""Signal to noise of outputs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models
from midstream.errors import ErrorCode, RefusedError, UsageError
from midstream.runtime import Evaluator, find_backend, output_snr
from midstream.testing.runtime import FakeBackend, Fault


def test_equal_outputs_are_infinitely_good() -> None:
    outputs = [[np.arange(5.0)], [np.ones(5)]]
    assert output_snr(outputs, outputs) == math.inf


def test_noise_of_a_hundredth_of_the_variance_is_20_db() -> None:
    reference = [[np.array([1.0, -1.0])], [np.array([1.0, -1.0])]]
    outputs = [[np.array([1.1, -0.9])], [np.array([0.9, -1.1])]]
    assert output_snr(reference, outputs) == pytest.approx(20)


def test_the_variance_is_counted_without_the_mean() -> None:
    reference = [[np.array([101.0, 99.0])]]
    outputs = [[np.array([101.1, 98.9])]]
    assert output_snr(reference, outputs) == pytest.approx(20)


def test_the_variance_is_that_over_all_probes() -> None:
    # each probe alone never varies
    reference = [[np.array([1.0])], [np.array([-1.0])]]
    outputs = [[np.array([1.1])], [np.array([-1.1])]]
    assert output_snr(reference, outputs) == pytest.approx(20)


@given(st.floats(1e-6, 1e6))
def test_each_output_counts_by_its_own_variance(scale: float) -> None:
    small = np.array([1.0, -1.0])
    reference = [[small, small * scale]]
    outputs = [[small * 1.1, small * 1.01 * scale]]
    assert output_snr(reference, outputs) == pytest.approx((20 + 40) / 2)


def test_an_output_that_hardly_varies_does_not_hide_the_others() -> None:
    score = np.array([0.999999, 1.0])
    reference = [[np.array([1.0, -1.0]), score]]
    coarse, fine = ([[np.array([noisy, -1.0]), score - 0.001]] for noisy in (1.1, 1.01))
    assert output_snr(reference, fine) == pytest.approx(output_snr(reference, coarse) + 10)


def test_an_output_that_is_the_same_counts_120_db_among_others() -> None:
    wave = np.array([1.0, -1.0])
    assert output_snr([[wave, wave]], [[wave, wave * 1.1]]) == pytest.approx((120 + 20) / 2)


def test_an_output_that_never_varies_and_is_the_same_counts_nothing() -> None:
    wave, anchors = np.array([1.0, -1.0]), np.full(9, 0.5)
    assert output_snr([[wave, anchors]], [[wave * 1.1, anchors]]) == pytest.approx(20)


def test_zeros_are_0_db() -> None:
    reference = [[np.array([1.0, -1.0])]]
    assert output_snr(reference, [[np.zeros(2)]]) == pytest.approx(0)


@pytest.mark.parametrize(("other", "expected"), [(3.0, math.inf), (3.1, 0.0)])
def test_an_output_that_never_varies_is_right_or_wrong(other: float, expected: float) -> None:
    assert output_snr([[np.full(4, 3.0)]], [[np.full(4, other)]]) == expected


def test_an_output_of_another_shape_is_all_noise() -> None:
    reference = [[np.arange(3.0), np.array([1.0, -1.0])]]
    outputs = [[np.arange(4.0), np.array([1.1, -1.1])]]
    assert output_snr(reference, outputs) == pytest.approx((0 + 20) / 2)


def test_what_is_not_finite_is_infinitely_bad() -> None:
    assert output_snr([[np.arange(2.0)]], [[np.array([np.nan, 1.0])]]) == -math.inf


def test_whole_numbers_and_booleans_count_as_numbers() -> None:
    reference = [[np.array([0, 255], "u1"), np.array([True, False])]]
    outputs = [[np.array([255, 0], "u1"), np.array([False, True])]]
    assert output_snr(reference, outputs) == pytest.approx(-10 * math.log10(4))


@pytest.mark.parametrize(
    ("reference", "outputs"),
    [
        ([], []),
        ([[]], [[]]),
        ([[np.ones(1)]], []),
        ([[np.ones(1)]], [[np.ones(1), np.ones(1)]]),
    ],
)
def test_other_counts_are_an_error_of_the_caller(
    reference: list[list[np.ndarray]], outputs: list[list[np.ndarray]]
) -> None:
    with pytest.raises(UsageError) as caught:
        output_snr(reference, outputs)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


@pytest.mark.parametrize(
    "model",
    [models.mlp(), models.picture_network(), models.table_network(), models.where_network()],
)
def test_a_network_equals_itself(model: bytes) -> None:
    assert Evaluator.create(find_backend(), model, probes=3)(model) == math.inf


def test_narrower_weights_are_measured_as_worse() -> None:
    evaluate = Evaluator.create(find_backend(), models.mlp(), probes=16)
    half, byte = (evaluate(models.mlp(dtype=dtype)) for dtype in ("float16", "int8"))
    assert 55 < half < 90
    assert 15 < byte < 50


def test_the_probes_may_be_given() -> None:
    probes = [np.full((1, 8), value, "f4") for value in (0.0, 1.0)]
    evaluate = Evaluator(find_backend(), models.mlp(), probes)
    assert evaluate(models.mlp(seed=1)) < 10


def test_an_original_that_is_not_finite_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        Evaluator.create(find_backend(), models.mlp(scale=math.nan), probes=2)
    assert caught.value.code is ErrorCode.SELF_TEST_FAILED


def test_a_network_that_is_not_finite_is_refused() -> None:
    evaluate = Evaluator.create(find_backend(), models.mlp(), probes=2)
    with pytest.raises(RefusedError) as caught:
        evaluate(models.mlp(scale=math.inf))
    assert caught.value.code is ErrorCode.SELF_TEST_FAILED


def test_a_network_that_does_not_load_is_refused() -> None:
    evaluate = Evaluator.create(find_backend(), models.mlp(), probes=2)
    with pytest.raises(RefusedError) as caught:
        evaluate(b"not a network")
    assert caught.value.code is ErrorCode.LOAD_FAILED


def test_a_network_with_other_inputs_is_an_error_of_the_caller() -> None:
    evaluate = Evaluator.create(find_backend(), models.mlp(), probes=2)
    with pytest.raises(UsageError):
        evaluate(models.mlp((9, 4)))


def test_nothing_is_measured_on_no_probes() -> None:
    with pytest.raises(UsageError, match="no probes"):
        Evaluator.create(find_backend(), models.mlp(), probes=0)


def test_every_network_that_was_loaded_is_closed() -> None:
    backend = FakeBackend()
    evaluate = Evaluator.create(backend, b"original", probes=2)
    backend.fault = Fault.RUNNING
    with pytest.raises(RefusedError):
        evaluate(b"other")
    assert (backend.loaded, backend.alive) == (3, 0)
