"""Rules: what they choose, and that they keep nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.abr import BufferBased, Observation, RateBased, RobustMpc, SafeRung
from midstream.abr.rules import harmonic_mean
from test_abr_controller import LADDER, SIZES, observation


@pytest.mark.parametrize(
    ("buffer", "rung"), [(0.0, 0), (5.0, 0), (6.9, 0), (7.0, 1), (14.9, 4), (15.0, 5), (60.0, 5)]
)
def test_buffer_based_rises_with_the_buffer(buffer: float, rung: int) -> None:
    assert BufferBased()(observation(buffer=buffer)) == rung


@pytest.mark.parametrize(("mbps", "rung"), [(0.1, 0), (0.3, 0), (1.3, 2), (9.0, 5)])
def test_rate_based_takes_what_the_link_carries(mbps: float, rung: int) -> None:
    assert RateBased()(observation(throughputs=(mbps * 125_000,) * 3)) == rung


def test_one_slow_segment_counts_more_than_fast_ones() -> None:
    assert harmonic_mean((1.0, 3.0)) == pytest.approx(1.5)


@pytest.mark.parametrize("rule", [RateBased(), RobustMpc(), SafeRung()])
def test_without_samples_the_lowest_rung_is_taken(rule: RobustMpc) -> None:
    assert rule(observation(throughputs=(), delays=())) == 0


def test_mpc_takes_the_top_of_a_fast_link_and_the_bottom_of_a_slow_one() -> None:
    fast = observation(throughputs=(5e6,) * 8, delays=(0.5,) * 8, last_index=5)
    slow = observation(throughputs=(2e4,) * 8, delays=(9.0,) * 8, buffer=2.0, last_index=0)
    assert (RobustMpc()(fast), RobustMpc()(slow)) == (5, 0)


def test_mpc_is_careful_where_its_estimates_were_wrong() -> None:
    delays = (1.0,) * 8
    steady = observation(throughputs=(3e5,) * 8, delays=delays)
    shaky = observation(throughputs=(3e5, 1.2e6, 1e5, 1.2e6, 1e5, 1.2e6, 3e5, 3e5), delays=delays)
    assert RobustMpc()(shaky) < RobustMpc()(steady)


def brute_force(seen: Observation, depth: int) -> list[float]:
    """Value of the best plan for each first rung, plan by plan."""
    rate = harmonic_mean(seen.throughputs[-5:])
    best = [-np.inf] * len(LADDER)
    for plan in itertools.product(range(len(LADDER)), repeat=depth):
        buffer, last, value = seen.buffer, seen.last_index, 0.0
        for step, rung in enumerate(plan):
            seconds = seen.sizes[step][rung] / rate
            value -= 4.3 * max(seconds - buffer, 0.0)
            buffer = max(buffer - seconds, 0.0) + seen.segment_seconds
            value += (LADDER[rung] - abs(LADDER[rung] - LADDER[last])) / 1000
            last = rung
        best[plan[0]] = max(best[plan[0]], value)
    return best


@settings(max_examples=25, deadline=None)
@given(
    st.floats(5e4, 8e5), st.floats(0.0, 40.0), st.integers(0, 5), st.integers(1, 3), st.integers(0)
)
def test_mpc_finds_the_best_of_all_plans(
    rate: float, buffer: float, last: int, depth: int, seed: int
) -> None:
    sizes = np.random.default_rng(seed).uniform(0.8, 1.2, (3, 6)) * SIZES
    seen = observation(
        throughputs=(rate,) * 2,
        delays=(1.0,) * 2,
        buffer=buffer,
        last_index=last,
        sizes=tuple(tuple(int(size) for size in row) for row in sizes),
        segments_left=depth,
    )
    values = brute_force(seen, depth)
    assert values[RobustMpc()(seen)] == pytest.approx(max(values), abs=1e-6)


def test_mpc_weighs_a_stall_as_qoe_does() -> None:
    """Where one more stalled second is just worth a higher rung, and just not."""
    rates, buffers = np.geomspace(1e5, 6e5, 40), (2.0, 6.0, 10.0)
    for rate, buffer in itertools.product(rates, buffers):
        seen = observation(
            throughputs=(float(rate),) * 2,
            delays=(1.0,) * 2,
            buffer=buffer,
            last_index=5,
            sizes=(SIZES,) * 2,
            segments_left=2,
        )
        values = brute_force(seen, 2)
        assert values[RobustMpc()(seen)] == pytest.approx(max(values), abs=1e-6)


def test_mpc_takes_the_bit_rate_for_sizes_that_are_not_known() -> None:
    usual = tuple(round(kbps * 125 * 4) for kbps in LADDER)
    taken = set()
    for rate in np.geomspace(3e4, 8e5, 40):
        samples = {"throughputs": (float(rate),) * 5, "delays": (1.0,) * 5, "buffer": 8.0}
        known = observation(sizes=(usual,) * 5, segments_left=5, **samples)
        unknown = observation(sizes=(usual,), segments_left=5, **samples)
        assert RobustMpc()(unknown) == RobustMpc()(known)
        taken.add(RobustMpc()(known))
    assert len(taken) > 3


def test_mpc_looks_less_far_on_a_long_ladder_and_past_known_sizes() -> None:
    ladder = tuple(float(kbps) for kbps in range(100, 4100, 100))
    sizes = (tuple(round(kbps * 500) for kbps in ladder),)
    seen = observation(ladder_kbps=ladder, sizes=sizes, throughputs=(3e5,) * 3)
    assert 0 < RobustMpc()(seen) < 40


def test_rules_keep_nothing_between_sessions() -> None:
    rule = RobustMpc()
    first = rule(observation())
    rule(observation(throughputs=(1e4, 9e6, 1e4), buffer=0.0))
    assert rule(observation()) == first


def test_a_safe_rung_arrives_before_the_buffer_runs_dry() -> None:
    assert SafeRung()(observation(throughputs=(1e5, 9e6, 9e6), buffer=10.0)) == 2
    assert SafeRung()(observation(buffer=0.0)) == 0
