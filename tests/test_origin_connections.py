"""What clients of the origin may do: how slowly, how much at once, until when."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from midstream.errors import ErrorCode, UsageError
from midstream.origin import Impairments, ServerLimits, serve
from midstream.transport.channel import CHANNEL, PROTOCOL
from waiting import IN_TIME

SMALL = b"small"
LARGE = bytes(64 << 20)
"""More than the buffers between two sockets hold."""
GET_SMALL = b"GET /units/small HTTP/1.1\r\nHost: x\r\n\r\n"
GET_LARGE = b"GET /units/large HTTP/1.1\r\nHost: x\r\n\r\n"
QUICK_HEAD = ServerLimits(head_timeout=0.5)
QUICK_IDLE = ServerLimits(head_timeout=0.5, idle_timeout=0.1)
QUICK_STALL = ServerLimits(stall_timeout=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    units = tmp_path_factory.mktemp("repository") / "units"
    units.mkdir()
    (units / "small").write_bytes(SMALL)
    (units / "large").write_bytes(LARGE)
    return units.parent


class Raw:
    """A client that sends what a test wants, and reads when it wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        async with asyncio.timeout(IN_TIME):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(IN_TIME):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Raw]:
    host, port = url.removeprefix("http://").split(":")
    # a small limit: what is not read stays with the server
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 10)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


async def ask(url: str, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(f"{url}/{path}") as response:
        return response.status, await response.text()


async def metric(url: str, name: str) -> float:
    """A metric's value, and 0 where it has none yet."""
    _, text = await ask(url, "metrics")
    values = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(values[0]) if values else 0.0


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(IN_TIME):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def closed_by(limit: str) -> str:
    return f'midstream_connections_closed_total{{limit="{limit}"}}'


@pytest.mark.parametrize(
    "begin", [b"", b"GET /units/small HTTP/1.1\r\nHost:"], ids=["nothing", "half a head"]
)
async def test_a_client_that_sends_no_request_is_closed(folder: Path, begin: bytes) -> None:
    async with serve(folder, limits=QUICK_HEAD) as url, connected(url) as client:
        client.send(begin)
        assert await client.rest() == b""
        assert await metric(url, closed_by("head")) == 1


async def test_a_client_that_drips_its_request_is_closed(folder: Path) -> None:
    async with serve(folder, limits=QUICK_HEAD) as url, connected(url) as client:

        async def drip() -> None:
            client.send(GET_SMALL[:-2])
            while True:
                client.send(b"X: y\r\n")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert await client.rest() == b""
        dripping.cancel()
        assert await metric(url, closed_by("head")) == 1


async def test_a_client_that_asks_no_more_is_closed(folder: Path) -> None:
    async with (
        serve(folder, limits=ServerLimits(idle_timeout=0.1)) as url,
        connected(url) as client,
    ):
        client.send(GET_SMALL)
        assert (await client.rest()).endswith(SMALL)
        assert await metric(url, closed_by("idle")) == 1


@pytest.mark.parametrize("count", [1, 20], ids=["one request", "many at once"])
async def test_a_client_that_does_not_read_is_closed(folder: Path, count: int) -> None:
    async with serve(folder, limits=QUICK_STALL) as url, connected(url) as client:
        client.send(GET_LARGE * count)

        async def is_closed() -> bool:
            return await metric(url, closed_by("stall")) == 1

        await until(is_closed)
        assert len(await client.rest()) < len(LARGE)

        async def is_over() -> bool:
            return await metric(url, "midstream_requests_in_progress") == 1  # this one

        await until(is_over)


async def test_answers_that_nobody_reads_do_not_pile_up(folder: Path) -> None:
    """Each is small, and is written without waiting for its reader."""
    count = 5000
    async with serve(folder, limits=QUICK_STALL) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, (host, int(port)))
            sending = asyncio.create_task(
                loop.sock_sendall(client, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * count)
            )

            async def is_closed() -> bool:
                return await metric(url, closed_by("stall")) == 1

            await until(is_closed)
            assert await metric(url, 'midstream_requests_total{status="200"}') < count
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def test_a_listener_is_not_closed_for_asking_nothing_more(tmp_path: Path) -> None:
    timestamp = tmp_path / "metadata/timestamp.json"
    timestamp.parent.mkdir()
    timestamp.write_bytes(b"1")
    async with (
        asyncio.timeout(IN_TIME),
        serve(tmp_path, limits=QUICK_IDLE) as url,
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{url}/{CHANNEL}", protocols=[PROTOCOL]) as channel,
        connected(url) as other,
    ):
        first = await channel.receive_str()
        await other.rest()  # it connected later, and has been closed
        timestamp.write_bytes(b"2")
        assert await channel.receive_str() != first


async def test_a_client_that_reads_slowly_gets_all_of_it(folder: Path) -> None:
    limits = ServerLimits(stall_timeout=0.1, least_throughput=1.0)
    async with serve(folder, limits=limits) as url, connected(url) as client:
        client.send(GET_LARGE)
        await client.head()
        left = len(LARGE)
        async with asyncio.timeout(IN_TIME):
            while left:
                data = await client.reader.read(1 << 22)
                assert data
                left -= len(data)
                await asyncio.sleep(0)
        assert await metric(url, closed_by("stall")) == 0


