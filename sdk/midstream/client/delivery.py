"""Units of one network, verified, from an origin to this process. Knows nothing of runtimes.

It owns a session, a transport and a store, and moves bytes between them; every decision is
the session's.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self

from midstream.client.arriving import Arrivals
from midstream.client.events import CheckFailed
from midstream.client.fetching import busy_spans
from midstream.client.keeping import Keeper
from midstream.client.marking import ANONYMOUS, Marks
from midstream.client.metadata import MetadataSource
from midstream.client.refusing import Refusals
from midstream.client.sharing import SharedLink
from midstream.client.watching import Pace, Watch
from midstream.errors import ErrorCode, MidstreamError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.session import (
    Choice,
    Counters,
    Event,
    Link,
    Policy,
    SessionState,
)
from midstream.transport import Announcement, RequestRecord, open_transport
from midstream.trust import layout
from midstream.trust.manifest import Manifest

__all__ = ["Delivery"]

_IDLE = 2.0
"""Seconds until the session is asked again, though nothing was due."""


class Delivery(Arrivals):
    """One network's units on their way in; use `open`.

    Attributes are read at any time; coroutines are for one task at a time.
    """

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        name: str,
        *,
        root: bytes,
        store: str | Path | None = None,
        carousel: str | None = None,
        policy: Policy | None = None,
        link: SharedLink | None = None,
        weight: float = 1.0,
        marks: Marks | None = ANONYMOUS,
        on_event: Callable[[Event], None] = lambda _: None,
        limits: Limits = LIMITS,
    ) -> AsyncIterator[Self]:
        """Open a repository and verify a network's newest manifest.

        Args:
            url: The repository's address, or its folder.
            name: The network.
            root: The pinned root's bytes, given out of band.
            store: Folder that keeps verified units; None keeps them in memory, and so does a
                disk that is full or read-only.
            carousel: Where a carousel of the repository is heard, `udp://ADDRESS:PORT`; what it
                does not complete is fetched from `url`.
            policy: What the player allows model bytes to do.
            link: The link, where other models share it.
            weight: Share of its bytes, against those of the others.
            marks: What requests for units say of themselves; None for nothing.
            on_event: Called on the loop for each event; it must not block.
            limits: Bounds on what is read from outside.

        Raises:
            UsageError: The address or the name makes no sense.
            TrustError: The metadata is not signed as it must be.
            TransportError: The origin does not answer.
            StoreError: The store cannot be used.
            UnavailableError: This machine cannot listen to the carousel.
        """
        if not layout.is_name(name):
            raise UsageError(ErrorCode.BAD_NAME, f"{name[:80]!r} is no name of a network")
        async with AsyncExitStack() as stack:
            transport = await stack.enter_async_context(
                open_transport(url, carousel=carousel, limits=limits)
            )
            keeper = await stack.enter_async_context(Keeper.open(store, on_event=on_event))
            kept = Refusals.kept(keeper.refusals, name, on_event)
            refusals = await stack.enter_async_context(kept)
            source = MetadataSource(transport, name, root=root, keeper=keeper, limits=limits)
            delivery = cls(
                transport,
                source,
                keeper=keeper,
                refusals=refusals,
                policy=policy or Policy(),
                link=link or SharedLink(),
                weight=weight,
                marks=marks,
                limits=limits,
            )
            try:
                await delivery._start()
                yield delivery
            finally:
                delivery._session.close()
                delivery._seat.leave()

    @property
    def counters(self) -> Counters:
        """Totals of the session."""
        return self._session.counters

    @property
    def throughput(self) -> float | None:
        """Bytes per second of model traffic; None before it is known."""
        return self._session.estimator.throughput

    @property
    def bytes_received(self) -> int:
        """Everything that came over the wire, metadata and headers included."""
        return self._transport.bytes_received

    @property
    def trace(self) -> list[RequestRecord]:
        """The last 1,024 requests made, in order."""
        return self._transport.trace

    def busy(self, *, since: float = -math.inf) -> list[tuple[float, float]]:
        """When model bytes had the link; see `Model.busy`."""
        return busy_spans(self._transport.trace, since=since, now=time.monotonic())

    def report(self, link: Link) -> None:
        """Tell what the player knows of the link, for all models that share it."""
        self._seat.link.take(link)

    def aim(self, *, within: float | None) -> None:
        """Prefer what can be activated within so many seconds; see `Model.aim`."""
        self._session.aim(within, time.monotonic())
        self._is_stirred.set()

    def staged(self, seconds: float) -> None:
        """Tell how long it took to make a network ready whose units were here."""
        self._session.staging = seconds

    def why_waiting(self) -> str:
        """Why nothing is fetched, for logs."""
        return self._session.wait.reason if self._session.wait else ""

    async def step(self) -> bool:
        """Make the one request that the session wants now.

        Returns:
            False where it wants none and nothing happened.

        Raises:
            UsageError: BAD_STATE after the end.
        """
        now = time.monotonic()
        if self._session.assembly is None and (choice := self._session.choose(now)):
            self._session.begin(choice)
        assembly = self._session.assembly
        if assembly is not None and assembly is not self._resumed:
            self.from_store += await self._fetcher.resume(assembly)
            self._resumed = assembly
        if (choice := self._session.choose(now)) is None:
            await self._fetcher.on_session(self._fetcher.arrived, self._session.look, now)
            return await self._deliver()
        async with self._seat.turn(worth=choice.worth, is_first=not self._session.runs):
            return await self._ask()

    async def _ask(self) -> bool:
        """Make the request that the session wants, if it wants one; say if anything happened."""
        now = time.monotonic()
        arrived = self._fetcher.arrived
        request = await self._fetcher.on_session(arrived, self._session.next_request, now)
        happened = await self._deliver()  # that a unit was chosen is news before its bytes are
        # where another one became the better meanwhile, what is kept of that comes first
        if request is not None and self._session.assembly is self._resumed:
            await self._fetcher.perform(request)
        return await self._deliver() or happened or request is not None

    async def advance(self, choice: Choice) -> bool:
        """Fetch one chosen unit to its end; say whether it is verified.

        It may be cancelled, and it ends early where a report says that no more may come; what
        has arrived is not asked for again.

        Args:
            choice: As `choose` gave it.

        Raises:
            UsageError: BAD_STATE after the end.
        """
        place = (choice.release, choice.unit)
        while not self._held.has(*place) and (now := self.choose()):
            if (now.release, now.unit) != place:
                break
            if not await self.step():
                await self._pause()
        return self._held.has(*place)

    async def base(self) -> None:
        """Wait for the base of the newest release.

        Raises:
            MidstreamError: The reason why it cannot be had.
        """
        await self._step_until(lambda: self._held.has(self.manifest.release, 0))

    async def complete(self) -> None:
        """Fetch all that the policy wants.

        Raises:
            MidstreamError: The reason why a unit cannot be had.
        """
        await self._step_until(lambda: self.state is SessionState.COMPLETE)

    async def _step_until(self, is_done: Callable[[], bool]) -> None:
        while not is_done():
            if not await self.step():
                if self.failure is not None:
                    raise self.failure
                await self._pause()

    async def run(self) -> None:
        """Fetch whatever the session wants, until cancelled."""
        while True:
            if not await self.step():
                await self._pause()

    async def check(self) -> bool:
        """Look for a newer release, by the full client workflow; say whether there is one.

        Raises:
            TrustError: What was found is not signed as it must be; nothing changes.
            TransportError: The origin does not answer; nothing changes.
        """
        return await self._check(self.source.newest)

    async def watch(self, *, poll: float, push: bool = True) -> None:
        """Look for newer releases until cancelled; each that is found is opened at once.

        Events tell of it: `ReleaseOpened`, and `CheckFailed` where a look failed. Looks are
        conditional requests, one small answer where nothing is new. Where the origin has a
        channel for news, an announcement leads to a look within a second of the last one, and
        polls are ten times rarer; where it has none, or it breaks, polls go on as ever.

        Args:
            poll: Seconds between looks, more or less by half; they double after errors, to 16
                times as many.
            push: Whether to listen on the origin's channel, where it has one.

        Raises:
            UsageError: BAD_ARGUMENT where `poll` is not above 0.
        """
        pace = Pace(poll)
        source = self.source
        network, version = self.manifest.name, lambda: source.version
        watch = Watch(self._transport, network, self._look, version=version, pace=pace)
        await watch.run(push=push)

    async def _look(self, announced: Announcement | None) -> bool:
        """Look once more for a newer release; say whether the look went well."""
        try:
            await self._check(partial(self.source.poll, announced))
        except MidstreamError as error:
            self._on_event(CheckFailed(error=error))
            return False
        return True

    async def _check(self, newest: Callable[[], Awaitable[Manifest]]) -> bool:
        before = self.manifest.release
        async with self._source_free:
            with self.refusals.noting():
                await self._open(await newest())
        return self.manifest.release > before

    async def _pause(self) -> None:
        """Until something is due, or a report or a release has come."""
        due = self._session.next_timeout()
        now = time.monotonic()
        pause = _IDLE if due is None else min(max(due - now, 0.005), _IDLE)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._is_stirred.wait()
        self._is_stirred.clear()
