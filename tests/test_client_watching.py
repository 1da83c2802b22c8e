"""Following releases: told by the origin, or by polls; and lies on the channel."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from midstream import (
    CheckFailed,
    Delivery,
    Event,
    GenerationSwapped,
    ReleaseOpened,
    SwapMode,
    connect,
)
from midstream.client.keeping import Keeper
from midstream.client.metadata import MetadataSource
from midstream.client.watching import Pace
from midstream.errors import ErrorCode, TransportError, TrustError, UsageError
from midstream.limits import Limits
from midstream.origin import serve
from midstream.testing import FakeBackend, FakeClock, MemoryRepository
from midstream.transport import open_transport, updater
from midstream.transport.channel import version_of, with_news
from newsserver import (
    Talk,
    forge,
    hang_up,
    hear_nothing,
    news_server,
    say_nothing,
    talk_bytes,
    talk_long,
    talk_news,
)
from published import NAME, Published, published
from waiting import IN_TIME

HOUR = 3600.0
OFTEN = 0.02
TWICE = Limits(attempts=2)


@pytest.fixture(scope="module")
def news() -> Published:
    return published(1, 2)


def publish(repo: Path, news: Published) -> None:
    """As the publisher does: what is signed for first, the timestamp after it."""
    last = "metadata/timestamp.json"
    rest = {path: data for path, data in news.files.items() if path != last}
    Published(models=news.models, files=rest).write(repo)
    new = repo / "metadata/.new-timestamp"
    new.write_bytes(news.files[last])
    new.replace(repo / last)


@dataclass
class Told:
    """Events, as they come."""

    events: list[Event] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._came.set()

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    async def release(self, number: int) -> None:
        """Wait until it is opened."""
        while number not in [event.manifest.release for event in self.of(ReleaseOpened)]:
            self._came.clear()
            await self._came.wait()

    async def failure(self) -> Any:
        """Wait for a look that fails."""
        while not self.of(CheckFailed):
            self._came.clear()
            await self._came.wait()
        return self.of(CheckFailed)[0].error

    async def swap_to(self, number: int) -> None:
        """Wait until it runs."""
        while number not in [event.generation.release for event in self.of(GenerationSwapped)]:
            self._came.clear()
            await self._came.wait()


@asynccontextmanager
async def watching(
    url: str, made: Published, *, poll: float, push: bool = True, limits: Limits = TWICE
) -> AsyncIterator[tuple[Delivery, Told]]:
    """A delivery that looks for news."""
    told = Told()
    async with (
        asyncio.timeout(IN_TIME),
        Delivery.open(url, NAME, root=made.root, on_event=told, limits=limits) as delivery,
    ):
        watch = asyncio.create_task(delivery.watch(poll=poll, push=push))
        try:
            yield delivery, told
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


# ------------------------------------------------------------------------------- the channel


async def test_an_announcement_leads_to_a_verified_swap(
    made: Published, news: Published, repo: Path
) -> None:
    """[DEL-15]"""
    told = Told()
    async with (
        asyncio.timeout(IN_TIME),
        serve(repo) as url,
        connect(
            url,
            NAME,
            root=made.root,
            backend=FakeBackend(),
            swap=SwapMode.IMMEDIATE,
            poll=HOUR,
            on_event=told,
        ) as model,
    ):
        await model.complete()
        publish(repo, news)
        await told.swap_to(2)
        await model.complete()
        assert model.generation is not None
        assert model.generation.sha256 == news.manifest.model_sha256.hex()
        assert not told.of(CheckFailed)


async def test_each_release_is_announced_to_all_who_listen(
    made: Published, news: Published, repo: Path
) -> None:
    async with (
        serve(repo) as url,
        watching(url, made, poll=HOUR) as (_, first),
        watching(url, made, poll=HOUR) as (_, second),
    ):
        publish(repo, news)
        await asyncio.gather(first.release(2), second.release(2))
        publish(repo, published(1, 2, 3))
        await asyncio.gather(first.release(3), second.release(3))


async def test_news_that_come_with_an_announcement_are_taken_from_it(
    made: Published, news: Published, repo: Path
) -> None:
    """[DEL-15]"""
    path = f"bundles/{NAME}.news"

    async def tell(socket: web.WebSocketResponse) -> None:
        await server.polls(1)
        publish(repo, news)
        version = version_of(news.files["metadata/timestamp.json"])
        await socket.send_bytes(with_news(version, news.files[path]))
        await socket.receive()

    async with (
        news_server(repo, tell) as server,
        watching(server.url, made, poll=HOUR) as (delivery, told),
    ):
        await told.release(2)
        assert path not in [record.path for record in delivery.trace]
        assert len(server.statuses) == 1


async def test_what_is_known_already_is_no_news(made: Published, repo: Path) -> None:
    async def repeat(socket: web.WebSocketResponse) -> None:
        await server.polls(1)
        for _ in range(5):
            await socket.send_str(version)
        done.set()
        await socket.receive()

    done = asyncio.Event()
    async with news_server(repo, repeat) as server:
        async with open_transport(server.url) as asked:
            path = "metadata/timestamp.json"
            async with asked.fetch(path, limit=1 << 14) as response:
                version = response.etag or ""
        await server.polls(1)
        async with watching(server.url, made, poll=1.0) as (_, told):
            await done.wait()
            await asyncio.sleep(0)
            assert len(server.statuses) == 2
            assert not told.of(CheckFailed)


async def test_a_forged_announcement_changes_nothing(made: Published, repo: Path) -> None:
    """[DEL-15]"""
    async with (
        news_server(repo, forge) as server,
        watching(server.url, made, poll=HOUR) as (delivery, told),
    ):
        await server.polls(2)  # the first look, and that of the announcements
        assert delivery.manifest == made.manifest
        assert server.statuses[1:] == [304]
        assert not told.of(CheckFailed)


async def test_a_flood_of_announcements_is_one_look_at_a_time(made: Published, repo: Path) -> None:
    """[DEL-17]"""

    async def flood(socket: web.WebSocketResponse) -> None:
        for number in range(500):
            await socket.send_str(f'"{number}"')
        done.set()
        await socket.receive()

    done = asyncio.Event()
    async with (
        news_server(repo, flood) as server,
        watching(server.url, made, poll=HOUR) as (_, _),
    ):
        await server.polls(1)
        await done.wait()
        await server.polls(1)
        assert len(server.statuses) == 2


async def test_an_unsigned_release_that_is_announced_is_refused(
    made: Published, repo: Path
) -> None:
    """[DEL-15]"""
    async with serve(repo) as url, watching(url, made, poll=HOUR) as (delivery, told):
        (repo / "metadata/timestamp.json.repair").unlink()
        (repo / "metadata/timestamp.json").write_bytes(b'{"signed": "by nobody"}')
        assert isinstance(await told.failure(), TrustError)
        assert delivery.manifest == made.manifest


async def test_who_comes_late_hears_of_what_is_there(
    made: Published, news: Published, repo: Path
) -> None:
    async with serve(repo) as url, open_transport(url) as transport:
        async with transport.announcements() as announced:
            first = await anext(announced)
        publish(repo, news)
        async with transport.announcements() as announced:
            while (second := await anext(announced)) == first:
                pass
        async with transport.fetch("metadata/timestamp.json", limit=1 << 14) as response:
            assert response.etag == second.version


# --------------------------------------------------------------------- where it does not work


@pytest.mark.parametrize("talk", [None, hang_up, hear_nothing, talk_long, talk_bytes, talk_news])
async def test_polling_takes_over_where_the_channel_breaks(
    made: Published, news: Published, repo: Path, talk: Talk | None
) -> None:
    """[DEL-16]"""
    limits = Limits(attempts=2, heartbeat=0.1)
    async with (
        news_server(repo, talk) as server,
        watching(server.url, made, poll=OFTEN, limits=limits) as (_, told),
    ):
        await server.opened.acquire()
        await server.polls(3)
        publish(repo, news)
        await told.release(2)


async def test_a_silent_channel_does_not_keep_a_client_from_polling(
    made: Published, news: Published, repo: Path
) -> None:
    """[DEL-16]"""
    async with (
        news_server(repo, say_nothing) as server,
        watching(server.url, made, poll=OFTEN) as (_, told),
    ):
        await server.opened.acquire()
        publish(repo, news)
        await told.release(2)


async def test_a_channel_that_broke_is_opened_again(made: Published, repo: Path) -> None:
    async with (
        news_server(repo, hang_up) as server,
        watching(server.url, made, poll=HOUR) as (_, told),
    ):
        await server.opened.acquire()
        server.talk = say_nothing
        await server.opened.acquire()
        assert not told.of(CheckFailed)


async def test_no_channel_is_opened_where_it_is_not_wanted(made: Published, repo: Path) -> None:
    async with (
        news_server(repo, say_nothing) as server,
        watching(server.url, made, poll=OFTEN, push=False),
    ):
        await server.polls(4)
        assert server.opened.locked()


async def test_a_folder_is_polled(made: Published, news: Published, repo: Path) -> None:
    async with watching(str(repo), made, poll=OFTEN) as (_, told):
        publish(repo, news)
        await told.release(2)


async def test_a_look_that_fails_is_told_and_looks_go_on(
    made: Published, news: Published, repo: Path
) -> None:
    timestamp = repo / "metadata/timestamp.json"
    async with serve(repo) as url, watching(url, made, poll=OFTEN) as (_, told):
        whole = timestamp.rename(repo / "metadata/.away")
        assert (await told.failure()).code is ErrorCode.NOT_FOUND
        whole.rename(timestamp)
        publish(repo, news)
        await told.release(2)


@pytest.mark.parametrize("poll", [0.0, -1.0, float("nan"), float("inf"), "text"])
async def test_a_poll_that_makes_no_sense_is_refused(
    made: Published, repo: Path, poll: Any
) -> None:
    async with Delivery.open(str(repo), NAME, root=made.root) as delivery:
        with pytest.raises(UsageError):
            await delivery.watch(poll=poll)
    with pytest.raises(UsageError):
        async with connect(str(repo), NAME, root=made.root, poll=poll, backend=FakeBackend()):
            pass


@pytest.mark.parametrize("transport", ["folder", "memory"])
async def test_what_is_no_server_has_no_channel(repo: Path, transport: str) -> None:
    async with open_transport(repo) as folder:
        used = folder if transport == "folder" else MemoryRepository.of(repo)
        with pytest.raises(TransportError) as caught:
            async with used.announcements():
                pass
        assert caught.value.code is ErrorCode.NOT_FOUND


# ------------------------------------------------------------------------------------- polls


async def test_a_poll_without_news_is_one_small_answer(made: Published, repo: Path) -> None:
    """[DEL-18]"""
    async with (
        news_server(repo) as server,
        watching(server.url, made, poll=OFTEN, push=False) as (delivery, _),
    ):
        await server.polls(2)  # the first one looks for a newer root
        before, asked = delivery.bytes_received, len(delivery.trace)
        await server.polls(6)
        polls = delivery.trace[asked:]
        assert {record.path for record in polls[:5]} == {"metadata/timestamp.json"}
        received = (delivery.bytes_received - before) / len(polls)
        assert set(server.statuses[3:]) == {304}
        assert received + max(server.costs[3:]) <= 600


async def test_newer_roots_are_looked_for_once_an_hour_without_news(made: Published) -> None:
    """[DEL-18]"""
    repository, clock = MemoryRepository(made.files), FakeClock()
    asked = []
    async with Keeper.open(None, on_event=lambda _: None) as keeper:
        source = MetadataSource(repository, NAME, root=made.root, keeper=keeper, clock=clock)
        for seconds in (0, 1800, 1799, 1, 1):
            clock.advance(seconds)
            repository.trace.clear()
            assert await source.poll() == made.manifest
            asked.append([(record.path, record.status) for record in repository.trace])
    timestamp, newer = "metadata/timestamp.json", ("metadata/2.root.json", 404)
    assert [(timestamp, 304)] == asked[1] == asked[2] == asked[4]
    assert asked[3] == [(timestamp, 200), newer]
    assert newer in asked[0]


async def test_polls_use_one_connection(made: Published, repo: Path) -> None:
    async with (
        news_server(repo) as server,
        watching(server.url, made, poll=OFTEN, push=False),
    ):
        await server.polls(6)
        assert len(server.peers) == 1


async def test_metadata_that_ran_out_is_found_out_without_news(
    made: Published, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[DEL-18]"""
    async with news_server(repo) as server, watching(server.url, made, poll=OFTEN) as (_, told):
        await server.polls(3)
        real = updater.Updater

        def late(*arguments: Any, **more: Any) -> Any:
            made_updater = real(*arguments, **more)
            trusted = made_updater._trusted_set
            trusted.reference_time = trusted.reference_time.replace(year=2999)
            return made_updater

        monkeypatch.setattr(updater, "Updater", late)
        assert (await told.failure()).code is ErrorCode.EXPIRED


