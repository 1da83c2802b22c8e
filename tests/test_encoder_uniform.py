"""What is told of weights is true of what is decoded, and targets are met by that."""

import math

import numpy as np
import pytest

from midstream import decoder
from midstream.encoder import Encoded, encode
from midstream.encoder.ratio import noise_factors
from midstream.encoder.weights import load
from midstream.formats import open_model
from tensorfiles import Stored, bfloat16, normal, safetensors

KINDS = ("float16", "bfloat16", "denormal", "float32")


def network(kind: str, *, seed: int = 0) -> bytes:
    """Tensors with few values between two powers of two, and their least ones among them."""
    arrays = [normal(70, 60, seed=seed + at, scale=0.02 * 3**at) for at in range(4)]
    arrays.append(normal(90, seed=seed + 9, scale=1e-6))
    return safetensors({f"t{at}": stored(kind, array) for at, array in enumerate(arrays)})


def stored(kind: str, array: np.ndarray) -> np.ndarray | Stored:
    if kind == "bfloat16":
        return bfloat16(array)
    if kind == "denormal":
        return (array * np.float32(1e-43)).astype("<f4")
    return array.astype(kind)


def measured(model: bytes, decoded: bytes) -> float:
    """Weight SNR of what was decoded, dB."""
    weights = [load(model, tensor) for tensor in open_model(model).tensors]
    others = [load(decoded, tensor) for tensor in open_model(decoded).tensors]
    noise = 0.0
    for factor, own, other in zip(noise_factors(weights), weights, others, strict=True):
        noise += factor * float(np.square(own.values - other.values).sum())
    return -10 * math.log10(noise) if noise else 200.0


def assert_true(model: bytes, encoded: Encoded) -> None:
    units = [unit.data for unit in encoded.units]
    for place, unit in enumerate(encoded.units, start=1):
        found = measured(model, bytes(decoder.rebuild(units[:place])))
        assert unit.fidelity.weight_snr == pytest.approx(found, abs=1e-3)
        assert found >= float(unit.rung.removesuffix("dB")) - 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", [10, 35, 49.52, 54])
def test_a_base_has_the_noise_that_is_told_and_no_more_than_is_asked_for(kind, target):
    model = network(kind)
    encoded = encode(model, ladder=[f"{target}dB"])
    assert_true(model, encoded)
    assert not encoded.remarks


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ladder", ["12dB,30dB,45dB", "40dB,41dB", "49.52dB,53dB"])
def test_every_rung_has_the_noise_that_is_told_and_no_more_than_is_asked_for(kind, ladder):
    model = network(kind)
    encoded = encode(model, ladder=ladder)
    assert_true(model, encoded)
    assert not any("missed" in remark for remark in encoded.remarks)


def test_rounding_to_float32_counts_where_steps_are_as_fine():
    model = safetensors({"a": normal(40, 30), "b": np.full(1, 1 / 3, "<f4")})
    assert_true(model, encode(model, ladder="100dB,120dB"))


def test_a_base_is_made_finer_where_rounding_to_its_type_undoes_a_little(monkeypatch):
    monkeypatch.setattr("midstream.encoder.uniform.rounding_noise", lambda *_: 0.0)
    model = network("bfloat16")
    assert_true(model, encode(model, ladder="40dB"))


def with_largest(kind: str) -> bytes:
    """A tensor of weights up to what its type holds, beside a common one."""
    largest = 65504.0 if kind == "float16" else 3.38e38
    wide = normal(40, 50, seed=1).astype(np.float64)
    wide *= largest / np.abs(wide).max()
    own = bfloat16(wide.astype("<f4")) if kind == "bfloat16" else wide.astype(kind)
    return safetensors({"wide": own, "common": stored(kind, normal(60, 50, seed=2))})


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("ladder", ["4dB", "12dB", "5dB,8dB,exact", "2b"])
def test_weights_near_the_largest_of_their_type_do_not_become_infinite(kind, ladder):
    model = with_largest(kind)
    units = [unit.data for unit in encode(model, ladder=ladder).units]
    for count in range(1, len(units) + 1):
        decoded = bytes(decoder.rebuild(units[:count]))
        for tensor in open_model(decoded).tensors:
            assert np.isfinite(load(decoded, tensor).values).all()


@pytest.mark.parametrize(("seed", "target"), [(3, 52), (4, 53), (36, 49), (102, 49)])
def test_steps_get_finer_until_rounding_leaves_no_more_noise_than_there_may_be(seed, target):
    few = normal(40, 30, seed=seed) * (normal(40, 30, seed=seed + 500) > 0.15)
    model = safetensors({"a": bfloat16(few)})
    encoded = encode(model, ladder=[f"{target}dB"])
    assert_true(model, encoded)
    assert not encoded.remarks
