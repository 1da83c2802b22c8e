"""Ways to encode a network: which may be the shortest is told before they are written."""

from functools import cache

import numpy as np
import pytest

from midstream.bitstream import Topology
from midstream.encoder.base import Bases
from midstream.encoder.near import whole
from midstream.encoder.quantiser import Quantiser
from midstream.encoder.ratio import noise_factors
from midstream.encoder.single import Common, Search, find_single
from midstream.encoder.steps import uniform_steps
from midstream.encoder.ways import Way, shorter
from midstream.encoder.weights import load
from midstream.formats import open_model
from tensorfiles import normal, safetensors

# runs of eight weights each: to say where they are pays at high rates only
BLOCKS = normal(300, 8)
SHORT = np.concatenate([BLOCKS, np.random.default_rng(1).permutation(BLOCKS)])
MODEL = safetensors({"blocks": SHORT.reshape(40, 120).astype("<f4"), "others": normal(70, 70)})
TARGETS = [12, 20, 28, 36, 44, 52]


@cache
def network() -> tuple[Bases, list]:
    tensors = open_model(MODEL).tensors
    weights = [load(MODEL, tensor) for tensor in tensors]
    bases = Bases(Topology.cut(MODEL, tensors), weights, Quantiser(weights, [None] * len(weights)))
    return bases, weights


@cache
def ways(target: int) -> tuple[Way, Way]:
    """With what repeats left out, and with all."""
    bases, weights = network()
    factors = noise_factors(weights)
    relative, common, found = uniform_steps(weights, factors), Common(), []
    folds = bases.folds
    for foldings, fold in ((folds.by_tensor, folds.folded), ({}, whole)):
        search = Search(weights, factors, relative, foldings, common)
        single = find_single(search, 10 ** (-target / 10))
        assert single is not None
        head, plans = bases.planned(single.codes, single.levels, fold=fold)
        found.append(Way(head=head, plans=plans, plain_bits=single.plain_bits))
    return found[0], found[1]


def size(way: Way) -> int:
    return len(network()[0].of(way.head, way.plans).data)


@pytest.mark.parametrize("target", TARGETS)
def test_the_shortest_is_among_those_that_may_be(target: int) -> None:
    both = ways(target)
    assert min(both, key=size) in shorter(both)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_left_out_would_not_have_been_shorter_by_much(target: int) -> None:
    both = ways(target)
    kept = shorter(both)
    assert kept
    if len(kept) == len(both):
        assert abs(size(both[0]) - size(both[1])) < 128
    else:
        assert abs(size(both[0]) - size(both[1])) > 32


def test_one_of_two_that_differ_much_is_left_at_either_end() -> None:
    low, high = ways(TARGETS[0]), ways(TARGETS[-1])
    assert shorter(low) == [low[1]]
    assert shorter(high) == [high[0]]


def test_one_is_not_looked_at_and_of_none_there_is_none() -> None:
    one = ways(TARGETS[0])[0]
    assert shorter([one]) == [one]
    assert shorter([]) == []
