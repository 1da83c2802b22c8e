"""Files over HTTP, from servers that are good, simple, broken or hostile."""

import asyncio
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from badserver import Script, answer, serving, sized
from bodies import body, came
from midstream.errors import ErrorCode, TransportError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.origin import Impairments, serve
from midstream.testing import FakeClock
from midstream.transport import HttpTransport, open_transport
from staticservers import StaticServer

FILE = bytes(range(256)) * 400
SIZE = len(FILE)
QUICK = Limits(connect_timeout=0.15, read_timeout=0.15)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "units").mkdir()
    (tmp_path / "units/ab").write_bytes(FILE)
    return tmp_path


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def refusal(
    script: Script,
    *,
    start: int = 0,
    stop: int | None = None,
    limit: int = SIZE,
    limits: Limits = LIMITS,
) -> TransportError:
    """The error that an answer ends in."""
    async with serving(script) as server, open_transport(server.url, limits=limits) as transport:
        with pytest.raises(TransportError) as caught:
            async with transport.fetch("units/ab", start=start, stop=stop, limit=limit) as response:
                await body(response)
    assert "units/ab" in caught.value.message
    return caught.value


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
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()  # it listens
        yield f"http://127.0.0.1:{port}/"
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


async def test_what_is_asked_for_is_said_as_the_standard_says_it(
    client: aiohttp.ClientSession,
) -> None:
    """[DEL-3] asks for no coding, whatever the caller's own headers say."""
    async with serving(sized("200 OK", body=b"x")) as server:
        headers = {"X-Traffic": "model", "Accept-Encoding": "gzip"}
        transport = HttpTransport(server.url + "/repo/", client, headers=headers)

        async def ask(**values: object) -> None:
            async with transport.fetch("units/ab", limit=9, **values) as response:  # type: ignore[arg-type]
                await body(response)

        await ask()
        assert server.requests[-1].startswith("GET /repo/units/ab HTTP/1.1\r\n")
        assert server.header("Accept-Encoding") == "identity"
        assert server.header("X-Traffic") == "model"
        assert server.header("Range") is None
        await ask(start=2, stop=8, etag='"v1"')
        assert server.header("Range") == "bytes=2-7"
        assert server.header("If-Range") == '"v1"'
        await ask(start=2, etag='W/"v1"')  # a weak one says nothing of bytes
        assert server.header("Range") == "bytes=2-"
        assert server.header("If-Range") is None
        await ask(if_none_match='W/"v1"')
        assert server.header("If-None-Match") == 'W/"v1"'


async def test_requests_share_a_connection_also_after_a_404(
    folder: Path, static_server: StaticServer
) -> None:
    connections = 0

    async def count(*_: object) -> None:
        nonlocal connections
        connections += 1

    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(count)
    async with (
        static_server(folder) as url,
        aiohttp.ClientSession(trace_configs=[config]) as client,
    ):
        transport = HttpTransport(url, client)
        for path in ("units/ab", "metadata/2.root.json", "units/ab", "units/none", "units/ab"):
            with suppress(TransportError):
                async with transport.fetch(path, limit=SIZE) as response:
                    await body(response)
    assert [record.status for record in transport.trace] == [200, 404, 200, 404, 200]
    assert connections == 1


async def test_everything_that_came_is_counted_and_traced(client: aiohttp.ClientSession) -> None:
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n'

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"hello")

    clock = FakeClock(7.0)
    async with serving(script) as server:
        transport = HttpTransport(server.url, client, clock=clock)
        async with transport.fetch("units/ab", start=3, stop=8, limit=9) as response:
            clock.advance(2)
            assert await body(response) == b"hello"
    assert transport.bytes_received == len(head) + 5
    (record,) = transport.trace
    assert (record.method, record.path, record.status) == ("GET", "units/ab", 200)
    assert (record.start, record.stop, record.received) == (3, 8, 5)
    assert (record.began, record.ended) == (7.0, 9.0)


