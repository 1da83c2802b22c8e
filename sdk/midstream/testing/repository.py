"""A repository without a disk or a network. Knows nothing of what is in its files."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from midstream.errors import ErrorCode, TransportError
from midstream.testing.clock import FakeClock
from midstream.transport import Announcement, Hints, RequestRecord
from midstream.transport.protocol import check_path, resolve_range

__all__ = ["MemoryRepository"]

_CHUNK = 1 << 14


class MemoryRepository:
    """A transport over files in memory.

    Args:
        files: Their bytes, by their paths below the repository's address.
        clock: Times of the trace.
    """

    def __init__(
        self,
        files: Mapping[str, bytes] | None = None,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.files = dict(files or {})
        """What is served; change it as a publisher, or an attacker, would."""
        self._clock = clock or FakeClock()
        self.trace: list[RequestRecord] = []
        """Every request, in order."""
        self.bytes_received = 0
        """All bytes that came."""

    @classmethod
    def of(cls, folder: str | Path, *, clock: Callable[[], float] | None = None) -> Self:
        """What is in a published folder now; hidden files are not."""
        folder = Path(folder)
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path for path in paths}
        return cls(
            {name: p.read_bytes() for name, p in files.items() if not p.name.startswith(".")},
            clock=clock,
        )

    @asynccontextmanager
    async def fetch(
        self,
        path: str,
        *,
        start: int = 0,
        stop: int | None = None,
        limit: int,
        etag: str | None = None,
        if_none_match: str | None = None,
        hints: Hints | None = None,  # noqa: ARG002 - there is no server to take them
    ) -> AsyncIterator["_MemoryResponse"]:
        """Give a file; see `Transport.fetch`."""
        check_path(path)
        record = RequestRecord(path=path, start=start, stop=stop, began=self._clock())
        self.trace.append(record)
        try:
            if (data := self.files.get(path)) is None:
                record.status = 404
                raise TransportError(ErrorCode.NOT_FOUND, f"{path}: is not in the repository")
            version = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
            if etag not in (None, version):
                start, stop = 0, None
            first, last = resolve_range(path, len(data), start=start, stop=stop, limit=limit)
            record.status = 206 if last - first < len(data) else 200
            if if_none_match == version:
                record.status, last = 304, first
            yield _MemoryResponse(
                repository=self,
                record=record,
                status=record.status,
                start=first,
                size=len(data),
                etag=version,
                body=data[first:last],
            )
        finally:
            record.ended = self._clock()

    @asynccontextmanager
    async def announcements(
        self,
        network: str = "",  # noqa: ARG002
    ) -> AsyncIterator[AsyncIterator[Announcement]]:
        """There is no channel; see `Transport.announcements`."""
        raise TransportError(ErrorCode.NOT_FOUND, "memory has no channel for news")
        yield

    def count(self, record: RequestRecord, size: int) -> None:
        """Note bytes of a body down."""
        record.received += size
        self.bytes_received += size


@dataclass(slots=True, kw_only=True)
class _MemoryResponse:
    repository: MemoryRepository
    record: RequestRecord
    status: int
    start: int
    size: int
    etag: str
    body: bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        for place in range(0, len(self.body), _CHUNK):
            chunk = self.body[place : place + _CHUNK]
            self.repository.count(self.record, len(chunk))
            yield chunk
