"""The web application: GET and HEAD of files, ranges, validators. Knows nothing of their bytes."""

import asyncio
from pathlib import Path

from aiohttp import web

from midstream.errors import ErrorCode, UsageError
from midstream.origin.channel import add_channel
from midstream.origin.conditions import Selection, select
from midstream.origin.files import NEVER, Files, ServedFile, caching
from midstream.origin.impairments import Counters, Impairments, Link
from midstream.origin.metrics import Metrics
from midstream.origin.watching import add_watching
from midstream.transport.threads import open_in_thread

__all__ = ["create_app"]

_HEADERS = {"Server": "midstream", "X-Content-Type-Options": "nosniff"}


def create_app(
    folder: str | Path,
    *,
    impairments: Impairments | None = None,
    counters: Counters | None = None,
    link: Link | None = None,
    metrics: Metrics | None = None,
) -> web.Application:
    """An application that serves a folder.

    Args:
        folder: The published folder.
        impairments: How bad the link is; perfect where None.
        counters: Where it is counted what was sent, lost and damaged.
        link: A link of one's own, instead of those two; a test gives it a clock.
        metrics: Where requests are counted; what `/metrics` tells.

    Raises:
        UsageError: BAD_ARGUMENT where there is no such folder.
    """
    if not Path(folder).is_dir():
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{folder}: there is no such folder")
    if link is None:
        link = Link(impairments or Impairments(), counters=counters)
    metrics = metrics or Metrics()
    app = web.Application()
    add_watching(app, metrics)
    files = Files(Path(folder))
    add_channel(app, files)
    handler = _Handler(files, link, metrics)
    app.router.add_get(r"/{path:[\s\S]*}", handler.handle)
    return app


class _Handler:
    def __init__(self, files: Files, link: Link, metrics: Metrics) -> None:
        self._files = files
        self._link = link
        self._metrics = metrics

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a GET or HEAD."""
        await self._link.wait()
        path = request.match_info["path"]
        try:
            file = await open_in_thread(self._files.open, path)
        except OSError:  # too many are open: it is there, but not now
            return _failure(503, "busy\n")
        if file is None:
            # a cache that kept it would hide the next root, or the next release
            return _failure(404, "not found\n")
        try:
            return await self._send(request, path, file)
        finally:
            file.close()

    async def _send(self, request: web.Request, path: str, file: ServedFile) -> web.StreamResponse:
        selection = select(request.method, request.headers, size=file.size, etag=file.etag)
        response = web.StreamResponse(
            status=selection.status, headers=_response_headers(path, file, selection)
        )
        if selection.status != 304:
            response.content_length = selection.stop - selection.start
        try:
            await response.prepare(request)
            if request.method == "GET":
                await self._send_body(request, response, path, file, selection)
        except ConnectionError:  # the client has gone
            _hang_up(request)
        return response

    async def _send_body(
        self,
        request: web.Request,
        response: web.StreamResponse,
        path: str,
        file: ServedFile,
        selection: Selection,
    ) -> None:
        stop = selection.start + self._link.cut(path, selection.stop - selection.start)
        sent = selection.start
        for start, end in self._link.pieces(selection.start, stop):
            data = file.read_at_once(start, end)
            if data is None:
                data = await asyncio.to_thread(file.read, start, end)
            else:
                await asyncio.sleep(0)  # a client that takes all at once is not the only one
            await response.write(await self._link.carry(path, start, data, size=file.size))
            sent += len(data)
            self._metrics.file_bytes += len(data)
        if sent < selection.stop:  # cut, or the file has become shorter
            _hang_up(request)


def _failure(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, headers=_HEADERS | {"Cache-Control": NEVER})


def _hang_up(request: web.Request) -> None:
    """End a response that announced more than it has; what was written is still sent."""
    if request.transport is not None:
        request.transport.close()


def _response_headers(path: str, file: ServedFile, selection: Selection) -> dict[str, str]:
    if selection.status == 304:  # RFC 9110 15.4.5: no more than a cache needs
        return {"Server": "midstream", "Cache-Control": caching(path), "ETag": file.etag}
    headers = _HEADERS | {
        "Accept-Ranges": "bytes",
        "Cache-Control": caching(path),
        "Content-Type": "application/json"
        if path.endswith(".json")
        else "application/octet-stream",
        "ETag": file.etag,
    }
    if selection.status == 206:
        headers["Content-Range"] = f"bytes {selection.start}-{selection.stop - 1}/{file.size}"
    elif selection.status == 416:
        headers |= {"Content-Range": f"bytes */{file.size}", "Cache-Control": NEVER}
    return headers
