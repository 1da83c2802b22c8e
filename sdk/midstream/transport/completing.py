"""A unit that a carousel began, completed by ranges of what an origin has.

Knows nothing of datagrams, nor of trust: what it gives is verified like the bytes of any server.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from midstream.errors import ErrorCode, TransportError
from midstream.fec import grids
from midstream.session.gathering import Gathered
from midstream.session.remainder import remainder
from midstream.transport.hints import Hints
from midstream.transport.protocol import Transport

__all__ = ["Completion"]


class Completion:
    """Bytes [start, stop) of a unit, some of whose symbols came.

    Args:
        gathered: The symbols; those that are fetched are added to them.
        origin: What is asked for the others.
        path: Where the unit is.
        start: First byte.
        stop: One past the last.
        hints: What the origin may know of the requests.
    """

    def __init__(
        self,
        gathered: Gathered,
        origin: Transport,
        path: str,
        *,
        start: int,
        stop: int,
        hints: Hints | None = None,
    ) -> None:
        self._gathered = gathered
        self._key = gathered.key
        self._grid = gathered.key.grid
        self._origin = origin
        self._path = path
        self._hints = hints
        self._at = start
        self._stop = stop
        self._counts_on_joint = True
        self._plan: list[tuple[int, int]] = []
        self._add_padding()

    @property
    def is_over(self) -> bool:
        """Whether all was given."""
        return self._at == self._stop

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes, in order. An empty chunk says that some came which are not next.

        Raises (while iterating):
            TransportError: As the origin's `fetch` and its answers do, once a request brings
                nothing new.
        """
        while self._at < self._stop:
            if data := await self._next():
                yield data
            elif span := self._next_span():
                async with aclosing(self._fetch(*span)) as arriving:
                    async for nothing in arriving:
                        yield nothing
            else:
                yield await self._solved()

    async def _next(self) -> bytes | None:
        """What follows, to the end of its block; None where it is not known yet."""
        size = self._key.symbol_size
        row, inside = divmod(self._at, self._grid.source * size)
        begin = self._at - inside
        stop = min(self._stop, begin + self._grid.source * size)
        symbols = self._gathered.rows.get(row, {})
        columns = range(inside // size, -(-(stop - begin) // size))
        if all(column in symbols for column in columns):
            first, data = columns.start, b"".join(symbols[column] for column in columns)
        elif len(symbols) == self._grid.source:
            first, data = 0, await asyncio.to_thread(grids.decode_row, dict(symbols), self._grid)
        else:
            return None
        data = data[inside - first * size : stop - begin - first * size]
        self._at = stop
        return data

    def _next_span(self) -> tuple[int, int] | None:
        """The next range to ask for."""
        if not self._plan:
            self._plan = remainder(
                self._gathered, self._at, self._stop, joint=self._counts_on_joint
            )
        return self._plan.pop(0) if self._plan else None

    async def _fetch(self, first: int, last: int) -> AsyncGenerator[bytes, None]:
        """Add the symbols of a range; an empty chunk for each of them that came."""
        before = self._gathered.symbols
        try:
            async with self._origin.fetch(
                self._path, start=first, stop=last, limit=self._key.size, hints=self._hints
            ) as response:
                at, rest = response.start, b""
                async for chunk in response.chunks():
                    at, rest = self._take(at, rest + chunk)
                    yield b""
        except TransportError:
            self._plan = []  # what is missing now is another question
            if self._gathered.symbols == before:
                raise
        if self._gathered.symbols == before:
            raise TransportError(
                ErrorCode.SHORT_BODY, f"{self._path}: nothing new in bytes {first} to {last}"
            )

    def _take(self, at: int, data: bytes) -> tuple[int, bytes]:
        """Add the symbols that are whole; gives what is left, and where it belongs."""
        size, end = self._key.symbol_size, self._key.size
        used = 0
        while len(data) - used >= size or (used < len(data) and at + len(data) - used == end):
            symbol = data[used : used + size]
            self._add(at // size, symbol.ljust(size, b"\0"))
            at, used = at + len(symbol), used + len(symbol)
        return at, data[used:]

    def _add(self, index: int, symbol: bytes) -> None:
        row, column = divmod(index, self._grid.source)
        self._gathered.add(row, column, symbol)

    def _add_padding(self) -> None:
        """Nobody needs to send the zeros behind an object's end."""
        size = self._key.symbol_size
        for index in range(-(-self._key.size // size), self._grid.blocks * self._grid.source):
            self._add(index, bytes(size))

    async def _solved(self) -> bytes:
        """What is left, by joint symbols; nothing where these do not suffice after all."""
        assert self._counts_on_joint, "all that is needed was asked for"
        data = await asyncio.to_thread(self._gathered.snapshot().decode)
        if data is None:
            self._counts_on_joint = False
            return b""
        first, self._at = self._at, self._stop
        return data[first : self._stop]
