"""client.workers: what is nearest to a swap is computed first."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from midstream.client.workers import Step, Workers, in_worker
from waiting import IN_TIME


@pytest.fixture
def busy() -> Iterator[tuple[Workers, threading.Event]]:
    """One thread, at work until the event is set."""
    workers, go_on = Workers(1), threading.Event()
    began = threading.Event()

    def work() -> None:
        began.set()
        assert go_on.wait(IN_TIME)

    workers.submit(Step.VERIFY, work)
    assert began.wait(IN_TIME)
    yield workers, go_on
    go_on.set()


def test_what_is_nearest_to_a_swap_goes_first_and_of_equals_the_oldest(
    busy: tuple[Workers, threading.Event],
) -> None:
    workers, go_on = busy
    done: list[str] = []
    asked = [
        (Step.VERIFY, "verify a"),
        (Step.DECODE, "decode a"),
        (Step.VERIFY, "verify b"),
        (Step.STAGE, "stage a"),
        (Step.DECODE, "decode b"),
    ]
    jobs = [workers.submit(step, lambda name=name: done.append(name)) for step, name in asked]
    go_on.set()
    for job in jobs:
        job.result(10)
    assert done == ["stage a", "decode a", "decode b", "verify a", "verify b"]


def test_what_waits_can_be_cancelled(busy: tuple[Workers, threading.Event]) -> None:
    workers, go_on = busy
    done: list[int] = []
    jobs = [workers.submit(Step.STAGE, lambda at=at: done.append(at)) for at in range(3)]
    assert jobs[1].cancel()
    go_on.set()
    jobs[2].result(10)
    assert done == [0, 2]


async def test_an_error_is_for_who_waits_and_the_thread_goes_on() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_worker(Step.DECODE, divmod, 7, 0)
    assert await in_worker(Step.DECODE, divmod, 7, 2) == (3, 1)


async def test_one_that_is_cancelled_waits_for_the_end_of_what_has_begun() -> None:
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        assert go_on.wait(IN_TIME)
        ended.set()

    task = asyncio.create_task(in_worker(Step.DECODE, work))
    assert await asyncio.to_thread(began.wait, IN_TIME)
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
