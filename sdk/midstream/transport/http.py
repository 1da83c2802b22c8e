"""Files over HTTP by aiohttp. Knows nothing of what is in them (spec/delivery.md)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import aiohttp

from midstream.errors import ErrorCode, TransportError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.transport.channel import CHANNEL, NETWORK, open_channel
from midstream.transport.hints import Hints
from midstream.transport.protocol import Announcement, RequestRecord, check_path, note
from midstream.transport.reasons import system_reason

__all__ = ["HttpTransport"]

_CHUNK = 1 << 16
_ERROR_BODY = 1 << 12
"""Bytes of an error's body that are read, since that keeps the connection."""
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")
_WHOLE, _PART, _SAME, _BEYOND = 200, 206, 304, 416
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
# the last is aiohttp's where a connection is lost between two reads
_READ_FAILURES = (*_FAILURES, RuntimeError)


class HttpTransport:
    """Files below one URL. Redirects are not followed: the user gave the address.

    Args:
        url: The repository's address, http or https, without a query.
        client: The connection pool; it stays the caller's.
        limits: Timeouts and `least_throughput` are used here.
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
        headers: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _check_url(url)
        self._base = url.rstrip("/")
        self._client = client
        self.limits = limits
        """Bounds on what is read."""
        # a content coding would make ranges mean bytes of something else
        self._headers = {**(headers or {}), "Accept-Encoding": "identity"}
        self.clock = clock
        """Times of the trace."""
        self.trace: list[RequestRecord] = []
        """The last requests, in order."""
        self.bytes_received = 0
        """All bytes that came: bodies, and heads as they stood on the wire."""

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
        hints: Hints | None = None,
    ) -> AsyncIterator["_HttpResponse"]:
        """Ask for a file; see `Transport.fetch`."""
        check_path(path)
        record = RequestRecord(path=path, start=start, stop=stop, began=self.clock())
        note(self.trace, record)
        try:
            headers = _request_headers(start, stop, etag, if_none_match)
            headers |= hints.headers() if hints else {}
            response = await self._ask(path, headers)
            try:
                self.bytes_received += _head_size(response)
                record.status = response.status
                if response.status not in (_WHOLE, _PART):
                    await self._drain(response, record)
                yield self._answer(response, record, limit, is_conditional=bool(if_none_match))
            finally:
                response.close()  # an unread body is not waited for
        finally:
            record.ended = self.clock()

    @asynccontextmanager
    async def announcements(self, network: str = "") -> AsyncIterator[AsyncIterator[Announcement]]:
        """Listen for news on a connection of its own; see `Transport.announcements`."""
        query = f"?{NETWORK}={quote(network, safe='')}" if network else ""
        url = f"{self._base}/{CHANNEL}{query}"
        async with open_channel(
            self._client, url, headers=self._headers, limits=self.limits
        ) as announced:
            yield announced

    def count(self, record: RequestRecord, size: int) -> None:
        """Note bytes of a body down."""
        record.received += size
        self.bytes_received += size

    async def _ask(self, path: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """Send a request and read the head of its answer, both within `connect_timeout`."""
        try:
            async with asyncio.timeout(self.limits.connect_timeout):
                return await self._client.get(
                    f"{self._base}/{quote(path)}",
                    headers=self._headers | headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(sock_read=self.limits.read_timeout),
                )
        except _FAILURES as error:
            raise _translated(error, path) from error

    async def _drain(self, response: aiohttp.ClientResponse, record: RequestRecord) -> None:
        """Read a short body that nobody wants; a connection with an unread one is lost."""
        with suppress(*_READ_FAILURES):
            await self._drain_in_time(response, record)

    async def _drain_in_time(self, response: aiohttp.ClientResponse, record: RequestRecord) -> None:
        async with asyncio.timeout(self.limits.read_timeout):
            async for chunk in response.content.iter_chunked(_ERROR_BODY):
                self.count(record, len(chunk))
                if record.received > _ERROR_BODY:
                    return

    def _answer(
        self,
        response: aiohttp.ClientResponse,
        record: RequestRecord,
        limit: int,
        *,
        is_conditional: bool,
    ) -> "_HttpResponse":
        path = record.path
        coding = response.headers.get("Content-Encoding", "identity").lower()
        if coding != "identity":
            raise TransportError(
                ErrorCode.BAD_STATUS, f"{path}: coded as {coding[:20]!r}, though not asked to"
            )
        first, stop, size = _extent(response, record, is_conditional=is_conditional)
        longest = max(size or 0, stop or 0)
        if longest > limit:
            raise TransportError(ErrorCode.LONG_BODY, f"{path}: {longest} bytes, at most {limit}")
        return _HttpResponse(
            transport=self,
            response=response,
            record=record,
            status=_PART if response.status == _BEYOND else response.status,
            start=first,
            size=size,
            etag=response.headers.get("ETag"),
            expected=None if stop is None else stop - first,
            wanted=_wanted(record, size) - first if response.status == _PART else None,
            allowed=limit - first if stop is None else stop - first,
        )


@dataclass(slots=True, kw_only=True)
class _HttpResponse:
    transport: HttpTransport
    response: aiohttp.ClientResponse
    record: RequestRecord
    status: int
    start: int
    size: int | None
    etag: str | None
    expected: int | None
    """Bytes of the body, as announced."""
    wanted: int | None
    """Bytes of the body that would answer the request, if only a part came."""
    allowed: int
    """Bytes of the body at most."""

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.expected == 0:
            return
        path, received = self.record.path, 0
        async for chunk in self._reads():
            received += len(chunk)
            if received > self.allowed:
                raise TransportError(
                    ErrorCode.LONG_BODY, f"{path}: more than the {self.allowed} bytes due"
                )
            yield chunk
        due = max(self.expected or 0, self.wanted or 0)
        if received < due:
            raise TransportError(ErrorCode.SHORT_BODY, f"{path}: {received} of {due} bytes came")

    async def _reads(self) -> AsyncIterator[bytes]:
        """What comes off the connection, as long as it comes fast enough."""
        limits, clock = self.transport.limits, self.transport.clock
        received, waited = 0, 0.0
        while True:
            began = clock()
            try:
                # aiohttp's own timeout is of any bytes, and chunks may have endless extensions
                async with asyncio.timeout(limits.read_timeout):
                    chunk = await self.response.content.read(_CHUNK)
            except _READ_FAILURES as error:
                raise _translated(error, self.record.path) from error
            if not chunk:
                return
            waited += clock() - began
            received += len(chunk)
            self.transport.count(self.record, len(chunk))
            yield chunk
            # a server that sends a byte now and then would hold a client for ever
            if waited > limits.read_timeout and received < limits.least_throughput * waited:
                raise TransportError(
                    ErrorCode.TIMEOUT,
                    f"{self.record.path}: {received} bytes in {waited:.0f} s, "
                    f"expected {limits.least_throughput:g} a second",
                )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError:  # a port or an address that is none, a name that cannot be one
        is_good = False
    if not is_good or parts.query or parts.fragment:
        raise UsageError(
            ErrorCode.BAD_URL, f"{url[:200]!r}: expected http://host/path or https://host/path"
        )


def _request_headers(
    start: int, stop: int | None, etag: str | None, if_none_match: str | None
) -> dict[str, str]:
    headers = {"If-None-Match": if_none_match} if if_none_match else {}
    if start == 0 and stop is None:
        return headers
    headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    # RFC 9110 13.1.5: If-Range takes a strong validator only
    if etag and not etag.startswith("W/"):
        headers["If-Range"] = etag
    return headers


def _extent(
    response: aiohttp.ClientResponse, record: RequestRecord, *, is_conditional: bool
) -> tuple[int, int | None, int | None]:
    """First byte of the body, one past its last, and size of the object, as announced."""
    if response.status == _WHOLE:
        return 0, response.content_length, response.content_length
    if response.status == _PART:
        return _part(response, record)
    if response.status == _SAME and is_conditional:
        return 0, 0, None
    text = response.headers.get("Content-Range", "")
    if response.status == _BEYOND and record.start and text == f"bytes */{record.start}":
        return record.start, record.start, record.start  # nothing follows: it was whole
    raise _bad_status(response, record.path)


def _part(response: aiohttp.ClientResponse, record: RequestRecord) -> tuple[int, int, int | None]:
    """What a 206 announces; a range that was not asked for is a lie."""
    text = response.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(text)
    first, last = (int(match[1]), int(match[2])) if match and match[1] else (-1, -1)
    size = int(match[3]) if match and match[3] != "*" else None
    is_beyond = any(end is not None and last >= end for end in (record.stop, size))
    length = response.content_length
    is_other = length is not None and length != last - first + 1
    if first != record.start or last < first or is_beyond or is_other:
        raise TransportError(
            ErrorCode.BAD_STATUS,
            f"{record.path}: Content-Range {text[:60]!r}, Content-Length {length} answer "
            f"bytes {record.start} to {record.stop or 'the end'}",
        )
    return first, last + 1, size


def _wanted(record: RequestRecord, size: int | None) -> int:
    """Where a body would end that answers the whole of a request."""
    ends = [end for end in (record.stop, size) if end is not None]
    return min(ends, default=0)


_SERVER_AT_FAULT = 500


def _bad_status(response: aiohttp.ClientResponse, path: str) -> TransportError:
    status = response.status
    if status in (403, 404, 410):
        return TransportError(
            ErrorCode.NOT_FOUND,
            f"{path}: the origin has no such file ({status}); check the address",
        )
    location = response.headers.get("Location", "")[:200]
    hint = f", to {location!r}, and redirects are not followed" if location else ""
    if status >= _SERVER_AT_FAULT:
        hint = "; the origin is at fault, try again later"
    return TransportError(ErrorCode.BAD_STATUS, f"{path}: status {status}{hint}")


def _translated(error: Exception, path: str) -> TransportError:
    """The error of ours for one of aiohttp's."""
    if isinstance(error, TimeoutError):
        return TransportError(ErrorCode.TIMEOUT, f"{path}: the origin does not answer in time")
    if isinstance(error, aiohttp.ClientPayloadError):
        return TransportError(ErrorCode.SHORT_BODY, f"{path}: the body was cut short")
    if isinstance(error, aiohttp.InvalidURL):
        return TransportError(ErrorCode.BAD_URL, f"{path}: the address cannot be used")
    if isinstance(error, aiohttp.ClientResponseError):
        return TransportError(ErrorCode.BAD_STATUS, f"{path}: the answer is not HTTP")
    if isinstance(error, aiohttp.ClientConnectorError):
        return TransportError(
            ErrorCode.UNREACHABLE,
            f"{path}: nobody can be reached at {error.host}, port {error.port} "
            f"({system_reason(error.os_error)}); check the address and the network",
        )
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return TransportError(ErrorCode.UNREACHABLE, f"{path}: the origin hung up")
    reason = str(error)[:200] or type(error).__name__
    return TransportError(ErrorCode.UNREACHABLE, f"{path}: {reason}")


def _head_size(response: aiohttp.ClientResponse) -> int:
    """Bytes of the status line and headers, as they stood on the wire."""
    lines = sum(len(name) + len(value) + 4 for name, value in response.raw_headers)
    return lines + len(f"HTTP/1.1 {response.status} {response.reason or ''}\r\n\r\n")
