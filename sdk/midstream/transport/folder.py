"""Files of a local folder, as if they were fetched. Knows nothing of what is in them."""

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from midstream.errors import ErrorCode, TransportError
from midstream.transport.hints import Hints
from midstream.transport.protocol import (
    Announcement,
    RequestRecord,
    check_path,
    note,
    resolve_range,
)
from midstream.transport.threads import open_in_thread

__all__ = ["FolderTransport"]

_CHUNK = 1 << 20


class FolderTransport:
    """Files below one folder, read off the event loop.

    Args:
        folder: The repository's folder.
        clock: Times of the trace.
    """

    def __init__(self, folder: str | Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = Path(folder).resolve()
        self._clock = clock
        self.trace: list[RequestRecord] = []
        """The last requests, in order."""
        self.bytes_received = 0
        """All bytes that were read."""

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
    ) -> AsyncIterator["_FolderResponse"]:
        """Read a file; see `Transport.fetch`."""
        check_path(path)
        record = RequestRecord(path=path, start=start, stop=stop, began=self._clock())
        note(self.trace, record)
        try:
            file = await open_in_thread(self._open, path)
            try:
                size, version = _version(file)
                if etag not in (None, version):
                    start, stop = 0, None
                first, last = resolve_range(path, size, start=start, stop=stop, limit=limit)
                record.status = 206 if last - first < size else 200
                if if_none_match == version:
                    record.status, last = 304, first
                yield _FolderResponse(
                    transport=self,
                    record=record,
                    file=file,
                    status=record.status,
                    start=first,
                    stop=last,
                    size=size,
                    etag=version,
                )
            finally:
                file.close()
        finally:
            record.ended = self._clock()

    @asynccontextmanager
    async def announcements(
        self,
        network: str = "",  # noqa: ARG002
    ) -> AsyncIterator[AsyncIterator[Announcement]]:
        """There is no channel; see `Transport.announcements`."""
        raise TransportError(ErrorCode.NOT_FOUND, "a folder has no channel for news")
        yield

    def _open(self, path: str) -> BinaryIO:
        try:
            file = (self._folder / path).resolve()
            if not file.is_relative_to(self._folder):
                raise TransportError(ErrorCode.BAD_URL, f"{path}: leads out of the repository")
            # not to wait for a writer, should it be a pipe
            handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise TransportError(ErrorCode.NOT_FOUND, f"{path}: is not in the folder") from None
        except RuntimeError:
            raise TransportError(ErrorCode.BAD_URL, f"{path}: a loop of links") from None
        except OSError as error:
            raise TransportError(ErrorCode.UNREACHABLE, f"{path}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise TransportError(ErrorCode.NOT_FOUND, f"{path}: is no file")
        return os.fdopen(handle, "rb")

    def count(self, record: RequestRecord, size: int) -> None:
        """Note bytes of a body down."""
        record.received += size
        self.bytes_received += size


@dataclass(slots=True, kw_only=True)
class _FolderResponse:
    transport: FolderTransport
    record: RequestRecord
    file: BinaryIO
    status: int
    start: int
    stop: int
    size: int
    etag: str

    async def chunks(self) -> AsyncIterator[bytes]:
        place = self.start
        while place < self.stop:
            chunk = await asyncio.to_thread(self._read, place)
            if not chunk:
                raise TransportError(
                    ErrorCode.SHORT_BODY, f"{self.record.path}: ends at {place}, not {self.stop}"
                )
            place += len(chunk)
            self.transport.count(self.record, len(chunk))
            yield chunk

    def _read(self, place: int) -> bytes:
        try:
            self.file.seek(place)
            return self.file.read(min(_CHUNK, self.stop - place))
        except OSError as error:
            raise TransportError(
                ErrorCode.UNREACHABLE, f"{self.record.path}: {error.strerror}"
            ) from error


def _version(file: BinaryIO) -> tuple[int, str]:
    """Size of a file and what tells its versions apart."""
    status = os.fstat(file.fileno())
    return status.st_size, f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'
