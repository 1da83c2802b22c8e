"""Whole files over a transport that cuts bodies short. Knows nothing of what is in them."""

import asyncio

from midstream.errors import ErrorCode, TransportError
from midstream.limits import LIMITS, Limits
from midstream.transport import Transport

__all__ = ["read_all"]

_RETRIED = {
    ErrorCode.BAD_STATUS,  # a server that fails now may do better at once, as one that hangs up may
    ErrorCode.SHORT_BODY,
    ErrorCode.TIMEOUT,
    ErrorCode.UNREACHABLE,
}
_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


async def read_all(
    transport: Transport, path: str, *, limit: int, limits: Limits = LIMITS
) -> bytes:
    """Read a file, going on where a body was cut.

    Args:
        transport: Moves the bytes.
        path: Below the repository's address.
        limit: Bytes that it may have.
        limits: `attempts` bounds requests in a row that bring next to nothing, which is less
            than `least_progress`.

    Raises:
        TransportError: It is not there, too long, or the origin does not answer.
    """
    data = bytearray()
    failures = most = 0
    etag: str | None = None
    while True:
        before = len(data)
        try:
            async with transport.fetch(path, start=before, limit=limit, etag=etag) as response:
                if response.start != before:  # a new version, or a server without ranges
                    del data[response.start :]
                etag = response.etag
                async for chunk in response.chunks():
                    data += chunk
            return bytes(data)
        except TransportError as error:
            # against the most there ever was: a server may make a client start again and again
            has_progress = len(data) >= most + limits.least_progress
            failures = 0 if has_progress else failures + 1
            most = max(most, len(data))
            if error.code not in _RETRIED or failures >= limits.attempts:
                raise
        await asyncio.sleep(min(_PAUSE * 2**failures, _LONGEST_PAUSE))
