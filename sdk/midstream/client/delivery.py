"""Units of one network, verified, from an origin to this process. Knows nothing of runtimes.

It owns a session, a transport and a store, and moves bytes between them; every decision is
the session's.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self

from midstream.client.events import CheckFailed
from midstream.client.fetching import Fetcher, busy_spans
from midstream.client.keeping import Keeper
from midstream.client.marking import ANONYMOUS, Marks
from midstream.client.metadata import MetadataSource
from midstream.client.refusing import Refusals
from midstream.client.releases import Releases
from midstream.client.sharing import SharedLink
from midstream.client.threads import to_its_end
from midstream.client.updating import Updates
from midstream.client.watching import Pace, Watch
from midstream.errors import ErrorCode, MidstreamError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.session import (
    Choice,
    Counters,
    Event,
    Link,
    Policy,
    Session,
    SessionState,
    UnitFailed,
    UnitVerified,
)
from midstream.session.assembly import Assembly
from midstream.transport import Announcement, RequestRecord, Transport, open_transport
from midstream.trust import layout
from midstream.trust.manifest import Manifest

__all__ = ["Delivery"]

_IDLE = 2.0
"""Seconds until the session is asked again, though nothing was due."""


class Delivery(Releases):
    """One network's units on their way in; use `open`.

    Attributes are read at any time; coroutines are for one task at a time.
    """

    def __init__(
        self,
        transport: Transport,
        source: MetadataSource,
        *,
        keeper: Keeper,
        refusals: Refusals,
        policy: Policy,
        link: SharedLink,
        weight: float,
        marks: Marks | None,
        limits: Limits,
    ) -> None:
        self._transport = transport
        self._keeper = keeper
        super().__init__(policy=policy, limits=limits)
        self.source = source
        """Where manifests come from."""
        self.refusals = refusals
        """Where refusals are put down."""
        self._is_stirred = asyncio.Event()
        self._seat = link.join(weight, self._is_stirred.set)
        self._session = Session(policy=policy, limits=limits, allowance=link.allowance)
        self._fetcher = Fetcher(transport, self._session, keeper, seat=self._seat, marks=marks)
        self._on_event = refusals.heard
        self._updates = Updates(self._held, policy, limits)
        self._resumed: Assembly | None = None
        self._failure: MidstreamError | None = None
        self._source_free = asyncio.Lock()
        self.from_store = 0
        """Bytes of verified units that were in the store already."""

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
    def manifest(self) -> Manifest:
        """The newest release."""
        assert self._session.manifest is not None, "opened with a manifest"
        return self._held.manifest(self._session.manifest.release)

    @property
    def state(self) -> SessionState:
        """Where the session is; complete once all that it told was taken, and updates applied."""
        state = self._session.state
        is_at_work = self._session.has_events or self._updates.is_under(self.manifest.release)
        if state is SessionState.COMPLETE and is_at_work:
            return SessionState.REFINING
        return state

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

    @property
    def failure(self) -> MidstreamError | None:
        """Why a unit of the newest release is given up for now, if one is."""
        return self._failure if self._session.has_failed else None

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

    def choose(self) -> Choice | None:
        """What would be fetched next, or gone on with; None where nothing may be now.

        Raises:
            UsageError: BAD_STATE after the end.
        """
        return self._session.choose(time.monotonic())

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

    async def _start(self) -> None:
        earlier = await self.source.earlier()
        with self.refusals.noting():
            newest = await self.source.first()
        for manifest in await self._updates.of_use(earlier, newest, self._keeper):
            await self._open(manifest)
        await self._open(newest)
        part = self.source.part(self.manifest.base.path)
        self.source.forget_parts()
        is_wanted = not self._updates.is_under(self.manifest.release)
        if part is not None and is_wanted and not self._held.has(self.manifest.release, 0):
            await self._take_base(part)

    async def _take_base(self, data: bytes) -> None:
        """Use the base that came with the bundle; a damaged one is repaired like any unit."""
        if await self._offer(0, data):
            await self._deliver()
        elif len(data) == self.manifest.base.size and (choice := self.choose()):
            self._session.begin(choice).restore(0, data)

    async def _open(self, manifest: Manifest) -> None:
        followed = self._session.manifest
        if not self._held.open(manifest, over=followed.release if followed else 0):
            return
        opening = await self._updates.open(manifest, self._keeper, self._on_event)
        async with self._fetcher.free:
            self._session.open_release(opening.way, time.monotonic())
            if opening.is_settled:
                self._session.settle(manifest.release)
        self._is_stirred.set()
        await self._offer_all(opening.way, opening.stored)
        await self._deliver()

    async def _offer_all(self, manifest: Manifest, stored: Mapping[str, bytes]) -> None:
        """Give the session what is here already of the newest release."""
        for index, entry in enumerate(manifest.units):
            data = stored.get(entry.id) or self._held.find(entry.id)
            data = data or await self._keeper.unit(entry)
            if data is not None and await self._offer(index, data):
                self.from_store += len(data)

    async def _offer(self, unit: int, data: bytes) -> bool:
        """Give the session a unit of the newest release."""
        number = self.manifest.release
        return await self._fetcher.on_session(len(data), self._session.offer, number, unit, data)

    async def _deliver(self) -> bool:
        """Pass on what the session has to tell; it tells it once, whoever is cancelled."""
        happened = False
        while (event := self._session.next_event()) is not None:
            happened = True
            # in the turn in which it is taken: until then, what is complete is not all here
            self._pass_on(event)
            await to_its_end(self._settle(event))
        return happened

    def _pass_on(self, event: Event) -> None:
        """Tell of an event, before the disk, which may take its time."""
        if isinstance(event, UnitVerified) and not self._updates.is_under(event.release):
            self._held.put(event.release, event.unit, event.data)
        elif isinstance(event, UnitFailed):
            self._failure = event.error
        self._on_event(event)

    async def _settle(self, event: Event) -> None:
        """Keep what is verified; drop what failed."""
        if isinstance(event, UnitVerified):
            if event.entry.parent is None and event.release == self.manifest.release:
                await self._keeper.keep(*self._updates.in_use(self.manifest))
            await self._keeper.commit(event.entry, event.data)
            way = await self._updates.arrived(event, self._keeper, self._on_event)
            if way is not None:
                await self._take(way)
        elif isinstance(event, UnitFailed):
            await self._keeper.drop()
            if self._updates.is_under(event.release) and event.release == self.manifest.release:
                await self._take(self._updates.give_up())

    async def _take(self, manifest: Manifest) -> None:
        """Fetch the fresh units of the newest release that are not here, without updates."""
        async with self._fetcher.free:
            self._session.reopen(manifest, time.monotonic())
        self._failure = None
        self._is_stirred.set()
        await self._offer_all(manifest, {})

    async def _pause(self) -> None:
        """Until something is due, or a report or a release has come."""
        due = self._session.next_timeout()
        now = time.monotonic()
        pause = _IDLE if due is None else min(max(due - now, 0.005), _IDLE)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._is_stirred.wait()
        self._is_stirred.clear()
