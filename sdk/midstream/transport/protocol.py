"""What a transport is: files by path, from any byte on. Knows none."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from midstream.errors import ErrorCode, TransportError

__all__ = ["RequestRecord", "Response", "Transport", "check_path"]


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """One request, for traces."""

    path: str
    """Below the repository's address."""
    start: int
    """First byte asked for."""
    stop: int | None
    """One past the last byte asked for; None for all that follow."""
    status: int = 0
    """HTTP's status, or 0 where none came."""
    received: int = 0
    """Bytes of the body that came."""
    began: float = 0.0
    """When it was made, on the transport's clock."""
    ended: float = 0.0
    """When it was over."""


class Response(Protocol):
    """An answer whose body is still coming."""

    @property
    def start(self) -> int:
        """Where in the object the body begins: 0 where a server sends all of it."""

    @property
    def etag(self) -> str | None:
        """What identifies this version of the object, if it was said."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it comes.

        Raises (while iterating):
            TransportError: SHORT_BODY, LONG_BODY, TIMEOUT or UNREACHABLE, after the bytes
                that did come.
        """


class Transport(Protocol):
    """Moves files of one repository."""

    @property
    def bytes_received(self) -> int:
        """All bytes that came, headers included where there are any."""

    @property
    def trace(self) -> list[RequestRecord]:
        """Every request, in order."""

    def fetch(
        self,
        path: str,
        *,
        start: int = 0,
        stop: int | None = None,
        limit: int,
        etag: str | None = None,
    ) -> AbstractAsyncContextManager[Response]:
        """Ask for a file, or bytes [start, stop) of it.

        Args:
            path: Below the repository's address.
            start: First byte; the answer may begin earlier, at 0.
            stop: One past the last byte; None for all that follow.
            limit: Bytes that the object may have, all of it.
            etag: The version that `start` goes on from; another version comes from its start.

        Raises (when entered):
            TransportError: NOT_FOUND, BAD_STATUS, UNREACHABLE, TIMEOUT, LONG_BODY or BAD_URL.
        """


def check_path(path: str) -> None:
    """Refuse a path that could leave the repository; raises TransportError."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") or part != part.strip() for part in parts):
        raise TransportError(ErrorCode.BAD_URL, f"{path[:80]!r} is no path in a repository")
