"""The example's link and fleet: the accepted environment, exactly."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import Fleet, Roads
from link import ROUND_TRIP, Link
from player import Player
from traces import ENVIRONMENT, Trace, generate_traces, load_traces, read_members
from video import Video, generate_video, load_video

LOGS = "pensieve_test142_published_logs.tar.gz"
PUBLISHED = {
    "bb": 0.6392,
    "bola": 0.8177,
    "cmc": 0.9843,
    "hyb": 0.8605,
    "mpc": 0.9245,
    "ppo": 0.9859,
    "quetra": 0.8495,
    "rb": 0.7103,
    "rl": 0.9250,
}
"""Mean QoE_lin over the test traces, as published for each algorithm."""

STEP = Trace(name="step", seconds=(0.0, 1.0, 3.0, 4.0), mbps=(9.0, 8.0, 0.0, 4.0))
"""950,000 payload bytes in the first second, none in the next two, 475,000 in the last."""


def test_bytes_take_as_long_as_the_trace_needs() -> None:
    link = Link(STEP)
    assert link.download(475_000) == pytest.approx(0.5 + ROUND_TRIP)
    assert link.download(712_500) == pytest.approx(0.5 + 2.0 + 0.5 + ROUND_TRIP)


def test_model_bytes_are_no_samples_of_throughput() -> None:
    flat = Trace(name="flat", seconds=(0.0, 50.0, 100.0), mbps=(2.0, 2.0, 2.0))
    video = generate_video(seed=3)
    alone, shared = Player(flat, video), Player(flat, video)
    for player in (alone, shared):
        player.start(0)
    for _ in range(5):
        shared.spend(300_000)
        for player in (alone, shared):
            player.download(2)
    assert shared.clock > alone.clock + 5.0
    assert len(shared.observe().throughputs) == 6
    assert shared.observe().throughputs == pytest.approx(alone.observe().throughputs)


def test_a_trace_wraps() -> None:
    link = Link(STEP)
    assert link.carry(1_425_000 * 3 + 95_000) == pytest.approx(12.1)


def test_a_wait_passes_over_what_the_trace_would_have_carried() -> None:
    link = Link(STEP)
    link.wait(3.5)
    assert link.carry(237_500 + 95_000) == pytest.approx(0.6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 19), st.lists(st.integers(0, 5), min_size=47, max_size=47))
def test_a_fleet_agrees_with_the_link(index: int, rungs: list[int]) -> None:
    made, video = generate_traces(20, seed=9), generate_video(seed=9)
    fleet = Fleet(Roads(made), video, traces=np.array([index]))
    player = Player(made[index], video)
    player.download(1)
    rewards = []
    for rung in rungs:
        seen = player.observe()
        assert fleet.buffer[0] == pytest.approx(seen.buffer, abs=1e-6)
        assert seen.throughputs[-1] == pytest.approx(fleet.throughputs[0, -1])
        player.download(rung)
        rewards.append(fleet.step(np.array([rung]))[0])
    assert fleet.is_over
    assert np.mean(rewards) == pytest.approx(player.qoe, abs=1e-6)


def test_scaled_sessions_see_a_scaled_network() -> None:
    made, video = generate_traces(1, seed=2), generate_video(seed=2)
    faster = Trace(name="twice", seconds=made[0].seconds, mbps=tuple(2 * m for m in made[0].mbps))
    both = Roads([made[0], faster])
    fleet = Fleet(both, video, traces=np.array([0, 1]), scales=np.array([2.0, 1.0]))
    fleet.step(np.array([3, 3]))
    assert fleet.buffer[0] == pytest.approx(fleet.buffer[1])
    assert np.allclose(fleet.inputs()[0], fleet.inputs()[1], atol=1e-5)
    assert np.allclose(fleet.foresight()[0], fleet.foresight()[1], atol=1e-5)


def test_foresight_is_the_mean_throughput_to_come() -> None:
    flat = Trace(name="flat", seconds=(0.0, 50.0), mbps=(2.0, 2.0))
    fleet = Fleet(Roads([flat]), generate_video(seed=1), traces=np.array([0]))
    assert np.allclose(fleet.foresight(), np.log(2.0 * 0.95), atol=1e-5)


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get(ENVIRONMENT)
    if not folder:
        pytest.skip(f"{ENVIRONMENT} names no folder with the accepted traces and logs")
    if not (Path(folder) / LOGS).is_file():
        pytest.skip(f"no {LOGS} in the folder that {ENVIRONMENT} names")
    return Path(folder)


def replays(data: Path, algorithm: str) -> Iterator[tuple[Trace, list[list[float]]]]:
    by_name = {trace.name: trace for trace in load_traces(data)}
    prefix = f"log_sim_{algorithm}_"
    for name, content in read_members(data / LOGS):
        trace = by_name.get(name.removeprefix(prefix))
        if name.startswith(prefix) and trace is not None:
            lines = content.decode("ascii").splitlines()
            yield (
                trace,
                [[float(field) for field in line.split()] for line in lines if line.strip()],
            )


def replay(video: Video, trace: Trace, rows: list[list[float]]) -> float:
    """Fetch what a log fetched, compare each number, and return the session's QoE."""
    player, link = Player(trace, video), Link(trace)
    for number, row in enumerate(rows):
        rung = video.ladder_kbps.index(row[1])
        size = video.sizes[number][rung]
        assert size == row[4]
        assert link.download(size) * 1000 == pytest.approx(row[5], abs=1e-9)
        assert player.download(rung) == pytest.approx(row[3], abs=1e-9)
        buffer_before = player.buffer
        if not player.is_over:
            link.wait(buffer_before - player.observe().buffer)
            assert player.buffer == pytest.approx(row[2], abs=1e-9)
    return player.qoe


@pytest.mark.parametrize("algorithm", sorted(PUBLISHED))
def test_the_published_logs_replay_exactly(data: Path, algorithm: str) -> None:
    video = load_video(data / "envivio")
    scores = [replay(video, trace, rows) for trace, rows in replays(data, algorithm)]
    assert len(scores) == 142
    assert np.mean(scores) == pytest.approx(PUBLISHED[algorithm], abs=6e-5)
