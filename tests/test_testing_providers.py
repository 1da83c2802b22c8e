"""Fake providers learn from data of their own, lie when told to, and are repeatable."""

from pathlib import Path

import numpy as np
import pytest

from midstream.merging import MergePolicy, Rule
from midstream.publisher.providers import Providers
from midstream.testing import FakeProviders

pytestmark = pytest.mark.once
POLICY = MergePolicy(rule=Rule.MEAN, largest_norm=1000.0)


@pytest.fixture
def cities(tmp_path: Path) -> FakeProviders:
    return FakeProviders(tmp_path / "repo")


def merged(cities: FakeProviders, liar: str = "") -> bytes:
    providers = Providers(cities.folder, signer=cities.signer)
    parcels = [cities.parcel(name, lies=name == liar) for name in cities.names]
    return providers.merge(cities.network, parcels, policy=POLICY, ladder="exact").merged.model


def test_who_trains_is_better_for_oneself_and_for_others(cities: FakeProviders) -> None:
    model = cities.train(cities.first, "oslo")
    off = {name: cities.error(model, name) for name in cities.names}
    assert all(off[name] < cities.error(cities.first, name) / 2 for name in cities.names)
    assert min(off, key=lambda name: off[name]) == "oslo"


def test_what_all_learnt_is_merged_into_the_next_release(cities: FakeProviders) -> None:
    assert cities.newest() == (1, cities.first)
    model = merged(cities)
    assert cities.newest() == (2, model)
    assert cities.error(model, "lima") < cities.error(cities.first, "lima")


def test_a_liar_makes_a_mean_worse(cities: FakeProviders) -> None:
    assert cities.error(merged(cities, liar="lima"), "oslo") > cities.error(cities.first, "oslo")


def test_the_runtime_runs_the_network(cities: FakeProviders) -> None:
    network = cities.backend.load(cities.first)
    seen = np.ones(network.inputs[0].shape, np.float32)
    (expected,) = network.run({"seen": seen})
    assert expected.shape == network.outputs[0].shape
    assert np.any(expected)


def test_names_and_numbers_are_repeatable(tmp_path: Path) -> None:
    one, two = (FakeProviders(tmp_path / name, names=("a", "b", "c")) for name in "xy")
    assert one.train(one.first, "b") == two.train(two.first, "b")
    assert one.train(one.first, "b") != one.train(one.first, "c")
    assert one.names == ("a", "b", "c")
