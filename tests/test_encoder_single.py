"""Bases of ladders of one rung in weight SNR: targets are reached, and hardly more."""

from dataclasses import replace

import numpy as np
import pytest

from midstream import decoder
from midstream.encoder import Encoded, encode, single
from midstream.encoder.economy import Trial, noises
from midstream.encoder.ratio import noise_factors
from midstream.encoder.samples import pooled
from midstream.encoder.single import Search, find_single
from midstream.encoder.steps import uniform_steps
from midstream.encoder.weights import load, squared_error, tie
from midstream.formats import open_model
from tensorfiles import normal, safetensors


def network() -> bytes:
    rng = np.random.default_rng(4)
    sizes = {"a": (120, 90), "b": (64, 190), "c": (500,), "d": (40, 30), "e": (9, 8)}
    return safetensors(
        {name: normal(*shape) * np.float32(2.0 ** rng.normal()) for name, shape in sizes.items()}
    )


def decoded(encoded: Encoded) -> bytes:
    return bytes(decoder.rebuild([unit.data for unit in encoded.units]))


def weights_of(model: bytes):
    return tie([load(model, tensor) for tensor in open_model(model).tensors], vectors=False)


def search_of(weights):
    factors = noise_factors(weights)
    return Search(weights, factors, uniform_steps(weights, factors), {})


@pytest.mark.parametrize("target", [3.0, 9.0, 17.3, 30.0, 60.0])
def test_a_target_is_reached_and_hardly_more(target):
    encoded = encode(network(), ladder=f"{target}dB")
    reached = encoded.units[0].fidelity.weight_snr
    assert target <= reached < target + 0.1


def test_what_samples_promise_too_much_is_made_finer(monkeypatch):
    monkeypatch.setattr(single, "noises", lambda trials, steps, known: [0.0] * len(trials))
    reached = encode(network(), ladder="20dB").units[0].fidelity.weight_snr
    assert 20 <= reached < 20.1


@pytest.mark.parametrize("aim", [1e-1, 1e-2, 1e-3])
def test_levels_have_the_noise_that_is_aimed_at_and_fewer_bits_than_plain_ones(aim):
    weights = weights_of(network())
    found = find_single(search_of(weights), aim)
    assert found is not None
    assert [len(own) for own in found.levels] == [w.tensor.weights for w in weights]
    assert {code.step for code in found.codes if not code.lattice}
    assert found.plain_bits > 0


def test_what_was_made_is_kept_for_nearly_the_same_noise(monkeypatch):
    steps = []
    made = Trial.made

    def counted(trial, step, cuts):
        steps.append(step)
        return made(trial, step, cuts)

    monkeypatch.setattr(Trial, "made", counted)
    search = search_of(weights_of(network()))
    first, second = find_single(search, 1e-2), find_single(search, (1 - 1e-7) * 1e-2)
    assert first is not None
    assert second is not None
    assert len(steps) < 2 * len(first.levels)
    alone = find_single(search_of(weights_of(network())), (1 - 1e-7) * 1e-2)
    assert alone is not None
    assert [code.step for code in second.codes] == [code.step for code in alone.codes]
    assert all(map(np.array_equal, second.levels, alone.levels))


def test_none_are_found_where_no_steps_are_fine_enough():
    weights = weights_of(safetensors({"a": normal(20, 20)}))
    weights = [replace(w, finest=-10) for w in weights]
    assert find_single(search_of(weights), 1e-12) is None


def test_a_network_of_zeros_and_one_without_floats_are_encoded():
    zeros = safetensors({"a": np.zeros((80, 80), np.float32)})
    assert decoded(encode(zeros, ladder="20dB")) == zeros
    whole = safetensors({"a": np.arange(-60, 60, dtype=np.int8).reshape(10, 12)})
    encoded = encode(whole, ladder="20dB")
    assert encoded.units[0].fidelity.weight_snr >= 20


def test_tensors_together_have_the_noise_that_each_has_by_itself():
    trials = [Trial(w, -60) for w in weights_of(network())]
    steps = [-60, -60, -61, -61, -61]
    apart = [noises([trial], [step])[0] for trial, step in zip(trials, steps, strict=True)]
    assert noises(trials, steps) == pytest.approx(apart, rel=1e-12)
    assert all(noise > 0 for noise in apart)


def test_a_pool_has_the_noise_of_its_members_also_where_steps_differ():
    weights = weights_of(network())
    factors = noise_factors(weights)
    (pool,) = pooled(weights, factors, uniform_steps(weights, factors))
    same, other = [-60] * 5, [-60, -60, -61, -60, -60]
    apart = [f * squared_error(w, -60) for w, f in zip(weights, factors, strict=True)]
    assert pool.noise(same) == pytest.approx(sum(apart), rel=1e-9)
    finer = factors[2] * squared_error(weights[2], -61)
    assert pool.noise(other) == pytest.approx(sum(apart) - apart[2] + finer, rel=1e-9)
