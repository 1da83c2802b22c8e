"""The real origin, with a channel for news that does what a test wants, lies included."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from midstream.origin import create_app
from midstream.transport.channel import CHANNEL, PROTOCOL

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]
"""What is said on a channel; it breaks when this ends."""


@dataclass
class NewsServer:
    """Where it listens, and what it was asked."""

    talk: Talk | None
    """None for an origin without a channel."""
    url: str = ""
    opened: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released for each attempt to open the channel."""
    polled: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released for each request for the timestamp."""
    statuses: list[int] = field(default_factory=list)
    """What those were answered with."""
    peers: set[object] = field(default_factory=set)
    """The connections that files were asked for on."""
    costs: list[int] = field(default_factory=list)
    """Bytes of the heads of those requests for the timestamp."""

    async def polls(self, number: int) -> None:
        """Wait for so many more requests for the timestamp."""
        for _ in range(number):
            await self.polled.acquire()

    @web.middleware
    async def handle(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Answer as the origin does, but for the channel."""
        if request.path == f"/{CHANNEL}":
            return await self._channel(request)
        response = await handler(request)
        self.peers.add(request.transport)
        if request.path.endswith("/timestamp.json"):
            self.statuses.append(response.status)
            head = f"GET {request.raw_path} HTTP/1.1\r\n\r\n"
            fields = sum(len(name) + len(value) + 4 for name, value in request.raw_headers)
            self.costs.append(len(head) + fields)
            self.polled.release()
        return response

    async def _channel(self, request: web.Request) -> web.StreamResponse:
        self.opened.release()
        if self.talk is None:
            return web.Response(status=404)
        socket = web.WebSocketResponse(protocols=(PROTOCOL,), timeout=0.1)
        await socket.prepare(request)
        await self.talk(socket)
        await socket.close()
        return socket


@asynccontextmanager
async def news_server(folder: Path, talk: Talk | None = None) -> AsyncIterator[NewsServer]:
    """Serve a folder."""
    server = NewsServer(talk)
    app = create_app(folder)
    app.middlewares.append(server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = "http://{}:{}".format(*runner.addresses[0])
        yield server
    finally:
        await runner.cleanup()


async def forge(socket: web.WebSocketResponse) -> None:
    """Announce what is not there, again and again."""
    for number in range(20):
        await socket.send_str(f'"{number}"')
    await socket.receive()


async def say_nothing(socket: web.WebSocketResponse) -> None:
    """Keep the channel open."""
    await socket.receive()


async def hear_nothing(socket: web.WebSocketResponse) -> None:
    """Keep the connection open, and answer no ping."""
    assert socket._req is not None
    assert socket._req.transport is not None
    socket._req.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(15)


async def hang_up(socket: web.WebSocketResponse) -> None:
    """Break at once."""
    assert socket._req is not None
    assert socket._req.transport is not None
    socket._req.transport.abort()  # type: ignore[attr-defined]


async def talk_long(socket: web.WebSocketResponse) -> None:
    """Say more than an announcement may have."""
    await socket.send_str("x" * 129)
    await socket.receive()


async def talk_bytes(socket: web.WebSocketResponse) -> None:
    """Say news, and of no version."""
    await socket.send_bytes(b"news")
    await socket.receive()


async def talk_news(socket: web.WebSocketResponse) -> None:
    """Say more than news may have with an announcement."""
    await socket.send_bytes(bytes((1 << 16) + 35))
    await socket.receive()
