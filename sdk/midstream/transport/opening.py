"""From an address to a transport. Knows nothing of what is fetched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp

from midstream.errors import ErrorCode, UsageError
from midstream.limits import LIMITS, Limits
from midstream.transport.folder import FolderTransport
from midstream.transport.http import HttpTransport
from midstream.transport.protocol import Transport

__all__ = ["open_transport"]


@asynccontextmanager
async def open_transport(url: str | Path, *, limits: Limits = LIMITS) -> AsyncIterator[Transport]:
    """A transport for a repository's address: http, https, file, or a folder's path.

    Raises:
        UsageError: BAD_URL where it makes no sense, or there is no such folder.
    """
    text = str(url)
    if text.startswith(("http://", "https://")):
        async with aiohttp.ClientSession(auto_decompress=False) as client:
            yield HttpTransport(text, client, limits=limits)
        return
    parts = urlsplit(text)
    folder = Path(unquote(parts.path)) if parts.scheme == "file" else Path(text)
    if "://" in text and parts.scheme != "file":
        raise UsageError(
            ErrorCode.BAD_URL, f"{text[:200]!r}: expected an http(s) address or a folder"
        )
    if not folder.is_dir():
        raise UsageError(ErrorCode.BAD_URL, f"{text[:200]!r}: there is no such folder")
    yield FolderTransport(folder)
