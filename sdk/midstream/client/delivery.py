"""Units of one network, verified, from an origin to this process. Knows nothing of runtimes.

It owns a session, a transport and a store, and moves bytes between them; every decision is
the session's.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from midstream import decoder
from midstream.client.metadata import MetadataSource
from midstream.errors import ErrorCode, MidstreamError, TransportError, TrustError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.session import (
    Choice,
    Counters,
    Event,
    Link,
    Policy,
    Purpose,
    Request,
    Session,
    SessionState,
    UnitFailed,
    UnitVerified,
)
from midstream.store import MemoryPartial, MemoryStore, PartialUnit, Store
from midstream.transport import RequestRecord, Transport, open_transport
from midstream.trust import tree
from midstream.trust.manifest import Manifest, UnitEntry

__all__ = ["Delivery"]

_CHECK_ON_LOOP = 1 << 16
"""Bytes up to which a unit is hashed on the event loop; larger ones go to a thread."""


class Delivery:
    """One network's units on their way in; use `open`.

    Attributes are read at any time; coroutines are for one task at a time.
    """

    def __init__(
        self,
        transport: Transport,
        name: str,
        *,
        root: bytes,
        store: Store | MemoryStore,
        metadata: Path,
        policy: Policy,
        on_event: Callable[[Event], None],
        limits: Limits,
    ) -> None:
        self._transport = transport
        self._store = store
        self._source = MetadataSource(transport, name, root=root, folder=metadata, limits=limits)
        self._policy = policy
        self._session = Session(policy=policy, limits=limits)
        self._on_event = on_event
        self._units: dict[int, dict[int, bytes]] = {}
        self._manifests: dict[int, Manifest] = {}
        self._partial: PartialUnit | MemoryPartial | None = None
        self.from_store = 0
        """Bytes of verified units that were in the store already."""
        self.last_error: MidstreamError | None = None
        """Why the last unit that failed did."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        name: str,
        *,
        root: bytes,
        store: str | Path | None = None,
        policy: Policy | None = None,
        on_event: Callable[[Event], None] = lambda _: None,
        limits: Limits = LIMITS,
    ) -> AsyncIterator[Self]:
        """Open a repository and verify a network's newest manifest.

        Args:
            url: The repository's address, or its folder.
            name: The network.
            root: The pinned root's bytes, given out of band.
            store: Folder that keeps verified units; None keeps them in memory.
            policy: What the player allows model bytes to do.
            on_event: Called on the loop for each event; it must not block.
            limits: Bounds on what is read from outside.

        Raises:
            UsageError: The address makes no sense.
            TrustError: The metadata is not signed as it must be.
            TransportError: The origin does not answer.
            StoreError: The store cannot be written.
        """
        async with AsyncExitStack() as stack:
            transport = await stack.enter_async_context(open_transport(url, limits=limits))
            if store is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory("-midstream")))
                kept: Store | MemoryStore = MemoryStore()
            else:
                kept = stack.enter_context(await asyncio.to_thread(Store, Path(store)))
                folder = kept.metadata_dir
            delivery = cls(
                transport,
                name,
                root=root,
                store=kept,
                metadata=folder,
                policy=policy or Policy(),
                on_event=on_event,
                limits=limits,
            )
            await delivery._start()
            try:
                yield delivery
            finally:
                delivery._session.close()

    @property
    def manifest(self) -> Manifest:
        """The newest release."""
        assert self._session.manifest is not None, "opened with a manifest"
        return self._session.manifest

    @property
    def state(self) -> SessionState:
        """Where the session is."""
        return self._session.state

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
        """Every request made, in order."""
        return self._transport.trace

    def report(self, link: Link) -> None:
        """Tell what the player knows of the link."""
        self._session.report(link)

    def choose(self) -> Choice | None:
        """What would be fetched next; None where nothing may be now."""
        return self._session.choose(time.monotonic())

    def why_waiting(self) -> str:
        """Why nothing is fetched, for logs."""
        return self._session.wait.reason if self._session.wait else ""

    def best_layer(self, layer: int | None = None, *, release: int | None = None) -> int:
        """The highest layer, up to `layer`, whose units are all here.

        Raises:
            UsageError: BAD_STATE where not even the base is.
        """
        return self._entries(layer, release)[-1].layer

    def units(self, layer: int | None = None, *, release: int | None = None) -> list[bytes]:
        """The base and the units on it up to `layer`, verified.

        Raises:
            UsageError: BAD_STATE where not even the base is here.
        """
        number = self.manifest.release if release is None else release
        held = self._units.get(number, {})
        indices = range(len(self._entries(layer, release)))
        return [held[index] for index in indices]

    @property
    def releases(self) -> list[int]:
        """Releases known to this run, the newest first."""
        return sorted(self._manifests, reverse=True)

    def layer_here(self, release: int) -> int | None:
        """The highest layer of a release whose units are all here; None without its base."""
        if 0 not in self._units.get(release, {}):
            return None
        return self.best_layer(release=release)

    def is_last(self, release: int, layer: int) -> bool:
        """Whether no higher layer of that release is wanted."""
        highest = self._manifests[release].units[-1].layer
        wanted = self._policy.max_layer
        return layer >= (highest if wanted is None else min(highest, wanted))

    def fidelity(self, release: int, layer: int) -> float:
        """What the manifest says of a layer: SNR of outputs if known, of weights if not, dB."""
        entry = next(e for e in self._manifests[release].units if e.layer == layer)
        outputs = entry.fidelity.output_snr
        return entry.fidelity.weight_snr if outputs is None else outputs

    async def rebuild(self, layer: int | None = None, *, release: int | None = None) -> bytearray:
        """The model file up to a layer.

        Raises:
            UsageError: BAD_STATE where not even the base is here.
            BitstreamError: A unit is malformed, though signed.
        """
        return await asyncio.to_thread(decoder.rebuild, self.units(layer, release=release))

    async def step(self) -> bool:
        """Make the one request that the session wants now.

        Returns:
            False where it wants none and nothing happened.
        """
        now = time.monotonic()
        if self._session.assembly is None and (choice := self._session.choose(now)):
            self._session.begin(choice)
            await self._resume()
        request = self._session.next_request(now)
        if request is not None:
            await self._perform(request)
        return await self._deliver() or request is not None

    async def advance(self, choice: Choice) -> bool:
        """Fetch one chosen unit to its end; say whether it is verified.

        Args:
            choice: As `choose` gave it.
        """
        held = self._units.setdefault(choice.release, {})
        while choice.unit not in held and self.choose() == choice:
            if not await self.step():
                await self._pause()
        return choice.unit in held

    async def base(self) -> None:
        """Wait for the base of the newest release.

        Raises:
            MidstreamError: The reason why it cannot be had.
        """
        while 0 not in self._units.get(self.manifest.release, {}):
            if not await self.step():
                self._raise_if_failed()
                await self._pause()

    async def complete(self) -> None:
        """Fetch all that the policy wants.

        Raises:
            MidstreamError: The reason why a unit cannot be had.
        """
        while self.state is not SessionState.COMPLETE:
            if not await self.step():
                self._raise_if_failed()
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
        before = self.manifest.release
        await self._open(await self._source.newest())
        return self.manifest.release > before

    async def _start(self) -> None:
        await self._open(await self._source.first())
        base = self.manifest.base
        part = self._source.part(base.path)
        self._source.forget_parts()
        if part is not None and 0 not in self._units[self.manifest.release]:
            await self._take_base(part)

    async def _take_base(self, data: bytes) -> None:
        """Use the base that came with the bundle; a damaged one is repaired like any unit."""
        if self._session.offer(self.manifest.release, 0, data):
            await self._deliver()
        elif len(data) == self.manifest.base.size and (choice := self.choose()):
            self._session.begin(choice).restore(0, data)

    async def _open(self, manifest: Manifest) -> None:
        if manifest.release in self._manifests:
            return
        self._manifests[manifest.release] = manifest
        self._units.setdefault(manifest.release, {})
        self._session.open_release(manifest, time.monotonic())
        self._store.keep(frozenset(entry.id for entry in manifest.units))
        for index, entry in enumerate(manifest.units):
            data = await asyncio.to_thread(self._store.unit, entry.id, _verifier(entry))
            if data is not None and self._session.offer(manifest.release, index, data):
                self.from_store += len(data)
        await self._deliver()

    async def _resume(self) -> None:
        """Give the unit under way what an earlier run received of it."""
        assembly = self._session.assembly
        assert assembly is not None, "a request belongs to a unit under way"
        entry = assembly.entry
        self._partial = await asyncio.to_thread(
            self._store.partial, entry.id, entry.size
        )
        for start, data in await asyncio.to_thread(self._partial.received):
            self._session.restore(start, data)
            self.from_store += len(data)

    async def _perform(self, request: Request) -> None:
        started = time.monotonic()
        received = 0
        error: MidstreamError | None = None
        try:
            async with self._transport.fetch(
                request.path, start=request.start, stop=request.stop, limit=request.total
            ) as response:
                offset = response.start
                async for chunk in response.chunks():
                    await self._take(request, offset, chunk)
                    offset += len(chunk)
                    received += len(chunk)
        except TransportError as cut:
            error = cut
        now = time.monotonic()
        self._session.estimator.add(received, now - started)
        if request.total <= _CHECK_ON_LOOP:
            self._session.finish_request(request, now, error)
        else:
            await asyncio.to_thread(self._session.finish_request, request, now, error)

    async def _take(self, request: Request, offset: int, chunk: bytes) -> None:
        is_new = self._session.receive_data(request, offset, chunk)
        if is_new and self._partial is not None and request.purpose is Purpose.BODY:
            await asyncio.to_thread(self._partial.write, offset, chunk)

    async def _deliver(self) -> bool:
        """Pass on what the session has to tell; keep what it verified."""
        happened = False
        while (event := self._session.next_event()) is not None:
            if isinstance(event, UnitVerified):
                await self._keep(event)
            elif isinstance(event, UnitFailed):
                self.last_error = event.error
                self._drop_partial()
            self._on_event(event)
            happened = True
        return happened

    async def _keep(self, event: UnitVerified) -> None:
        self._partial = None
        self._units[event.release][event.unit] = event.data
        try:
            await asyncio.to_thread(self._store.commit, event.entry.id, event.data)
        except MidstreamError as error:
            self.last_error = error  # a full disk costs the next run, not this one

    def _drop_partial(self) -> None:
        """Bytes that could not be repaired are not worth resuming from."""
        if self._partial is not None:
            self._partial.discard()
        self._partial = None

    async def _pause(self) -> None:
        due = self._session.next_timeout()
        now = time.monotonic()
        await asyncio.sleep(0.05 if due is None else min(max(due - now, 0.005), 0.25))

    def _raise_if_failed(self) -> None:
        if self._session.has_failed:
            raise self.last_error or TrustError(ErrorCode.BAD_HASH, "a unit failed")

    def _entries(self, layer: int | None, release: int | None) -> list[UnitEntry]:
        """The unbroken run of units from the base up that are here."""
        number = self.manifest.release if release is None else release
        held = self._units.get(number, {})
        entries: list[UnitEntry] = []
        for index, entry in enumerate(self._manifests[number].units):
            if index not in held or (layer is not None and entry.layer > layer):
                break
            entries.append(entry)
        if not entries:
            raise UsageError(ErrorCode.BAD_STATE, f"release {number}: its base is not here yet")
        return entries


def _verifier(entry: UnitEntry) -> Callable[[bytes], bool]:
    """Whether bytes are the unit that was signed for."""

    def verify(data: bytes) -> bool:
        leaves = tree.leaves(data, entry.packet_size)
        return len(data) == entry.size and tree.root(leaves) == entry.source_root

    return verify
