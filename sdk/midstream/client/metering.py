"""Adapters that count as model bytes: they come in turns, within what the player allows.

Knows nothing of what is in them, or why they are wanted.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from midstream.client.events import AdapterChosen
from midstream.client.marking import Marks
from midstream.client.sharing import Seat, SharedLink
from midstream.errors import ErrorCode, TransportError
from midstream.session import Choice, Event, Policy, Wait
from midstream.session.scheduler import choose_adapter
from midstream.transport import Hints, RequestRecord, Response, Transport
from midstream.transport.adapters import Wanted

__all__ = ["Meter"]


class Meter:
    """What adapters of one client may take of a link.

    Args:
        link: The link.
        policy: What the player allows.
        weight: Share of the link's bytes, against those of others.
        marks: What requests say of themselves; None for nothing.
        tell: Told of what is fetched, and why.
    """

    def __init__(
        self,
        link: SharedLink,
        policy: Policy,
        *,
        weight: float,
        marks: Marks | None,
        tell: Callable[[Event], None],
    ) -> None:
        self._link = link
        self._policy = policy
        self._weight = weight
        self._marks = marks
        self._tell = tell
        self.wait: Wait | None = None
        """Why nothing is fetched now, where something is wanted."""

    @contextmanager
    def through(self, transport: Transport, wanted: Wanted) -> Iterator[Transport]:
        """A transport for one adapter: it waits until bytes of it may come, and counts them."""
        stirred = asyncio.Event()
        seat = self._link.join(self._weight, stirred.set)
        try:
            yield _Metered(self, transport, wanted, seat, stirred)
        finally:
            self.wait = None
            seat.leave()

    def choose(self, wanted: Wanted, received: int) -> Choice | None:
        """Why an adapter is gone on with, which is told; None where it may not be now."""
        allowance = self._link.allowance
        found = choose_adapter(
            wanted.provider,
            release=wanted.release,
            size=wanted.size,
            received=received,
            allowance=allowance,
            policy=self._policy,
        )
        self.wait = found if isinstance(found, Wait) else None
        if isinstance(found, Wait):
            return None
        self._tell(AdapterChosen(provider=wanted.provider, choice=found))
        return found

    def room(self) -> float:
        """Bytes that may come now."""
        return self._link.allowance.room(self._policy)

    def is_held(self) -> bool:
        """Whether no more may come now."""
        return self._link.allowance.hold(self._policy) is not None

    def spend(self, size: int) -> None:
        """Note bytes down that came."""
        self._link.allowance.spend(size)

    def hints(self) -> Hints | None:
        """What a request says of itself."""
        return None if self._marks is None else self._marks.later(self._link.allowance.link)


class _Metered:
    """A transport of one adapter, and of its parity; whoever reads goes on where a part ended."""

    def __init__(
        self, meter: Meter, transport: Transport, wanted: Wanted, seat: Seat, stirred: asyncio.Event
    ) -> None:
        self._meter = meter
        self._transport = transport
        self._wanted = wanted
        self._seat = seat
        self._stirred = stirred
        self.announcements = transport.announcements

    @property
    def bytes_received(self) -> int:
        return self._transport.bytes_received

    @property
    def trace(self) -> list[RequestRecord]:
        return self._transport.trace

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
        """Ask for what may come now, in one's turn."""
        async with await self._turn(start):
            room = self._meter.room()
            most = None if math.isinf(room) else start + math.floor(room)
            async with self._transport.fetch(
                path,
                start=start,
                stop=most if stop is None else stop,
                limit=limit,
                etag=etag,
                if_none_match=if_none_match,
                hints=hints or self._meter.hints(),
            ) as response:
                yield _Counted(response, path, self._meter, self._seat)

    async def _turn(self, received: int) -> AsyncExitStack:
        """A turn in which bytes may come; others may have taken them while it was waited for."""
        while True:
            choice = await self._chosen(received)
            async with AsyncExitStack() as turn:
                await turn.enter_async_context(self._seat.turn(worth=choice.worth, is_first=False))
                if not self._meter.is_held():
                    return turn.pop_all()

    async def _chosen(self, received: int) -> Choice:
        while (choice := self._meter.choose(self._wanted, received)) is None:
            await self._stirred.wait()
            self._stirred.clear()
        return choice


class _Counted:
    """An answer whose bytes are counted; it is cut short where no more may come.

    Args:
        response: The answer.
        path: What it is of.
        meter: What counts.
        seat: Whose turn it is.
    """

    def __init__(self, response: Response, path: str, meter: Meter, seat: Seat) -> None:
        self._response = response
        self._path = path
        self._meter = meter
        self._seat = seat
        self.status, self.start = response.status, response.start
        self.size, self.etag = response.size, response.etag

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it comes."""
        offset = self.start
        sends_parts = self.status != 200
        async for chunk in self._response.chunks():
            self._seat.spend(len(chunk))
            self._meter.spend(len(chunk))
            offset += len(chunk)
            yield chunk
            if sends_parts and (self._meter.is_held() or self._seat.is_over):
                break
        if self.size is not None and offset < self.size and sends_parts:
            raise TransportError(
                ErrorCode.SHORT_BODY, f"{self._path}: {offset} of {self.size} bytes may come now"
            )
