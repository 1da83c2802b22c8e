"""Tensors as numbers, the steps they are quantised with, and weight SNR."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream.codec import grid
from midstream.decoder import rebuild
from midstream.encoder import encode
from midstream.encoder.ratio import decibels, noise_factors
from midstream.encoder.steps import (
    choose_shift,
    guess_shift,
    relative_steps,
    shifted,
    uniform_steps,
)
from midstream.encoder.weights import Weights, entropy_bits, load, squared_error
from midstream.types import DType, Tensor
from tensorfiles import normal, safetensors


def weights(array: NDArray[Any], dtype: DType = DType.FLOAT32) -> Weights:
    tensor = Tensor(name="w", dtype=dtype, shape=array.shape, offset=3)
    return load(b"abc" + array.tobytes(), tensor)


def choose_steps(
    weights: list[Weights], relative: list[int], is_enough: Callable[[list[int]], bool]
) -> list[int]:
    return shifted(weights, relative, choose_shift(weights, relative, is_enough))


def int8(*values: int) -> Weights:
    return weights(np.array(values, "i1"), DType.INT8)


@pytest.mark.parametrize("goal", [-960, -77, 0, 31, 640])
@pytest.mark.parametrize("guess", [None, -5000, -78, 0, 30, 31, 32, 640, 5000])
def test_a_guess_only_saves_work(goal: int, guess: int | None) -> None:
    asked = []

    def is_enough(steps: list[int]) -> bool:
        asked.append(steps[0])
        return steps[0] <= goal

    loaded = weights(np.array([1e-60, 1e60]))
    assert choose_shift([loaded], [0], is_enough, guess=guess) == goal
    assert len(asked) <= 24
    if guess == goal:
        assert len(asked) <= 2


def test_noise_of_fine_steps_is_guessed_well() -> None:
    array = np.random.default_rng(4).normal(size=5000).astype("<f4")
    tensors = [weights(array), weights(100 * array)]
    factors = noise_factors(tensors)
    relative = uniform_steps(tensors, factors)
    shift = guess_shift(tensors, relative, factors, 1e-7)
    steps = shifted(tensors, relative, shift)
    noise = sum(f * squared_error(w, s) for w, s, f in zip(tensors, steps, factors, strict=True))
    assert abs(noise / 1e-7 - 1) < 0.1
    assert guess_shift([], [], [], 1e-7) == 0


def test_weights_are_read_where_they_are() -> None:
    loaded = weights(np.array([1.5, -2], "<f4"))
    assert loaded.values.tolist() == [1.5, -2]
    assert (loaded.coded, loaded.offset, loaded.energy) == (True, 0, 6.25)


def test_weights_that_are_no_numbers_are_not_coded() -> None:
    for value in (np.nan, np.inf, -np.inf):
        assert not weights(np.array([1, value], "<f4")).coded


def test_int32_is_not_coded() -> None:
    assert not weights(np.array([1, 2], "<i4"), DType.INT32).coded


def test_uint8_is_counted_from_its_median() -> None:
    loaded = weights(np.array([100, 128, 130], "u1"), DType.UINT8)
    assert (loaded.offset, loaded.energy) == (128, 28**2 + 2**2)


def test_a_tensor_of_zeros_has_scale_one() -> None:
    assert weights(np.zeros(9, "<f4")).scale == 1.0


@pytest.mark.parametrize("value", [0.3, 1e-45, 3e38, -7.0])
def test_the_finest_step_keeps_levels_in_range(value: float) -> None:
    loaded = weights(np.full(20, value, "<f4"))
    steps = choose_steps([loaded], relative_steps([loaded]), lambda steps: False)
    assert steps == [loaded.finest]
    assert 0 < abs(int(loaded.levels(steps[0])[0])) <= 1 << 25


def test_the_coarsest_steps_that_are_enough_are_chosen() -> None:
    loaded = weights(normal(50, 50))
    steps = choose_steps([loaded], [0], lambda steps: steps[0] <= -77)
    assert steps == [-77]


def test_tensors_of_one_integer_type_have_one_exponent() -> None:
    tensors = [int8(*range(-100, 100, 9)), int8(*range(-9, 9)), int8(1, 2, 3)]
    tensors.append(weights(normal(9)))
    for goal in (4, 2, 0):
        steps = choose_steps(tensors, [16, 0, -3, 5], lambda s, goal=goal: s[0] <= goal)
        assert steps[0] == steps[1] == steps[2] == goal


def test_int4_has_at_most_one_trit() -> None:
    tensor = Tensor(name="w", dtype=DType.INT4, shape=(4,), offset=0)
    small = load(b"\x12\xf3", tensor)
    assert small.values.tolist() == [2, 1, 3, -1]
    assert choose_steps([small], [0], lambda steps: True) == [1]


def test_larger_tensors_get_coarser_steps() -> None:
    small, large = weights(normal(10, 10)), weights(normal(100, 100))
    small = replace(small, scale=large.scale)
    assert relative_steps([large])[0] - relative_steps([small])[0] == round(16 * math.log2(10**0.5))


def test_vectors_get_finer_steps_than_matrices() -> None:
    vector = weights(normal(100))
    matrix = replace(vector, tensor=replace(vector.tensor, shape=(10, 10)))
    assert relative_steps([matrix])[0] - relative_steps([vector])[0] == 50


def test_one_kind_of_weights_has_one_step_for_decibels() -> None:
    tensors = [weights(normal(50, scale=1e-30)), weights(normal(50, scale=1e3)), int8(5, 9)]
    steps = uniform_steps(tensors, noise_factors(tensors))
    assert steps[0] == steps[1] != steps[2]


def test_tensors_that_do_not_count_get_a_step_for_themselves() -> None:
    zeros = weights(np.zeros(20, "<f4"))
    assert uniform_steps([zeros], noise_factors([zeros])) == [0]


def test_entropy_is_that_of_the_levels() -> None:
    loaded = weights(np.array([0, 1, -1, 0] * 8, "<f4"))
    assert entropy_bits(loaded, 0) == 1.5 * 32


def test_a_tensor_of_one_value_is_not_free() -> None:
    assert entropy_bits(weights(np.full(10, 7.0, "<f4")), 0) == 30


def test_entropy_of_a_large_tensor_is_estimated_from_a_sample() -> None:
    bits = entropy_bits(weights(normal(200_000, scale=4)), 0)
    assert bits / 200_000 == pytest.approx(math.log2(4 * 4.1327), abs=0.02)


def test_squared_error_is_that_of_the_nearest_levels() -> None:
    assert squared_error(weights(np.array([1.25, -3.5], "<f4")), 0) == 0.25**2 + 0.5**2
    assert squared_error(weights(np.array([13, 14], "i1"), DType.INT8), 1) == 2


def test_factors_turn_squared_errors_into_noise_over_signal() -> None:
    one, two = weights(np.full(4, 2.0, "<f4")), weights(np.full(4, 4.0, "<f4"))
    assert noise_factors([one, two]) == [1 / 80, 1 / 80]


def test_kinds_count_by_their_number_of_weights() -> None:
    floats, ints = weights(np.full(10, 2.0, "<f4")), int8(*[10] * 30)
    assert noise_factors([floats, ints]) == [0.25 / 40, 0.75 / 3000]


def test_zeros_and_raw_weights_do_not_count() -> None:
    zeros, raw = weights(np.zeros(99, "<f4")), weights(np.array([np.nan], "<f4"))
    assert noise_factors([zeros, raw, int8(3, 4)]) == [0, 0, 1 / 25]
    assert noise_factors([]) == []


def test_a_ratio_is_said_in_decibels() -> None:
    assert decibels(0.01, is_exact=False) == pytest.approx(20)


def test_only_what_is_exact_is_infinite() -> None:
    assert decibels(0.0, is_exact=True) == math.inf
    assert decibels(0.0, is_exact=False) == decibels(1e-99, is_exact=False) == 200


def test_steps_stay_inside_the_grid() -> None:
    tiny = weights(np.full(20, 1e-45, "<f4"))
    steps = choose_steps([tiny], [grid.MAX_STEP_INDEX], lambda steps: True)
    assert steps == [grid.MAX_STEP_INDEX]


@pytest.mark.parametrize(
    ("array", "is_coded"),
    [
        (np.full((16, 16), 0.1, "<f4"), False),
        (np.full((4, 4, 16), -3.0, "<f4"), False),
        (np.full((15, 17), 0.1, "<f4"), True),
        (np.full((1, 256), 0.1, "<f4"), True),
        (np.zeros((16, 16), "<f4"), True),
        (np.full((16, 16), 0.1, "<f4") + np.eye(16, dtype="<f4")[::-1], True),
    ],
    ids=["filled", "with taps", "small", "vector", "zeros", "but for a diagonal"],
)
def test_a_matrix_of_one_number_is_kept_as_it_is(array: NDArray[Any], is_coded: bool) -> None:
    assert weights(array).coded == is_coded


def test_a_matrix_of_one_number_takes_a_few_bytes_in_every_ladder() -> None:
    model = safetensors({"a": np.full((70, 80), 3.3, np.float32)})
    for ladder in ("2.5b", "2.5b,exact", "exact"):
        units = [unit.data for unit in encode(model, ladder=ladder).units]
        assert rebuild(units) == model
        assert sum(map(len, units)) < 200


CAUSAL = np.triu(np.full((48, 48), -1e4, "<f4"), 1)


@pytest.mark.parametrize(
    ("array", "is_coded"),
    [
        (CAUSAL, False),
        (-CAUSAL[:7], False),
        (CAUSAL[0], False),
        (CAUSAL.astype("<f2"), False),
        (CAUSAL / 1e4, True),
        (CAUSAL + np.eye(48, dtype="<f4"), True),
        (CAUSAL + 1, True),
        (np.full((4, 4), -1e4, "<f4"), True),
        (CAUSAL * np.linspace(1, 2, 48, dtype="<f4"), True),
    ],
    ids=["causal", "above 0", "vector", "half", "small", "diagonal", "no 0", "one number", "many"],
)
def test_a_mask_is_kept_as_it_is(array: NDArray[Any], is_coded: bool) -> None:
    dtype = DType.FLOAT16 if array.dtype == "<f2" else DType.FLOAT32
    assert weights(array, dtype).coded == is_coded


@pytest.mark.parametrize("ladder", ["20dB", "12dB,20dB", "4b"])
def test_weights_beside_a_mask_get_the_bytes_that_they_get_alone(ladder: str) -> None:
    alone = {"a": normal(96, 96).astype("<f4")}
    rungs = [
        encode(safetensors(arrays), ladder=ladder).units
        for arrays in (alone, {**alone, "m": CAUSAL})
    ]
    plain, masked = (units[-1].fidelity.weight_snr for units in rungs)
    assert masked == pytest.approx(plain, abs=0.7)
    found = rebuild([unit.data for unit in rungs[1]])
    assert CAUSAL.tobytes() in found
