"""The origin over a socket: what it sends, what it never sends, how it is bad on purpose."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from midstream.errors import ErrorCode, UnavailableError, UsageError
from midstream.origin import Counters, Impairments, create_app, files, serve
from midstream.origin.files import Files, caching
from midstream.origin.impairments import Link
from midstream.testing import FakeClock
from waiting import IN_TIME

UNIT = bytes(range(256)) * 1000
FOREVER = "public, max-age=31536000, immutable, no-transform"
NEVER = "no-cache, no-transform"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    for name in ("units", "metadata", "bundles", "targets/abr"):
        (repository / name).mkdir(parents=True)
    (repository / "units/ab12").write_bytes(UNIT)
    (repository / "units/empty").write_bytes(b"")
    (repository / "metadata/timestamp.json").write_bytes(b'{"version": 1}')
    (repository / ".lock").write_bytes(b"")
    (repository / "units/.new-x").write_bytes(b"half")
    (tmp_path / "secret").write_bytes(b"secret")
    return repository


@pytest.fixture
async def url(folder: Path) -> AsyncIterator[str]:
    async with serve(folder) as address:
        yield address


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


async def ask(
    client: aiohttp.ClientSession, url: str, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, Mapping[str, str]]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(method, f"{url}/{path}", headers=fields) as response:
        return response.status, await response.read(), response.headers


async def raw(url: str, request: bytes) -> bytes:
    """The answer to bytes that no client library would send."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), IN_TIME)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_file_comes_whole_with_its_headers(client: aiohttp.ClientSession, url: str) -> None:
    """[DEL-9]"""
    status, body, headers = await ask(client, url, "units/ab12", Accept_Encoding="gzip, br")
    assert (status, body) == (200, UNIT)
    assert "Content-Encoding" not in headers
    assert headers["Content-Length"] == str(len(UNIT))
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Cache-Control"] == FOREVER
    assert headers["Server"] == "midstream"


