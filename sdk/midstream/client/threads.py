"""Work off the event loop that is never left running. Knows nothing of the work."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

__all__ = ["Pulse", "in_thread", "in_thread_until", "to_its_end", "until_done"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_thread(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function in a thread; one that is cancelled waits for the thread's end first.

    What comes after a cancelled call may use the same files and states.
    """
    return await in_thread_until(_nothing, function, *args, **kwargs)


async def in_thread_until(
    stop: Callable[[], None], function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """The same for a function that can be told to end early: `stop` is called when cancelled."""
    return await until_done(
        asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs)), stop
    )


async def to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine; one that is cancelled waits for its end first."""
    return await until_done(asyncio.ensure_future(work), _nothing)


async def until_done(work: "asyncio.Future[_T]", stop: Callable[[], object]) -> _T:
    """What a thread's work gives; the same for work that has begun already."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # nobody is left to be told
        raise


def _nothing() -> None:
    pass


class Pulse:
    """Wakes all who wait, each time that something has changed."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def beat(self) -> None:
        """Something has changed; on the loop only."""
        past, self._next = self._next, asyncio.Event()
        past.set()

    async def wait(self) -> None:
        """Wait for the next change."""
        await self._next.wait()
