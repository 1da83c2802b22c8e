"""How the origin is watched: `/health`, `/metrics`. Knows nothing of files."""

import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from midstream.origin.metrics import CONTENT_TYPE, Metrics

__all__ = ["add_watching"]

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def add_watching(app: web.Application, metrics: Metrics) -> None:
    """Count an application's answers, and say at two paths how it is.

    Nothing in a published folder is called `health` or `metrics` (spec/trust.md, "Layout").
    """

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n", headers=_HEADERS)

    async def tell(_: web.Request) -> web.Response:
        text = metrics.text().encode()
        return web.Response(body=text, headers=_HEADERS | {"Content-Type": CONTENT_TYPE})

    app.middlewares.append(_counting(metrics))
    app.router.add_get("/health", health)
    app.router.add_get("/metrics", tell)


def _counting(metrics: Metrics) -> Middleware:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.monotonic()
        status = 500  # what aiohttp answers when a handler fails
        metrics.began()
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as error:
            status = error.status
            raise
        else:
            return response
        finally:
            metrics.ended()
            metrics.answered(status, time.monotonic() - began)

    return count
