"""Files of a local folder, as if they were fetched. Knows nothing of what is in them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from midstream.errors import ErrorCode, TransportError
from midstream.transport.protocol import RequestRecord, check_path

__all__ = ["FolderTransport"]

_CHUNK = 1 << 20


class FolderTransport:
    """Files below one folder.

    Args:
        folder: The repository's folder.
        clock: Times of the trace.
    """

    def __init__(
        self, folder: str | Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = Path(folder).resolve()
        self._clock = clock
        self.trace: list[RequestRecord] = []
        self.bytes_received = 0

    @asynccontextmanager
    async def fetch(
        self,
        path: str,
        *,
        start: int = 0,
        stop: int | None = None,
        limit: int,
        etag: str | None = None,  # noqa: ARG002 - a folder's versions have no names
    ) -> AsyncIterator["_FolderResponse"]:
        """Read a file; see `Transport.fetch`."""
        check_path(path)
        record = RequestRecord(path=path, start=start, stop=stop, began=self._clock())
        self.trace.append(record)
        try:
            data = await asyncio.to_thread(self._read, path, start, stop, limit)
            record.status = 200
            yield _FolderResponse(transport=self, record=record, start=start, etag=None, data=data)
        finally:
            record.ended = self._clock()

    def _read(self, path: str, start: int, stop: int | None, limit: int) -> bytes:
        file = (self._folder / path).resolve()
        if not file.is_relative_to(self._folder):
            raise TransportError(ErrorCode.BAD_URL, f"{path}: leads out of the repository")
        try:
            if (size := file.stat().st_size) > limit:
                raise TransportError(ErrorCode.LONG_BODY, f"{path}: {size} bytes, at most {limit}")
            with file.open("rb") as opened:
                opened.seek(start)
                return opened.read(-1 if stop is None else stop - start)
        except FileNotFoundError:
            raise TransportError(ErrorCode.NOT_FOUND, f"{path}: is not in the folder") from None
        except OSError as error:
            raise TransportError(ErrorCode.UNREACHABLE, f"{path}: {error.strerror}") from error


@dataclass(slots=True, kw_only=True)
class _FolderResponse:
    transport: FolderTransport
    record: RequestRecord
    start: int
    etag: str | None
    data: bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        for place in range(0, len(self.data), _CHUNK):
            chunk = self.data[place : place + _CHUNK]
            self.record.received += len(chunk)
            self.transport.bytes_received += len(chunk)
            yield chunk
