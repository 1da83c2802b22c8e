"""origin.logs: a malformed request is a line; what is wrong here keeps its traceback."""

import asyncio
import logging
from pathlib import Path

import aiohttp
import pytest

from midstream.origin import serve
from midstream.origin.logs import LOGGER
from waiting import IN_TIME

SAYS_WHO = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 12)
"""Whether aiohttp names who sent what it could not read; the first ones of 3.11 do not."""


async def answer(url: str, request: bytes) -> bytes:
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), IN_TIME)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nno header at all\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \xffx\x1b[31m\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ],
)
async def test_a_malformed_request_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, request_: bytes
) -> None:
    async with serve(tmp_path) as url:
        assert b" 400 " in await answer(url, request_)
    (record,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    line = caplog.handler.format(record)
    assert "malformed" in line
    assert "127.0.0.1" in line or not SAYS_WHO
    assert line.isascii()
    assert line.isprintable()


def test_what_is_wrong_here_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise RuntimeError("a mistake of ours")
    except RuntimeError:
        LOGGER.exception("Error handling request from %s", "127.0.0.1")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "Traceback" in caplog.handler.format(record)
