"""Looks for newer releases: cancelled, at once, and what becomes of the units."""

import asyncio
from pathlib import Path

import pytest

from delivering import delivering
from midstream.errors import (
    UsageError,
)
from midstream.origin import Impairments, serve
from midstream.store import Store
from published import Published, published
from staticservers import StaticServer
from waiting import until


async def test_cancelling_is_not_swallowed(made: Published, repo: Path, tmp_path: Path) -> None:
    async with serve(repo, impairments=Impairments(delay=30)) as url:
        task = asyncio.create_task(_open_and_complete(url, made, tmp_path / "store"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with Store(tmp_path / "store"):  # nobody holds it any more
        pass


async def _open_and_complete(url: str, made: Published, store: Path) -> None:
    async with delivering(url, made, store=store) as (delivery, _):
        await delivery.complete()


async def test_a_look_for_news_may_be_cancelled(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    async with (
        serve(repo) as good,
        serve(repo, impairments=Impairments(delay=30)) as slow,
        delivering(good, made, store=tmp_path / "store") as (delivery, _),
    ):
        delivery._transport._base = slow  # type: ignore[attr-defined]
        task = asyncio.create_task(delivery.check())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_look_that_is_cancelled_while_it_opens_a_release_opens_it_the_next_time(
    made: Published, tmp_path: Path
) -> None:
    repo = made.write(tmp_path / "repo")
    async with delivering(repo, made) as (delivery, _):
        published(1, 2).write(repo)
        async with delivery._fetcher.free:  # somebody else has the session
            task = asyncio.create_task(delivery.check())
            await until(lambda: 2 in delivery.releases)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await delivery.check()
        assert delivery.manifest.release == 2


async def test_a_look_without_news_changes_nothing(
    made: Published, repo: Path, static_server: StaticServer
) -> None:
    async with static_server(repo) as url, delivering(url, made) as (delivery, _):
        assert not await delivery.check()
        assert delivery.releases == [1]


async def test_a_new_release_is_found_and_fetched(
    made: Published, repo: Path, static_server: StaticServer
) -> None:
    news = published(1, 2)
    async with static_server(repo) as url, delivering(url, made) as (delivery, _):
        await delivery.complete()
        news.write(repo)
        assert await delivery.check()
        assert delivery.releases == [2, 1]
        assert delivery.layer_here(2) is None
        await delivery.complete()
        assert await delivery.rebuild() == news.models[1]
        assert await delivery.rebuild(release=1) == made.models[0]


async def test_two_looks_at_once_are_no_error(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        assert await asyncio.gather(delivery.check(), delivery.check()) == [False, False]


async def test_units_that_releases_share_are_fetched_once(tmp_path: Path) -> None:
    made = published(1, 1)
    repo = published(1).write(tmp_path / "repo")
    async with delivering(repo, made) as (delivery, _):
        await delivery.complete()
        before = delivery.counters.requests
        made.write(repo)
        assert await delivery.check()
        await delivery.complete()
        assert delivery.counters.requests == before
        assert delivery.manifest.release == 2


async def test_units_of_releases_long_past_are_let_go(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    first = published(1)
    first.write(repo)
    async with delivering(repo, first) as (delivery, _):
        await delivery.complete()
        for seeds in [(1, 2), (1, 2, 3)]:
            published(*seeds).write(repo)
            assert await delivery.check()
            await delivery.complete()
        assert [delivery.layer_here(release) for release in delivery.releases] == [2, 2, None]
        with pytest.raises(UsageError):
            await delivery.rebuild(release=1)