async def test_a_request_that_failed_is_traced_too(client: aiohttp.ClientSession) -> None:
    transport = HttpTransport(f"http://127.0.0.1:{free_port()}", client)
    with pytest.raises(TransportError) as caught:
        async with transport.fetch("units/ab", limit=9):
            pass
    assert caught.value.code is ErrorCode.UNREACHABLE
    assert [record.status for record in transport.trace] == [0]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("404 Not Found", ErrorCode.NOT_FOUND),
        ("403 Forbidden", ErrorCode.NOT_FOUND),
        ("410 Gone", ErrorCode.NOT_FOUND),
        ("500 Internal Server Error", ErrorCode.BAD_STATUS),
        ("503 Service Unavailable", ErrorCode.BAD_STATUS),
        ("429 Too Many Requests", ErrorCode.BAD_STATUS),
        ("401 Unauthorized", ErrorCode.BAD_STATUS),
        ("204 No Content", ErrorCode.BAD_STATUS),
        ("304 Not Modified", ErrorCode.BAD_STATUS),
        ("416 Range Not Satisfiable", ErrorCode.BAD_STATUS),
        ("299 Strange", ErrorCode.BAD_STATUS),
        ("999 Stranger", ErrorCode.BAD_STATUS),
    ],
)
async def test_a_status_that_is_no_answer_is_an_error(status: str, code: ErrorCode) -> None:
    error = await refusal(sized(status))
    assert error.code is code
    assert status[:3] in error.message


async def test_a_large_error_page_is_not_read() -> None:
    async with (
        serving(sized("404 Not Found", body=bytes(1 << 20))) as server,
        open_transport(server.url) as transport,
    ):
        with pytest.raises(TransportError):
            async with transport.fetch("units/ab", limit=9):
                pass
    assert transport.bytes_received < 1 << 18


async def test_an_error_page_that_stalls_or_is_cut_is_the_same_error() -> None:
    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nhalf")
        await asyncio.sleep(1)

    limits = Limits(read_timeout=0.1)
    assert (await refusal(stall, limits=limits)).code is ErrorCode.BAD_STATUS
    cut = answer("500 Oh", "Content-Length: 9", body=b"half")
    assert (await refusal(cut)).code is ErrorCode.BAD_STATUS


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed_and_says_where_it_leads(status: str) -> None:
    """[DEL-2]"""
    error = await refusal(sized(status, "Location: http://elsewhere.example/x"))
    assert error.code is ErrorCode.BAD_STATUS
    assert "elsewhere.example" in error.message


async def test_a_body_that_is_announced_too_long_is_not_read() -> None:
    """[DEL-4]"""
    error = await refusal(answer("200 OK", "Content-Length: 99999999999"), limit=1000)
    assert error.code is ErrorCode.LONG_BODY
    assert "99999999999" in error.message


async def test_a_body_that_does_not_end_is_cut_off() -> None:
    """[DEL-4]"""

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + bytes(4096) + b"\r\n")
            await writer.drain()

    async with (
        serving(endless) as server,
        open_transport(server.url) as transport,
        transport.fetch("units/ab", limit=100_000) as response,
    ):
        assert response.size is None
        got, error = await came(response)
    assert len(got) <= 100_000
    assert error is not None
    assert error.code is ErrorCode.LONG_BODY
    assert transport.bytes_received < 300_000


async def test_an_object_that_is_longer_than_allowed_is_refused_by_its_range() -> None:
    """[DEL-4]"""
    error = await refusal(
        sized("206 Partial", "Content-Range: bytes 5-9/5000", body=b"12345"), start=5, limit=1000
    )
    assert error.code is ErrorCode.LONG_BODY


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Content-Range: nonsense"],
        ["Content-Range: bytes 10-19"],
        ["Content-Range: bytes */100"],
        ["Content-Range: bytes 0-9/100"],
        ["Content-Range: bytes 11-20/100"],
        ["Content-Range: bytes 10-20/100", "Content-Length: 11"],
        ["Content-Range: bytes 10-9/100"],
        ["Content-Range: bytes 10-18/15"],
        ["Content-Range: bytes 10-19/100", "Content-Length: 9"],
        ["Content-Range: packets 10-19/100"],
        ["Content-Range: bytes 10-" + "9" * 3000 + "/100"],
        ["Content-Type: multipart/byteranges; boundary=x"],
    ],
)
async def test_a_range_that_was_not_asked_for_is_a_lie(headers: list[str]) -> None:
    """[DEL-7]"""
    script = answer("206 Partial Content", *headers, body=bytes(10))
    error = await refusal(script, start=10, stop=20)
    assert error.code is ErrorCode.BAD_STATUS
    assert len(error.message) < 300


async def test_more_bytes_than_the_range_announced_are_refused() -> None:
    script = answer(
        "206 Partial",
        "Content-Range: bytes 10-19/100",
        "Transfer-Encoding: chunked",
        body=b"c\r\n123456789012\r\n0\r\n\r\n",
    )
    assert (await refusal(script, start=10, stop=20)).code is ErrorCode.LONG_BODY


