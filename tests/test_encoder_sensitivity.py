"""What an error in each tensor does to the outputs, and the steps that follow from it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream import decoder
from midstream.encoder import Progress, encode
from midstream.encoder.sensitivity import measure_sensitivities, sensitive_steps
from midstream.encoder.steps import relative_steps
from midstream.encoder.weights import Weights, load
from midstream.errors import ErrorCode, RefusedError
from midstream.formats import open_model
from tensorfiles import normal, safetensors

PLAIN, LOUD = normal(40, 40), normal(40, 40, seed=1)
MODEL = safetensors({"loud": LOUD, "plain": PLAIN})


def tensors(model: bytes) -> list[Weights]:
    return [load(model, tensor) for tensor in open_model(model).tensors]


def numbers(model: bytes) -> NDArray[np.float64]:
    """All weights of MODEL, one after the other."""
    return np.concatenate([w.values for w in tensors(model)])


def outputs(model: bytes) -> float:
    """SNR of a network to which an error in its first tensor is ten times as loud."""
    gain = np.repeat([10.0, 1.0], 1600)
    truth, error = numbers(MODEL) * gain, (numbers(model) - numbers(MODEL)) * gain
    noise = float(error @ error)
    return 10 * math.log10(float(truth @ truth) / noise) if noise else math.inf


def test_noise_is_counted_per_squared_error() -> None:
    loud, plain = measure_sensitivities(MODEL, tensors(MODEL), outputs)
    assert loud is not None
    assert plain is not None
    assert loud / plain == pytest.approx(100)


def test_tensors_that_matter_more_get_finer_steps() -> None:
    weights = tensors(MODEL)
    loud, plain = sensitive_steps(weights, measure_sensitivities(MODEL, weights, outputs))
    assert loud < plain


def failing(model: bytes) -> float:
    raise RefusedError(ErrorCode.SELF_TEST_FAILED, "nan at an output")


@pytest.mark.parametrize(
    "measure", [failing, lambda model: math.inf, lambda model: -math.inf, lambda model: math.nan]
)
def test_what_cannot_be_measured_is_said_to_be_unknown(measure: Callable[[bytes], float]) -> None:
    assert measure_sensitivities(MODEL, tensors(MODEL), measure) == [None, None]


def test_tensors_that_the_noise_does_not_change_are_not_run() -> None:
    model = safetensors({"zeros": np.zeros(20, "<f4"), "raw": np.full(20, np.nan, "<f4")})

    def measure(model: bytes) -> float:
        pytest.fail("nothing has changed")

    assert measure_sensitivities(model, tensors(model), measure) == [None, None]


def test_integers_are_measured_too() -> None:
    values: NDArray[Any] = np.random.default_rng(0).integers(-99, 99, (30, 30)).astype("i1")
    model = safetensors({"a": values})
    (found,) = measure_sensitivities(model, tensors(model), lambda changed: 20.0)
    assert found is not None


def test_unknown_sensitivities_follow_the_spread() -> None:
    weights = tensors(safetensors({"a": PLAIN, "b": 4 * PLAIN}))
    one, four = sensitive_steps(weights, [None, None])
    assert four - one == 32
    assert relative_steps(weights)[1] - relative_steps(weights)[0] == 32


def test_a_measured_ladder_spends_its_bits_where_they_matter() -> None:
    measured = encode(MODEL, ladder="3b,exact", measure=outputs)
    plain = encode(MODEL, ladder="3b,exact")
    rebuilt = [decoder.rebuild([e.units[0].data]) for e in (measured, plain)]
    better, worse = (outputs(bytes(model)) for model in rebuilt)
    assert better > worse
    assert decoder.rebuild([u.data for u in measured.units]) == MODEL


def test_targets_in_decibels_need_no_measure() -> None:
    assert encode(MODEL, ladder="20dB", measure=failing).units


def test_trying_tensors_one_by_one_is_told_of():
    said: list[Progress] = []
    encode(MODEL, ladder="3b", measure=outputs, report=said.append)
    looking = [p.done for p in said if p.doing == "looking at outputs"]
    assert looking == sorted(looking)
    assert looking[0] == 0
    assert len(set(looking)) > 2
    assert said[-1].done == said[-1].total
