"""From addresses to a transport. Knows nothing of what is fetched."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

import aiohttp

from midstream.errors import ErrorCode, UsageError
from midstream.limits import LIMITS, Limits
from midstream.transport.carousel import CarouselTransport
from midstream.transport.datagrams import SCHEME, Address, open_inlet
from midstream.transport.folder import FolderTransport
from midstream.transport.http import HttpTransport
from midstream.transport.protocol import Transport

__all__ = ["open_transport"]

_KEPT_OPEN = 75.0
"""Seconds that an idle connection is kept: a poll a minute needs no other."""


@asynccontextmanager
async def open_transport(
    url: str | Path, *, carousel: str | None = None, limits: Limits = LIMITS
) -> AsyncIterator[Transport]:
    """A transport for a repository's address: http, https, udp, file, or a folder's path.

    Args:
        url: The repository's address; `udp://ADDRESS:PORT` where there is but a carousel.
        carousel: Where a carousel of the same repository is heard; the address above is then
            for what it does not bring.
        limits: Bounds on what is read.

    Raises:
        UsageError: BAD_URL where an address makes no sense, or there is no such folder.
        UnavailableError: UNREACHABLE where this machine cannot listen there.
    """
    text = str(url)
    async with AsyncExitStack() as stack:
        if carousel is None and text.startswith(SCHEME):
            yield await _listen(stack, text, None, limits)
            return
        transport = await _open(stack, text, limits)
        if carousel is not None:
            transport = await _listen(stack, carousel, transport, limits)
        yield transport


async def _listen(
    stack: AsyncExitStack, text: str, fallback: Transport | None, limits: Limits
) -> Transport:
    transport = CarouselTransport(fallback, limits=limits)
    await stack.enter_async_context(open_inlet(Address.parse(text), transport.receive))
    return transport


async def _open(stack: AsyncExitStack, text: str, limits: Limits) -> Transport:
    scheme, separator, rest = text.partition("://")
    if not separator:
        return FolderTransport(_folder(text))
    if scheme.lower() == "file":
        return FolderTransport(_folder(unquote(rest.removeprefix("localhost"))))
    if scheme.lower() in ("http", "https"):
        # what a server says of a request is not told to the next one
        jar = aiohttp.DummyCookieJar()
        pool = aiohttp.TCPConnector(keepalive_timeout=_KEPT_OPEN)
        client = aiohttp.ClientSession(auto_decompress=False, cookie_jar=jar, connector=pool)
        return HttpTransport(text, await stack.enter_async_context(client), limits=limits)
    raise UsageError(ErrorCode.BAD_URL, f"{text[:200]!r}: expected an http(s) address or a folder")


def _folder(text: str) -> Path:
    folder = Path(text)
    try:
        is_there = folder.is_dir()
    except OSError:  # a name that is too long, a folder that may not be looked into
        is_there = False
    if not text or not is_there:
        raise UsageError(
            ErrorCode.BAD_URL,
            f"{text[:200]!r}: there is no such folder; an address begins with http://",
        )
    return folder