@pytest.mark.parametrize(("start", "stop"), [(10, None), (10, 40)])
async def test_a_shorter_range_than_asked_for_is_a_cut_body(start: int, stop: int | None) -> None:
    """[DEL-8]"""
    script = sized("206 Partial", "Content-Range: bytes 10-19/*", body=b"0123456789")
    if stop is None:
        script = sized("206 Partial", "Content-Range: bytes 10-19/100", body=b"0123456789")
    async with (
        serving(script) as server,
        open_transport(server.url) as transport,
        transport.fetch("units/ab", start=start, stop=stop, limit=SIZE) as response,
    ):
        got, error = await came(response)
    assert got == b"0123456789"
    assert error is not None
    assert error.code is ErrorCode.SHORT_BODY


async def test_a_range_of_an_object_of_unknown_size_is_taken() -> None:
    script = sized("206 Partial", "Content-Range: bytes 10-19/*", body=b"0123456789")
    async with (
        serving(script) as server,
        open_transport(server.url) as transport,
        transport.fetch("units/ab", start=10, limit=SIZE) as response,
    ):
        assert response.size is None
        assert await body(response) == b"0123456789"


@pytest.mark.parametrize(
    "script",
    [
        answer("200 OK", "Content-Length: 100", body=b"0123456789"),
        answer("200 OK", "Transfer-Encoding: chunked", body=b"a\r\n0123456789\r\n"),
        answer("206 Partial", "Content-Range: bytes 0-99/100", body=b"0123456789"),
    ],
    ids=["announced", "chunked", "range"],
)
async def test_what_came_before_a_cut_is_given_first(script: Script) -> None:
    """[DEL-8]"""
    async with (
        serving(script) as server,
        open_transport(server.url) as transport,
        transport.fetch("units/ab", stop=100, limit=SIZE) as response,
    ):
        got, error = await came(response)
    assert got == b"0123456789"
    assert error is not None
    assert error.code is ErrorCode.SHORT_BODY
    assert transport.trace[0].received == 10


async def test_what_came_before_a_reset_is_given_first() -> None:
    """[DEL-8]"""

    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
        await writer.drain()
        await asyncio.sleep(0.05)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with (
        serving(reset) as server,
        open_transport(server.url) as transport,
        transport.fetch("units/ab", limit=SIZE) as response,
    ):
        got, error = await came(response)
    assert got == b"0123456789"
    assert error is not None
    assert error.code in (ErrorCode.UNREACHABLE, ErrorCode.SHORT_BODY)


async def test_a_cut_link_loses_nothing_that_came(folder: Path) -> None:
    """[DEL-8]"""
    got = bytearray()
    impairments = Impairments(loss=0.9, seed=4)
    async with serve(folder, impairments=impairments) as url, open_transport(url) as transport:
        while len(got) < SIZE:
            async with transport.fetch("units/ab", start=len(got), limit=SIZE) as response:
                got += (await came(response))[0]
    assert bytes(got) == FILE
    assert len(transport.trace) > 1


async def test_a_server_that_does_not_answer_is_not_waited_for() -> None:
    """[DEL-5]"""

    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)

    assert (await refusal(silent, limits=QUICK)).code is ErrorCode.TIMEOUT


async def test_a_head_that_comes_byte_by_byte_is_not_waited_for() -> None:
    """[DEL-5]"""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    assert (await refusal(drip, limits=QUICK)).code is ErrorCode.TIMEOUT


async def test_a_body_that_stalls_is_given_up() -> None:
    """[DEL-5]"""

    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
        await writer.drain()
        await asyncio.sleep(1)

    async with (
        serving(stall) as server,
        open_transport(server.url, limits=QUICK) as transport,
        transport.fetch("units/ab", limit=SIZE) as response,
    ):
        got, error = await came(response)
    assert got == b"0123456789"
    assert error is not None
    assert error.code is ErrorCode.TIMEOUT


async def test_a_body_that_drips_is_given_up() -> None:
    """[DEL-5]"""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    error = await refusal(drip, limits=Limits(read_timeout=0.1, least_throughput=1000))
    assert error.code is ErrorCode.TIMEOUT
    assert "expected 1000 a second" in error.message


