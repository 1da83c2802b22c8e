"""One video with a live network: real units over loopback HTTP, at virtual moments.

Every unit is fetched, repaired, verified, decoded and swapped for real; the bytes that came over
the wire, metadata included, are then carried by the simulated link, which the media share.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import midstream
from midstream.abr import Controller, SafeRung
from player import Player

__all__ = ["BUDGET", "LOW_WATER", "SHARE", "LiveResult", "LiveSession", "Moment"]

LOW_WATER = 36.0
"""Seconds of buffer below which no model byte is sent once the base runs."""
SHARE = 0.5
"""Of what the link carries until the buffer is down to the low-water mark."""
_LOOK_EVERY = 4
"""Segments between looks for a newer release."""
BUDGET = 1.0
"""Seconds of this machine's own time for one decision: what it has to do besides shall not
decide what is played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a viewer of the demo sees after a segment."""

    segment: int
    """How many segments have been fetched."""
    seconds: float
    """Virtual time."""
    buffer: float
    """Seconds of media not yet played."""
    rung: int
    """Rung of the segment."""
    release: int
    """Release that decided."""
    layer: int
    """Layer that decided."""
    media_bytes: int
    """Bytes of media so far."""
    model_bytes: int
    """Bytes of models and their metadata so far."""
    repaired: int
    """Packets repaired so far."""


@dataclass(slots=True, kw_only=True)
class LiveResult:
    """What one session came to."""

    moments: list[Moment] = field(default_factory=list)
    """After each segment."""
    startup: float = 0.0
    """Seconds that the first model bytes took."""
    model_bytes: int = 0
    """Bytes of models and metadata, all of them."""
    repaired: int = 0
    """Packets rebuilt from repair symbols."""
    swaps: int = 0
    """Generations taken after the first."""
    refused: int = 0
    """Units or generations given up."""
    unverified: int = 0
    """Decisions by weights that are none of the published ones."""
    fallbacks: int = 0
    """Decisions by the rule in the network's place."""
    stalls_below_low_water: int = 0
    """Stalls that model bytes caused although the buffer was below the low-water mark."""
    model_stalls: float = 0.0
    """Seconds of stall while model bytes were on the link, the base excepted."""


class LiveSession:
    """Plays one video while its network upgrades itself.

    Args:
        player: The simulated player, its link and its video.
        published: SHA-256 of every model that the publisher's ladders give, to audit decisions.
        news: Called before segment `news_at` is asked for: publishes the second release.
        news_at: The segment.
        upgrades: Whether anything after the base is fetched.
        max_layer: The highest layer that is; None for all.
        show: Told each moment.
    """

    def __init__(
        self,
        player: Player,
        *,
        published: frozenset[str],
        news: Callable[[], None],
        news_at: int,
        upgrades: bool = True,
        max_layer: int | None = None,
        show: Callable[[Moment], None] = lambda _: None,
    ) -> None:
        self._player = player
        self._published = published
        self._news = news
        self._news_at = news_at
        self._upgrades = upgrades
        self._policy = midstream.Policy(low_water=LOW_WATER, max_layer=max_layer)
        self._show = show
        self._controller = Controller(clock=time.perf_counter, budget=BUDGET, guard=SafeRung())
        self._charged = 0
        self._media = 0
        self.result = LiveResult()
        """Filled in as it goes."""

    async def play(self, url: str, root: Path) -> LiveResult:
        """The whole video.

        Args:
            url: Address of the repository.
            root: The pinned root.
        """
        async with midstream.connect(
            url,
            "abr",
            root=root,
            policy=self._policy,
            background=False,
            on_event=self._hear,
        ) as model:
            await model.ready(timeout=60)
            self.result.startup = self._player.start(self._uncharged(model))
            while not self._player.is_over:
                await self._segment(model)
            self.result.model_bytes = model.delivery.bytes_received
            self.result.repaired = model.counters.repaired_packets
            self.result.fallbacks = self._controller.fallbacks
        return self.result

    async def _segment(self, model: midstream.Model) -> None:
        """One decision, one segment, and what the link has room for after it."""
        if self._player.segment == self._news_at:
            self._news()
        observation = self._player.observe()
        with model.pin() as network:
            self._audit(network.generation)
            decision = self._controller.decide(
                observation,
                policy=network.run,
                generation=network.generation.number,
            )
            generation = network.generation
        self._player.download(decision.index)
        self._media += observation.sizes[0][decision.index]
        self._tell(model, decision.index, generation)
        if self._upgrades and not self._player.is_over:
            await self._upgrade(model)

    async def _upgrade(self, model: midstream.Model) -> None:
        """Fetch what the buffer allows, then take it: the next decision is a boundary."""
        if self._player.segment % _LOOK_EVERY == 0 and self._player.buffer > LOW_WATER:
            await model.check()
            self._spend(model)
        model.report(
            buffer=self._player.buffer,
            throughput=self._player.throughput,
            budget=int(self._player.room(LOW_WATER) * SHARE),
        )
        # one unit a segment: the media have the link in between
        choice = model.delivery.choose()
        if choice is not None:
            await model.delivery.advance(choice)
        self._spend(model)
        if await model.stage() and model.swap() is not None:
            self.result.swaps += 1

    def _spend(self, model: midstream.Model) -> None:
        """The link carries what came over the wire since the last time."""
        size = self._uncharged(model)
        if not size:
            return
        was_low = self._player.buffer < LOW_WATER
        stall = self._player.spend(size)
        self.result.model_stalls += stall
        self.result.stalls_below_low_water += was_low and stall > 0

    def _uncharged(self, model: midstream.Model) -> int:
        received = model.delivery.bytes_received
        size, self._charged = received - self._charged, received
        return size

    def _audit(self, generation: midstream.Generation) -> None:
        """Count a decision that is made by anything but a published model."""
        self.result.unverified += generation.sha256 not in self._published

    def _hear(self, event: midstream.Event) -> None:
        refused = isinstance(event, midstream.GenerationRefused | midstream.UnitFailed)
        self.result.refused += refused

    def _tell(self, model: midstream.Model, rung: int, generation: midstream.Generation) -> None:
        moment = Moment(
            segment=self._player.segment,
            seconds=self._player.clock,
            buffer=self._player.buffer,
            rung=rung,
            release=generation.release,
            layer=generation.layer,
            media_bytes=self._media,
            model_bytes=model.delivery.bytes_received,
            repaired=model.counters.repaired_packets,
        )
        self.result.moments.append(moment)
        self._show(moment)
