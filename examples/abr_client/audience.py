"""Players that hear a carousel from a random moment on, and get better while they decide.

All of it is real, and in real time: datagrams over loopback, a part of them lost, repair,
verification, the interpreter, swaps. There is no origin, and no way back.
"""

import asyncio
import random
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import midstream
from air import Branch, open_air
from midstream.origin.casting import cast
from midstream.session.datagrams import ObjectKind
from midstream.transport.datagrams import Address
from publishing import LADDER, Repositories, copy_news

__all__ = ["Arrival", "Listener", "Stretch", "play_carousel"]

_SEGMENT = 0.02
"""Seconds between two decisions; a swap may come in between."""
_LOOK = 0.1
"""Seconds between looks for a newer release among what came."""
_PATIENCE = 120.0
_JOINS_WITHIN = 2.0
"""Players join while so many times the bytes of a release go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Decisions in a row by one generation."""

    start: float
    """Seconds since the carousel began."""
    release: int
    """Release that decided."""
    layer: int
    """Layer that decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A release's base, or all of it, verified."""

    release: int
    """Which."""
    is_whole: bool
    """Whether it is all of it."""
    seconds: float
    """Since the player joined or, if that was later, since the release began to go round."""
    over_bound: float
    """Bytes sent to the player since then, over size / (1 - loss): of the object that the base
    is in, or of all objects."""


@dataclass(slots=True, kw_only=True)
class Listener:
    """What one player came to."""

    number: int
    """Which, from 0."""
    joined: float = 0.0
    """Seconds since the carousel began."""
    arrivals: list[Arrival] = field(default_factory=list)
    """Bases and whole releases, as they came."""
    stretches: list[Stretch] = field(default_factory=list)
    """Who decided from when on."""
    ended: float = 0.0
    """When the last release was complete and in use."""
    decisions: int = 0
    """How many it made."""
    unverified: int = 0
    """Those by weights that are none of the published ones."""

    @property
    def swaps(self) -> int:
        """Generations taken after the first."""
        return len(self.stretches) - 1


@dataclass(slots=True, kw_only=True)
class _Show:
    """What all players share."""

    repositories: Repositories
    show: Callable[[Listener], None]
    news: asyncio.Barrier  # all have the first release
    branches: list[Branch]
    began: float = field(default_factory=time.monotonic)
    went_out: list[float] = field(default_factory=list)  # when each release began to go round

    def now(self) -> float:
        return time.monotonic() - self.began

    def note(self) -> None:
        """Another release begins to go round."""
        self.went_out.append(self.now())
        for branch in self.branches:
            branch.sent.clear()


async def play_carousel(
    repositories: Repositories,
    *,
    players: int,
    loss: float,
    rate: float,
    seed: int,
    show: Callable[[Listener], None] = lambda _: None,
) -> list[Listener]:
    """Cast the first release, then the second, to players that join at random moments.

    Args:
        repositories: Before and after the second release, which goes out once all have the first.
        players: How many.
        loss: Part of each player's datagrams that is lost.
        rate: Bits per second of the carousel.
        seed: Of moments and losses.
        show: Told of each player that is through.

    Raises:
        MidstreamError: Something could not be had.
        TimeoutError: It took longer than two minutes.
    """
    rng = random.Random(seed)
    size = sum(entry.size for entry in repositories.releases[0].manifest.units)
    joins = [rng.uniform(0, _JOINS_WITHIN * 8 * size / rate) for _ in range(players)]
    branches = [Branch(_free_address(), loss, random.Random(rng.random())) for _ in range(players)]
    common = _Show(
        repositories=repositories,
        show=show,
        news=asyncio.Barrier(players + 1),
        branches=branches,
    )
    with tempfile.TemporaryDirectory() as made:
        served = Path(made, "repo")
        await asyncio.to_thread(shutil.copytree, repositories.first, served)
        async with asyncio.timeout(_PATIENCE), open_air(branches) as to:
            sender = asyncio.create_task(
                cast(served, "abr", to, rate=rate, on_carousel=lambda _: common.note())
            )
            try:
                async with asyncio.TaskGroup() as group:
                    listening = [
                        group.create_task(_listen(Listener(number=number), branch, join, common))
                        for number, (branch, join) in enumerate(zip(branches, joins, strict=True))
                    ]
                    await common.news.wait()
                    await asyncio.to_thread(copy_news, repositories, served)
            finally:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
    return [task.result() for task in listening]


async def _listen(one: Listener, branch: Branch, join: float, common: _Show) -> Listener:
    """One player, from joining to the last layer of the second release."""
    await asyncio.sleep(join)
    one.joined = common.now()
    branch.is_tuned = True
    async with midstream.connect(
        str(branch.address),
        "abr",
        root=common.repositories.root,
        poll=_LOOK,
        on_event=_hearing(one, branch, common),
    ) as model:
        await model.ready(timeout=_PATIENCE)
        await _decide_until(1, model, one, common)
        await common.news.wait()
        await _decide_until(2, model, one, common)
    branch.is_tuned = False
    one.ended = common.now()
    common.show(one)
    return one


async def _decide_until(release: int, model: midstream.Model, one: Listener, common: _Show) -> None:
    """Decide again and again, taking what is staged in between, until a release is whole."""
    features = np.zeros((1, 25), np.float32)
    by: midstream.Generation | None = None
    while by is None or (by.release, by.layer) != (release, len(LADDER) - 1):
        model.swap()
        with model.pin() as network:
            network.run(features)
            by = network.generation
        one.decisions += 1
        one.unverified += by.sha256 not in common.repositories.published
        _note(one, Stretch(start=common.now(), release=by.release, layer=by.layer))
        await asyncio.sleep(_SEGMENT)


def _note(one: Listener, now: Stretch) -> None:
    before = one.stretches[-1] if one.stretches else None
    if before is None or (before.release, before.layer) != (now.release, now.layer):
        one.stretches.append(now)


def _hearing(one: Listener, branch: Branch, common: _Show) -> Callable[[midstream.Event], None]:
    """Notes what is verified."""
    verified: Counter[int] = Counter()

    def hear(event: midstream.Event) -> None:
        if not isinstance(event, midstream.UnitVerified):
            return
        verified[event.release] += 1
        is_update = event.entry.kind is midstream.UnitKind.UPDATE  # from the release before
        is_whole = is_update or verified[event.release] == len(LADDER)
        if event.entry.parent is not None and not is_whole:
            return
        units = common.repositories.releases[event.release - 1].manifest.units
        sought = units if is_whole and not is_update else (event.entry,)
        since = max(one.joined, common.went_out[event.release - 1])
        one.arrivals.append(
            Arrival(
                release=event.release,
                is_whole=is_whole,
                seconds=common.now() - since,
                over_bound=_over_bound(branch, [entry.source_root for entry in sought]),
            )
        )

    return hear


def _over_bound(branch: Branch, roots: Sequence[bytes]) -> float:
    """Bytes sent of the objects that hold units, over the least that would have done."""
    own = [key for key in branch.sent if any(root.startswith(key.id) for root in roots)]
    if len(own) < len(roots):  # a small base comes in the bundle, the newest
        own.append([key for key in branch.sent if key.kind is ObjectKind.BUNDLE][-1])
    least = sum(key.size for key in own) / (1 - branch.loss)
    return sum(branch.sent[key] for key in own) / least


def _free_address() -> Address:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return Address(host="127.0.0.1", port=sock.getsockname()[1])
