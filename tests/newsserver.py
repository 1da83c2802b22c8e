"""The real origin, with a channel for news that does what a test wants."""

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
