"""Files of a folder, as if they were fetched."""

import io
import os
from pathlib import Path

import pytest

from bodies import body
from midstream.errors import ErrorCode, TransportError
from midstream.testing import FakeClock
from midstream.transport import FolderTransport, open_transport

FILE = bytes(range(256)) * 10_000
SIZE = len(FILE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    (repository / "units").mkdir(parents=True)
    (repository / "units/ab").write_bytes(FILE)
    (tmp_path / "secret").write_bytes(b"secret")
    return repository


class BadDisk(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


async def refusal(folder: Path, path: str, *, start: int = 0, limit: int = SIZE) -> ErrorCode:
    with pytest.raises(TransportError) as caught:
        async with FolderTransport(folder).fetch(path, start=start, limit=limit) as response:
            await body(response)
    return caught.value.code


@pytest.mark.parametrize("as_url", [False, True])
async def test_a_folder_is_a_repository(folder: Path, as_url: bool) -> None:
    address = folder.as_uri() if as_url else folder
    async with (
        open_transport(address) as transport,
        transport.fetch("units/ab", limit=SIZE) as response,
    ):
        assert (response.status, response.start, response.size) == (200, 0, SIZE)
        assert await body(response) == FILE


async def test_an_address_with_quoted_characters_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a folder %"
    folder.mkdir()
    (folder / "x").write_bytes(b"x")
    async with (
        open_transport(folder.as_uri()) as transport,
        transport.fetch("x", limit=1) as response,
    ):
        assert await body(response) == b"x"


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (100, 2_000_000), (SIZE - 1, None), (SIZE, None), (50, SIZE + 99), (60, 50)],
)
async def test_part_of_a_file_comes_alone(folder: Path, start: int, stop: int | None) -> None:
    transport = FolderTransport(folder)
    async with transport.fetch("units/ab", start=start, stop=stop, limit=SIZE) as response:
        assert (response.status, response.start, response.size) == (206, start, SIZE)
        assert await body(response) == FILE[start:stop]


async def test_a_trace_tells_of_the_last_requests_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midstream.transport.protocol.TRACED", 3)
    transport = FolderTransport(folder)
    for start in range(5):
        async with transport.fetch("units/ab", start=start, limit=SIZE):
            pass
    assert [record.start for record in transport.trace] == [2, 3, 4]
    assert transport.trace[-1].ended >= transport.trace[-1].began > 0


async def test_what_was_read_is_counted_and_traced(folder: Path) -> None:
    clock = FakeClock(3.0)
    transport = FolderTransport(folder, clock=clock)
    async with transport.fetch("units/ab", start=5, stop=10, limit=SIZE) as response:
        await body(response)
        clock.advance(1)
    (record,) = transport.trace
    assert (record.path, record.start, record.stop, record.received) == ("units/ab", 5, 10, 5)
    assert (record.status, record.began, record.ended) == (206, 3.0, 4.0)
    assert transport.bytes_received == 5


async def test_another_version_comes_from_its_start(folder: Path) -> None:
    transport = FolderTransport(folder)
    async with transport.fetch("units/ab", limit=SIZE) as response:
        etag = response.etag
    async with transport.fetch("units/ab", start=5, limit=SIZE, etag=etag) as response:
        assert response.start == 5
    (folder / "units/ab").write_bytes(b"other")
    async with transport.fetch("units/ab", start=5, limit=SIZE, etag=etag) as response:
        assert (response.start, await body(response)) == (0, b"other")


async def test_a_poll_without_news_brings_nothing(folder: Path) -> None:
    transport = FolderTransport(folder)
    async with transport.fetch("units/ab", limit=SIZE) as response:
        etag = response.etag
    async with transport.fetch("units/ab", limit=SIZE, if_none_match=etag) as response:
        assert (response.status, await body(response)) == (304, b"")


@pytest.mark.parametrize("path", ["units/none", "units", "units/ab/x", "none/ab"])
async def test_what_is_no_file_is_not_found(folder: Path, path: str) -> None:
    assert await refusal(folder, path) is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "", ".lock", "a\0b"])
async def test_a_path_that_could_lead_out_is_refused(folder: Path, path: str) -> None:
    """[DEL-1]"""
    assert await refusal(folder, path) is ErrorCode.BAD_URL


async def test_links_that_lead_out_or_nowhere_are_refused(folder: Path) -> None:
    (folder / "out").symlink_to(folder.parent / "secret")
    (folder / "loop").symlink_to(folder / "loop")
    assert await refusal(folder, "out") is ErrorCode.BAD_URL
    assert await refusal(folder, "loop") is ErrorCode.BAD_URL


async def test_a_pipe_is_no_file_and_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert await refusal(folder, "pipe") is ErrorCode.NOT_FOUND


async def test_a_file_over_its_limit_is_refused(folder: Path) -> None:
    """[DEL-4]"""
    assert await refusal(folder, "units/ab", limit=SIZE - 1) is ErrorCode.LONG_BODY


async def test_a_range_behind_the_end_is_refused(folder: Path) -> None:
    assert await refusal(folder, "units/ab", start=SIZE + 1) is ErrorCode.BAD_STATUS


async def test_a_file_that_becomes_shorter_is_a_cut_body(folder: Path) -> None:
    async with FolderTransport(folder).fetch("units/ab", limit=SIZE) as response:
        chunks = response.chunks()
        got = await anext(chunks)
        os.truncate(folder / "units/ab", 1000)
        with pytest.raises(TransportError) as caught:
            await anext(chunks)
    assert caught.value.code is ErrorCode.SHORT_BODY
    assert FILE.startswith(got)


async def test_what_may_not_be_opened_is_unreachable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("midstream.transport.folder.os.open", deny)
    assert await refusal(folder, "units/ab") is ErrorCode.UNREACHABLE


async def test_what_cannot_be_read_is_unreachable(folder: Path) -> None:
    async with FolderTransport(folder).fetch("units/ab", limit=SIZE) as response:
        response.file = BadDisk(FILE)
        with pytest.raises(TransportError) as caught:
            await body(response)
    assert caught.value.code is ErrorCode.UNREACHABLE
