"""Several models on one link: turns, and one budget."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from midstream import SharedLink, connect
from midstream.client import Delivery
from midstream.errors import ErrorCode, UsageError
from midstream.limits import Limits
from midstream.origin import Impairments, serve
from midstream.session import Event, Link, Policy, UnitVerified
from midstream.testing import FakeBackend, LinkFaults, tcp_proxy
from published import NAME, Published, published
from waiting import IN_TIME

LARGE = (64, 256, 192, 8)


@pytest.fixture(scope="module")
def made() -> Published:
    return published(1, sizes=LARGE)


@asynccontextmanager
async def sharing(
    made: Published, folder: Path, count: int, *, rate: float | None = None, **more: Any
) -> AsyncIterator[tuple[SharedLink, list[Delivery], list[tuple[int, Event]]]]:
    """So many deliveries of one network over one link."""
    link, told = SharedLink(), []
    repo = made.write(folder / "repo")
    (repo / f"bundles/{NAME}.bundle").unlink()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(repo, impairments=Impairments(rate=rate)))
        deliveries = []
        for number in range(count):

            def on_event(event: Event, number: int = number) -> None:
                told.append((number, event))

            opened = Delivery.open(url, NAME, root=made.root, link=link, on_event=on_event, **more)
            deliveries.append(await stack.enter_async_context(opened))
        yield link, deliveries, told


async def test_one_request_at_a_time_is_under_way(made: Published, tmp_path: Path) -> None:
    """[DEL-29]"""
    async with sharing(made, tmp_path, 3) as (_, deliveries, told):
        async with asyncio.timeout(IN_TIME):
            await asyncio.gather(*(delivery.complete() for delivery in deliveries))
        for delivery in deliveries:
            assert await delivery.rebuild() == made.models[0]
        units = [r for d in deliveries for r in d.trace if r.path.startswith("units/")]
        times = sorted((record.began, record.ended) for record in units)
        assert all(before[1] <= after[0] for before, after in pairwise(times))
        # all bases before any other unit: nothing ran yet
        layers = [e.entry.layer for _, e in told if isinstance(e, UnitVerified)]
        assert layers[:3] == [0, 0, 0]


async def test_who_waits_for_a_server_that_stalls_keeps_nobody_else_waiting(
    made: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[DEL-29]"""
    monkeypatch.setattr("midstream.client.sharing.SILENCE", 0.05)
    repo = made.write(tmp_path / "repo")
    (repo / f"bundles/{NAME}.bundle").unlink()
    link, patient = SharedLink(), Limits(read_timeout=2 * IN_TIME)
    async with (
        serve(repo) as url,
        tcp_proxy(url, LinkFaults()) as proxy,
        Delivery.open(proxy.url, NAME, root=made.root, link=link, limits=patient) as stalled,
        Delivery.open(url, NAME, root=made.root, link=link) as other,
    ):
        proxy.faults = LinkFaults(stall=1.0)
        waiting = asyncio.create_task(stalled.complete())
        async with asyncio.timeout(IN_TIME):
            while not stalled.counters.requests:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        async with asyncio.timeout(IN_TIME):  # long before the one that stalls is given up
            await other.complete()
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await other.rebuild() == made.models[0]


async def test_a_long_unit_lets_others_go_between(made: Published, tmp_path: Path) -> None:
    """[DEL-29]"""
    async with sharing(made, tmp_path, 2) as (_, deliveries, _):
        await asyncio.gather(*(delivery.complete() for delivery in deliveries))
        exact = made.manifest.units[-1]
        for delivery in deliveries:
            parts = [record for record in delivery.trace if record.path == exact.path]
            assert len(parts) > 1
            assert sum(record.received for record in parts) == exact.size


async def test_one_budget_is_for_all(made: Published, tmp_path: Path) -> None:
    """[DEL-26] [DEL-29]"""
    async with sharing(made, tmp_path, 2) as (link, deliveries, _):
        await asyncio.gather(*(delivery.base() for delivery in deliveries))
        before = sum(delivery.counters.total for delivery in deliveries)
        link.report(buffer=20.0, budget=10_000)
        for delivery in deliveries:
            while (choice := delivery.choose()) is not None:
                await delivery.advance(choice)
        assert sum(delivery.counters.total for delivery in deliveries) - before == 10_000
        assert {d.why_waiting() for d in deliveries} == {"the budget of 10000 bytes is spent"}


