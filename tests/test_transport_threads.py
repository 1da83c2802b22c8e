"""What is opened in a thread is closed, whoever is cancelled meanwhile."""

import asyncio
import threading

import pytest

from midstream.transport.threads import open_in_thread
from waiting import IN_TIME


class Door:
    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self.closed.set)


async def test_what_was_opened_is_given_to_the_caller_open() -> None:
    door = Door()
    assert await open_in_thread(lambda: door) is door
    assert not door.closed.is_set()


async def test_what_is_opened_after_the_caller_was_cancelled_is_closed() -> None:
    door, may_open = Door(), threading.Event()

    def slowly() -> Door:
        may_open.wait(IN_TIME)
        return door

    task = asyncio.create_task(open_in_thread(slowly))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_open.set()
    async with asyncio.timeout(IN_TIME):
        await door.closed.wait()


@pytest.mark.parametrize("fails", [True, False])
async def test_nothing_is_closed_where_nothing_was_opened(fails: bool) -> None:
    may_end = threading.Event()

    def nothing() -> None:
        may_end.wait(IN_TIME)
        if fails:
            raise FileNotFoundError

    task = asyncio.create_task(open_in_thread(nothing))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    await asyncio.sleep(0.05)


def test_what_is_opened_while_the_loop_ends_is_closed() -> None:
    begun, may_open, closed = threading.Event(), threading.Event(), threading.Event()

    class Late:
        def close(self) -> None:
            closed.set()

    def slowly() -> Late:
        begun.set()
        may_open.wait(IN_TIME)
        return Late()

    async def leave() -> None:
        task = asyncio.create_task(open_in_thread(slowly))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.wait([task])
        threading.Timer(0.05, may_open.set).start()

    asyncio.run(leave())
    assert closed.is_set()
