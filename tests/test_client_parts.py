"""The client's small parts: whole files over bad links, threads, what is held and kept."""

import asyncio
import errno
import os
import shutil
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from badserver import answer, serving, sized
from midstream.client.holdings import Holdings
from midstream.client.keeping import Keeper, StoreFailed
from midstream.client.metadata import MetadataSource
from midstream.client.reading import Part, read_all
from midstream.client.threads import Pulse, in_thread, in_thread_until
from midstream.errors import ErrorCode, StoreError, TransportError, TrustError, UsageError
from midstream.limits import Limits
from midstream.origin import Impairments
from midstream.session import Event
from midstream.store import MemoryStore
from midstream.testing import MemoryRepository, SimulatedLink
from midstream.transport import open_transport
from published import NAME, Published, published
from releases import content, make
from waiting import IN_TIME, until

QUICK = Limits(attempts=2)


# ----------------------------------------------------------------- whole files over bad links


@pytest.mark.parametrize("seed", range(8))
async def test_a_file_comes_whole_over_a_link_that_cuts(seed: int) -> None:
    data = content(100_000, 1)
    link = SimulatedLink(MemoryRepository({"file": data}), Impairments(loss=0.7, seed=seed))
    assert await read_all(link, "file", limit=len(data)) == data
    received = sum(record.received for record in link.trace)
    assert received == len(data)  # it went on where it was


async def test_a_file_that_changes_meanwhile_comes_from_its_start() -> None:
    old, new = content(50_000, 1), content(60_000, 2)
    repository = MemoryRepository({"file": old})
    link = SimulatedLink(repository, Impairments(loss=1.0, seed=3))
    task = asyncio.create_task(read_all(link, "file", limit=60_000, limits=Limits(attempts=50)))
    await asyncio.sleep(0.02)
    repository.files["file"] = new
    link.link._impairments = Impairments()
    assert await task == new


async def test_a_file_goes_on_where_an_earlier_run_was_and_is_kept_as_it_comes() -> None:
    data, kept = content(50_000, 1), bytearray(50_000)
    kept[:20_000] = data[:20_000]

    async def write(offset: int, chunk: bytes) -> None:
        kept[offset : offset + len(chunk)] = chunk

    link = SimulatedLink(MemoryRepository({"file": data}), Impairments(loss=0.7, seed=3))
    part = Part(received=data[:20_000], write=write)
    assert await read_all(link, "file", limit=50_000, part=part) == data
    assert sum(record.received for record in link.trace) == 30_000
    assert kept == data


async def test_a_file_that_is_not_there_is_not_asked_for_again() -> None:
    repository = MemoryRepository({})
    with pytest.raises(TransportError) as caught:
        await read_all(repository, "file", limit=10)
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert len(repository.trace) == 1


async def test_a_link_that_brings_nothing_is_given_up() -> None:
    link = SimulatedLink(MemoryRepository({"file": b"x"}), Impairments(loss=1.0))
    with pytest.raises(TransportError) as caught:
        await read_all(link, "file", limit=10, limits=QUICK)
    assert caught.value.code is ErrorCode.SHORT_BODY
    assert len(link.trace) == 2


# ---------------------------------------------------------------------------------- threads


async def test_a_thread_gives_its_result_and_its_error() -> None:
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


async def test_who_is_cancelled_waits_for_the_thread() -> None:
    has_begun, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        has_begun.set()
        may_end.wait(IN_TIME)
        has_ended.set()

    task = asyncio.create_task(in_thread(work))
    await until(has_begun.is_set)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert has_ended.is_set()


async def test_a_thread_can_be_told_to_stop() -> None:
    stop = threading.Event()

    def work() -> None:
        stop.wait(IN_TIME)
        raise ZeroDivisionError  # nobody is left to be told

    task = asyncio.create_task(in_thread_until(stop.set, work))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_pulse_wakes_all_who_wait_each_time() -> None:
    pulse, woken = Pulse(), []

    async def wait(number: int) -> None:
        await pulse.wait()
        woken.append(number)

    for beat in range(2):
        tasks = [asyncio.create_task(wait(number)) for number in range(3)]
        await asyncio.sleep(0)
        assert len(woken) == 3 * beat
        pulse.beat()
        await asyncio.gather(*tasks)
    assert sorted(woken) == [0, 0, 1, 1, 2, 2]


