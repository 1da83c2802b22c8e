"""Ladders near to others: most levels stay, targets are met, and what cannot be near is not."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from midstream.decoder import rebuild
from midstream.encoder import encode
from midstream.encoder.lossy import encode_lossy_update
from midstream.encoder.near import Near
from midstream.encoder.units import Encoded
from tensorfiles import normal, safetensors

OLD = {"a": normal(90, 60), "b": normal(64, 48).astype("<f2"), "d": normal(70, seed=4)}
LADDER = ("2.5b", "4b", "exact")


def moved(scale: float) -> dict[str, Any]:
    noise = np.random.default_rng(3).standard_normal((90, 60)) * scale
    return {**OLD, "a": (OLD["a"] + noise).astype("<f4")}


@cache
def encoded(scale: float = 0.0, ladder: Sequence[str] = LADDER) -> Encoded:
    return encode(safetensors(moved(scale)), ladder=ladder)


def near(scale: float, ladder: Sequence[str] = LADDER, old: Sequence[str] = LADDER) -> Encoded:
    units = encoded(ladder=old).units
    lower = [unit.data for unit in units if unit.rung != "exact"]
    return encode(safetensors(moved(scale)), ladder=ladder, near=lower)


def update(made: Encoded, rungs: int) -> int:
    """Bytes of the update from the old ladder."""
    old, new = ([unit.data for unit in e.units[:rungs]] for e in (encoded(), made))
    return len(encode_lossy_update(old, new))


@pytest.mark.parametrize("rungs", [1, 2])
def test_an_update_to_a_ladder_that_is_near_takes_fewer_bytes(rungs: int) -> None:
    made = near(0.003)
    assert made.recipe == "near"
    assert update(made, rungs) < 0.7 * update(encoded(0.003), rungs)


@pytest.mark.parametrize("place", [0, 1])
def test_what_it_loses_by_that_is_little(place: int) -> None:
    alone, old, made = (e.units[place] for e in (encoded(0.003), encoded(), near(0.003)))
    assert made.fidelity.weight_snr > alone.fidelity.weight_snr - 0.5
    assert len(made.data) < 1.05 * len(old.data)


def test_the_same_network_gives_the_same_ladder() -> None:
    assert [u.data for u in near(0.0).units] == [u.data for u in encoded().units]


def test_the_exact_unit_is_exact() -> None:
    assert bytes(rebuild([unit.data for unit in near(0.003).units])) == safetensors(moved(0.003))


def test_a_target_in_weight_snr_is_met() -> None:
    ladder = ("12dB", "20dB", "exact")
    made = near(0.003, ladder, ladder)
    assert made.recipe == "near"
    assert made.units[0].fidelity.weight_snr >= 12


def test_what_moved_too_far_is_as_if_there_were_none() -> None:
    alone = encode(safetensors(moved(3.0)), ladder=LADDER)
    assert [u.data for u in near(3.0).units] == [u.data for u in alone.units]


@pytest.mark.parametrize("ladder", [("3b", "exact"), ("3b",), ("exact",)])
def test_a_ladder_of_other_rungs_is_near_to_none(ladder: tuple[str, ...]) -> None:
    assert near(0.003, ladder).recipe != "near"


def test_another_network_is_near_to_none() -> None:
    lower = [unit.data for unit in encoded().units[:2]]
    other = {"z": normal(77, 60, seed=9)}
    assert encode(safetensors(other), ladder=LADDER, near=lower).recipe != "near"


def test_tables_follow_levels_that_spread_otherwise() -> None:
    gone = {**OLD, "a": np.where(np.abs(OLD["a"]) < 0.15, 0, OLD["a"]).astype("<f4")}
    ladder = ("16dB", "exact")
    lower = [encoded(ladder=ladder).units[0].data]
    made = encode(safetensors(gone), ladder=ladder, near=lower)
    assert len(made.units[0].data) < 0.97 * len(lower[0])


def test_steps_of_some_tensors_get_finer_where_a_target_is_missed_else() -> None:
    weaker = {**OLD, "a": OLD["a"] * np.float32(0.92)}
    ladder = ("16dB", "20dB", "exact")
    lower = [unit.data for unit in encoded(ladder=ladder).units[:2]]
    made = encode(safetensors(weaker), ladder=ladder, near=lower)
    assert made.recipe == "near"
    steps = [[code.step for code in Near.of(units).head.codes] for units in (lower, _lower(made))]
    assert steps[1] < steps[0]
    assert made.units[0].fidelity.weight_snr >= 16
    assert made.units[1].fidelity.weight_snr >= 20


def test_levels_in_finer_steps_are_as_near_to_the_weights_and_lead_to_each_other() -> None:
    near = Near.of(_lower(encoded()))
    finer = near.finer(0, 8)
    assert finer.head.codes[0].step == near.head.codes[0].step - 8
    for old, new, piece in zip(near.levels, finer.levels, near.head.slices, strict=True):
        assert old is not None
        assert new is not None
        here = np.concatenate([np.full(run.weights, run.tensor == 0) for run in piece.runs])
        assert np.abs(old[-1] * 2**0.5 - new[-1])[here].max(initial=0) <= 0.5
        assert np.array_equal(old[-1][~here], new[-1][~here])
        digits = new[-1] - 3 * new[0]
        assert np.abs(digits[here]).max(initial=0) <= 1


def _lower(made: Encoded) -> list[bytes]:
    return [unit.data for unit in made.units if unit.rung != "exact"]
