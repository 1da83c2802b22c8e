"""Tells who listens that there is a release. Knows nothing of releases (spec/delivery.md, "News").

It looks at one file, the timestamp, which a publisher replaces once the rest is in place.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
from aiohttp import web

from midstream.origin.files import Files
from midstream.transport.channel import CHANNEL, PROTOCOL
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
        self._listeners: set[web.WebSocketResponse] = set()
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
        self._listeners.add(socket)
        try:
            await self._tell(socket)
            async for _ in socket:
                await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION)
        finally:
            self._listeners.discard(socket)
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
                await asyncio.gather(*(self._tell(socket) for socket in list(self._listeners)))

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

    async def _tell(self, socket: web.WebSocketResponse) -> None:
        """Announce the version; one who does not take it is let go."""
        if not self._version:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await socket.send_str(self._version)
        except (ConnectionError, TimeoutError):
            self._listeners.discard(socket)
            await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION)
