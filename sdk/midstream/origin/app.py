"""A repository's folder over HTTP (spec/delivery.md). Knows nothing of what the files hold."""

import asyncio
import hashlib
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from midstream.errors import ErrorCode, StoreError, UsageError
from midstream.origin.impairments import Impairments, Throttle, damage

__all__ = ["Counts", "create_app", "serve"]

_CHUNK = 1 << 14
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_VERSIONED = re.compile(
    r"(units/.+|targets/.+|metadata/\d+\.[^/]+\.json|1\.root\.json)(\.repair)?"
)
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@dataclass(slots=True, kw_only=True)
class Counts:
    """What an origin did so far."""

    requests: int = 0
    """Requests answered."""
    cut: int = 0
    """Bodies cut short on purpose."""
    damaged: int = 0
    """Bodies with bytes changed on purpose."""
    sent: int = 0
    """Bytes of bodies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    path: str
    file: Path
    size: int
    etag: str


def create_app(folder: str | Path, *, impairments: Impairments | None = None) -> web.Application:
    """An aiohttp application that serves a repository's folder.

    Args:
        folder: The repository.
        impairments: How bad the link is.

    Raises:
        UsageError: There is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{root}: there is no such folder")
    origin = _Origin(root.resolve(), impairments or Impairments())
    app = web.Application()
    app[COUNTS] = origin.counts
    app.router.add_get("/{path:.+}", origin.answer)
    return app


COUNTS = web.AppKey("counts", Counts)


class _Origin:
    def __init__(self, folder: Path, how: Impairments) -> None:
        self._folder = folder
        self._how = how
        self._rng = random.Random(how.seed)  # noqa: S311 - it has to repeat
        self._throttle = Throttle(how.rate) if how.rate else None
        self._etags: dict[tuple[Path, int, int], str] = {}
        self.counts = Counts()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One GET or HEAD."""
        self.counts.requests += 1
        if self._how.delay:
            await asyncio.sleep(self._how.delay)
        found = await asyncio.to_thread(self._find, request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound
        headers = _headers(found)
        if found.etag in _etags(request.headers.get("If-None-Match", "")):
            return web.Response(status=304, headers=headers)
        span = _span(request, found)
        if span is None:
            headers["Content-Range"] = f"bytes */{found.size}"
            return web.Response(status=416, headers=headers)
        return await self._send(request, found, span, headers)

    async def _send(
        self, request: web.Request, found: _Object, span: tuple[int, int], headers: dict[str, str]
    ) -> web.StreamResponse:
        start, stop = span
        is_part = span != (0, found.size)
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
        response = web.StreamResponse(status=206 if is_part else 200, headers=headers)
        response.content_length = stop - start
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        end = self._cut(start, stop)
        await self._stream(response, found, start, end)
        if end < stop:
            self.counts.cut += 1
            request.protocol.force_close()
            if request.transport is not None:
                request.transport.close()  # after what was written: a body that ends early
        else:
            await response.write_eof()
        return response

    async def _stream(
        self, response: web.StreamResponse, found: _Object, start: int, stop: int
    ) -> None:
        file = await asyncio.to_thread(found.file.open, "rb")
        was_damaged = False
        try:
            await asyncio.to_thread(file.seek, start)
            while start < stop:
                chunk = await asyncio.to_thread(file.read, min(_CHUNK, stop - start))
                if not chunk:
                    return  # the file got shorter meanwhile; the client sees a short body
                sent = damage(chunk, start, found.size, found.path, self._how)
                was_damaged |= sent != chunk
                if self._throttle:
                    await self._throttle.take(len(sent))
                await response.write(sent)
                start += len(sent)
                self.counts.sent += len(sent)
        finally:
            self.counts.damaged += was_damaged
            await asyncio.to_thread(file.close)

    def _cut(self, start: int, stop: int) -> int:
        """Where a lost body ends; anywhere, so that some progress is made on average."""
        if self._rng.random() >= self._how.loss:
            return stop
        return start + self._rng.randrange(stop - start) if stop > start else stop

    def _find(self, path: str) -> _Object | None:
        """A file below the folder: nothing hidden, nothing outside, no folder."""
        parts = path.split("/")
        if any(not part or part.startswith(".") for part in parts):
            return None
        file = (self._folder / path).resolve()
        if not file.is_relative_to(self._folder) or not file.is_file():
            return None
        status = file.stat()
        key = file, status.st_mtime_ns, status.st_size
        if key not in self._etags:
            self._etags[key] = f'"{_digest(file)}"'
        return _Object(path=path, file=file, size=status.st_size, etag=self._etags[key])


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:32]


def _headers(found: _Object) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": _FOR_EVER if _VERSIONED.fullmatch(found.path) else _ASK_AGAIN,
        "Content-Type": "application/octet-stream",
        "ETag": found.etag,
        "X-Content-Type-Options": "nosniff",
    }


def _etags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _span(request: web.Request, found: _Object) -> tuple[int, int] | None:
    """Bytes [start, stop) to send; None where the range cannot be satisfied (RFC 9110, 14)."""
    whole = (0, found.size)
    text = request.headers.get("Range")
    match = _RANGE.fullmatch(text or "")
    if match is None or match[0] == "bytes=-":
        return whole  # no range, or one that is not understood: it is ignored
    if request.headers.get("If-Range", found.etag) != found.etag:
        return whole
    if not match[1]:
        suffix = int(match[2])
        return (max(0, found.size - suffix), found.size) if suffix and found.size else None
    start = int(match[1])
    stop = min(int(match[2]) + 1, found.size) if match[2] else found.size
    if match[2] and int(match[2]) < start:
        return whole  # not a valid range
    return (start, stop) if start < found.size else None


@asynccontextmanager
async def serve(
    folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    impairments: Impairments | None = None,
    app: web.Application | None = None,
) -> AsyncIterator[str]:
    """Serve a repository's folder as long as the block runs.

    Args:
        folder: The repository.
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        impairments: How bad the link is.
        app: An application made by `create_app`, to read its counts.

    Yields:
        The URL.

    Raises:
        UsageError: There is no such folder.
        StoreError: The port cannot be had.
    """
    runner = web.AppRunner(
        app or create_app(folder, impairments=impairments), access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise StoreError.of(error, f"{host}:{port}: cannot be listened on") from error
        bound = runner.addresses[0]
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()
