"""A transport that loses and damages what another one brings. Knows nothing of its bytes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from midstream.errors import ErrorCode, TransportError
from midstream.origin import Counters, Impairments
from midstream.origin.impairments import Link
from midstream.testing.clock import FakeClock
from midstream.transport import Announcement, Hints, RequestRecord, Response, Transport

__all__ = ["SimulatedLink"]


class SimulatedLink:
    """A bad link before a transport: the same losses and damage as the origin's, without a socket.

    Example::

        clock = FakeClock()
        link = SimulatedLink(MemoryRepository(files), Impairments(loss=0.05), clock=clock)

    Args:
        transport: What brings the bytes.
        impairments: How bad it is.
        clock: Delays and rates move it on; nothing waits for real.
    """

    def __init__(
        self,
        transport: Transport,
        impairments: Impairments,
        *,
        clock: FakeClock | None = None,
    ) -> None:
        self._transport = transport
        self.clock = clock or FakeClock()
        """How much time the link would have taken."""
        self.counters = Counters()
        """What came, and what did not."""
        self.link = Link(
            impairments, counters=self.counters, clock=self.clock, sleep=self.clock.sleep
        )
        """What is done to the bytes."""
        self.trace: list[RequestRecord] = []
        """Every request, in order."""

    @property
    def bytes_received(self) -> int:
        """All bytes that came over the link."""
        return self.counters.bytes_sent

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
    ) -> AsyncIterator["_LinkResponse"]:
        """Ask the transport; see `Transport.fetch`."""
        record = RequestRecord(path=path, start=start, stop=stop, began=self.clock.now)
        self.trace.append(record)
        try:
            await self.link.wait()
            async with self._transport.fetch(
                path,
                start=start,
                stop=stop,
                limit=limit,
                etag=etag,
                if_none_match=if_none_match,
                hints=hints,
            ) as response:
                record.status = response.status
                yield _LinkResponse(link=self.link, record=record, response=response)
        finally:
            record.ended = self.clock.now

    @asynccontextmanager
    async def announcements(self, network: str = "") -> AsyncIterator[AsyncIterator[Announcement]]:
        """What the transport hears; see `Transport.announcements`."""
        async with self._transport.announcements(network) as announced:
            yield announced


@dataclass(slots=True, kw_only=True)
class _LinkResponse:
    link: Link
    record: RequestRecord
    response: Response

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def start(self) -> int:
        return self.response.start

    @property
    def size(self) -> int | None:
        return self.response.size

    @property
    def etag(self) -> str | None:
        return self.response.etag

    async def chunks(self) -> AsyncIterator[bytes]:
        body, error = await _all_that_comes(self.response)
        path, begin = self.record.path, self.start
        stop = begin + self.link.cut(path, len(body))
        size = begin + len(body) if self.size is None else self.size
        for start, end in self.link.pieces(begin, stop):
            piece = body[start - begin : end - begin]
            carried = await self.link.carry(path, start, piece, size=size)
            self.record.received += len(carried)
            yield carried
        if stop < begin + len(body):
            raise TransportError(ErrorCode.SHORT_BODY, f"{path}: the body was cut short")
        if error is not None:
            raise error


async def _all_that_comes(response: Response) -> tuple[bytes, TransportError | None]:
    """A body, and why it ended early if it did."""
    body = bytearray()
    try:
        async for chunk in response.chunks():
            body += chunk
    except TransportError as error:
        return bytes(body), error
    return bytes(body), None
