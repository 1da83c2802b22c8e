"""The application on a port. Knows nothing of what it serves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from midstream.errors import ErrorCode, UnavailableError, UsageError
from midstream.origin.app import create_app
from midstream.origin.impairments import Counters, Impairments

__all__ = ["serve"]

_PATIENCE = 0.5
"""Seconds that answers under way have when it ends."""


@asynccontextmanager
async def serve(
    folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    impairments: Impairments | None = None,
    counters: Counters | None = None,
) -> AsyncIterator[str]:
    """Serve a folder; gives the URL.

    Args:
        folder: The published folder.
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        impairments: How bad the link is; perfect where None.
        counters: Where it is counted what was sent, lost and damaged.

    Raises:
        UsageError: BAD_ARGUMENT where there is no such folder, or the port is none.
        UnavailableError: UNREACHABLE where it cannot listen there.
    """
    if not 0 <= port <= 65535:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"port {port}: expected 0 to 65535")
    app = create_app(folder, impairments=impairments, counters=counters)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_PATIENCE)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnavailableError(
            ErrorCode.UNREACHABLE, f"cannot listen on {host}, port {port}: {reason}"
        ) from error
