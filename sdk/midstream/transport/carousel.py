"""Files off a carousel as if they were fetched, and by another way where it has them not.

Knows nothing of trust: what it gives is verified like the bytes of any server.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

from midstream.errors import DataError, ErrorCode, TransportError
from midstream.limits import LIMITS, Limits
from midstream.session.datagrams import Datagram, ObjectKind
from midstream.session.gathering import Gathered, Gathering
from midstream.transport.completing import Completion
from midstream.transport.hints import Hints
from midstream.transport.patience import Wait
from midstream.transport.protocol import (
    Announcement,
    RequestRecord,
    Response,
    Transport,
    check_path,
    note,
    resolve_range,
)
from midstream.trust import manifest
from midstream.trust.bundle import BundleReader, manifest_in

__all__ = ["CarouselTransport"]

_UNIT = re.compile(r"units/([0-9a-f]{32})")
_BUNDLE = re.compile(r"bundles/(.+)\.bundle")
_ID_SIZE = 8
_MOST_TRIED = 1024
"""Bundles that are opened for one request: a flood of others ends it."""
_TURN = 0.25
"""Seconds between two looks at how it goes; what the system holds is heard before one."""


class CarouselTransport:
    """Bundles and units that come by datagrams, everything else by another transport.

    It only listens: datagrams are put in by `receive`, on the loop.

    Args:
        fallback: What fetches what the carousel does not complete; None where there is nothing.
        limits: Bounds; `carousel_memory`, `carousel_silence`, `read_timeout` and
            `least_throughput` are used here.
        clock: Times of the trace, and of waiting.
    """

    def __init__(
        self,
        fallback: Transport | None = None,
        *,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fallback = fallback
        self._given: set[bytes] = set()
        self._limits = limits
        self._clock = clock
        self._gathering = Gathering(limits=limits)
        self._name = ""
        self._tried = 0
        self._files: Mapping[str, bytes] = {}
        self._changed = asyncio.Event()
        self._heard = clock()
        self._wait = Wait(kind=ObjectKind.BUNDLE, name=None, began=self._heard)
        self._records: list[RequestRecord] = []
        self._received = 0
        self.datagrams = 0
        """Datagrams that were of a carousel."""
        self.refused = 0
        """Datagrams that were damaged, or none of ours."""

    @property
    def trace(self) -> list[RequestRecord]:
        """The last requests, of the other transport too, in order."""
        other = self._fallback.trace if self._fallback else []
        return sorted([*self._records, *other], key=lambda record: record.began)

    @property
    def bytes_received(self) -> int:
        """All bytes that came, whatever they were."""
        return self._received + (self._fallback.bytes_received if self._fallback else 0)

    @property
    def memory(self) -> int:
        """Bytes that symbols take which are not yet an object."""
        return self._gathering.size

    def receive(self, data: bytes) -> None:
        """Take one datagram; one that is damaged counts as lost."""
        self._received += len(data)
        try:
            datagram = Datagram.decode(data, limits=self._limits)
        except DataError:
            self.refused += 1
            return
        self.datagrams += 1
        self._heard = self._clock()
        gathered = self._gathering.receive(datagram)
        if gathered is None:
            return
        self._wait.note(gathered, self._heard)
        if gathered.is_ready and self._wait.is_for(gathered):
            self._changed.set()

    @asynccontextmanager
    async def fetch(
        self,
        path: str,
        *,
        start: int = 0,
        stop: int | None = None,
        limit: int,
        etag: str | None = None,
        if_none_match: str | None = None,
        hints: Hints | None = None,
    ) -> AsyncIterator[Response]:
        """Wait for a file, or ask for it; see `Transport.fetch`.

        Raises (when entered):
            TransportError: As `Transport.fetch` does; TIMEOUT where the carousel is silent and
                there is no other transport.
        """
        check_path(path)
        data = await self._find(path, limit)
        if data is None and self._fallback is not None:
            if (begun := self._begun(path, limit)) is not None:
                async with self._completed(
                    begun, self._fallback, path, start, stop, hints
                ) as response:
                    yield response
                return
            async with self._fallback.fetch(
                path,
                start=start,
                stop=stop,
                limit=limit,
                etag=etag,
                if_none_match=if_none_match,
                hints=hints,
            ) as response:
                yield response
            return
        record = RequestRecord(path=path, start=start, stop=stop, began=self._wait.began)
        note(self._records, record)
        try:
            yield self._answer(record, data, limit)
        finally:
            record.ended = self._clock()

    @asynccontextmanager
    async def announcements(self, network: str = "") -> AsyncIterator[AsyncIterator[Announcement]]:
        """What the other transport hears; see `Transport.announcements`."""
        if self._fallback is None:
            raise TransportError(ErrorCode.NOT_FOUND, "a carousel has no channel for news")
        async with self._fallback.announcements(network) as announced:
            yield announced

    def _answer(self, record: RequestRecord, data: bytes | None, limit: int) -> "_CarouselResponse":
        path = record.path
        if data is None:
            is_carried = _UNIT.fullmatch(path) or _BUNDLE.fullmatch(path)
            code = ErrorCode.TIMEOUT if is_carried else ErrorCode.NOT_FOUND
            raise TransportError(code, f"{path}: the carousel does not bring it")
        first, last = resolve_range(
            path, len(data), start=record.start, stop=record.stop, limit=limit
        )
        record.status = 206 if last - first < len(data) else 200
        record.received = last - first
        return _CarouselResponse(
            status=record.status, start=first, size=len(data), parts=_at_once(data[first:last])
        )

    def _begun(self, path: str, size: int) -> Gathered | None:
        """What came of a unit, where it is of use beside an origin."""
        match = _UNIT.fullmatch(path)
        name = bytes.fromhex(match[1])[:_ID_SIZE] if match else b""
        return None if name in self._given else self._gathering.begun(name, size)

    @asynccontextmanager
    async def _completed(
        self,
        begun: Gathered,
        origin: Transport,
        path: str,
        start: int,
        stop: int | None,
        hints: Hints | None,
    ) -> AsyncIterator[Response]:
        """Some of a unit from its symbols, the rest from the origin; all of it is given once."""
        size = begun.key.size
        first, last = resolve_range(path, size, start=start, stop=stop, limit=size)
        completion = Completion(begun, origin, path, start=first, stop=last, hints=hints)
        async with aclosing(completion.chunks()) as parts:
            yield _CarouselResponse(status=206, start=first, size=size, parts=parts)
        if completion.is_over:
            self._given.add(begun.key.id)
            self._gathering.finish(begun.key)

    async def _find(self, path: str, limit: int) -> bytes | None:
        if match := _UNIT.fullmatch(path):
            return await self._unit(path, bytes.fromhex(match[1])[:_ID_SIZE], limit)
        if match := _BUNDLE.fullmatch(path):
            return await self._next_bundle(match[1])
        if self._fallback is not None:
            return None  # whoever can ask learns from the origin what is newest
        self._tried = 0
        await self._take_bundles()
        return self._files.get(path)

    async def _unit(self, path: str, name: bytes, size: int) -> bytes | None:
        """A unit; one that was given before was no good: a lie, or it was lost elsewhere."""
        if name in self._given and self._fallback is not None:
            return None
        if name not in self._given and (bundled := self._files.get(path)) is not None:
            self._given.add(name)
            return bundled
        self._gathering.pin(name, size)
        self._gathering.again(ObjectKind.UNIT, name)
        self._wait = Wait(kind=ObjectKind.UNIT, name=name, began=self._clock())
        while True:
            self._changed.clear()
            if (gathered := self._gathering.ready(ObjectKind.UNIT, name)) is not None:
                if (data := await self._decode(gathered)) is not None:
                    self._given.add(name)
                    return data
            elif not await self._goes_on():
                return None

    async def _next_bundle(self, name: str) -> bytes | None:
        """The bundle of a network; after one was given, the next one that comes."""
        self._name = name
        self._tried = 0
        self._gathering.again(ObjectKind.BUNDLE)
        self._wait = Wait(kind=ObjectKind.BUNDLE, name=None, began=self._clock())
        while True:
            self._changed.clear()
            if (data := await self._take_bundles()) is not None:
                return data
            if self._tried >= _MOST_TRIED or not await self._goes_on():
                return None

    async def _take_bundles(self) -> bytes | None:
        """Open all bundles that have come; the last one that is of this network."""
        found: bytes | None = None
        while self._tried < _MOST_TRIED:
            gathered = self._gathering.ready(ObjectKind.BUNDLE)
            if gathered is None:
                break
            self._tried += 1
            data = await self._decode(gathered)
            if data is not None and self._opens(gathered, data):
                found = data
        return found

    async def _decode(self, gathered: Gathered) -> bytes | None:
        data = await asyncio.to_thread(gathered.snapshot().decode)
        if data is None:
            gathered.postpone()
        else:
            self._gathering.finish(gathered.key)
        return data

    def _opens(self, gathered: Gathered, data: bytes) -> bool:
        """Whether a bundle is of this network; what it lists says which units to gather.

        That is a hint and no trust: units that the signed manifest names are pinned anyway.
        """
        if hashlib.sha256(data).digest()[:_ID_SIZE] != gathered.key.id:
            return False
        files = dict(BundleReader(limits=self._limits).feed(data))
        listed = manifest_in(files, self._name)
        if listed is None:
            return False
        try:
            units = manifest.decode(listed, limits=self._limits).units
        except DataError:
            return False
        self._files = files
        self._gathering.prefer(entry.source_root[:_ID_SIZE] for entry in units)
        return True

    async def _goes_on(self) -> bool:
        """Wait for a change; False where the carousel is silent or too slow."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TURN):
                await self._changed.wait()
        now = self._clock()
        is_silent = now - self._heard > self._limits.carousel_silence
        return not is_silent and not self._wait.is_hopeless(now, self._limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CarouselResponse:
    status: int
    start: int
    size: int
    parts: AsyncIterator[bytes]
    etag: str | None = None

    def chunks(self) -> AsyncIterator[bytes]:
        return self.parts


async def _at_once(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
