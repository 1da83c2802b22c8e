"""Files over HTTP, from servers that are good, simple, broken or hostile."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from badserver import serving, sized
from bodies import body
from midstream.errors import ErrorCode, TransportError, UsageError
from midstream.origin import serve
from midstream.testing import FakeClock
from midstream.transport import HttpTransport, open_transport
from staticservers import StaticServer
from transfers import FILE, SIZE, closed_port


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
    with closed_port() as port:
        transport = HttpTransport(f"http://127.0.0.1:{port}", client)
        with pytest.raises(TransportError) as caught:
            async with transport.fetch("units/ab", limit=9):
                pass
    assert caught.value.code is ErrorCode.UNREACHABLE
    assert [record.status for record in transport.trace] == [0]


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


async def test_a_connection_that_is_lost_between_two_reads_is_cut(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> bytes:
        raise RuntimeError("Connection closed.")  # so aiohttp where nobody waited for more

    async with serving(sized("200 OK", body=b"x")) as server:
        transport = HttpTransport(server.url, client)
        async with transport.fetch("units/ab", limit=9) as response:
            monkeypatch.setattr(aiohttp.StreamReader, "read", lost)
            with pytest.raises(TransportError, match="units/ab") as caught:
                await body(response)
    assert caught.value.code is ErrorCode.UNREACHABLE


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
