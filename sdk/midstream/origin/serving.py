"""The application on a port. Knows nothing of what it serves."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from midstream.errors import ErrorCode, UnavailableError, UsageError
from midstream.origin.app import create_app
from midstream.origin.bounds import ServerLimits
from midstream.origin.connections import Connections
from midstream.origin.impairments import Counters, Impairments
from midstream.origin.logs import LOGGER
from midstream.origin.metrics import Metrics
from midstream.transport.reasons import system_reason

__all__ = ["serve"]

_LINGERING = 1.0
"""Seconds that a request's body, which nobody wants, is awaited for."""
_LIMITS = ServerLimits()


@asynccontextmanager
async def serve(
    folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    impairments: Impairments | None = None,
    counters: Counters | None = None,
    limits: ServerLimits = _LIMITS,
) -> AsyncIterator[str]:
    """Serve a folder; gives the URL.

    When it ends it takes no new connections and requests, and requests under way have
    `limits.grace` seconds more.

    Args:
        folder: The published folder.
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        impairments: How bad the link is; perfect where None.
        counters: Where it is counted what was sent, lost and damaged.
        limits: What clients may do.

    Raises:
        UsageError: BAD_ARGUMENT where there is no such folder, or the port is none.
        UnavailableError: UNREACHABLE where it cannot listen there.
    """
    if not 0 <= port <= 65535:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"port {port}: expected 0 to 65535")
    metrics = Metrics()
    app = create_app(folder, impairments=impairments, counters=counters, metrics=metrics)
    connections = Connections(limits, metrics)
    app.middlewares.append(connections.watch)
    runner = _runner(app, limits)
    await runner.setup()
    try:
        async with _listening(runner, connections, host, port) as url:
            yield url
    finally:
        await runner.cleanup()
        connections.abort()


def _runner(app: web.Application, limits: ServerLimits) -> web.AppRunner:
    return web.AppRunner(
        app,
        access_log=None,
        logger=LOGGER,
        shutdown_timeout=limits.grace,
        lingering_time=_LINGERING,
        keepalive_timeout=2 * limits.idle_timeout,  # ours comes first, and is counted
        max_line_size=limits.line_size,
        max_field_size=limits.field_size,
    )


@asynccontextmanager
async def _listening(
    runner: web.AppRunner, connections: Connections, host: str, port: int
) -> AsyncIterator[str]:
    speak = runner.server
    assert speak is not None, "it was set up"
    loop = asyncio.get_running_loop()
    try:
        listener = await loop.create_server(
            lambda: connections.guard(speak()), host, port, backlog=connections.limits.connections
        )
    except (OSError, UnicodeError) as error:
        reason = system_reason(error) if isinstance(error, OSError) else str(error)
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            reason += "; end what listens there, or take another port"
        raise UnavailableError(
            ErrorCode.UNREACHABLE, f"cannot listen on {host}, port {port}: {reason}"
        ) from error
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{name}:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()  # connections stay, until what is under way on them has ended
