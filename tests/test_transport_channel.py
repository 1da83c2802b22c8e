"""The client's end of a channel for news, and the origin's, over real sockets."""

import asyncio
import base64
import hashlib
from pathlib import Path

import aiohttp
import pytest

from badserver import Script, answer, serving, sized
from midstream.errors import ErrorCode, TransportError
from midstream.limits import LIMITS, Limits
from midstream.origin import serve
from midstream.transport import Announcement, open_transport
from midstream.transport.channel import PROTOCOL, version_of
from waiting import IN_TIME

QUICK = Limits(connect_timeout=0.3, heartbeat=0.1)
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata/timestamp.json").write_bytes(b'{"version": 1}')
    return tmp_path


async def stall(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (sized("404 Not Found"), ErrorCode.NOT_FOUND),
        (sized("200 OK", body=b"a file"), ErrorCode.NOT_FOUND),
        (sized("426 Upgrade Required"), ErrorCode.NOT_FOUND),
        (answer("101 Switching Protocols", *UPGRADE), ErrorCode.NOT_FOUND),
        (sized("503 Service Unavailable"), ErrorCode.BAD_STATUS),
        (answer("nonsense"), ErrorCode.UNREACHABLE),
        (stall, ErrorCode.TIMEOUT),
    ],
)
async def test_a_server_without_a_channel_is_told_apart(script: Script, code: ErrorCode) -> None:
    limits = QUICK if script is stall else LIMITS
    async with serving(script) as server, open_transport(server.url, limits=limits) as transport:
        with pytest.raises(TransportError) as caught:
            async with transport.announcements():
                pass
        assert caught.value.code is code
        assert "news" in caught.value.message


async def test_a_channel_does_not_follow_a_redirect() -> None:
    """[DEL-2]"""
    async with serving(sized("200 OK")) as elsewhere:
        redirect = sized("302 Found", f"Location: {elsewhere.url}/news")
        async with serving(redirect) as server, open_transport(server.url) as transport:
            with pytest.raises(TransportError) as caught:
                async with transport.announcements():
                    pass
        assert caught.value.code is ErrorCode.BAD_STATUS
        assert not elsewhere.requests


async def test_a_channel_asks_for_its_protocol_and_marks_model_traffic() -> None:
    async with serving(sized("404 Not Found")) as server:
        async with open_transport(server.url) as transport:
            with pytest.raises(TransportError):
                async with transport.announcements():
                    pass
        assert server.header("Sec-WebSocket-Protocol") == PROTOCOL
        assert server.header("Accept-Encoding") == "identity"


async def test_a_server_that_is_gone_has_no_channel() -> None:
    async with serving(sized("404 Not Found")) as server:
        pass
    async with open_transport(server.url) as transport:
        with pytest.raises(TransportError) as caught:
            async with transport.announcements():
                pass
    assert caught.value.code is ErrorCode.UNREACHABLE


async def test_files_are_fetched_while_a_channel_is_open(folder: Path) -> None:
    async with serve(folder) as url, open_transport(url) as transport:
        async with transport.announcements() as announced:
            announcement = await anext(announced)
            async with transport.fetch("metadata/timestamp.json", limit=100) as response:
                assert announcement == Announcement(version=response.etag or "")
        async with transport.fetch("metadata/timestamp.json", limit=100) as response:
            assert response.status == 200


async def test_the_origin_says_goodbye_when_it_ends(
    folder: Path, client: aiohttp.ClientSession
) -> None:
    async with serve(folder) as url:
        socket = await client.ws_connect(f"{url}/news", protocols=(PROTOCOL,))
        await socket.receive()
        farewell = asyncio.create_task(socket.receive())
    assert (await farewell).data == aiohttp.WSCloseCode.GOING_AWAY


async def test_a_ping_before_a_sudden_end_is_an_end() -> None:
    ended = asyncio.Event()

    async def ping_and_vanish(writer: asyncio.StreamWriter) -> None:
        key = server.header("Sec-WebSocket-Key") or ""
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        accept = f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}"
        protocol = f"Sec-WebSocket-Protocol: {PROTOCOL}"
        ping = bytes([0x89, 0])
        await answer("101 Switching Protocols", *UPGRADE, accept, protocol, body=ping)(writer)
        await asyncio.sleep(0.05)
        writer.transport.abort()
        ended.set()

    async with (
        serving(ping_and_vanish) as server,
        open_transport(server.url) as transport,
        transport.announcements() as announced,
    ):
        await ended.wait()
        await asyncio.sleep(0.05)
        assert [text async for text in announced] == []


@pytest.mark.parametrize("size", [1, 1000])
async def test_a_listener_that_talks_is_let_go(
    folder: Path, client: aiohttp.ClientSession, size: int
) -> None:
    async with (
        serve(folder) as url,
        client.ws_connect(f"{url}/news", protocols=(PROTOCOL,)) as socket,
    ):
        await socket.receive()
        await socket.send_bytes(bytes(size))
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize(
    ("network", "size", "comes"),
    [
        ("net", 1 << 16, True),
        ("net", (1 << 16) + 1, False),
        ("other", 100, False),
        ("", 100, False),
        ("../secret", 100, False),
    ],
)
async def test_news_of_the_network_that_was_named_come_with_an_announcement(
    folder: Path, network: str, size: int, comes: bool
) -> None:
    for name in ("bundles/net.news", "secret.news"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(bytes(size))
    timestamp = b'{"version": 2}'
    async with (
        serve(folder) as url,
        open_transport(url) as transport,
        transport.announcements(network) as announced,
    ):
        assert (await anext(announced)).news == b""
        (folder / "new").write_bytes(timestamp)
        (folder / "new").rename(folder / "metadata/timestamp.json")
        async with asyncio.timeout(IN_TIME):
            told = await anext(announced)
        assert told.version == version_of(timestamp)
        assert told.news == (bytes(size) if comes else b"")


async def test_the_channel_is_no_file(folder: Path, client: aiohttp.ClientSession) -> None:
    async with serve(folder) as url, client.get(f"{url}/news") as response:
        assert response.status == 426
        assert response.headers["Upgrade"] == "websocket"


async def test_a_folder_without_metadata_announces_its_first(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with (
        serve(tmp_path) as url,
        client.ws_connect(f"{url}/news", protocols=(PROTOCOL,)) as socket,
    ):
        heard = asyncio.create_task(socket.receive())
        (tmp_path / "metadata").mkdir()
        new = tmp_path / "new"
        new.write_bytes(b"{}")
        new.rename(tmp_path / "metadata/timestamp.json")
        async with asyncio.timeout(IN_TIME):
            assert (await heard).type is aiohttp.WSMsgType.TEXT