# -------------------------------------------------------------------------------------- pace


def test_pauses_double_after_errors_and_end_at_sixteen_times() -> None:
    pace = Pace(60.0)
    pauses = [pace.look(failures, has_channel=False) for failures in (0, 1, 2, 4, 100)]
    assert pauses == [60.0, 120.0, 240.0, 960.0, 960.0]
    assert pace.look(0, has_channel=True) == 600.0
    assert pace.look(1, has_channel=True) == 120.0  # what failed is not announced again


def test_pauses_differ_by_half_and_no_more() -> None:
    pace = Pace(60.0, rng=random.Random(1))
    found = [pace.jitter() for _ in range(1000)]
    assert 0.5 <= min(found) < 0.6
    assert 1.4 < max(found) <= 1.5
    assert Pace(60.0).jitter() != Pace(60.0).jitter()


def test_a_channel_is_opened_again_by_and_by() -> None:
    pace = Pace(60.0, rng=random.Random(1))
    for failures, longest in ((1, 1.5), (2, 3.0), (5, 24.0), (1000, 450.0)):
        pauses = [pace.reconnect(failures, is_absent=False) for _ in range(100)]
        assert longest / 3 <= min(pauses)
        assert max(pauses) <= longest
    assert pace.reconnect(1, is_absent=True) >= 1800.0
