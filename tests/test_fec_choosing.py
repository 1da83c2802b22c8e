"""Repair from a rate of loss: the formula against counting and against simulated links."""

from itertools import product

import numpy as np
import pytest

from midstream import fec
from midstream.errors import ErrorCode, RecoveryError, UsageError


def simulated(packets: int, permille: int, loss: float, receivers: int = 4000) -> float:
    """The share of receivers that lose more symbols of a block than it has for repair."""
    rng = np.random.default_rng(packets)
    fails = np.zeros(receivers, np.bool_)
    for block in fec.partition(packets, permille / 1000):
        lost = rng.random((receivers, block.source + block.repair)) < loss
        fails |= lost.sum(axis=1) > block.repair
    return float(fails.mean())


@pytest.mark.parametrize("loss", [0.01, 0.3, 0.9])
def test_the_failure_of_a_small_block_is_that_of_all_cases_counted(loss: float) -> None:
    (block,) = fec.partition(5, 0.4)
    expected = 0.0
    for case in product([0, 1], repeat=block.source + block.repair):
        if sum(case) > block.repair:
            expected += loss ** sum(case) * (1 - loss) ** (len(case) - sum(case))
    assert fec.failure_rate(5, 400, loss=loss) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("packets", "permille", "loss"),
    [(32, 250, 0.1), (96, 150, 0.1), (300, 600, 0.3), (1000, 60, 0.02), (5000, 700, 0.35)],
)
def test_the_failure_rate_is_that_of_simulated_links(
    packets: int, permille: int, loss: float
) -> None:
    expected = fec.failure_rate(packets, permille, loss=loss)
    # five standard deviations of what 4,000 receivers show
    margin = 5 * (expected * (1 - expected) / 4000) ** 0.5 + 1e-3
    assert simulated(packets, permille, loss) == pytest.approx(expected, abs=margin)


def test_the_failure_rate_is_that_of_blocks_that_are_coded_and_repaired() -> None:
    rng = np.random.default_rng(5)
    source = rng.integers(0, 256, (20, 3), dtype=np.uint8)
    symbols = np.concatenate([source, fec.encode(source, 4)])
    fails = 0
    for _ in range(1000):
        present = rng.random(24) >= 0.15
        try:
            assert np.array_equal(fec.repair(symbols, 20, present), source)
        except RecoveryError:
            fails += 1
    # a packet that no repair symbol is needed for fails nowhere: lost repair alone is no failure
    expected = fec.failure_rate(20, 200, loss=0.15)
    assert fails / 1000 == pytest.approx(expected, abs=5 * (expected / 1000) ** 0.5)


@pytest.mark.parametrize("packets", [5, 20, 96, 300, 5000])
@pytest.mark.parametrize("loss", [0.001, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("failure", [0.05, 1e-3, 1e-5])
def test_the_choice_is_the_least_that_is_enough(packets: int, loss: float, failure: float) -> None:
    permille = fec.choose_repair(packets, loss=loss, failure=failure)
    assert fec.failure_rate(packets, permille, loss=loss) <= failure
    assert permille == 0 or fec.failure_rate(packets, permille - 1, loss=loss) > failure


@pytest.mark.parametrize("loss", [0.02, 0.1, 0.3])
def test_receivers_of_what_was_chosen_fail_as_rarely_as_was_asked_for(loss: float) -> None:
    permille = fec.choose_repair(500, loss=loss, failure=0.02)
    assert simulated(500, permille, loss) <= 0.02 + 5 * (0.02 / 4000) ** 0.5


def test_larger_blocks_need_less_repair_for_each_packet() -> None:
    few, many = (fec.choose_repair(count, loss=0.1, failure=1e-3) for count in (16, 160))
    assert many < few / 2


def test_what_loses_nothing_needs_no_repair() -> None:
    assert fec.choose_repair(100, loss=0, failure=1e-5) == 0


def test_no_packets_need_no_repair() -> None:
    assert fec.choose_repair(0, loss=0.1, failure=1e-5) == 0


@pytest.mark.parametrize(
    ("loss", "failure"), [(-0.1, 0.1), (1, 0.1), (0.1, 0), (0.1, 1), (float("nan"), 0.1)]
)
def test_rates_that_make_no_sense_are_refused(loss: float, failure: float) -> None:
    with pytest.raises(UsageError, match="expected 0 to below 1") as caught:
        fec.choose_repair(10, loss=loss, failure=failure)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_where_nothing_is_enough_the_most_is_chosen() -> None:
    assert fec.choose_repair(1, loss=0.3, failure=1e-5) == 4000
    assert fec.choose_repair(10, loss=0.95, failure=1e-3) == 4000
