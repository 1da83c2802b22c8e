"""What goes over connections, counted byte by byte. Knows nothing of HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["Wire", "metered"]

_CHUNK = 1 << 16


@dataclass(slots=True)
class Wire:
    """What has gone to and fro."""

    url: str = ""
    """Where to connect instead."""
    connections: int = 0
    """That were opened."""
    asked: int = 0
    """Bytes of clients."""
    answered: int = 0
    """Bytes of the server."""
    round_trips: int = 0
    """Times that a client went on after it had heard an answer, or began."""
    open: dict["asyncio.Task[None]", list[asyncio.StreamWriter]] = field(default_factory=dict)
    """Both ends of connections, by what relays them."""

    @property
    def bytes(self) -> int:
        """Both ways together."""
        return self.asked + self.answered


@asynccontextmanager
async def metered(url: str) -> AsyncIterator[Wire]:
    """A relay to a server that counts.

    Args:
        url: The server's address.
    """
    address = urlsplit(url)
    wire = Wire()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "streams make one for each connection"
        wire.connections += 1
        far_reader, far_writer = await asyncio.open_connection(address.hostname, address.port)
        wire.open[task] = [writer, far_writer]
        try:
            await _relay(wire, (reader, far_writer), (far_reader, writer))
        finally:
            for end in wire.open.pop(task):
                end.close()
                with suppress(ConnectionError):
                    await end.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    wire.url = f"http://{host}:{port}{address.path}"
    try:
        yield wire
    finally:
        server.close()
        relays = list(wire.open)
        for ends in wire.open.values():
            for end in ends:
                end.close()
        await asyncio.gather(*relays)


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _relay(wire: Wire, there: _End, back: _End) -> None:
    heard = True

    async def ask() -> None:
        nonlocal heard
        async for data in _all_of(there):
            wire.round_trips += heard
            heard = False
            wire.asked += len(data)

    async def answer() -> None:
        nonlocal heard
        async for data in _all_of(back):
            heard = True
            wire.answered += len(data)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask())
        tasks.create_task(answer())


async def _all_of(end: _End) -> AsyncIterator[bytes]:
    """What comes from one side, after it was passed on; until either side has gone."""
    reader, writer = end
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            yield data
            await writer.drain()
    writer.close()
