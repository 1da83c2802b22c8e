"""What a session asks for, one request at a time. Knows nothing of why, or of releases."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from midstream.client.keeping import Keeper
from midstream.client.marking import Marks
from midstream.client.sharing import Seat
from midstream.client.threads import in_thread
from midstream.errors import MidstreamError, TransportError
from midstream.session import Purpose, Request, Session
from midstream.session.assembly import Assembly
from midstream.transport import Hints, RequestRecord, Transport

__all__ = ["Fetcher", "busy_spans"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_CHECK_ON_LOOP = 1 << 16
"""Bytes up to which a unit is hashed on the event loop; larger ones go to a thread."""


class Fetcher:
    """Moves bytes from a transport into a session, and into what keeps them.

    Args:
        transport: Where they come from.
        session: What asks for them.
        keeper: What keeps those of the unit under way.
        seat: Its place at the link.
        marks: What requests say of themselves; None for nothing.
    """

    def __init__(
        self,
        transport: Transport,
        session: Session,
        keeper: Keeper,
        *,
        seat: Seat,
        marks: Marks | None,
    ) -> None:
        self.free = asyncio.Lock()
        """Held by who has the session: a thread may be at work on it while another task waits."""
        self._transport = transport
        self._session = session
        self._keeper = keeper
        self._seat = seat
        self._marks = marks

    @property
    def arrived(self) -> int:
        """Bytes of the unit under way that the session may have to look at."""
        assembly = self._session.assembly
        return assembly.received.total if assembly else 0

    async def on_session(
        self, size: int, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Have the session look at so many bytes; it is in a thread where they are many."""
        async with self.free:
            if size <= _CHECK_ON_LOOP:
                return function(*args, **kwargs)
            return await in_thread(function, *args, **kwargs)

    async def resume(self, assembly: Assembly) -> int:
        """Give the unit under way what an earlier run received; says how much that is."""
        before = assembly.received.total
        for start, data in await self._keeper.resume(assembly.entry):
            assembly.restore(start, data)
        return assembly.received.total - before

    async def perform(self, request: Request) -> None:
        """Make a request in one's turn; what comes of it, an error too, the session is told."""
        started = time.monotonic()
        received = 0
        is_left = False
        error: MidstreamError | None = None
        try:
            async with self._transport.fetch(
                request.path,
                start=request.start,
                stop=request.stop,
                limit=request.total,
                hints=self._hints(started),
            ) as response:
                offset = response.start
                async for chunk in response.chunks():
                    await self._take(request, offset, chunk)
                    offset += len(chunk)
                    received += len(chunk)
                    is_left = self._session.sends_parts and self._seat.is_over
                    if is_left or not self._session.wants(request, time.monotonic()):
                        break  # what came is not asked for again
        except TransportError as cut:
            error = cut
        now = time.monotonic()
        self._session.estimator.add(received, now - started)
        if is_left:
            await self.on_session(request.total, self._session.leave_request, request, now)
            return
        await self.on_session(request.total, self._session.finish_request, request, now, error)

    async def _take(self, request: Request, offset: int, chunk: bytes) -> None:
        self._seat.spend(len(chunk))
        is_new = self._session.receive_data(request, offset, chunk)
        if is_new and request.purpose is Purpose.BODY:
            await self._keeper.write(offset, chunk)

    def _hints(self, now: float) -> Hints | None:
        session = self._session
        if self._marks is None or session.assembly is None:
            return None
        return self._marks.hints(
            session.assembly.entry,
            link=session.link,
            within=session.within(now),
            is_first=not session.runs,
        )


def busy_spans(
    trace: Sequence[RequestRecord], *, since: float, now: float
) -> list[tuple[float, float]]:
    """When requests were under way, one after the other, what touches put together.

    Args:
        trace: The requests.
        since: Spans that ended before are left out.
        now: Where those end that are still under way.
    """
    spans: list[tuple[float, float]] = []
    # one that is under way has no end yet
    ends = sorted((record.began, record.ended or now) for record in trace)
    for began, ended in ends:
        if spans and began <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], ended)
        else:
            spans.append((began, ended))
    return [span for span in spans if span[1] >= since]
