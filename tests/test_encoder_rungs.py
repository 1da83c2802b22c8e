"""Rungs that aim at outputs, on a network of linear operators whose inputs resemble each other."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from operator import attrgetter

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream import decoder
from midstream.bitstream import Topology
from midstream.encoder import Encoded, encode, rungs
from midstream.encoder.base import Base, Bases
from midstream.encoder.climb import Refinement, Refiner, refinements
from midstream.encoder.ladder import parse_ladder
from midstream.encoder.quantiser import Quantiser
from midstream.encoder.recipes import REFINED_RECIPES
from midstream.encoder.rungs import SLACKS, TRUSTS, Found, RungSearch
from midstream.encoder.statistics import TensorStatistics
from midstream.encoder.steps import Allocation
from midstream.encoder.targets import Targets
from midstream.encoder.weights import load
from midstream.encoder.worth import MOST_GROUPS, measure_worths
from midstream.formats import open_model
from tensorfiles import normal, safetensors

pytestmark = pytest.mark.once

OPERATORS, ROWS, INPUTS = 4, 140, 30
ARRAYS = {f"w{at}": normal(ROWS, INPUTS, seed=at) for at in range(OPERATORS)}
MODEL = safetensors(ARRAYS)
LOUDNESS = np.repeat([0.2, 3.0, 1.0, 0.5], ROWS)
"""What each row's output counts, which no statistics say."""
SEEN = normal(200, INPUTS, seed=90) + 2 * normal(200, 1, seed=91)


def outputs(model: bytes) -> NDArray[np.float64]:
    """Each operator's outputs, on the same inputs."""
    weights = np.frombuffer(model[-4 * OPERATORS * ROWS * INPUTS :], "<f4").reshape(-1, INPUTS)
    return np.asarray(SEEN @ weights.T * LOUDNESS, np.float64)


def evaluate(units: Sequence[bytes]) -> float:
    wanted = outputs(MODEL)
    noise = np.square(outputs(bytes(decoder.rebuild(units))) - wanted).sum()
    return float(10 * np.log10(np.square(wanted).sum() / noise)) if noise else math.inf


@cache
def statistics() -> tuple[TensorStatistics, ...]:
    moments = (SEEN.T @ SEEN / len(SEEN)).astype(np.float64)[None]
    mean = SEEN.mean(axis=0, dtype=np.float64)[None]
    return tuple(
        TensorStatistics(order=at, sensitivity=1.0, covariance=moments, mean=mean)
        for at in range(OPERATORS)
    )


def encoded(ladder: str) -> Encoded:
    return encode(MODEL, ladder=ladder, evaluate=evaluate, statistics=lambda *_: statistics())


@pytest.fixture(scope="module")
def climbed() -> Encoded:
    return encoded("12dBo,20dBo,30dBo")


def test_rungs_reach_their_targets_and_hardly_pass_them(climbed: Encoded) -> None:
    assert [unit.rung for unit in climbed.units] == ["12dBo", "20dBo", "30dBo"]
    for unit, target in zip(climbed.units, (12, 20, 30), strict=True):
        assert unit.fidelity.output_snr is not None
        assert target <= unit.fidelity.output_snr < target + 3


def test_a_ladder_takes_little_more_than_its_last_rung_alone(climbed: Encoded) -> None:
    (alone,) = encoded("30dBo").units
    assert sum(len(unit.data) for unit in climbed.units) < 1.3 * len(alone.data)


RANK = attrgetter("rank")


def found(size: int, missing: float) -> Found:
    return Found(data=bytes(size), plans=(), missing=missing)


def test_of_those_that_meet_their_target_the_smallest_is_kept() -> None:
    large, small = found(90, 0.0), found(80, 0.0)
    assert min([large, small], key=RANK) is small
    assert min([small, large], key=RANK) is small


def test_what_misses_its_target_loses_to_what_meets_it_however_small() -> None:
    meets, misses = found(90, 0.0), found(10, 0.1)
    assert min([misses, meets], key=RANK) is meets
    assert min([meets, misses], key=RANK) is meets


def test_where_all_miss_the_nearest_is_kept() -> None:
    near, far = found(90, 0.1), found(10, 3.0)
    assert min([far, near], key=RANK) is near


RECIPE = REFINED_RECIPES[1]


def climbing() -> tuple[Base, RungSearch]:
    """A base with error feedback, and what climbs from there."""
    weights = [load(MODEL, tensor) for tensor in open_model(MODEL).tensors]
    quantiser = Quantiser(weights, statistics())
    bases = Bases(Topology.cut(MODEL, [w.tensor for w in weights]), weights, quantiser)
    base = bases.make(Allocation.of([-24.0] * OPERATORS), RECIPE, 0)
    targets = Targets(weights=10_000, uncounted=bases.uncounted, evaluate=evaluate)
    refiner = Refiner(weights, quantiser, RECIPE)
    return base, RungSearch(refiner, targets, lambda plans: 0.0, [], lambda: None)


def size(slacks: Sequence[float]) -> int:
    """Bytes of a unit that reaches a target by some ways."""
    base, search = climbing()
    unit = search.reach(parse_ladder("25dBo")[0], [base.data], base.plans, slacks)
    assert unit is not None
    assert not unit.missing
    return len(unit.data)


def test_every_way_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """All ways at once give what the best of them gives by itself."""
    monkeypatch.setattr(rungs, "TRUSTS", TRUSTS[:1])
    alone = [size([slack]) for slack in SLACKS]
    assert len(set(alone)) > 1
    assert size(SLACKS) == min(alone)


def test_every_order_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    together, alone = size(SLACKS[:1]), []
    for trust in TRUSTS:
        monkeypatch.setattr(rungs, "TRUSTS", (trust,))
        alone.append(size(SLACKS[:1]))
    assert len(set(alone)) > 1
    assert together == min(alone)


def test_slices_are_worth_what_the_outputs_show() -> None:
    """Noise of the others is no part of it."""
    base, _ = climbing()
    shares = np.array([0.1, 9.0, 0.0, 1.0])

    def noise(chosen: Sequence[Refinement]) -> float:
        left = set(range(OPERATORS)) - {refinement.slice for refinement in chosen}
        return 100 + sum(float(shares[at]) for at in left)

    own = np.array([plan.noise(0) for plan in base.plans])
    mean = shares.sum() / own.sum()
    expected = np.maximum(shares / own / mean, 0.01)
    assert measure_worths(base.plans, noise) == pytest.approx(expected)


def test_slices_are_measured_in_groups_where_there_are_many() -> None:
    plans = [replace(plan, index=at) for at, plan in enumerate(climbing()[0].plans * 14)]
    asked: list[int] = []

    def noise(chosen: Sequence[Refinement]) -> float:
        asked.append(len(chosen))
        return float(len(plans) - len(chosen))

    worths = measure_worths(plans, noise)
    assert len(asked) == 1 + MOST_GROUPS < len(plans)
    assert worths.min() > 0


def test_outputs_that_show_nothing_leave_slices_alike() -> None:
    base, _ = climbing()
    assert (measure_worths(base.plans, lambda chosen: 1.0) == 1).all()
    assert measure_worths([], lambda chosen: 1.0).shape == (0,)


def test_what_is_worth_more_is_refined_first() -> None:
    base, _ = climbing()
    for best in range(OPERATORS):
        worths = [100.0 if at == best else 1.0 for at in range(OPERATORS)]
        assert next(refinements(base.plans, worths)).slice == best
