"""Whole files over a transport that cuts bodies short. Knows nothing of what is in them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from midstream.errors import ErrorCode, TransportError
from midstream.limits import LIMITS, Limits
from midstream.transport import Transport

__all__ = ["Part", "Version", "read_all", "read_version"]

_RETRIED = {
    ErrorCode.BAD_STATUS,  # a server that fails now may do better at once, as one that hangs up may
    ErrorCode.SHORT_BODY,
    ErrorCode.TIMEOUT,
    ErrorCode.UNREACHABLE,
}
_SAME = 304
_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A file as it was once."""

    data: bytes
    """All of it."""
    etag: str | None
    """What identifies it, if the origin said that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What came of a file in earlier runs, not verified, and where to keep what comes now."""

    received: bytes
    """Its first bytes."""
    write: Callable[[int, bytes], Awaitable[None]]
    """Keeps bytes at their place."""


async def read_all(
    transport: Transport,
    path: str,
    *,
    limit: int,
    part: Part | None = None,
    limits: Limits = LIMITS,
) -> bytes:
    """Read a file, going on where a body was cut.

    Args:
        transport: Moves the bytes.
        path: Below the repository's address.
        limit: Bytes that it may have.
        part: What is here of it; None for nothing. The file must be one that never changes.
        limits: `attempts` bounds requests in a row that bring next to nothing, which is less
            than `least_progress`.

    Raises:
        TransportError: It is not there, too long, or the origin does not answer.
    """
    return (await read_version(transport, path, limit=limit, part=part, limits=limits)).data


async def read_version(
    transport: Transport,
    path: str,
    *,
    limit: int,
    known: Version | None = None,
    part: Part | None = None,
    limits: Limits = LIMITS,
) -> Version:
    """The same for a file that may be known: `known` itself is returned where it is the newest.

    Raises:
        TransportError: As `read_all` does.
    """
    data = bytearray(part.received if part is not None else b"")
    failures = most = 0
    etag: str | None = None
    while True:
        before = len(data)
        try:
            async with transport.fetch(
                path,
                start=before,
                limit=limit,
                etag=etag,
                if_none_match=known.etag if known is not None and not before else None,
            ) as response:
                if known is not None and response.status == _SAME:
                    return known
                if response.start != before:  # a new version, or a server without ranges
                    del data[response.start :]
                etag = response.etag
                async for chunk in response.chunks():
                    data += chunk
                    if part is not None:
                        await part.write(len(data) - len(chunk), chunk)
            return _version(bytes(data), etag, known)
        except TransportError as error:
            # against the most there ever was: a server may make a client start again and again
            has_progress = len(data) >= most + limits.least_progress
            failures = 0 if has_progress else failures + 1
            most = max(most, len(data))
            if error.code not in _RETRIED or failures >= limits.attempts:
                raise
        await asyncio.sleep(min(_PAUSE * 2**failures, _LONGEST_PAUSE))


def _version(data: bytes, etag: str | None, known: Version | None) -> Version:
    """What came; it may be what is known, where a server has no validators."""
    is_known = known is not None and (known.data, known.etag) == (data, etag)
    return known if known is not None and is_known else Version(data=data, etag=etag)
