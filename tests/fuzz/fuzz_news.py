"""Hostile channels for news: announcements come out or an error of ours, and then it ends."""

import base64
import hashlib
import re

import aiohttp

from choices import Choices
from midstream.errors import TransportError
from midstream.limits import Limits
from midstream.transport import HttpTransport
from midstream.transport.channel import ANNOUNCEMENT, LARGEST_NEWS, PROTOCOL
from mutations import damage
from wires import Wires, run

_FRAMES = 10
"""Of a channel, at most: it ends at the first that is no good, so it counts as one input."""
LIMITS = Limits(connect_timeout=5.0, heartbeat=5.0)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_KEY = re.compile(rb"(?i)sec-websocket-key: (\S+)")


def handshake(asked: bytes) -> bytes:
    """What an honest origin says first."""
    match = _KEY.search(asked)
    digest = hashlib.sha1((match[1] if match else b"") + _GUID).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n"
        b"Sec-WebSocket-Protocol: " + PROTOCOL.encode() + b"\r\n\r\n"
    )


def frame(choices: Choices) -> bytes:
    """One frame, often a good announcement, with bytes for news or without."""
    first = choices.integer(0, 255) if choices.integer(0, 3) == 0 else 0x80 + choices.integer(1, 2)
    size = choices.integer(0, ANNOUNCEMENT + 8)
    said = size if choices.integer(0, 7) else choices.integer(0, 127)
    length = bytes([said]) if said < 126 else b"\x7e" + said.to_bytes(2, "big")
    if choices.integer(0, 31) == 0:
        length = b"\x7f" + choices.raw(8).ljust(8, b"\xff")
    content = choices.raw(size) if choices.integer(0, 1) else b'"a"' * 50
    return bytes([first]) + length + content[:size].ljust(size, b"x")


async def listen(choices: Choices) -> None:
    """All that is heard until it ends."""
    frames = b"".join(frame(choices) for _ in range(_FRAMES))
    is_honest = choices.integer(0, 7)
    async with Wires() as wires, aiohttp.ClientSession(connector=wires) as client:
        wires.answer = lambda asked: (
            (handshake(asked) if is_honest else damage(handshake(asked), choices)) + frames
        )
        transport = HttpTransport("http://127.0.0.1:1", client, limits=LIMITS)
        try:
            async with transport.announcements("net") as heard:
                async for told in heard:
                    assert len(told.version) <= ANNOUNCEMENT
                    assert len(told.news) <= LARGEST_NEWS
        except TransportError as error:
            assert len(error.message) < 400


def test_one(choices: Choices) -> None:
    """One channel, from its opening to its end."""
    run(listen(choices))
