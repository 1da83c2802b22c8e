"""Levels that give up a little accuracy for fewer bits."""

import numpy as np
import pytest

from midstream.codec import Context, levels
from midstream.encoder import encode
from midstream.encoder.thrift import thrifty
from midstream.kernels.terms import Terms
from tensorfiles import normal, safetensors


def context(count: int, width: int, terms: Terms | None = None) -> Context:
    return Context(
        shape=np.zeros(count, np.int8), width=np.full(count, width, np.int16), terms=terms
    )


def laplace(count: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(width)
    return rng.laplace(size=count) * 2 ** (width / 4 - 3) / np.sqrt(2)


@pytest.mark.parametrize("width", [4, 8, 12, 16])
def test_bits_are_saved_for_less_than_their_price(width):
    places, where = laplace(5000, width), context(5000, width)
    nearest = np.rint(places).astype(np.int32)
    moved = thrifty(nearest, places, np.ones(1), where)
    error = np.square(moved - places).sum() - np.square(nearest - places).sum()
    saved = levels.cost(nearest, where) - levels.cost(moved, where)
    assert saved > 0
    assert 0 < error < 0.11 * saved


def test_levels_move_by_one_toward_zero():
    places = laplace(5000, 10)
    nearest = np.rint(places).astype(np.int32)
    moved = thrifty(nearest, places, np.ones(1), context(5000, 10))
    changed = moved != nearest
    assert np.array_equal(moved[changed], (nearest - np.sign(nearest))[changed])


def test_levels_move_toward_what_predicts_them():
    terms = Terms(
        runs=np.array([[0, 5000, 1, 1]]),
        terms=np.array([[1, 1, 5000, 32, -1]]),
        steps=np.zeros(0, np.int8),
    )
    places = 40 + laplace(5000, 10)
    nearest = np.rint(places).astype(np.int32)
    moved = thrifty(nearest, places, np.ones(1), context(5000, 10, terms))
    before = nearest[:-1]
    distance, was = np.abs(moved[1:] - before), np.abs(nearest[1:] - before)
    assert (distance < was).any()
    assert not (distance > was).any()


def test_wide_levels_stay():
    places = laplace(500, 30)
    nearest = np.rint(places).astype(np.int32)
    assert np.array_equal(thrifty(nearest, places, np.ones(1), context(500, 30)), nearest)


def test_a_single_rung_reaches_its_target_with_fewer_bytes_than_below_others():
    model = safetensors({"a": normal(100, 100)})
    alone = encode(model, ladder="12dB").units[0]
    below = encode(model, ladder="12dB,20dB").units[0]
    assert alone.fidelity.weight_snr >= 12
    bits = 8 * (len(below.data) - len(alone.data)) / encode(model, ladder="12dB").weights
    gained = alone.fidelity.weight_snr - below.fidelity.weight_snr
    assert gained + 6.02 * bits > 0