# --------------------------------------------------------------------------------- holdings


def test_units_are_held_from_the_base_up() -> None:
    first = make([100, 200, 300])
    held = Holdings()
    assert held.open(first.manifest, over=0)
    assert not held.open(first.manifest, over=1)
    held.put(1, 0, b"base")
    held.put(1, 2, b"two")
    assert held.units(1, None) == [b"base"]
    held.put(1, 1, b"one")
    assert held.units(1, None) == [b"base", b"one", b"two"]
    assert held.units(1, 1) == [b"base", b"one"]
    assert held.units(1, -1) == [b"base"]
    assert held.find(first.manifest.units[1].id) == b"one"
    assert held.find("0" * 32) is None


def test_units_without_their_base_make_nothing() -> None:
    held = Holdings()
    held.open(make([100, 200]).manifest, over=0)
    held.put(1, 1, b"one")
    with pytest.raises(UsageError) as caught:
        held.units(1, None)
    assert caught.value.code is ErrorCode.BAD_STATE


def test_two_releases_with_a_base_are_held() -> None:
    held = Holdings()
    for number in (1, 2, 3, 4):
        held.open(make([100], number=number).manifest, over=number - 1)
        if number != 3:
            held.put(number, 0, b"base")
    assert held.releases == [4, 3, 2, 1]
    assert [held.has(number, 0) for number in (1, 2, 3, 4)] == [False, True, False, True]


def test_of_releases_long_past_nothing_is_held_however_many_there_were() -> None:
    held = Holdings()
    for number in range(1, 100):
        held.open(make([100], number=number).manifest, over=number - 1)
        if number < 50:
            held.put(number, 0, b"base")
    assert held.releases == [99, 98, 49, 48]
    held.put(7, 0, b"base")  # it was under way
    assert not held.has(7, 0)
    with pytest.raises(UsageError) as caught:
        held.manifest(7)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_a_release_whose_opening_was_cut_off_is_opened_again() -> None:
    held = Holdings()
    assert held.open(make([100], number=2).manifest, over=1)
    assert held.open(make([100], number=2).manifest, over=1)


# ---------------------------------------------------------------------------------- keeping


async def test_without_a_folder_nothing_is_kept() -> None:
    entry = make([1000]).base
    events: list[Event] = []
    async with Keeper.open(None, on_event=events.append) as keeper:
        assert await keeper.unit(entry) is None
        await keeper.drop()
        await keeper.write(0, b"1234")
        assert await keeper.resume(entry) == []
        await keeper.write(0, b"1234")
        await keeper.drop()
        await keeper.commit(entry, b"")
        folder = keeper.metadata
        assert folder.is_dir()
    assert not folder.exists()
    assert not events


async def test_metadata_is_not_moved_for_an_error_that_can_be_mended() -> None:
    async with Keeper.open(None, on_event=lambda _: None) as keeper:
        error = StoreError(ErrorCode.STORE_IO, "mend me")
        with pytest.raises(StoreError) as caught:
            await keeper.move_metadata(error)
        assert caught.value is error


async def test_metadata_that_cannot_be_taken_along_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To go on without it would be to go on without protection from rollback."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with ExitStack() as scratch:
        keeper = Keeper(MemoryStore(), tmp_path, lambda _: None, scratch)
        monkeypatch.setattr(shutil, "copytree", refuse)
        with pytest.raises(StoreError):
            await keeper.move_metadata(StoreError(ErrorCode.STORE_FULL, "full"))


async def test_no_room_for_temporary_files_either_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(StoreError) as caught:
        async with Keeper.open(None, on_event=lambda _: None):
            pass
    assert caught.value.code is ErrorCode.STORE_FULL


