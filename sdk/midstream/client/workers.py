"""The threads that compute for all models of a process. Knows nothing of what they compute.

There are as many as processors, so work waits; and what is nearest to a swap goes first. A
release that reaches many models at once is then activated in one after another, where taking
turns would have all of them wait for the last one.
"""

import asyncio
import heapq
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import IntEnum
from functools import partial
from typing import Any, ParamSpec, TypeVar

from midstream.client.threads import until_done

__all__ = ["Step", "Workers", "in_worker"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Step(IntEnum):
    """What is done with a release, the last step first: that is the order in which work goes."""

    STAGE = 0
    """Build and test the network."""
    DECODE = 1
    """Make the model file of its units."""
    VERIFY = 2
    """See that the release is signed for."""


class Workers:
    """Threads that take the most urgent work, and of equals the oldest.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="midstream-work")
        self._waiting: list[tuple[Step, int, Future[Any], Callable[[], Any]]] = []
        self._numbers = itertools.count()
        self._guard = threading.Lock()

    def submit(self, step: Step, work: Callable[[], _T]) -> "Future[_T]":
        """Have work done; it can be cancelled as long as it waits."""
        future: Future[_T] = Future()
        with self._guard:
            heapq.heappush(self._waiting, (step, next(self._numbers), future, work))
        self._threads.submit(self._do_next)
        return future

    def _do_next(self) -> None:
        with self._guard:
            *_, future, work = heapq.heappop(self._waiting)
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:  # whatever it is, it is for who waits
            future.set_exception(error)


_WORKERS = Workers(os.cpu_count() or 1)


async def in_worker(
    step: Step, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """Have a function computed; one that is cancelled waits for its end, if it has begun.

    It must not wait for anything itself: others wait for the thread.
    """
    job = _WORKERS.submit(step, partial(function, *args, **kwargs))
    return await until_done(asyncio.wrap_future(job), job.cancel)
