"""A WebSocket on which an origin says that something is new. Knows nothing of what it is.

What is said there is never trusted (spec/delivery.md, "The channel").
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Never

import aiohttp

from midstream.errors import ErrorCode, TransportError
from midstream.limits import Limits
from midstream.transport.protocol import Announcement

__all__ = [
    "ANNOUNCEMENT",
    "CHANNEL",
    "LARGEST_NEWS",
    "NETWORK",
    "PROTOCOL",
    "open_channel",
    "version_of",
    "with_news",
]

CHANNEL = "news"
"""Where the channel is, below the repository's address."""
PROTOCOL = "midstream.news.0"
"""What is spoken on it (RFC 6455 1.9)."""
NETWORK = "network"
"""What names in the channel's query whose news may come with announcements."""
ANNOUNCEMENT = 128
"""Characters that an announcement may have."""
LARGEST_NEWS = 1 << 16
"""Bytes that a file of news may have to come with one; a larger one is fetched."""
_VERSION = 34
"""Bytes of a version: an ETag with its quotes."""
_FAREWELL = 0.5
"""Seconds that an origin has to say goodbye."""


def version_of(timestamp: bytes) -> str:
    """What is announced of a timestamp: half of its SHA-256, as an ETag has it."""
    return f'"{hashlib.sha256(timestamp).hexdigest()[:32]}"'


def with_news(version: str, news: bytes) -> bytes:
    """An announcement that its news go with."""
    return version.encode("ascii") + news


@asynccontextmanager
async def open_channel(
    client: aiohttp.ClientSession, url: str, *, headers: Mapping[str, str], limits: Limits
) -> AsyncIterator[AsyncIterator[Announcement]]:
    """Open an origin's channel; gives what is said on it, until it breaks.

    Args:
        client: Its connections are used.
        url: The channel's address, http or https.
        headers: Sent with the request.
        limits: `connect_timeout` and `heartbeat` are used here.

    Raises:
        TransportError: NOT_FOUND where there is none, BAD_STATUS, TIMEOUT or UNREACHABLE.
    """
    # a session of its own, since only a whole session can be told not to follow redirects
    async with aiohttp.ClientSession(
        connector=client.connector,
        connector_owner=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[_without_redirects()],
    ) as session:
        socket = await _connect(session, url, headers, limits)
        try:
            yield _heard(socket)
        finally:
            await socket.close()


async def _connect(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], limits: Limits
) -> aiohttp.ClientWebSocketResponse:
    try:
        async with asyncio.timeout(limits.connect_timeout):
            socket = await session.ws_connect(
                url,
                protocols=(PROTOCOL,),
                headers=headers,
                heartbeat=limits.heartbeat,
                timeout=aiohttp.ClientWSTimeout(ws_close=_FAREWELL),
                max_msg_size=_VERSION + LARGEST_NEWS + 1,  # it refuses what has so many
            )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _translated(error) from error
    if socket.protocol != PROTOCOL:
        await socket.close()
        raise TransportError(ErrorCode.NOT_FOUND, f"{CHANNEL}: does not speak {PROTOCOL}")
    return socket


async def _heard(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[Announcement]:
    """Announcements; what is none ends it, as silence beyond the heartbeat does."""
    # RFC 6455 5.5.2: a ping is answered, and whoever sent it may have gone
    with suppress(aiohttp.ClientError, OSError):
        async for message in socket:
            announcement = _announcement(message)
            if announcement is None:
                return
            yield announcement


def _announcement(message: aiohttp.WSMessage) -> Announcement | None:
    if message.type is aiohttp.WSMsgType.TEXT and len(message.data) <= ANNOUNCEMENT:
        return Announcement(version=message.data)
    if message.type is aiohttp.WSMsgType.BINARY and len(message.data) >= _VERSION:
        version, news = message.data[:_VERSION], message.data[_VERSION:]
        return Announcement(version=version.decode("latin-1"), news=news)
    return None


def _without_redirects() -> aiohttp.TraceConfig:
    async def refuse(*_: object) -> Never:
        raise TransportError(
            ErrorCode.BAD_STATUS, f"{CHANNEL}: a redirect, and redirects are not followed"
        )

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


def _translated(error: Exception) -> TransportError:
    """The error of ours for one of aiohttp's."""
    if isinstance(error, TimeoutError):
        return TransportError(ErrorCode.TIMEOUT, f"{CHANNEL}: the origin does not answer in time")
    if isinstance(error, aiohttp.WSServerHandshakeError):
        if error.status >= 500:
            return TransportError(ErrorCode.BAD_STATUS, f"{CHANNEL}: status {error.status}")
        return TransportError(
            ErrorCode.NOT_FOUND, f"{CHANNEL}: the origin has none ({error.status})"
        )
    reason = str(error)[:200] or type(error).__name__
    return TransportError(ErrorCode.UNREACHABLE, f"{CHANNEL}: {reason}")
