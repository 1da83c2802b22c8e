"""Files opened off the event loop and never lost. Knows nothing of what is in them."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

__all__ = ["open_in_thread"]


class _Closable(Protocol):
    def close(self) -> None:
        """Let it go."""


_P = ParamSpec("_P")
_T = TypeVar("_T", bound=_Closable | None)


async def open_in_thread(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Open something in a thread; what comes after the caller was cancelled is closed."""
    # no task, which the end of a loop would cancel, and lose what the thread still opens
    opening = asyncio.get_running_loop().run_in_executor(None, partial(function, *args, **kwargs))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: "asyncio.Future[_T]") -> None:
    if opening.cancelled() or opening.exception() is not None:
        return
    if (opened := opening.result()) is not None:
        opened.close()