async def test_an_etag_is_of_the_bytes(
    client: aiohttp.ClientSession, url: str, folder: Path
) -> None:
    """[DEL-10]"""
    path = "metadata/timestamp.json"
    _, body, headers = await ask(client, url, path)
    assert headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    (folder / path).write_bytes(b'{"version": 2}')
    _, body, newer = await ask(client, url, path)
    assert newer["ETag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"' != headers["ETag"]
    os.utime(folder / path)
    _, _, same = await ask(client, url, path)
    assert same["ETag"] == newer["ETag"]


async def test_a_range_is_answered_with_a_part(client: aiohttp.ClientSession, url: str) -> None:
    status, body, headers = await ask(client, url, "units/ab12", Range="bytes=1000-70000")
    assert (status, body) == (206, UNIT[1000:70001])
    assert headers["Content-Range"] == f"bytes 1000-70000/{len(UNIT)}"
    assert headers["Content-Length"] == "69001"


async def test_the_last_bytes_can_be_asked_for(client: aiohttp.ClientSession, url: str) -> None:
    assert (await ask(client, url, "units/ab12", Range="bytes=-5"))[1] == UNIT[-5:]


async def test_a_range_behind_the_end_is_416_with_the_size(
    client: aiohttp.ClientSession, url: str
) -> None:
    status, body, headers = await ask(client, url, "units/ab12", Range=f"bytes={len(UNIT)}-")
    assert (status, body) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{len(UNIT)}"
    assert headers["Cache-Control"] == NEVER


async def test_a_range_of_another_version_is_the_whole(
    client: aiohttp.ClientSession, url: str
) -> None:
    answer = await ask(client, url, "units/ab12", Range="bytes=5-", If_Range='"other"')
    assert answer[:2] == (200, UNIT)


async def test_a_poll_without_news_has_no_body(client: aiohttp.ClientSession, url: str) -> None:
    path = "metadata/timestamp.json"
    _, _, first = await ask(client, url, path)
    status, body, headers = await ask(client, url, path, If_None_Match=first["ETag"])
    assert (status, body) == (304, b"")
    assert (headers["ETag"], headers["Cache-Control"]) == (first["ETag"], NEVER)
    assert set(headers) <= {"Etag", "Cache-Control", "Server", "Date"}  # a poll is to be small


async def test_head_has_the_headers_alone(client: aiohttp.ClientSession, url: str) -> None:
    for _ in range(2):  # the second would trip over a body on the same connection
        status, body, headers = await ask(client, url, "units/ab12", "HEAD", Range="bytes=0-3")
        assert (status, body, headers["Content-Length"]) == (200, b"", str(len(UNIT)))


async def test_an_empty_file_comes_whole(client: aiohttp.ClientSession, url: str) -> None:
    assert (await ask(client, url, "units/empty"))[:2] == (200, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_but_reading_is_allowed(
    client: aiohttp.ClientSession, url: str, folder: Path, method: str
) -> None:
    assert (await ask(client, url, "units/ab12", method))[0] == 405
    assert (folder / "units/ab12").read_bytes() == UNIT


@pytest.mark.parametrize(
    "path",
    [
        "",
        "units",
        "units/",
        "units/cd34",
        "units/ab12/x",
        "units//ab12",
        ".lock",
        "units/.new-x",
        "..",
        "../secret",
        "units/../../secret",
        "units/%2e%2e/%2e%2e/secret",
        "..%2fsecret",
        "..%5csecret",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "%252e%252e%252fsecret",
        "units/%252e%252e/%252e%252e/secret",
        "units/%c0%ae%c0%ae/%c0%ae%c0%ae/secret",
        "units/..;/..;/secret",
        "units/./../../secret",
        "%2e%2e\\secret",
        "units/ab12%00",
        "units/ab%0a12",
        "units/" + "a" * 300,
    ],
)
async def test_nothing_but_files_of_the_folder_is_served(url: str, path: str) -> None:
    """[DEL-11]"""
    answer = await raw(
        url, f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"Cache-Control: no-cache" in answer
    assert b"secret" not in answer


@pytest.mark.parametrize("path", ["GET http:///units HTTP/1.1", "GET \\..\\ HTTP/1.1", "nonsense"])
async def test_nonsense_is_answered_with_an_error(url: str, path: str) -> None:
    answer = await raw(url, f"{path}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split()[1] in (b"400", b"404")


async def test_links_out_of_the_folder_are_not_followed(
    client: aiohttp.ClientSession, url: str, folder: Path
) -> None:
    """[DEL-11]"""
    (folder / "units/file").symlink_to(folder.parent / "secret")
    (folder / "out").symlink_to(folder.parent)
    (folder / "units/loop").symlink_to(folder / "units/loop")
    (folder / "units/inside").symlink_to(folder / "units/ab12")
    assert (await ask(client, url, "units/file"))[0] == 404
    assert (await ask(client, url, "out/secret"))[0] == 404
    assert (await ask(client, url, "units/loop"))[0] == 404
    assert (await ask(client, url, "units/inside"))[:2] == (200, UNIT)


def test_a_link_that_is_put_there_while_a_file_is_opened_is_not_followed(folder: Path) -> None:
    """[DEL-11]"""
    (folder / "out").symlink_to(folder.parent)
    (folder / "file").symlink_to(folder.parent / "secret")
    os.close(files._open_below(folder, ("units", "ab12")))
    for parts in (("out", "secret"), ("file",)):
        with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
            files._open_below(folder, parts)


async def test_a_pipe_is_no_file_and_is_not_waited_for(
    client: aiohttp.ClientSession, url: str, folder: Path
) -> None:
    os.mkfifo(folder / "units/pipe")
    assert (await ask(client, url, "units/pipe"))[0] == 404


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("units/ab12", FOREVER),
        ("units/ab12.0a1b2c3d.repair", FOREVER),
        ("targets/abr/ff.1.manifest", FOREVER),
        ("targets/abr/ff.1.manifest.repair", FOREVER),
        ("metadata/12.snapshot.json", FOREVER),
        ("metadata/12.snapshot.json.repair", FOREVER),
        ("1.root.json", FOREVER),
        ("metadata/timestamp.json", NEVER),
        ("metadata/timestamp.json.repair", NEVER),
        ("bundles/abr.bundle", NEVER),
        ("bundles/1.root.json", NEVER),
        ("bundles/abr.bundle.repair", NEVER),
        ("index.html", NEVER),
    ],
)
def test_what_never_changes_is_kept_for_ever(path: str, expected: str) -> None:
    assert caching(path) == expected


def test_versions_that_are_remembered_are_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midstream.origin.files._MOST_VERSIONS", 1)
    served = Files(folder)
    for path in ("units/ab12", "units/empty", "units/ab12"):
        file = served.open(path)
        assert file is not None
        file.close()
    assert len(served._etags) == 1


def test_a_file_that_cannot_be_read_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Iterator[bytes]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("midstream.origin.files._etag", fail)
    assert Files(folder).open("units/ab12") is None


async def test_a_lost_body_is_cut_and_the_rest_can_be_asked_for(folder: Path) -> None:
    counters = Counters()
    impairments = Impairments(loss=0.5, seed=2)
    got = bytearray()
    async with (
        serve(folder, impairments=impairments, counters=counters) as url,
        aiohttp.ClientSession() as client,
    ):
        while len(got) < len(UNIT) or not counters.cut_responses:
            begin = len(got) % len(UNIT)
            async with client.get(
                f"{url}/units/ab12", headers={"Range": f"bytes={begin}-"}
            ) as response:
                try:
                    async for chunk in response.content.iter_any():
                        got += chunk
                except aiohttp.ClientPayloadError:
                    assert counters.cut_responses
    assert bytes(got[: len(UNIT)]) == UNIT
    assert counters.lost_bytes > 0


async def test_small_bodies_are_lost_too(folder: Path) -> None:
    counters = Counters()
    async with (
        serve(folder, impairments=Impairments(loss=1), counters=counters) as url,
        aiohttp.ClientSession() as client,
    ):
        for _ in range(3):
            with pytest.raises(aiohttp.ClientPayloadError):
                await ask(client, url, "metadata/timestamp.json")
    assert counters.cut_responses == 3


async def test_damage_is_the_same_in_the_whole_and_in_a_part(folder: Path) -> None:
    counters = Counters()
    async with (
        serve(folder, impairments=Impairments(corrupt=0.5), counters=counters) as url,
        aiohttp.ClientSession() as client,
    ):
        _, whole, headers = await ask(client, url, "units/ab12")
        _, part, _ = await ask(client, url, "units/ab12", Range="bytes=5000-200000")
    assert whole != UNIT
    assert whole[5000:200001] == part
    assert headers["ETag"] == f'"{hashlib.sha256(UNIT).hexdigest()[:32]}"'
    assert counters.damaged_bytes >= sum(a != b for a, b in zip(whole, UNIT, strict=True))
    assert counters.requests == 2


async def test_delay_and_rate_are_of_the_clock_that_was_given(folder: Path) -> None:
    clock = FakeClock()
    link = Link(Impairments(delay=0.5, rate=1e5), clock=clock, sleep=clock.sleep)
    runner = aiohttp.web.AppRunner(create_app(folder, link=link), access_log=None)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        assert (await ask(client, url, "units/ab12"))[1] == UNIT
    await runner.cleanup()
    assert clock.now == pytest.approx(0.5 + len(UNIT) / 1e5)


async def test_a_client_that_hangs_up_disturbs_nobody(
    client: aiohttp.ClientSession, folder: Path
) -> None:
    (folder / "units/large").write_bytes(bytes(32 << 20))
    async with serve(folder) as url:
        host, port = url.removeprefix("http://").split(":")
        for _ in range(3):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /units/large HTTP/1.1\r\nHost: x\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
        assert (await ask(client, url, "units/ab12"))[1] == UNIT


async def test_a_file_that_becomes_shorter_is_a_cut_body(folder: Path) -> None:
    path = folder / "units/large"
    path.write_bytes(bytes(32 << 20))
    async with (
        serve(folder) as url,
        aiohttp.ClientSession() as client,
        client.get(f"{url}/units/large") as response,
    ):
        path.write_bytes(b"short")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        async with serve(tmp_path / "none"):
            pass
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


@pytest.mark.parametrize("port", [-1, 65536])
async def test_a_port_that_is_none_is_wrong_use(tmp_path: Path, port: int) -> None:
    with pytest.raises(UsageError, match="port"):
        async with serve(tmp_path, port=port):
            pass


async def test_a_port_that_is_taken_is_one_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UnavailableError, match="cannot listen") as caught:
            async with serve(tmp_path, port=taken.getsockname()[1]):
                pass
    assert caught.value.code is ErrorCode.UNREACHABLE
    assert caught.value.exit_code == 3


async def test_an_address_of_version_six_is_in_brackets(folder: Path) -> None:
    try:
        async with serve(folder, host="::1") as url:
            assert url.startswith("http://[::1]:")
    except UnavailableError:
        pytest.skip("this machine has no IPv6")
