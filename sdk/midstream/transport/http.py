"""Files over HTTP by aiohttp. Knows nothing of what is in them (spec/delivery.md)."""

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import aiohttp

from midstream.errors import ErrorCode, TransportError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.transport.protocol import RequestRecord, check_path

__all__ = ["HttpTransport"]

_CHUNK = 1 << 16
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_WHOLE, _PART = 200, 206


class HttpTransport:
    """Files below one URL.

    Args:
        url: The repository's address, http or https.
        client: The connection pool; it stays the caller's.
        limits: `connect_timeout` and `read_timeout` are used here.
        headers: Sent with each request; a player marks model traffic with them.
        clock: Times of the trace.

    Raises:
        UsageError: BAD_URL where the address makes no sense.
    """

    def __init__(
        self,
        url: str,
        client: aiohttp.ClientSession,
        *,
        limits: Limits = LIMITS,
        headers: dict[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                ErrorCode.BAD_URL, f"{url[:200]!r}: expected http://host/path or https://host/path"
            )
        self._base = url.rstrip("/")
        self._client = client
        self._limits = limits
        # a content coding would make ranges mean bytes of something else
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
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
        etag: str | None = None,
    ) -> AsyncIterator["_HttpResponse"]:
        """Ask for a file; see `Transport.fetch`."""
        check_path(path)
        record = RequestRecord(path=path, start=start, stop=stop, began=self._clock())
        self.trace.append(record)
        try:
            async with self._client.get(
                f"{self._base}/{quote(path)}",
                headers=self._headers | _range_headers(start, stop, etag),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    sock_connect=self._limits.connect_timeout,
                    sock_read=self._limits.read_timeout,
                ),
            ) as response:
                self.bytes_received += _header_size(response)
                record.status = response.status
                yield self._answer(response, record, limit)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error, path) from error
        finally:
            record.ended = self._clock()

    def _answer(
        self, response: aiohttp.ClientResponse, record: RequestRecord, limit: int
    ) -> "_HttpResponse":
        path = record.path
        if response.status == _WHOLE:
            first, size = 0, response.content_length
        elif response.status == _PART:
            first, last = _content_range(response, record)
            size = last - first + 1
        else:
            raise _bad_status(response.status, path)
        if size is not None and first + size > limit:
            raise TransportError(
                ErrorCode.LONG_BODY, f"{path}: {first + size} bytes, at most {limit}"
            )
        return _HttpResponse(
            transport=self,
            response=response,
            record=record,
            start=first,
            size=size,
            limit=limit - first,
            etag=response.headers.get("ETag"),
        )

    def count(self, record: RequestRecord, size: int) -> None:
        """Note bytes of a body down."""
        record.received += size
        self.bytes_received += size


@dataclass(slots=True, kw_only=True)
class _HttpResponse:
    transport: HttpTransport
    response: aiohttp.ClientResponse
    record: RequestRecord
    start: int
    size: int | None
    limit: int
    etag: str | None

    async def chunks(self) -> AsyncIterator[bytes]:
        received = 0
        path = self.record.path
        try:
            async for chunk in self.response.content.iter_chunked(_CHUNK):
                received += len(chunk)
                if received > self.limit:
                    raise TransportError(
                        ErrorCode.LONG_BODY, f"{path}: more than the {self.limit} bytes allowed"
                    )
                self.transport.count(self.record, len(chunk))
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error, path) from error
        if self.size is not None and received < self.size:
            raise TransportError(
                ErrorCode.SHORT_BODY, f"{path}: {received} bytes came, {self.size} were announced"
            )


def _range_headers(start: int, stop: int | None, etag: str | None) -> dict[str, str]:
    if start == 0 and stop is None:
        return {}
    headers = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
    # RFC 9110 13.1.5: If-Range takes a strong validator only
    if etag and not etag.startswith("W/"):
        headers["If-Range"] = etag
    return headers


def _content_range(response: aiohttp.ClientResponse, record: RequestRecord) -> tuple[int, int]:
    """First and last byte of a 206; one that was not asked for is a lie."""
    text = response.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(text)
    first, last = (int(match[1]), int(match[2])) if match else (-1, -1)
    is_beyond = record.stop is not None and last >= record.stop
    if first != record.start or last < first or is_beyond:
        raise TransportError(
            ErrorCode.BAD_STATUS,
            f"{record.path}: Content-Range {text[:60]!r} answers bytes from {record.start}",
        )
    return first, last


def _bad_status(status: int, path: str) -> TransportError:
    code = ErrorCode.NOT_FOUND if status in (403, 404, 410) else ErrorCode.BAD_STATUS
    return TransportError(code, f"{path}: the origin answers with status {status}")


def _translated(error: Exception, path: str) -> TransportError:
    """The error of ours for one of aiohttp's."""
    if isinstance(error, TimeoutError):
        return TransportError(ErrorCode.TIMEOUT, f"{path}: the origin does not answer in time")
    if isinstance(error, aiohttp.ClientPayloadError):
        return TransportError(ErrorCode.SHORT_BODY, f"{path}: the body was cut short")
    if isinstance(error, aiohttp.InvalidURL):
        return TransportError(ErrorCode.BAD_URL, f"{path}: the address cannot be used")
    reason = str(error)[:200] or type(error).__name__
    return TransportError(ErrorCode.UNREACHABLE, f"{path}: {reason}")


def _header_size(response: aiohttp.ClientResponse) -> int:
    """Bytes of the status line and headers, as they stood on the wire."""
    lines = sum(len(name) + len(value) + 4 for name, value in response.raw_headers)
    return lines + len(f"HTTP/1.1 {response.status} {response.reason}\r\n\r\n")
