"""Files over HTTP, from the servers that a published folder must be at home on."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from badserver import serving, sized
from bodies import body
from midstream.errors import ErrorCode, TransportError
from midstream.transport import open_transport
from staticservers import StaticServer
from transfers import FILE, SIZE


async def test_a_file_comes_whole(folder: Path, static_server: StaticServer) -> None:
    async with (
        static_server(folder) as url,
        open_transport(url) as transport,
        transport.fetch("units/ab", limit=SIZE) as response,
    ):
        assert (response.status, response.start, response.size) == (200, 0, SIZE)
        assert await body(response) == FILE


async def test_part_of_a_file_comes_alone(folder: Path, static_server: StaticServer) -> None:
    async with static_server(folder) as url, open_transport(url) as transport:
        async with transport.fetch("units/ab", start=100, stop=900, limit=SIZE) as response:
            assert (response.status, response.start, response.size) == (206, 100, SIZE)
            assert await body(response) == FILE[100:900]
        async with transport.fetch("units/ab", start=SIZE - 3, limit=SIZE) as response:
            assert await body(response) == FILE[-3:]


async def test_going_on_after_the_last_byte_brings_nothing(
    folder: Path, static_server: StaticServer
) -> None:
    async with static_server(folder) as url, open_transport(url) as transport:
        async with transport.fetch("units/ab", start=SIZE, limit=SIZE) as response:
            assert (response.status, response.start, response.size) == (206, SIZE, SIZE)
            assert await body(response) == b""
        with pytest.raises(TransportError, match="416"):
            async with transport.fetch("units/ab", start=SIZE + 1, limit=SIZE):
                pass


async def test_a_poll_without_news_brings_nothing(
    folder: Path, static_server: StaticServer
) -> None:
    async with static_server(folder) as url, open_transport(url) as transport:
        async with transport.fetch("units/ab", limit=SIZE) as response:
            etag = response.etag
            assert await body(response) == FILE
        async with transport.fetch("units/ab", limit=SIZE, if_none_match=etag) as response:
            assert (response.status, await body(response)) == (304, b"")
        async with transport.fetch("units/ab", limit=SIZE, if_none_match='"other"') as response:
            assert (response.status, await body(response)) == (200, FILE)


async def test_another_version_comes_from_its_start(
    folder: Path, static_server: StaticServer
) -> None:
    async with static_server(folder) as url, open_transport(url) as transport:
        async with transport.fetch("units/ab", limit=SIZE) as response:
            etag = response.etag
        (folder / "units/ab").write_bytes(FILE[::-1])
        os.utime(folder / "units/ab", (1e9, 1e9))  # nginx tells versions by seconds, and size
        async with transport.fetch("units/ab", start=10, limit=SIZE, etag=etag) as response:
            assert (response.start, response.etag == etag) == (0, False)
            assert await body(response) == FILE[::-1]


async def test_what_is_not_there_is_not_found(folder: Path, static_server: StaticServer) -> None:
    async with static_server(folder) as url, open_transport(url) as transport:
        for path in ("units/none", "metadata/2.root.json"):
            with pytest.raises(TransportError) as caught:
                async with transport.fetch(path, limit=SIZE):
                    pass
            assert caught.value.code is ErrorCode.NOT_FOUND


async def test_nothing_is_coded_though_the_server_would(
    folder: Path, static_server: StaticServer
) -> None:
    """[DEL-3] nginx has gzip on, and a ratio of a hundred for this file."""
    zeros = bytes(SIZE)
    (folder / "units/zeros").write_bytes(zeros)
    async with static_server(folder) as url, open_transport(url) as transport:
        async with transport.fetch("units/zeros", limit=SIZE) as response:
            assert (response.size, await body(response)) == (SIZE, zeros)
        assert transport.bytes_received > SIZE


async def test_several_ranges_are_answered_with_the_whole(
    folder: Path, static_server: StaticServer, client: aiohttp.ClientSession
) -> None:
    headers = {"Range": "bytes=0-1,5-9", "Accept-Encoding": "identity"}
    async with (
        static_server(folder) as url,
        client.get(f"{url}/units/ab", headers=headers) as response,
    ):
        assert (response.status, await response.read()) == (200, FILE)


async def test_caches_are_told_what_never_changes(
    folder: Path, static_server: StaticServer, client: aiohttp.ClientSession
) -> None:
    (folder / "metadata").mkdir()
    for name in ("timestamp.json", "7.snapshot.json"):
        (folder / "metadata" / name).write_bytes(b"{}")
    found = {}
    async with static_server(folder) as url:
        for path in ("units/ab", "metadata/timestamp.json", "metadata/7.snapshot.json", "units/no"):
            async with client.get(f"{url}/{path}") as response:
                found[path] = "immutable" in response.headers.get("Cache-Control", "")
    assert [path for path, is_kept in found.items() if is_kept] == [
        "units/ab",
        "metadata/7.snapshot.json",
    ]


async def test_a_server_without_ranges_is_used_whole() -> None:
    """[DEL-6]"""
    async with (
        serving(sized("200 OK", body=FILE)) as server,
        open_transport(server.url) as transport,
        transport.fetch("units/ab", start=50, stop=60, limit=SIZE) as response,
    ):
        assert (response.status, response.start) == (200, 0)
        assert await body(response) == FILE


@pytest.fixture
def simple_server(folder: Path) -> Iterator[str]:
    """`python -m http.server`: HTTP/1.0, no ranges, no ETags."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdout is not None
        told = re.search(rb"port (\d+)", process.stdout.readline())  # it listens
        assert told is not None
        yield f"http://127.0.0.1:{int(told[1])}/"
        process.kill()


async def test_the_standard_librarys_server_is_an_origin(simple_server: str) -> None:
    """[DEL-6]"""
    async with open_transport(simple_server) as transport:
        async with transport.fetch("units/ab", start=5, stop=9, limit=SIZE) as response:
            assert (response.start, response.size, response.etag) == (0, SIZE, None)
            assert await body(response) == FILE
        with pytest.raises(TransportError) as caught:
            async with transport.fetch("units/none", limit=SIZE):
                pass
    assert caught.value.code is ErrorCode.NOT_FOUND
