"""Releases and units as they come: opened, told of, kept, and used. Knows nothing of requests.

What is asked for, and when, is for whoever inherits it.
"""

import asyncio
import time
from collections.abc import Mapping

from midstream.client.fetching import Fetcher
from midstream.client.keeping import Keeper
from midstream.client.marking import Marks
from midstream.client.metadata import MetadataSource
from midstream.client.refusing import Refusals
from midstream.client.releases import Releases
from midstream.client.sharing import SharedLink
from midstream.client.threads import to_its_end
from midstream.client.updating import Updates
from midstream.errors import MidstreamError
from midstream.limits import Limits
from midstream.session import (
    Choice,
    Event,
    Policy,
    Session,
    SessionState,
    UnitFailed,
    UnitVerified,
)
from midstream.session.assembly import Assembly
from midstream.transport import Transport
from midstream.trust.manifest import Manifest

__all__ = ["Arrivals"]


class Arrivals(Releases):
    """What becomes of one network's releases and units when they are here.

    Args:
        transport: Moves the bytes.
        source: Where manifests come from.
        keeper: Keeps verified units.
        refusals: Where refusals are put down.
        policy: What the player allows model bytes to do.
        link: The link, which other models may share.
        weight: Share of its bytes, against those of the others.
        marks: What requests for units say of themselves; None for nothing.
        limits: Bounds on what is read from outside.
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
    def failure(self) -> MidstreamError | None:
        """Why a unit of the newest release is given up for now, if one is."""
        return self._failure if self._session.has_failed else None

    def choose(self) -> Choice | None:
        """What would be fetched next, or gone on with; None where nothing may be now.

        Raises:
            UsageError: BAD_STATE after the end.
        """
        return self._session.choose(time.monotonic())

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
