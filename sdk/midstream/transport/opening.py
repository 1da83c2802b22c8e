"""From an address to a transport. Knows nothing of what is fetched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

import aiohttp

from midstream.errors import ErrorCode, UsageError
from midstream.limits import LIMITS, Limits
from midstream.transport.folder import FolderTransport
from midstream.transport.http import HttpTransport
from midstream.transport.protocol import Transport

__all__ = ["open_transport"]

_KEPT_OPEN = 75.0
"""Seconds that an idle connection is kept: a poll a minute needs no other."""


@asynccontextmanager
async def open_transport(url: str | Path, *, limits: Limits = LIMITS) -> AsyncIterator[Transport]:
    """A transport for a repository's address: http, https, file, or a folder's path.

    Raises:
        UsageError: BAD_URL where it makes no sense, or there is no such folder.
    """
    text = str(url)
    scheme, separator, rest = text.partition("://")
    if not separator:
        yield FolderTransport(_folder(text))
    elif scheme.lower() == "file":
        yield FolderTransport(_folder(unquote(rest.removeprefix("localhost"))))
    elif scheme.lower() in ("http", "https"):
        # what a server says of a request is not told to the next one
        jar = aiohttp.DummyCookieJar()
        pool = aiohttp.TCPConnector(keepalive_timeout=_KEPT_OPEN)
        async with aiohttp.ClientSession(
            auto_decompress=False, cookie_jar=jar, connector=pool
        ) as client:
            yield HttpTransport(text, client, limits=limits)
    else:
        raise UsageError(
            ErrorCode.BAD_URL, f"{text[:200]!r}: expected an http(s) address or a folder"
        )


def _folder(text: str) -> Path:
    folder = Path(text)
    try:
        is_there = folder.is_dir()
    except OSError:  # a name that is too long, a folder that may not be looked into
        is_there = False
    if not text or not is_there:
        raise UsageError(ErrorCode.BAD_URL, f"{text[:200]!r}: there is no such folder")
    return folder
