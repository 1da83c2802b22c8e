"""Tells who listens that there is a release. Knows nothing of releases (spec/delivery.md, "News").

It looks at one file, the timestamp, which a publisher replaces once the rest is in place. With the
version of a new one it sends the file of news of the network that a listener named.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
from aiohttp import web

from midstream.origin.files import Files
from midstream.transport.channel import CHANNEL, LARGEST_NEWS, NETWORK, PROTOCOL, with_news
from midstream.transport.threads import open_in_thread
from midstream.trust import layout

__all__ = ["add_channel"]

_LOOK = 0.02
"""Seconds between two looks at the file."""
_HEARTBEAT = 30.0
"""Seconds between two signs of life that a listener is asked for."""
_FROM_LISTENERS = 128
"""Bytes of a message from a listener, at most; they have nothing to say."""
_MOST_LISTENERS = 512
"""At once; the other connections of a port are for files."""
_PATIENCE = 1.0
"""Seconds that a listener has to take an announcement, or a goodbye."""


def add_channel(app: web.Application, files: Files) -> None:
    """Have an application announce the releases of a folder."""
    channel = _Channel(files)
    app.cleanup_ctx.append(channel.watching)
    app.on_shutdown.append(channel.say_goodbye)
    app.router.add_get(f"/{CHANNEL}", channel.handle)


class _Channel:
    """All who listen for news of one folder.

    Args:
        files: The folder's files.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._listeners: dict[web.WebSocketResponse, str] = {}
        self._version = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Let a client listen, until it leaves."""
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,),
            heartbeat=_HEARTBEAT,
            timeout=_PATIENCE,
            compress=False,
            max_msg_size=_FROM_LISTENERS,
        )
        if not socket.can_prepare(request).ok:
            return web.Response(status=426, headers={"Upgrade": "websocket"})
        if len(self._listeners) >= _MOST_LISTENERS:
            return web.Response(status=503, headers={"Retry-After": "60"})
        await socket.prepare(request)
        self._listeners[socket] = request.query.get(NETWORK, "")
        try:
            await self._tell(socket, self._version)
            async for _ in socket:
                await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION)
        finally:
            self._listeners.pop(socket, None)
        return socket

    async def watching(self, _: web.Application) -> AsyncIterator[None]:
        """Look at the file as long as the application runs."""
        self._version = await self._look()
        watch = asyncio.create_task(self._watch())
        yield
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch  # an error that ended it early is told

    async def say_goodbye(self, _: web.Application) -> None:
        """Let all listeners go; they come back by and by."""
        code = aiohttp.WSCloseCode.GOING_AWAY
        await asyncio.gather(*(socket.close(code=code) for socket in list(self._listeners)))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            version = await self._look()
            if version and version != self._version:
                self._version = version
                await self._tell_all(version)

    async def _look(self) -> str:
        """What tells versions of the file apart; nothing where there is none to be had now."""
        try:
            file = await open_in_thread(self._files.open, layout.TIMESTAMP_PATH)
        except OSError:  # too many files are open: the next look may see it
            return ""
        if file is None:
            return ""
        file.close()
        return file.etag

    async def _tell_all(self, version: str) -> None:
        """Announce a new version, to each with the news of its network."""
        listeners = list(self._listeners.items())
        names = {name for _, name in listeners}
        news = {name: await asyncio.to_thread(self._read_news, name) for name in names}
        await asyncio.gather(
            *(self._tell(socket, version, news[name]) for socket, name in listeners)
        )

    def _read_news(self, name: str) -> bytes:
        """A network's news; nothing where there are none to be had, or too many."""
        try:
            file = self._files.open(layout.news_path(name)) if layout.is_name(name) else None
        except OSError:  # too many files are open: who listens will ask for it
            return b""
        if file is None:
            return b""
        try:
            return file.read(0, file.size) if file.size <= LARGEST_NEWS else b""
        finally:
            file.close()

    async def _tell(self, socket: web.WebSocketResponse, version: str, news: bytes = b"") -> None:
        """Announce a version; one who does not take it is let go."""
        if not version:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                if news:
                    await socket.send_bytes(with_news(version, news))
                else:
                    await socket.send_str(version)
        except (ConnectionError, TimeoutError):
            self._listeners.pop(socket, None)
            await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION)
