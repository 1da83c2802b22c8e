"""A WebSocket on which an origin says that something is new. Knows nothing of what it is.

What is said there is a hint, and never trusted (spec/delivery.md, "News").
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Never

import aiohttp

from midstream.errors import ErrorCode, TransportError
from midstream.limits import Limits

__all__ = ["ANNOUNCEMENT", "CHANNEL", "PROTOCOL", "open_channel", "version_of"]

CHANNEL = "news"
"""Where the channel is, below the repository's address."""
PROTOCOL = "midstream.news.0"
"""What is spoken on it (RFC 6455 1.9)."""
ANNOUNCEMENT = 128
"""Bytes that an announcement may have."""
_FAREWELL = 0.5
"""Seconds that an origin has to say goodbye."""


def version_of(timestamp: bytes) -> str:
    """What is announced of a timestamp: half of its SHA-256, as an ETag has it."""
    return f'"{hashlib.sha256(timestamp).hexdigest()[:32]}"'


@asynccontextmanager
async def open_channel(
    client: aiohttp.ClientSession, url: str, *, headers: Mapping[str, str], limits: Limits
) -> AsyncIterator[AsyncIterator[str]]:
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
                max_msg_size=ANNOUNCEMENT,
            )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _translated(error) from error
    if socket.protocol != PROTOCOL:
        await socket.close()
        raise TransportError(ErrorCode.NOT_FOUND, f"{CHANNEL}: does not speak {PROTOCOL}")
    return socket


async def _heard(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[str]:
    """Announcements; what is none ends it, as silence beyond the heartbeat does."""
    # RFC 6455 5.5.2: a ping is answered, and whoever sent it may have gone
    with suppress(aiohttp.ClientError, OSError):
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            yield message.data


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