async def test_a_reader_that_takes_its_time_is_not_the_servers_fault(
    folder: Path, client: aiohttp.ClientSession
) -> None:
    clock = FakeClock()
    async with serve(folder) as url:
        transport = HttpTransport(url, client, clock=clock)
        async with transport.fetch("units/ab", limit=SIZE) as response:
            async for _ in response.chunks():
                clock.advance(1000)
    assert transport.trace[0].received == SIZE


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "x" * 500])
async def test_a_coded_body_is_refused(coding: str) -> None:
    """[DEL-3]"""
    error = await refusal(sized("200 OK", f"Content-Encoding: {coding}", body=bytes(50)))
    assert error.code is ErrorCode.BAD_STATUS
    assert "coded" in error.message
    assert len(error.message) < 200


async def test_a_body_that_is_said_not_to_be_coded_is_taken() -> None:
    async with (
        serving(sized("200 OK", "Content-Encoding: Identity", body=b"x")) as server,
        open_transport(server.url) as transport,
        transport.fetch("units/ab", limit=SIZE) as response,
    ):
        assert await body(response) == b"x"


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: nonsense\r\nContent-Length: 3\r\n\r\nabc\x00",
        bytes(reversed(range(256))),
    ],
    ids=range(13),
)
async def test_what_is_no_http_is_one_clear_error(garbage: bytes) -> None:

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await writer.drain()

    error = await refusal(script)
    assert error.code in (ErrorCode.BAD_STATUS, ErrorCode.UNREACHABLE, ErrorCode.SHORT_BODY)
    assert "\n" not in error.message


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "..", "../x", "a/../b", "/etc/passwd", "a//b", ".", "a/./b", "a b", "a\\b"),
        *("a%2e", "a\nb", "a\0b", "a?b", "a#b", ".hidden", "units/.new-1", "http://x/y"),
        *("\u00e9", "a" * 256),
    ],
)
async def test_a_path_that_could_lead_out_is_not_asked_for(path: str) -> None:
    """[DEL-1]"""
    async with serving(sized("200 OK")) as server, open_transport(server.url) as transport:
        with pytest.raises(TransportError) as caught:
            async with transport.fetch(path, limit=9):
                pass
    assert caught.value.code is ErrorCode.BAD_URL
    assert server.requests == []


async def test_cookies_are_forgotten() -> None:
    script = sized("200 OK", "Set-Cookie: id=1; Path=/", body=b"x")
    async with serving(script) as server, open_transport(server.url) as transport:
        for _ in range(2):
            async with transport.fetch("units/ab", limit=9) as response:
                await body(response)
    assert server.header("Cookie") is None


async def test_an_error_of_the_reader_stays_its_own(folder: Path) -> None:
    async with serve(folder) as url, open_transport(url) as transport:
        with pytest.raises(OSError, match="disk"):
            async with transport.fetch("units/ab", limit=SIZE):
                raise OSError("my disk")


async def test_a_cancelled_fetch_lets_go_at_once() -> None:
    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)

    async with serving(silent) as server, open_transport(server.url) as transport:

        async def fetch() -> None:
            async with transport.fetch("units/ab", limit=9):
                pass

        task = asyncio.create_task(fetch())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert transport.trace[0].ended >= transport.trace[0].began


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///path",
        "http://host:99999/",
        "http://host:0/",
        "http://host:port/",
        "http://[::1/",
        "http://" + "a" * 300,
        "http://host/repo?version=1",
        "http://host/repo#part",
        "ftp://host/repo",
        "javascript://x",
        "x://[",
        "",
        "no/such/folder",
        "a" * 5000,
        "file:///no/such/folder",
        "\0",
    ],
)
async def test_an_address_that_makes_no_sense_is_wrong_use(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        async with open_transport(url):
            pass
    assert caught.value.code is ErrorCode.BAD_URL
    assert caught.value.exit_code == 2
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("scheme", ["HTTP", "http"])
async def test_the_scheme_is_read_in_any_case(folder: Path, scheme: str) -> None:
    async with (
        serve(folder) as url,
        open_transport(re.sub("^http", scheme, url)) as transport,
        transport.fetch("units/ab", limit=SIZE) as response,
    ):
        assert await body(response) == FILE


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    async with open_transport("http://no-such-host.invalid/") as transport:
        with pytest.raises(TransportError) as caught:
            async with transport.fetch("units/ab", limit=9):
                pass
    assert caught.value.code in (ErrorCode.UNREACHABLE, ErrorCode.TIMEOUT)


async def test_an_address_that_only_the_library_refuses_is_one_clear_error() -> None:
    async with open_transport("http://host\\repo/") as transport:
        with pytest.raises(TransportError) as caught:
            async with transport.fetch("units/ab", limit=9):
                pass
    assert caught.value.code is ErrorCode.BAD_URL
