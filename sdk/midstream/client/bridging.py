"""A transport that lives on the loop, for those who ask in a thread. Knows nothing of trust."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from midstream.errors import ErrorCode, TransportError

__all__ = ["Bridge", "Get", "NotAtHandError", "refuse"]

Get = Callable[[str, int], Coroutine[Any, Any, bytes]]
"""Gives the bytes of a path, so many at most."""


class Bridge:
    """Lets the updater's thread use the transport, which lives on the loop."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._loop = asyncio.get_running_loop()
        self._has_ended = False
        self._task: asyncio.Task[Any] | None = None

    def fetch(self, path: str, max_length: int) -> bytes:
        """Called in the thread."""
        return asyncio.run_coroutine_threadsafe(self._run(path, max_length), self._loop).result()

    def end(self) -> None:
        """Nobody waits for the thread any more: what it asks for is not fetched."""
        self._has_ended = True
        if self._task is not None:
            self._task.cancel()

    async def _run(self, path: str, max_length: int) -> bytes:
        if self._has_ended:
            raise TransportError(ErrorCode.UNREACHABLE, f"{path}: no longer wanted")
        self._task = asyncio.current_task()
        return await self._get(path, max_length)


class NotAtHandError(TransportError):
    """A file would have to be asked for."""


def refuse(path: str, max_length: int) -> bytes:  # noqa: ARG001 - the shape of a fetch
    """For what is looked up without asking anybody."""
    raise NotAtHandError(ErrorCode.UNREACHABLE, f"{path}: not asked for")
