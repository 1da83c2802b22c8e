"""Verified manifests over a transport that may lose and damage bytes.

Knows nothing of units. The trust itself is `transport.updater`, where files come from is
`client.bundled`; this decides which of them the workflow runs over, and when.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from midstream.client.bridging import Bridge, Get, NotAtHandError, refuse
from midstream.client.bundled import BundledFiles
from midstream.client.keeping import Keeper
from midstream.client.metering import Meter
from midstream.client.offers import Offers, Seen
from midstream.client.reading import Version, read_version
from midstream.client.threads import in_thread, until_done
from midstream.client.workers import Step, in_worker
from midstream.errors import (
    BitstreamError,
    ErrorCode,
    LimitError,
    StoreError,
    TransportError,
    TrustError,
)
from midstream.limits import LIMITS, Limits
from midstream.transport import Announcement, Transport
from midstream.transport.adapters import AdapterClient, Offer
from midstream.transport.channel import version_of
from midstream.transport.fetching import Fetch
from midstream.trust import layout
from midstream.trust.manifest import Manifest

__all__ = ["MetadataSource"]

_T = TypeVar("_T")
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
        self._files = BundledFiles(transport, name, limits=limits)
        self._offers = Offers(
            self._files, keeper, name, transport=transport, limits=limits, in_turn=self._in_turn
        )
        self._next_root: str | None = None
        self._timestamp: Version | None = None
        self._asked_anew: Version | None = None
        self._clock = clock
        self._root_looked_for = -math.inf
        self.on_change: Callable[[], None] = lambda: None
        """Called on the loop when metadata has changed."""

    def part(self, path: str) -> bytes | None:
        """A file that came with the bundle, not verified; None where it did not."""
        return self._files.parts.get(path)

    @property
    def version(self) -> str | None:
        """The timestamp that was verified last, as it is announced; None before one was fetched."""
        return version_of(self._timestamp.data) if self._timestamp else None

    def forget_parts(self) -> None:
        """Let go of the bundle's bytes."""
        self._files.forget()

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
            self._files.expect_news()
            return await self._refresh(self._files.get_listed, newer_root=False)
        await self._files.read_bundle()
        return await self._refresh(self._files.get, newer_root=False)

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
                manifest = await self._take(found, self._files.get, is_new=True)
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
        self._files.take_news(announced.news)
        if version_of(self._at_hand) != announced.version:
            await self._files.read_news()
        if version_of(self._at_hand) != announced.version:
            return None
        return Version(data=self._at_hand, etag=announced.version)

    @property
    def _at_hand(self) -> bytes:
        """The timestamp that came in a bundle, not verified."""
        return self._files.parts.get(layout.TIMESTAMP_PATH, b"")

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
        self._files.begin({layout.TIMESTAMP_PATH: timestamp.data})
        is_new = newer_root or timestamp is not known
        return await self._take(timestamp, self._files.get_listed, is_new=is_new)

    async def _take(self, timestamp: Version, get: Get, *, is_new: bool) -> Manifest:
        """Run the workflow over a timestamp that came, looking for newer roots where it is new."""
        self._timestamp = self._asked_anew = None  # until it is verified
        newer_root = is_new and await self._has_newer_root()
        manifest = await self._refresh(get, newer_root=newer_root)
        self._timestamp = self._asked_anew or timestamp
        self._files.forget()
        if is_new:
            self._root_looked_for = self._clock()
            self.on_change()
        return manifest

    async def check_policy(self, policy: str) -> None:
        """Refuse an adapter policy that is not there; raises as `offer` does."""
        await self._offers.check_policy(policy, self._verified)

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
        return await self._offers.offer(policy, release, meter, at_hand=self._verified, seen=seen)

    async def _has_newer_root(self) -> bool:
        """Ask for the next root before the workflow does, which would wait for it in its thread."""
        if self._next_root is None:
            return True  # nobody knows; the workflow will ask
        try:
            data = await self._files.get(self._next_root, self._limits.metadata_size)
        except TransportError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            return False
        self._files.parts[self._next_root] = data
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
            return await self._try(get, self._files.parts, newer_root=newer_root)
        except (BitstreamError, LimitError, TrustError) as error:
            try:
                return await self._try(self._files.get_corrected, {}, newer_root=True)
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


def _number(timestamp: Version) -> int:
    """The version that a timestamp which was verified gives itself."""
    number: int = json.loads(timestamp.data)["signed"]["version"]
    return number
