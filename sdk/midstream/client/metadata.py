"""Verified manifests over a transport that may lose and damage bytes.

Knows nothing of units. The trust itself is `transport.updater`; this decides where each
signed file comes from: the bundle, the network, or either corrected by its parity.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from midstream import fec
from midstream.client.bridging import Bridge, Get, NotAtHandError, refuse
from midstream.client.keeping import Keeper
from midstream.client.metering import Meter
from midstream.client.reading import Version, read_all, read_version
from midstream.client.threads import in_thread, until_done
from midstream.client.workers import Step, in_worker
from midstream.errors import (
    BitstreamError,
    DataError,
    ErrorCode,
    LimitError,
    RecoveryError,
    StoreError,
    TransportError,
    TrustError,
)
from midstream.limits import LIMITS, Limits
from midstream.transport import Announcement, Transport
from midstream.transport.adapters import AdapterClient, Offer, Wanted
from midstream.transport.channel import version_of
from midstream.transport.fetching import Fetch
from midstream.trust import layout
from midstream.trust.bundle import BundleReader, decompress
from midstream.trust.manifest import Manifest

__all__ = ["MetadataSource", "Seen"]

_GetAdapter = Callable[[Wanted, Transport], Coroutine[Any, Any, bytes]]
Seen = Callable[[Offer], Awaitable[None]]
"""Told of an offer before what is missing of it comes, which may take long."""
_Read = Callable[[], Coroutine[Any, Any, None]]
_T = TypeVar("_T")
_DAMAGED = {ErrorCode.BAD_HASH, ErrorCode.BAD_METADATA, ErrorCode.BAD_SIGNATURE}
"""What damage on the way looks like, which parity may mend."""
_PARITY = ".repair"
_SLACK = 1024
_REFRESHERS = ThreadPoolExecutor(8, thread_name_prefix="midstream-metadata")
"""They wait for the network, which those that decode must not wait for."""
_TIMESTAMP_SIZE = 1 << 14
"""Bytes of a timestamp at most, as the library has it."""
_ROOT_EVERY = 3600.0
"""Seconds after which a poll looks for a newer root, news or not."""


class MetadataSource:
    """Where one network's manifests come from.

    Args:
        transport: Moves the bytes.
        name: The network.
        root: The pinned root, given out of band.
        keeper: Keeps trusted metadata between runs.
        limits: Bounds on what is read.
        clock: Seconds, to know when to look for a newer root.
    """

    def __init__(
        self,
        transport: Transport,
        name: str,
        *,
        root: bytes,
        keeper: Keeper,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._name = name
        self._limits = limits
        self._keeper = keeper
        self._root = root
        self._parts: dict[str, bytes] = {}
        self._unread: _Read | None = None
        self._next_root: str | None = None
        self._timestamp: Version | None = None
        self._asked_anew: Version | None = None
        self._clock = clock
        self._root_looked_for = -math.inf
        self.on_change: Callable[[], None] = lambda: None
        """Called on the loop when metadata has changed."""

    def part(self, path: str) -> bytes | None:
        """A file that came with the bundle, not verified; None where it did not."""
        return self._parts.get(path)

    @property
    def version(self) -> str | None:
        """The timestamp that was verified last, as it is announced; None before one was fetched."""
        return version_of(self._timestamp.data) if self._timestamp else None

    def forget_parts(self) -> None:
        """Let go of the bundle's bytes."""
        self._parts.clear()

    async def earlier(self) -> list[Manifest]:
        """The manifests that earlier runs trusted last, the newest first; two at most."""
        return await in_thread(self._earlier)

    async def first(self) -> Manifest:
        """The newest manifest, in one round trip where the bundle is whole and fresh.

        What the bundle lacks is fetched file by file, and what does not verify is fetched
        once more with its parity. Where an earlier run trusted a release, units may be here
        that the bundle would bring again, so of news the metadata alone is read.

        Raises:
            TrustError: What was found is not signed as it must be.
            TransportError: The origin does not answer.
            StoreError: Trusted metadata can be kept nowhere.
        """
        if await in_thread(self._is_known):
            self._unread = self._read_news
            return await self._refresh(self._get_listed, newer_root=False)
        await self._read_bundle()
        return await self._refresh(self._get, newer_root=False)

    async def newest(self) -> Manifest:
        """The newest manifest by the full client workflow, newer roots included.

        Raises:
            TrustError: What was found is not signed as it must be.
            TransportError: The origin does not answer.
            StoreError: Trusted metadata can be kept nowhere.
        """
        return await self._follow(None, newer_root=True)

    async def poll(self, announced: Announcement | None = None) -> Manifest:
        """The same for one small answer where nothing is new, and for one more where it is.

        The workflow runs over the timestamp at hand then, so that what runs out is noticed;
        newer roots are looked for with any news, and once an hour without.

        Args:
            announced: What was said on a channel.

        Raises:
            TrustError: What was found is not signed as it must be, or what is here ran out.
            TransportError: The origin does not answer.
            StoreError: Trusted metadata can be kept nowhere.
        """
        is_due = self._clock() - self._root_looked_for >= _ROOT_EVERY
        if not is_due and announced is not None and announced.version != self.version:
            before, found = self._timestamp, await self._told(announced)
            if found is not None:
                manifest = await self._take(found, self._get, is_new=True)
                if self._is_later(before):
                    return manifest  # else it may have been said to keep others from being heard
        # an ETag may miss a change, so now and then it is not asked by one
        return await self._follow(None if is_due else self._timestamp, newer_root=is_due)

    def _is_later(self, before: Version | None) -> bool:
        """Whether the timestamp that was verified last is a later one than that before it."""
        now = self._timestamp
        return bool(now and before and _number(now) > _number(before))

    async def _told(self, announced: Announcement) -> Version | None:
        """The timestamp that was announced, with what it leads to; None where it is not to be had.

        News that came with it need not be asked for.
        """
        self._use(decompress(announced.news, limits=self._limits))
        if version_of(self._at_hand) != announced.version:
            await self._read_news()
        if version_of(self._at_hand) != announced.version:
            return None
        return Version(data=self._at_hand, etag=announced.version)

    @property
    def _at_hand(self) -> bytes:
        """The timestamp that came in a bundle, not verified."""
        return self._parts.get(layout.TIMESTAMP_PATH, b"")

    @property
    def _verified(self) -> dict[str, bytes]:
        """The timestamp that was verified last, by its path."""
        return {layout.TIMESTAMP_PATH: self._timestamp.data} if self._timestamp else {}

    async def _follow(self, known: Version | None, *, newer_root: bool) -> Manifest:
        timestamp = await read_version(
            self._transport,
            layout.TIMESTAMP_PATH,
            limit=min(_TIMESTAMP_SIZE, self._limits.metadata_size),
            known=known,
            limits=self._limits,
        )
        self._parts = {layout.TIMESTAMP_PATH: timestamp.data}
        self._unread = self._read_news
        is_new = newer_root or timestamp is not known
        return await self._take(timestamp, self._get_listed, is_new=is_new)

    async def _take(self, timestamp: Version, get: Get, *, is_new: bool) -> Manifest:
        """Run the workflow over a timestamp that came, looking for newer roots where it is new."""
        self._timestamp = self._asked_anew = None  # until it is verified
        newer_root = is_new and await self._has_newer_root()
        manifest = await self._refresh(get, newer_root=newer_root)
        self._timestamp = self._asked_anew or timestamp
        self.forget_parts()
        if is_new:
            self._root_looked_for = self._clock()
            self.on_change()
        return manifest

    async def check_policy(self, policy: str) -> None:
        """Refuse an adapter policy that is not there; raises as `offer` does."""

        async def ask(get: Get, at_hand: Mapping[str, bytes]) -> None:
            def check(client: AdapterClient) -> None:
                client.check_policy(self._name, policy, at_hand=at_hand)

            await self._in_turn(get, check)

        try:
            await ask(self._get, self._verified)
        except TrustError as error:
            if error.code not in _DAMAGED:
                raise
            await ask(self._get_corrected, {})

    async def offer(
        self, policy: str, release: int, meter: Meter, *, seen: Seen | None = None
    ) -> Offer:
        """What an adapter policy may merge into a release; who asks for none pays nothing for it.

        Args:
            policy: The policy's name.
            release: The release's number.
            meter: What adapters may take of the link; it may keep this waiting.
            seen: Told of what is signed for, where adapters are still to come.

        Raises:
            TrustError: There is no such policy, or something is not signed as it must be.
            BitstreamError: The policy is malformed.
            LimitError: Something is too large.
            TransportError: The origin does not answer.
            StoreError: Trusted metadata can be kept nowhere.
        """
        try:
            gets = self._get, self._get_adapter
            return await self._fetch_offer(*gets, policy, release, self._verified, meter, seen)
        except TrustError as error:
            if error.code not in _DAMAGED:
                raise
            gets = self._get_corrected, self._get_adapter_corrected
            return await self._fetch_offer(*gets, policy, release, {}, meter, seen)

    async def _fetch_offer(
        self,
        get: Get,
        get_adapter: _GetAdapter,
        policy: str,
        release: int,
        at_hand: Mapping[str, bytes],
        meter: Meter,
        seen: Seen | None,
    ) -> Offer:
        """What is signed for first; then adapters, while nobody waits for trusted metadata."""
        files = dict(at_hand)

        async def noted(path: str, limit: int) -> bytes:
            data = await get(path, limit)
            if path == layout.TIMESTAMP_PATH:
                files[path] = data  # what it leads to stays the same until the end
            return data

        offer = await self._ask_offer(noted, policy, release, files)
        if offer.missing and seen is not None:
            await seen(offer)
        for wanted in offer.missing:
            with meter.through(self._transport, wanted) as transport:
                files[wanted.path] = await get_adapter(wanted, transport)
        if not offer.missing:
            return offer
        try:
            found = await self._ask_offer(get, policy, release, files)
        except DataError:
            await self._keeper.forget(wanted.id for wanted in offer.missing)
            raise
        await self._keeper.forget(wanted.id for wanted in offer.missing)
        return found

    async def _get_adapter(self, wanted: Wanted, via: Transport) -> bytes:
        """An adapter; what an earlier run left of it is not asked for again [CON-20]."""
        part = await self._keeper.part(wanted.id, wanted.size)
        if len(part.received) == wanted.size:
            return part.received
        limits = self._limits
        return await read_all(via, wanted.path, limit=wanted.size, part=part, limits=limits)

    async def _get_adapter_corrected(self, wanted: Wanted, via: Transport) -> bytes:
        """The same with its parity applied, from its first byte on."""
        return await self._get_corrected(wanted.path, wanted.size, via)

    async def _ask_offer(
        self, get: Get, policy: str, release: int, at_hand: Mapping[str, bytes]
    ) -> Offer:
        def ask(client: AdapterClient) -> Offer:
            return client.offer(self._name, policy, release, at_hand=at_hand)

        return await self._in_turn(get, ask)

    async def _has_newer_root(self) -> bool:
        """Ask for the next root before the workflow does, which would wait for it in its thread."""
        if self._next_root is None:
            return True  # nobody knows; the workflow will ask
        try:
            data = await self._get(self._next_root, self._limits.metadata_size)
        except TransportError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            return False
        self._parts[self._next_root] = data
        return True

    def _is_known(self) -> bool:
        """Whether an earlier run trusted a release; it is looked at again, with all the rest."""
        return bool(self._earlier())

    def _earlier(self) -> list[Manifest]:
        client = self._client(refuse)
        try:
            found = [client.trusted(self._name), client.before(self._name)]
        except StoreError:
            return []
        return [manifest for manifest in found if manifest is not None]

    def _client(self, fetch: Fetch) -> AdapterClient:
        return AdapterClient(
            self._keeper.metadata,
            self._root,
            fetch,
            limits=self._limits,
            is_lasting=self._keeper.keeps_metadata,
            units_here=self._keeper.units_here,
        )

    async def _refresh(self, get: Get, *, newer_root: bool) -> Manifest:
        try:
            return await self._try(get, self._parts, newer_root=newer_root)
        except (BitstreamError, LimitError, TrustError) as error:
            try:
                return await self._try(self._get_corrected, {}, newer_root=True)
            except (BitstreamError, LimitError, TrustError):
                raise error from None  # the first one says what is wrong, not what was tried

    async def _try(self, get: Get, bundle: Mapping[str, bytes], *, newer_root: bool) -> Manifest:
        async def noted(path: str, limit: int) -> bytes:
            data = await get(path, limit)
            if path == layout.TIMESTAMP_PATH:  # in the place of one at hand that was no good
                self._asked_anew = Version(data=data, etag=None)
            return data

        def refresh(client: AdapterClient) -> tuple[Manifest, str | None]:
            found = client.refresh(self._name, bundle=bundle, newer_root=newer_root)
            return found, client.next_root

        manifest, self._next_root = await self._in_turn(noted, refresh, is_at_hand=bool(bundle))
        return manifest

    async def _in_turn(
        self, get: Get, ask: Callable[[AdapterClient], _T], *, is_at_hand: bool = False
    ) -> _T:
        """Once more elsewhere, where the disk does not take what is trusted."""
        try:
            async with self._keeper.metadata_turn():
                return await self._in_job(get, ask, is_at_hand=is_at_hand)
        except StoreError as error:
            await self._keeper.move_metadata(error)
            return await self._in_job(get, ask, is_at_hand=is_at_hand)

    async def _in_job(
        self, get: Get, ask: Callable[[AdapterClient], _T], *, is_at_hand: bool
    ) -> _T:
        if is_at_hand and not self._keeper.keeps_metadata:
            with suppress(NotAtHandError):  # there is something to wait for after all
                return await in_worker(Step.VERIFY, ask, self._client(refuse))
        bridge = Bridge(get)
        job = _REFRESHERS.submit(ask, self._client(bridge.fetch))

        def stop() -> None:
            bridge.end()
            job.cancel()  # where it has not begun

        return await until_done(asyncio.wrap_future(job), stop)

    async def _read_bundle(self) -> None:
        """Take what is in the bundle for the files of those paths, unverified."""
        data = await self._get_if_there(layout.bundle_path(self._name), self._limits.bundle_size)
        self._use(data)

    async def _read_news(self) -> None:
        """The same for what changes with a release."""
        data = await self._get_if_there(layout.news_path(self._name), self._limits.metadata_size)
        self._use(decompress(data, limits=self._limits))

    def _use(self, bundle: bytes) -> None:
        self._unread = None
        self._parts = dict(BundleReader(limits=self._limits).feed(bundle))

    async def _get_if_there(self, path: str, limit: int) -> bytes:
        """A file, or nothing where there is none."""
        try:
            return await self._get(path, limit)
        except TransportError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return b""
            raise

    async def _get(self, path: str, limit: int, via: Transport | None = None) -> bytes:
        return await read_all(via or self._transport, path, limit=limit, limits=self._limits)

    async def _get_listed(self, path: str, limit: int) -> bytes:
        """A file; from the bundle, where more than the timestamp has changed."""
        if path != layout.TIMESTAMP_PATH and not layout.is_root(path):
            if self._unread is not None:
                await self._unread()
            if (data := self._parts.get(path)) is not None and len(data) <= limit:
                return data
        return await self._get(path, limit)

    async def _get_corrected(self, path: str, limit: int, via: Transport | None = None) -> bytes:
        """A file with its parity applied; as it came where there is no parity that helps."""
        data = await self._get(path, limit, via)
        try:
            parity = await self._get(path + _PARITY, 2 * limit + _SLACK, via)
            return fec.correct(data, parity)
        except (TransportError, RecoveryError):
            return data


def _number(timestamp: Version) -> int:
    """The version that a timestamp which was verified gives itself."""
    number: int = json.loads(timestamp.data)["signed"]["version"]
    return number
