"""Bases whose steps fit the last rung above them."""

import numpy as np
import pytest

from midstream.encoder import encode, uniform
from midstream.encoder.ratio import noise_factors
from midstream.encoder.stagger import Climb, staggered
from midstream.encoder.weights import Weights, load
from midstream.formats import open_model
from tensorfiles import normal, safetensors

PART_OF_A_TRIT = 32 / 3 * np.log2(3)
ARRAYS = {f"w{at:02}": normal(80, 60, seed=at) for at in range(16)}
MODEL = safetensors(ARRAYS)


def loaded(model: bytes) -> list[Weights]:
    return [load(model, tensor) for tensor in open_model(model).tensors]


def finer(model: bytes, bottom: float, top: float) -> np.ndarray:
    """By how much each tensor starts finer, in two thirds of a refinement."""
    weights = loaded(model)
    steps = staggered(
        weights, noise_factors(weights), [5.0] * len(weights), Climb(bottom=bottom, top=top)
    )
    return (5.0 - np.array(steps)) / PART_OF_A_TRIT


def test_some_tensors_start_two_thirds_of_a_refinement_finer() -> None:
    found = finer(MODEL, 20.0, 36.0)
    assert set(found.tolist()) == {0.0, 1.0}
    # 16 dB are 1.68 refinements: a third of the weights get one, the others two
    assert 0.2 < found.mean() < 0.4


def test_the_nearer_the_last_rung_the_more_tensors_are_refined_once_less() -> None:
    shares = [finer(MODEL, 20.0, 20.0 + climb).mean() for climb in (10.0, 13.0, 16.0, 18.9)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.8 > 0.2 > shares[-1]


def test_rungs_a_whole_refinement_apart_leave_one_step_for_all() -> None:
    assert not finer(MODEL, 20.0, 39.08).any()


def test_small_tensors_that_share_slices_stay_together() -> None:
    small = {f"s{at}": normal(30, 20, seed=at) for at in range(20)}
    for top in (28.0, 30.0, 33.0, 36.0):
        found = finer(safetensors(ARRAYS | small), 20.0, top)
        assert len(set(found[len(ARRAYS) :])) == 1


def test_integers_have_no_steps_to_stagger() -> None:
    numbers = np.random.default_rng(1).integers(-128, 128, (80, 60)).astype("i1")
    assert not finer(safetensors({"a": numbers}), 20.0, 36.0).any()


@pytest.mark.parametrize("top", [31, 34, 36])
def test_the_last_rung_takes_fewer_bytes_than_above_one_step_for_all(
    monkeypatch: pytest.MonkeyPatch, top: int
) -> None:
    ladder = f"20dB,{top}dB,exact"  # no points follow, whose ends are nearer to each other

    def size() -> int:
        units = encode(MODEL, ladder=ladder).units[:2]
        assert units[-1].fidelity.weight_snr >= top
        return sum(len(unit.data) for unit in units)

    found = size()
    monkeypatch.setattr(uniform, "staggered", lambda weights, factors, relative, climb: relative)
    assert found < 0.985 * size()


@pytest.mark.parametrize("climb", [7.0, 12.0, 16.0, 21.0])
def test_some_tensors_start_half_as_much_finer_as_their_points_are_coarser(climb: float) -> None:
    weights = loaded(MODEL)
    factors, way = noise_factors(weights), Climb(bottom=20.0, top=20.0 + climb, is_pointed=True)
    found = 5.0 - np.array(staggered(weights, factors, [5.0] * len(weights), way))
    gaps = [16 * np.log2(5 / 3) / 2, 16 * np.log2(9 / 5) / 2]
    assert len(set(found.tolist())) == 2
    assert found.min() == 0
    assert min(abs(found.max() - gap) for gap in gaps) < 1e-9


def test_ends_at_points_are_thirds_and_fifths_by_turns() -> None:
    way = Climb(bottom=20.0, top=36.0, is_pointed=True)
    ends = np.array([way.finer(end) for end in range(1, 6)])
    parts = 2 ** ((ends - ends[0]) / 16)
    assert np.allclose(parts, np.array([3, 5, 9, 15, 27]) / 3)
    assert way.finer(0) == 0


def test_bases_hardly_pass_their_target() -> None:
    for target in (16.0, 16.1, 16.2, 16.3):
        base = encode(MODEL, ladder=f"{target}dB,{target + 14}dB").units[0]
        # a step index for all is .38 dB
        assert target <= base.fidelity.weight_snr < target + 0.1


def test_steps_so_fine_that_levels_end_are_fine_enough() -> None:
    outliers = {name: array.copy() for name, array in ARRAYS.items()}
    for array in outliers.values():
        array[0, 0] = 2000
    # a search for so much looks at steps that these are more than 2**30 of
    assert set(finer(safetensors(outliers), 104.0, 120.0).tolist()) == {0.0, 1.0}
