"""Throughput of what was received."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.session.estimator import Estimator


def test_nothing_is_known_at_first() -> None:
    assert Estimator().throughput is None


def test_one_transfer_is_its_own_rate() -> None:
    estimator = Estimator()
    estimator.add(10_000, 2.0)
    assert estimator.throughput == 5000.0


def test_the_mean_is_harmonic() -> None:
    estimator = Estimator()
    estimator.add(10_000, 1.0)
    estimator.add(10_000, 4.0)
    assert estimator.throughput == pytest.approx(4000.0)


def test_small_transfers_say_nothing() -> None:
    estimator = Estimator()
    estimator.add(2047, 1.0)
    assert estimator.throughput is None


def test_transfers_that_took_no_time_say_nothing() -> None:
    estimator = Estimator()
    estimator.add(10_000, 0.0)
    estimator.add(10_000, -1.0)
    assert estimator.throughput is None


def test_old_transfers_are_forgotten() -> None:
    estimator = Estimator(window=2)
    for seconds in (100.0, 1.0, 1.0):
        estimator.add(10_000, seconds)
    assert estimator.throughput == pytest.approx(10_000.0)


@given(st.lists(st.tuples(st.integers(2048, 10**9), st.floats(1e-3, 1e3)), min_size=1))
def test_the_estimate_is_between_the_slowest_and_the_fastest(
    transfers: list[tuple[int, float]],
) -> None:
    estimator = Estimator(window=len(transfers))
    for size, seconds in transfers:
        estimator.add(size, seconds)
    rates = [size / seconds for size, seconds in transfers]
    assert estimator.throughput is not None
    assert min(rates) * 0.999 <= estimator.throughput <= max(rates) * 1.001