# --------------------------------------------------------------------------------- metadata


async def test_metadata_comes_file_by_file_where_there_is_no_bundle(made: Published) -> None:
    files = {path: data for path, data in made.files.items() if "bundle" not in path}
    repository = MemoryRepository(files)
    async with Keeper.open(None, on_event=lambda _: None) as keeper:
        source = MetadataSource(repository, NAME, root=made.root, keeper=keeper)
        assert await source.first() == made.manifest
        assert source.part(made.manifest.base.path) is None
        paths = [record.path for record in repository.trace]
        assert "metadata/timestamp.json" in paths
        assert not any(path.endswith(".repair") for path in paths)


async def test_a_known_release_costs_the_timestamp_alone(made: Published) -> None:
    repository = MemoryRepository(made.files)
    async with Keeper.open(None, on_event=lambda _: None) as keeper:
        for expected in (f"bundles/{NAME}.bundle", "metadata/timestamp.json"):
            repository.trace.clear()
            source = MetadataSource(repository, NAME, root=made.root, keeper=keeper)
            assert await source.first() == made.manifest
            assert [record.path for record in repository.trace] == [expected]


async def test_news_that_the_bundle_does_not_have_come_by_themselves(made: Published) -> None:
    news = published(1, 2)
    repository = MemoryRepository(made.files)
    async with Keeper.open(None, on_event=lambda _: None) as keeper:
        source = MetadataSource(repository, NAME, root=made.root, keeper=keeper)
        await source.first()
        bundle = f"bundles/{NAME}.bundle"
        repository.files = {**news.files, bundle: made.files[bundle]}
        again = MetadataSource(repository, NAME, root=made.root, keeper=keeper)
        assert await again.first() == news.manifest


async def test_parity_that_does_not_help_leaves_the_first_error(made: Published) -> None:
    path = "metadata/timestamp.json"
    files = {**made.files, path: b"{}", f"{path}.repair": b"\0" * 100}
    async with Keeper.open(None, on_event=lambda _: None) as keeper:
        source = MetadataSource(MemoryRepository(files), NAME, root=made.root, keeper=keeper)
        await source.first()  # from the bundle
        with pytest.raises(TrustError) as caught:
            await source.newest()
        assert caught.value.code is ErrorCode.BAD_METADATA


async def test_a_look_that_is_cancelled_asks_for_nothing_more(made: Published) -> None:
    repository = MemoryRepository(made.files)
    entered = asyncio.Event()

    async def wait(seconds: float) -> None:
        entered.set()
        await asyncio.sleep(seconds)

    link = SimulatedLink(repository, Impairments(delay=30.0))
    link.link._sleep = wait
    async with Keeper.open(None, on_event=lambda _: None) as keeper:
        source = MetadataSource(link, NAME, root=made.root, keeper=keeper)
        task = asyncio.create_task(source.newest())
        await entered.wait()
        asked = len(link.trace)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.05)
        assert len(link.trace) == asked


async def test_a_store_that_cannot_say_what_it_trusted_is_looked_at_anew(
    made: Published, tmp_path: Path
) -> None:
    events: list[Event] = []
    repository = MemoryRepository(made.files)
    async with Keeper.open(tmp_path / "store", on_event=events.append) as keeper:
        await MetadataSource(repository, NAME, root=made.root, keeper=keeper).first()
        (trusted,) = keeper.metadata.rglob("*.trusted")
        trusted.unlink()
        trusted.mkdir()
        source = MetadataSource(repository, NAME, root=made.root, keeper=keeper)
        with pytest.raises(StoreError) as caught:
            await source.first()
        assert caught.value.code is ErrorCode.STORE_IO
        assert not [event for event in events if isinstance(event, StoreFailed)]


async def test_a_server_that_fails_once_is_asked_again() -> None:
    scripts = answer("503 Busy"), sized("200 OK", body=b"here it is")
    async with serving(*scripts) as server, open_transport(server.url) as transport:
        assert await read_all(transport, "file", limit=100) == b"here it is"
    assert len(server.requests) == 2
