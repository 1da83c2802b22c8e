"""The fakes for transports: a repository in memory, a bad link, a clock."""

import asyncio
from pathlib import Path

import pytest

from bodies import came
from midstream.errors import ErrorCode, TransportError
from midstream.origin import Impairments, serve
from midstream.testing import FakeClock, MemoryRepository, SimulatedLink
from midstream.transport import Transport, open_transport

FILE = bytes(range(256)) * 500
SIZE = len(FILE)
FILES = {"units/ab": FILE, "metadata/timestamp.json": b"{}", "units/empty": b""}


async def fetched(
    transport: Transport, path: str = "units/ab", *, start: int = 0, stop: int | None = None
) -> bytes:
    async with transport.fetch(path, start=start, stop=stop, limit=SIZE) as response:
        got, error = await came(response)
    assert error is None
    return got


async def test_a_repository_in_memory_gives_its_files() -> None:
    repository = MemoryRepository(FILES)
    assert await fetched(repository) == FILE
    assert await fetched(repository, start=7, stop=9) == FILE[7:9]
    assert await fetched(repository, "units/empty") == b""
    assert repository.bytes_received == SIZE + 2
    assert [record.status for record in repository.trace] == [200, 206, 200]
    assert [record.received for record in repository.trace] == [SIZE, 2, 0]


async def test_a_published_folder_can_be_taken_into_memory(tmp_path: Path) -> None:
    (tmp_path / "units").mkdir()
    (tmp_path / "units/ab").write_bytes(FILE)
    (tmp_path / ".lock").write_bytes(b"")
    assert MemoryRepository.of(tmp_path).files == {"units/ab": FILE}


async def test_its_files_change_as_a_publisher_would_change_them() -> None:
    repository = MemoryRepository(FILES)
    async with repository.fetch("units/ab", limit=SIZE) as response:
        etag = response.etag
    async with repository.fetch("units/ab", limit=SIZE, if_none_match=etag) as response:
        assert (response.status, await came(response)) == (304, (b"", None))
    repository.files["units/ab"] = b"new"
    async with repository.fetch("units/ab", start=2, limit=SIZE, etag=etag) as response:
        assert (response.start, await came(response)) == (0, (b"new", None))


@pytest.mark.parametrize(
    ("path", "start", "limit", "code"),
    [
        ("units/none", 0, SIZE, ErrorCode.NOT_FOUND),
        ("../x", 0, SIZE, ErrorCode.BAD_URL),
        ("units/ab", 0, SIZE - 1, ErrorCode.LONG_BODY),
        ("units/ab", SIZE + 1, SIZE, ErrorCode.BAD_STATUS),
    ],
)
async def test_it_refuses_what_any_transport_refuses(
    path: str, start: int, limit: int, code: ErrorCode
) -> None:
    for transport in (
        MemoryRepository(FILES),
        SimulatedLink(MemoryRepository(FILES), Impairments()),
    ):
        with pytest.raises(TransportError) as caught:
            async with transport.fetch(path, start=start, limit=limit):
                pass
        assert caught.value.code is code


async def test_a_perfect_link_changes_nothing() -> None:
    link = SimulatedLink(MemoryRepository(FILES), Impairments())
    async with link.fetch("units/ab", start=3, limit=SIZE) as response:
        assert (response.status, response.start, response.size) == (206, 3, SIZE)
        assert response.etag
        assert await came(response) == (FILE[3:], None)
    assert link.bytes_received == SIZE - 3


async def test_a_bad_link_loses_what_the_origin_would_and_the_rest_can_be_had() -> None:
    link = SimulatedLink(MemoryRepository(FILES), Impairments(loss=0.8, seed=0))
    got = b""
    while len(got) < SIZE:
        async with link.fetch("units/ab", start=len(got), limit=SIZE) as response:
            more, error = await came(response)
            got += more
            assert (error is None) == (len(got) == SIZE)
            assert error is None or error.code is ErrorCode.SHORT_BODY
    assert got == FILE
    assert link.counters.cut_responses == len(link.trace) - 1 > 0
    assert sum(record.received for record in link.trace) == SIZE


async def test_a_bad_link_damages_the_same_bytes_as_the_origin(tmp_path: Path) -> None:
    (tmp_path / "units").mkdir()
    (tmp_path / "units/ab").write_bytes(FILE)
    impairments = Impairments(corrupt=0.5, seed=9)
    link = SimulatedLink(MemoryRepository.of(tmp_path), impairments)
    damaged = await fetched(link)
    assert damaged != FILE
    assert await fetched(link, start=500, stop=90_000) == damaged[500:90_000]
    async with serve(tmp_path, impairments=impairments) as url, open_transport(url) as transport:
        assert await fetched(transport) == damaged


async def test_a_slow_link_takes_the_clocks_time_alone() -> None:
    clock = FakeClock(100.0)
    repository = MemoryRepository(FILES, clock=clock)
    link = SimulatedLink(repository, Impairments(delay=0.5, rate=SIZE / 4), clock=clock)
    assert await fetched(link) == FILE
    assert clock.now == pytest.approx(104.5)
    assert (link.trace[0].began, link.trace[0].ended) == (100.0, clock.now)


async def test_what_the_transport_lost_already_is_lost_too() -> None:
    inner = SimulatedLink(MemoryRepository(FILES), Impairments(loss=1, seed=1))
    async with SimulatedLink(inner, Impairments()).fetch("units/ab", limit=SIZE) as response:
        got, error = await came(response)
    assert FILE.startswith(got)
    assert error is not None
    assert error.code is ErrorCode.SHORT_BODY


async def test_a_clock_moves_when_told_and_lets_others_run() -> None:
    clock = FakeClock(5.0)
    clock.advance(1.5)
    order = []

    async def other() -> None:
        order.append("other")

    task = asyncio.create_task(other())
    await clock.sleep(2)
    order.append("slept")
    await task
    assert clock() == clock.now == 8.5
    assert order == ["other", "slept"]
    with pytest.raises(AssertionError):
        clock.advance(-1)
