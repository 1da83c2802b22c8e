"""Hostile answers of an HTTP server: an error of ours, or bytes of the place they claim.

aiohttp reads them, as it does off a socket; so its errors are part of what is tried.
"""

import aiohttp

from choices import Choices
from midstream.errors import TransportError
from midstream.limits import Limits
from midstream.transport import HttpTransport
from mutations import damage
from wires import Wires, run

INPUTS = 10
"""Answers in one run."""
LIMIT = 1 << 12
LIMITS = Limits(connect_timeout=5.0, read_timeout=5.0)
STATUSES = (b"200 OK", b"206 Partial Content", b"304 Not Modified", b"404 No", b"416 Beyond")
STATUSES += (b"302 Found", b"503 Busy", b"100 Continue", b"101 Switching", b"999 x", b"206")
NUMBERS = (b"0", b"1", b"9", b"10", b"19", b"20", b"99", b"-1", b"1e3", b"0x10", b"", b" 7", b"+5")
NUMBERS += (b"9" * 18, b"9" * 19, b"9" * 400, b"\xb2", "٣".encode(), b"*")
ENDS = (b"\r\n", b"\n", b"\r", b"\r\n ", b"\0")


def header(choices: Choices, start: int, stop: int) -> bytes:
    """One that matters, true or not."""
    number = NUMBERS[choices.integer(0, len(NUMBERS) - 1)]
    other = NUMBERS[choices.integer(0, len(NUMBERS) - 1)]
    lines = (
        b"Content-Length: %d" % (stop - start),
        b"Content-Range: bytes %d-%d/100" % (start, stop - 1),
        b"Content-Length: " + number,
        b"Content-Range: bytes " + number + b"-" + other + b"/100",
        b"Content-Range: bytes %d-%d/" % (start, stop - 1) + number,
        b"Content-Range: bytes */" + number,
        b"Content-Range: " + number,
        b"ETag: " + number,
        b"ETag: W/" + other,
        b"Transfer-Encoding: chunked",
        b"Content-Encoding: gzip",
        b"Content-Encoding: identity",
        b"Connection: close",
        b"Location: http://" + number,
        b"Set-Cookie: " + other + b"=" + number,
        number + b": " + other,
    )
    return lines[choices.integer(0, len(lines) - 1)]


def answer(choices: Choices, start: int, stop: int) -> bytes:
    """A head, often one that is nearly right, and a body."""
    status = STATUSES[choices.integer(0, len(STATUSES) - 1)]
    lines = [b"HTTP/1.1 " + status]
    lines += [header(choices, start, stop) for _ in range(choices.integer(0, 4))]
    end = ENDS[choices.integer(0, len(ENDS) - 1)] if choices.integer(0, 15) == 0 else b"\r\n"
    body = bytes(choices.integer(0, 300))
    if choices.integer(0, 3) == 0:
        body = b"%x\r\n" % choices.integer(0, 40) + body[:40] + b"\r\n0\r\n\r\n"
    whole = end.join([*lines, b"", body])
    return damage(whole, choices) if choices.integer(0, 3) == 0 else whole


async def ask(choices: Choices, wires: Wires, client: aiohttp.ClientSession) -> None:
    """One request."""
    start = choices.integer(0, 1) * 10
    stop = (None, 20)[choices.integer(0, 1)]
    etag = (None, '"a"', 'W/"a"')[choices.integer(0, 2)]
    known = (None, '"b"')[choices.integer(0, 1)]
    data = answer(choices, start, stop or 100)
    wires.answer = lambda _: data
    transport = HttpTransport("http://127.0.0.1:1", client, limits=LIMITS)
    try:
        async with transport.fetch(
            "x", start=start, stop=stop, limit=LIMIT, etag=etag, if_none_match=known
        ) as response:
            assert response.status in (200, 206, 304)
            assert response.start in (0, start)
            assert response.status != 304 or known
            received = 0
            async for chunk in response.chunks():
                received += len(chunk)
            assert response.start + received <= LIMIT
            assert response.size is None or response.start + received <= response.size
    except TransportError as error:
        assert len(error.message) < 400
        assert "\n" not in error.message


async def ask_all(choices: Choices) -> None:
    """Requests of one client, which opens connections anew as it must."""
    async with Wires() as wires, aiohttp.ClientSession(connector=wires) as client:
        for _ in range(INPUTS):
            await ask(choices, wires, client)


def test_one(choices: Choices) -> None:
    """Some answers to some requests."""
    run(ask_all(choices))
