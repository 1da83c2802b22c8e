"""Files over HTTP, from servers that lie, cut, stall, drip and do not end."""

import asyncio
import socket
import struct
from pathlib import Path

import aiohttp
import pytest

from badserver import Script, answer, serving, sized
from bodies import body, came
from midstream.errors import ErrorCode, TransportError
from midstream.limits import Limits
from midstream.origin import Impairments, serve
from midstream.testing import FakeClock
from midstream.transport import HttpTransport, open_transport
from transfers import FILE, QUICK, SIZE, refusal


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


async def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """[DEL-5]"""

    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
        await writer.drain()
        await asyncio.sleep(1)

    async with (
        serving(stall) as server,
        open_transport(server.url) as transport,
        transport.fetch("units/ab", limit=SIZE) as response,
    ):
        monkeypatch.setattr(transport, "limits", QUICK)  # the head has come, however late
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
