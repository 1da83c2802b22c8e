"""Rungs that aim at outputs, on a network of linear operators whose inputs resemble each other."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream import decoder
from midstream.bitstream import Topology
from midstream.encoder import Encoded, encode
from midstream.encoder.base import Bases
from midstream.encoder.climb import Refiner
from midstream.encoder.ladder import parse_ladder
from midstream.encoder.quantiser import Quantiser
from midstream.encoder.recipes import REFINED_RECIPES
from midstream.encoder.rungs import SLACKS, Found, RungSearch, thriftiest
from midstream.encoder.statistics import TensorStatistics
from midstream.encoder.steps import Allocation
from midstream.encoder.targets import Targets
from midstream.encoder.weights import load
from midstream.formats import open_model
from tensorfiles import normal, safetensors

OPERATORS, ROWS, INPUTS = 12, 24, 30
ARRAYS = {f"w{at:02}": normal(ROWS, INPUTS, seed=at) for at in range(OPERATORS)}
MODEL = safetensors(ARRAYS)
SEEN = normal(200, INPUTS, seed=90) + 2 * normal(200, 1, seed=91)


def outputs(model: bytes) -> NDArray[np.float64]:
    """Each operator's outputs, on the same inputs."""
    weights = np.frombuffer(model[-4 * OPERATORS * ROWS * INPUTS :], "<f4").reshape(-1, INPUTS)
    return np.asarray(SEEN @ weights.T, np.float64)


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
    return encode(MODEL, ladder=ladder, evaluate=evaluate, statistics=lambda _: statistics())


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


def found(size: int, missing: float) -> Found:
    return Found(data=bytes(size), plans=(), missing=missing)


def test_of_those_that_meet_their_target_the_smallest_is_kept() -> None:
    large, small = found(90, 0.0), found(80, 0.0)
    assert thriftiest([large, small]) is small
    assert thriftiest([small, large]) is small


def test_what_misses_its_target_loses_to_what_meets_it_however_small() -> None:
    meets, misses = found(90, 0.0), found(10, 0.1)
    assert thriftiest([misses, meets]) is meets
    assert thriftiest([meets, misses]) is meets


def test_where_all_miss_the_nearest_is_kept() -> None:
    near, far = found(90, 0.1), found(10, 3.0)
    assert thriftiest([far, near]) is near


def test_every_way_is_followed_to_its_end() -> None:
    """All ways at once give what the best of them gives by itself."""
    weights = [load(MODEL, tensor) for tensor in open_model(MODEL).tensors]
    quantiser = Quantiser(weights, statistics())
    bases = Bases(Topology.cut(MODEL, [w.tensor for w in weights]), weights, quantiser)
    recipe = REFINED_RECIPES[1]
    base = bases.make(Allocation.of([-24.0] * OPERATORS), recipe, 0)
    targets = Targets(weights=10_000, uncounted=bases.uncounted, evaluate=evaluate)
    search = RungSearch(
        Refiner(weights, quantiser, recipe), targets, lambda plans: 0.0, lambda: None
    )
    (rung,) = parse_ladder("25dBo")

    def size(*slacks: float) -> int:
        unit = search.reach(rung, [base.data], base.plans, slacks)
        assert unit is not None
        assert not unit.missing
        return len(unit.data)

    alone = [size(), *(size(slack) for slack in SLACKS)]
    assert len(set(alone)) > 1
    assert size(*SLACKS) == min(alone)
