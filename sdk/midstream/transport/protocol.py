"""What a transport is: files by path, from any byte on. Knows none (spec/delivery.md)."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from midstream.errors import ErrorCode, TransportError
from midstream.transport.hints import Hints
from midstream.trust import layout

__all__ = [
    "TRACED",
    "Announcement",
    "RequestRecord",
    "Response",
    "Transport",
    "check_path",
    "note",
    "resolve_range",
]

TRACED = 1024
"""Requests of which a trace tells."""


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """One request, for traces."""

    path: str
    """Below the repository's address."""
    start: int
    """First byte asked for."""
    stop: int | None
    """One past the last byte asked for; None for all that follow."""
    method: str = "GET"
    """HTTP's method, or what corresponds to it."""
    status: int = 0
    """HTTP's status, or 0 where none came."""
    received: int = 0
    """Bytes of the body that came."""
    began: float = 0.0
    """When it was made, on the transport's clock."""
    ended: float = 0.0
    """When it was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is said on a channel; anybody may have said it."""

    version: str
    """The ETag of the timestamp that there is said to be."""
    news: bytes = b""
    """What is said to be the network's file of news, as it is in the repository; empty without."""


class Response(Protocol):
    """An answer whose body is still coming."""

    @property
    def status(self) -> int:
        """200 where the whole object comes, 206 a part, 304 nothing: the caller has it."""

    @property
    def start(self) -> int:
        """Where in the object the body begins: 0 where a server sends all of it."""

    @property
    def size(self) -> int | None:
        """Bytes of the whole object; None where it was not said."""

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
        """The last requests, in order; see `note`."""

    def fetch(
        self,
        path: str,
        *,
        start: int = 0,
        stop: int | None = None,
        limit: int,
        etag: str | None = None,
        if_none_match: str | None = None,
        hints: Hints | None = None,
    ) -> AbstractAsyncContextManager[Response]:
        """Ask for a file, or bytes [start, stop) of it.

        Args:
            path: Below the repository's address.
            start: First byte; the answer may begin earlier, at 0.
            stop: One past the last byte; None for all that follow.
            limit: Bytes that the object may have, all of it.
            etag: The version that `start` goes on from; another version comes from its start.
            if_none_match: The version that the caller has; it is not sent again (304).
            hints: What servers may know of the request, where it goes to one.

        Raises (when entered):
            TransportError: NOT_FOUND, BAD_STATUS, UNREACHABLE, TIMEOUT, LONG_BODY or BAD_URL.
        """

    def announcements(
        self, network: str = ""
    ) -> AbstractAsyncContextManager[AsyncIterator[Announcement]]:
        """Listen for news until the channel breaks.

        Anybody may have said them: they are a reason to look, and what came with them is
        verified as if it had been fetched.

        Args:
            network: Whose file of news may come with them; none where empty.

        Raises (when entered):
            TransportError: NOT_FOUND where there is no channel, BAD_STATUS, UNREACHABLE or
                TIMEOUT.
        """


def note(trace: list[RequestRecord], record: RequestRecord) -> None:
    """Add a request to a trace, which keeps the last `TRACED`: a client may run for years."""
    trace.append(record)
    del trace[:-TRACED]


def check_path(path: str) -> None:
    """Refuse a path that could leave the repository, or that cannot be in one.

    Raises:
        TransportError: BAD_URL.
    """
    if not layout.is_path(path):
        raise TransportError(ErrorCode.BAD_URL, f"{path[:80]!r} is no path in a repository")


def resolve_range(
    path: str, size: int, *, start: int, stop: int | None, limit: int
) -> tuple[int, int]:
    """What a request means for an object whose size is known: first byte, one past the last.

    Raises:
        TransportError: LONG_BODY where the object is over its limit, BAD_STATUS where the
            range begins behind its end.
    """
    if size > limit:
        raise TransportError(ErrorCode.LONG_BODY, f"{path}: {size} bytes, at most {limit}")
    if start > size:
        raise TransportError(ErrorCode.BAD_STATUS, f"{path}: byte {start} asked for, it has {size}")
    return start, size if stop is None else max(start, min(stop, size))
