"""What a video is played with: a rule, a network that never changes, or a live one.

Knows nothing of how results are shown.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from live import BUDGET, LiveResult, LiveSession, Moment
from midstream.abr import Controller, Observation, Rule, SafeRung
from midstream.origin import Impairments, serve
from midstream.runtime import Network
from player import Player
from publishing import Repositories, copy_news
from traces import Trace
from video import Video

__all__ = ["NEWS_AT", "Played", "play_float", "play_live", "play_rule"]

NEWS_AT = 8
"""Segment before which the second release is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One video, played."""

    trace: str
    """Name of the link's trace."""
    qoe: float
    """QoE_lin, the mean over decided segments."""
    startup: float
    """Seconds of model bytes before the first segment."""
    live: LiveResult | None = None
    """What happened on the way, where the network was live."""


def play_rule(trace: Trace, video: Video, rule: Rule) -> Played:
    """Play by a rule; nothing is downloaded but media."""
    return _play(trace, video, 0, rule)


def play_float(trace: Trace, video: Video, network: Network, size: int) -> Played:
    """Play by the full float network, whose file is downloaded before the first segment."""
    controller = Controller(clock=time.perf_counter, budget=BUDGET, guard=SafeRung())

    def run(features: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> object:
        return network.run(features)[0]

    return _play(trace, video, size, lambda seen: controller.decide(seen, policy=run).index)


def play_live(
    trace: Trace,
    video: Video,
    repositories: Repositories,
    link: Impairments,
    *,
    upgrades: bool,
    max_layer: int | None = None,
    show: Callable[[Moment], None] = lambda _: None,
) -> Played:
    """Play by a live network over a bad link.

    Args:
        trace: Its throughput.
        video: What is played.
        repositories: Both releases.
        link: What it does to bodies.
        upgrades: Whether the network gets better.
        max_layer: How far, at most; None for all layers.
        show: Told each moment.
    """
    player = Player(trace, video)
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder, "repo")
        shutil.copytree(repositories.first, served)
        session = LiveSession(
            player,
            published=repositories.published,
            news=lambda: copy_news(repositories, served),
            news_at=NEWS_AT,
            upgrades=upgrades,
            max_layer=max_layer,
            show=show,
        )
        result = asyncio.run(_serve_and_play(served, link, session, repositories.root))
    return Played(trace=trace.name, qoe=player.qoe, startup=result.startup, live=result)


async def _serve_and_play(
    served: Path, link: Impairments, session: LiveSession, root: Path
) -> LiveResult:
    async with serve(served, impairments=link) as url:
        return await session.play(url, root)


def _play(
    trace: Trace, video: Video, model_bytes: int, decide: Callable[[Observation], int]
) -> Played:
    player = Player(trace, video)
    player.start(model_bytes)
    while not player.is_over:
        player.download(decide(player.observe()))
    return Played(trace=trace.name, qoe=player.qoe, startup=player.startup)


def mean_of_worst(values: Sequence[float], share: float = 0.05) -> float:
    """The mean of the worst share of values, at least one of them."""
    count = max(1, round(share * len(values)))
    return float(np.mean(sorted(values)[:count]))