async def test_one_connection_too_many_is_told_so(folder: Path) -> None:
    limits = ServerLimits(connections=2)
    async with serve(folder, limits=limits) as url:
        async with connected(url) as first, connected(url) as second:
            for client in (first, second):
                client.send(GET_SMALL)
                assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            async with connected(url) as third:
                assert (await third.rest()).startswith(b"HTTP/1.1 503 ")
            first.send(GET_SMALL)
            await first.reader.readexactly(len(SMALL))
            assert (await first.head()).startswith(b"HTTP/1.1 200 ")

        async def has_room() -> bool:
            return (await ask(url, "health"))[0] == 200

        await until(has_room)
        assert await metric(url, closed_by("connections")) >= 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 255 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 6000 + b"\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"a" * 20_000, b"431"),
    ],
    ids=["path", "line", "header", "headers", "head"],
)
async def test_a_long_head_is_refused_in_bounded_memory(
    folder: Path, head: bytes, status: bytes
) -> None:
    async with serve(folder) as url, connected(url) as client:
        client.send(head)
        assert (await client.head()).split()[1] == status
        assert await ask(url, "health") == (200, "ok\n")


async def test_a_body_that_nobody_wants_is_not_awaited_for_long(folder: Path) -> None:
    async with serve(folder) as url, connected(url) as client:
        client.send(b"POST /units/small HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf")
        assert (await client.head()).split()[1] == b"405"
        await client.rest()  # it closes, long before idle_timeout


async def test_answers_under_way_end_and_new_requests_are_refused(folder: Path) -> None:
    serving = serve(
        folder, impairments=Impairments(rate=2.0 * len(LARGE)), limits=ServerLimits(grace=IN_TIME)
    )
    url = await serving.__aenter__()
    async with connected(url) as busy, connected(url) as idle:
        idle.send(GET_SMALL)
        await idle.head()
        busy.send(GET_LARGE)
        await busy.head()
        ending = asyncio.create_task(serving.__aexit__(None, None, None))
        assert await idle.rest() == SMALL  # kept open for nothing, so closed at once
        with pytest.raises(OSError, match=r"Connect|refused"):
            async with connected(url):
                pass
        busy.send(GET_SMALL)  # behind the one under way: too late
        assert len(await busy.rest()) == len(LARGE)
        await ending


async def test_a_client_that_does_not_read_does_not_hold_up_the_end(folder: Path) -> None:
    async with asyncio.timeout(IN_TIME):
        serving = serve(folder, limits=ServerLimits(grace=0.05))
        url = await serving.__aenter__()
        async with connected(url) as client:
            client.send(GET_LARGE)
            await client.head()
            await serving.__aexit__(None, None, None)
            assert len(await client.rest()) < len(LARGE)


async def test_a_want_of_open_files_is_no_404(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 404 would say that there is no newer root."""

    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with serve(folder) as url:
        with monkeypatch.context() as patched:
            patched.setattr("midstream.origin.files.os.open", fail)
            assert (await ask(url, "units/small"))[0] == 503
        assert await ask(url, "units/small") == (200, SMALL.decode())


async def test_a_want_of_open_files_does_not_end_announcements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timestamp = tmp_path / "metadata/timestamp.json"
    timestamp.parent.mkdir()
    timestamp.write_bytes(b"1")
    failed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(*_: object, **__: object) -> int:
        loop.call_soon_threadsafe(failed.set)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with (
        asyncio.timeout(IN_TIME),
        serve(tmp_path) as url,
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{url}/{CHANNEL}", protocols=[PROTOCOL]) as channel,
    ):
        first = await channel.receive_str()
        with monkeypatch.context() as patched:
            patched.setattr("midstream.origin.files.os.open", fail)
            await failed.wait()
        timestamp.write_bytes(b"2")
        assert await channel.receive_str() != first


async def test_a_file_that_is_not_in_memory_comes_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system cannot say so at once, it is read in a thread."""

    def fail(*_: object) -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("midstream.origin.files.os.preadv", fail)
    async with (
        serve(folder) as url,
        aiohttp.ClientSession() as client,
        client.get(f"{url}/units/large") as response,
    ):
        assert await response.read() == LARGE


async def test_a_large_answer_does_not_hold_up_a_small_one(folder: Path) -> None:
    async with serve(folder) as url, connected(url) as busy:
        busy.send(GET_LARGE)
        await busy.head()
        assert await ask(url, "units/small") == (200, SMALL.decode())
        assert await metric(url, "midstream_requests_in_progress") == 2  # this one, and the large


async def test_metrics_are_in_the_format_of_prometheus(folder: Path) -> None:
    async with serve(folder) as url:
        for path in ("units/small", "units/small", "units/none"):
            await ask(url, path)
        async with aiohttp.ClientSession() as client, client.get(f"{url}/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            lines = (await response.text()).splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['midstream_requests_total{status="200"}'] == "2"
    assert values['midstream_requests_total{status="404"}'] == "1"
    assert values["midstream_file_bytes_total"] == str(2 * len(SMALL))
    assert values["midstream_connections_total"] == "4"
    assert values["midstream_requests_in_progress"] == "1"
    assert values["midstream_request_duration_seconds_count"] == "3"
    assert values['midstream_request_duration_seconds_bucket{le="+Inf"}'] == "3"
    names = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    assert {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
            for name in names} <= typed  # fmt: skip


def test_a_limit_of_nothing_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="connections") as caught:
        ServerLimits(connections=0)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
