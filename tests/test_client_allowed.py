"""What a player lets a delivery take of the link, and what it is told of that."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path

from delivering import QUICK, delivering, of
from midstream.origin import Impairments, serve
from midstream.publisher import FRESH
from midstream.session import (
    Choice,
    Link,
    Policy,
    SessionState,
    UnitChosen,
    UnitFailed,
)
from published import Published, published
from waiting import until


async def test_the_player_may_fetch_unit_by_unit(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, events):
        await delivery.base()
        fetched = []
        while (choice := delivery.choose()) is not None:
            assert await delivery.advance(choice)
            fetched.append(choice.unit)
        assert fetched == list(range(1, len(made.manifest.units)))
        assert delivery.state is SessionState.COMPLETE
        assert len(of(events, UnitChosen)) == len(fetched)


async def test_a_choice_stays_good_when_the_player_reports(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        choice = delivery.choose()
        assert choice is not None
        delivery.report(Link(buffer=12.0, throughput=1e6))
        assert await delivery.advance(choice)


async def test_a_unit_that_is_not_wanted_now_is_not_fetched(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        other = Choice(release=1, unit=2, size=1, reason="mine")
        assert not await delivery.advance(other)
        delivery.report(Link(buffer=1.0))
        assert delivery.choose() is None
        assert "below" in delivery.why_waiting()
        assert not await delivery.advance(Choice(release=1, unit=1, size=1, reason="mine"))
        delivery.report(Link())
        assert delivery.choose() is not None


async def test_a_unit_that_fails_under_the_player_is_said_to(made: Published, repo: Path) -> None:
    entry = made.manifest.units[1]
    for path in (entry.path, entry.hashes_path):
        (repo / path).unlink()
    async with delivering(repo, made, limits=QUICK) as (delivery, _):
        choice = delivery.choose()
        assert choice is not None
        assert not await delivery.advance(choice)


async def test_a_player_is_told_when_models_had_the_link(made: Published, repo: Path) -> None:
    async with serve(repo) as url, delivering(url, made) as (delivery, _):
        began = time.monotonic()
        await delivery.complete()
        ended = time.monotonic()
        spans = delivery.busy()
        assert all(before[1] < after[0] for before, after in pairwise(spans))
        assert began > spans[0][0]  # the metadata came before
        assert spans[-1][1] <= ended
        for record in delivery.trace:
            assert any(span[0] <= record.began <= record.ended <= span[1] for span in spans)
        assert delivery.busy(since=ended) == []
        assert delivery.busy(since=spans[-1][1]) == spans[-1:]


async def test_a_request_under_way_has_the_link_until_now(made: Published, repo: Path) -> None:
    slow = Impairments(delay=0.2)
    async with serve(repo, impairments=slow) as url, delivering(url, made) as (delivery, _):
        await delivery.base()
        fetching = asyncio.create_task(delivery.complete())
        await until(lambda: not delivery.trace[-1].ended)
        now = time.monotonic()
        assert delivery.busy(since=now)[-1][1] >= now
        await fetching


async def test_units_come_in_parts_within_each_budget(tmp_path: Path) -> None:
    """[DEL-26] [DEL-27]"""
    made = published(1, sizes=(64, 256, 192, 8))
    async with (
        serve(made.write(tmp_path / "repo")) as url,
        delivering(url, made, policy=Policy(max_layer=2)) as (delivery, _),
    ):
        await delivery.base()
        while delivery.state is not SessionState.COMPLETE:
            before = delivery.counters.total
            delivery.report(Link(buffer=20.0, budget=20_000))
            while (choice := delivery.choose()) is not None:
                await delivery.advance(choice)
            assert 0 < delivery.counters.total - before <= 20_000
        parts = [r for r in delivery.trace if r.path.startswith("units/")]
        assert any(r.start and r.stop == r.start + 20_000 for r in parts)
        assert sum(r.received for r in parts) == sum(e.size for e in made.manifest.units[1:3])


async def test_a_unit_that_is_dropped_goes_on_where_it_was(tmp_path: Path) -> None:
    """[DEL-27]"""
    sizes = (64, 256, 192, 8)
    made, news = published(1, sizes=sizes), published(1, 2, sizes=sizes, updates=FRESH)
    repo, exact = made.write(tmp_path / "repo"), made.manifest.units[-1]
    async with (
        serve(repo) as url,
        delivering(url, made, store=tmp_path / "store", limits=QUICK) as (delivery, events),
    ):
        await delivery.base()
        while (choice := delivery.choose()) is not None:
            if choice.size == exact.size and not delivery.why_waiting():
                delivery.report(Link(buffer=20.0, budget=50_000))
            await delivery.advance(choice)
        news.write(repo)
        for path in (news.manifest.base.path, news.manifest.base.hashes_path):
            (repo / path).unlink()
        assert await delivery.check()
        delivery.report(Link())
        running = asyncio.create_task(delivery.run())
        await until(lambda: delivery.layer_here(1) == exact.layer)
        running.cancel()
        chosen = [(e.choice.release, e.choice.size) for e in of(events, UnitChosen)]
        assert chosen[-3:] == [(1, exact.size), (2, news.manifest.base.size), (1, exact.size)]
        first, last = [r for r in delivery.trace if r.path == exact.path]
        assert (first.received, last.start) == (50_000, 50_000)
        assert last.received == exact.size - 50_000
        assert delivery.from_store == 0
        assert await delivery.rebuild(release=1) == made.models[0]


async def test_a_report_of_a_low_buffer_stops_the_bytes_of_a_unit_under_way(
    tmp_path: Path,
) -> None:
    """[DEL-26]"""
    made = published(1, sizes=(64, 256, 192, 8))
    slow = Impairments(rate=100_000)
    async with (
        serve(made.write(tmp_path / "repo"), impairments=slow) as url,
        delivering(url, made, policy=Policy(max_layer=2)) as (delivery, events),
    ):
        await delivery.base()
        running = asyncio.create_task(delivery.run())
        largest = max(entry.size for entry in made.manifest.units)
        await until(lambda: any(e.choice.size == largest for e in of(events, UnitChosen)))
        before = delivery.bytes_received
        await until(lambda: delivery.bytes_received > before + 10_000)
        delivery.report(Link(buffer=1.0))
        await until(lambda: delivery.trace[-1].ended > 0)
        rested = delivery.bytes_received
        await asyncio.sleep(0.3)
        assert delivery.bytes_received == rested
        assert delivery.why_waiting() == "buffer 1.0 s is below 8.0 s"
        assert delivery.choose() is None
        assert not of(events, UnitFailed)
        delivery.report(Link(buffer=20.0))
        await until(lambda: delivery.state is SessionState.COMPLETE)
        running.cancel()
        assert await delivery.rebuild() == made.models[0]
        sent = sum(entry.size for entry in made.manifest.units)
        bodies = sum(r.received for r in delivery.trace if r.path.startswith("units/"))
        assert bodies <= sent  # nothing came twice