async def test_a_report_to_one_is_a_report_to_all(made: Published, tmp_path: Path) -> None:
    async with sharing(made, tmp_path, 2) as (_, (one, other), _):
        await asyncio.gather(one.base(), other.base())
        one.report(Link(buffer=1.0))
        assert other.choose() is None
        running = asyncio.create_task(other.complete())
        await asyncio.sleep(0)
        one.report(Link())
        async with asyncio.timeout(IN_TIME):
            await running


async def test_a_model_that_is_closed_leaves_its_turn(made: Published, tmp_path: Path) -> None:
    async with sharing(made, tmp_path, 2, rate=50_000) as (_, (one, other), _):
        await asyncio.gather(one.base(), other.base())
        hog = asyncio.create_task(one.complete())
        while one.counters.total < made.manifest.base.size + 5_000:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        hog.cancel()
        await asyncio.gather(hog, return_exceptions=True)
        async with asyncio.timeout(IN_TIME):
            choice = other.choose()
            assert choice is not None
            assert await other.advance(choice)


async def begun(one: Delivery, link: SharedLink) -> None:
    """The base is there, and 5,000 bytes of the next unit."""
    await one.base()
    link.report(buffer=20.0, budget=5_000)
    choice = one.choose()
    assert choice is not None
    assert not await one.advance(choice)


async def test_what_is_allowed_while_a_unit_rests_is_for_its_next_turn(
    made: Published, tmp_path: Path
) -> None:
    async with sharing(made, tmp_path, 1) as (link, (one,), _):
        await begun(one, link)
        asked = len(one.trace)
        async with one._fetcher.free:
            step = asyncio.create_task(one.step())
            await asyncio.sleep(0)
            link.report(buffer=30.0)
        assert not await step
        assert len(one.trace) == asked
        await one.complete()


async def test_a_release_that_comes_while_a_unit_waits_begins_with_what_is_kept_of_it(
    made: Published, tmp_path: Path
) -> None:
    news = published(1, 2, sizes=LARGE)
    async with sharing(made, tmp_path, 1, store=tmp_path / "store") as (link, (one,), _):
        await begun(one, link)
        asked = len(one.trace)
        link.report(buffer=30.0)
        async with one._fetcher.free:
            step = asyncio.create_task(one.step())
            await asyncio.sleep(0)
            one._held.open(news.manifest, over=1)
            one._session.open_release(news.manifest, time.monotonic())
        assert await step  # the new base is the better one now, and was not looked for in the store
        assert len(one.trace) == asked
        news.write(tmp_path / "repo")
        await one.complete()
        assert await one.rebuild() == news.models[1]
        assert one.counters.damaged_packets == 0


async def test_models_share_a_link(made: Published, tmp_path: Path) -> None:
    repo, link = made.write(tmp_path / "repo"), SharedLink()
    options: dict[str, Any] = {"root": made.root, "backend": FakeBackend(), "link": link}
    async with (
        serve(repo) as url,
        connect(url, NAME, weight=2.0, **options) as one,
        connect(url, NAME, policy=Policy(max_layer=1), **options) as other,
    ):
        await asyncio.gather(one.ready(IN_TIME), other.ready(IN_TIME))
        one.report(buffer=30.0, throughput=1e7)
        await asyncio.gather(one.complete(), other.complete())
        assert one.delivery.is_last(1, one.delivery.best_layer())
        assert other.delivery.best_layer() == 1


async def test_a_weight_that_makes_no_sense_is_refused(made: Published, tmp_path: Path) -> None:
    repo = made.write(tmp_path / "repo")
    with pytest.raises(UsageError) as caught:
        async with Delivery.open(str(repo), NAME, root=made.root, weight=0.0):
            pass
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
