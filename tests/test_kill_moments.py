"""A client that is killed once, at a moment of each part of its run: no byte it had comes twice."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from midstream.store import Store
from published import NAME, Published, published

pytestmark = pytest.mark.once

KILLS = int(os.environ.get("MIDSTREAM_KILLS", "3"))
CHUNK = 512
PAUSE = 0.004

Span = tuple[int, int]


@pytest.fixture(scope="module")
def made() -> Published:
    return published(1, sizes=(32, 96, 64, 4))


class Origin:
    """A slow origin that notes which bytes of which file it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[tuple[str, Span]] = []
        self.is_asked = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if path not in self.files:
            raise web.HTTPNotFound
        data = self.files[path]
        part = request.http_range
        start, stop, _ = part.indices(len(data))
        self.asked.append((path, (start, stop)))
        self.is_asked.set()
        is_part = "Range" in request.headers
        response = web.StreamResponse(status=206 if is_part else 200)
        response.content_length = stop - start
        if is_part:
            response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        await response.prepare(request)
        with suppress(ConnectionError):  # the client was killed
            for at in range(start, stop, CHUNK):
                await response.write(data[at : min(at + CHUNK, stop)])
                await asyncio.sleep(PAUSE)
        return response


@asynccontextmanager
async def serving(origin: Origin) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", origin.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def start(url: str, folder: Path, store: Path) -> asyncio.subprocess.Process:
    words = ["-m", "midstream", "fetch", url, NAME, "--root", str(folder / "root.json")]
    more = ["-o", str(folder / "out.tflite"), "--store", str(store), "--json"]
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, *more, stdout=asyncio.subprocess.DEVNULL, stderr=None
    )


def kept(store: Path, made: Published) -> dict[str, list[Span]]:
    """What a killed client has on its disk, by the paths of the units."""
    found: dict[str, list[Span]] = {}
    with Store(store) as opened:
        for entry in made.manifest.units:
            if opened.unit(entry.id, lambda data: True) is not None:
                found[entry.path] = [(0, entry.size)]
            elif (store / "partial" / entry.id).exists():
                parts = opened.partial(entry.id, entry.size).received()
                found[entry.path] = [(at, at + len(data)) for at, data in parts]
    return found


def overlap(asked: Span, had: list[Span]) -> int:
    return sum(max(0, min(asked[1], stop) - max(asked[0], start)) for start, stop in had)


def how_long(made: Published) -> float:
    """Seconds that an undisturbed fetch takes from its first request, about."""
    return sum(entry.size for entry in made.manifest.units) / CHUNK * PAUSE * 1.3


async def kill_one(made: Published, folder: Path, store: Path, after: float) -> bool:
    """Kill a client so many seconds after its first request; say whether it was still at work."""
    origin = Origin(made.files)
    async with serving(origin) as url:
        process = await start(url, folder, store)
        await origin.is_asked.wait()
        await asyncio.sleep(after)
        was_at_work = process.returncode is None
        if was_at_work:
            process.send_signal(signal.SIGKILL)
        await process.wait()
        return was_at_work


async def finish(made: Published, folder: Path, store: Path) -> None:
    """Run a client to its end; it must not ask for what the one before it had."""
    had = kept(store, made)
    origin = Origin(made.files)
    async with serving(origin) as url:
        process = await start(url, folder, store)
        assert await process.wait() == 0
    for path, span in origin.asked:
        assert overlap(span, had.get(path, [])) == 0, f"{path} {span} was here: {had[path]}"
    if had.get(made.manifest.base.path) == [(0, made.manifest.base.size)]:
        assert not any(path.startswith("bundles/") for path, _ in origin.asked)


@pytest.mark.parametrize("run", range(KILLS))
async def test_a_killed_client_goes_on_where_it_was(
    run: int, made: Published, tmp_path: Path
) -> None:
    (tmp_path / "root.json").write_bytes(made.root)
    store = tmp_path / "store"
    rng = random.Random(run)
    await kill_one(made, tmp_path, store, how_long(made) * (run + rng.random()) / KILLS)
    await finish(made, tmp_path, store)
    assert (tmp_path / "out.tflite").read_bytes() == made.models[0]
