"""A client that is killed at any moment resumes, and asks for no byte again that it has."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

import midstream
from midstream.origin import Impairments, create_app
from midstream.store import PartialUnit
from models import mlp

pytestmark = pytest.mark.once

KILLS = int(os.environ.get("MIDSTREAM_KILLS", "4"))
"""Moments to kill at; MIDSTREAM_KILLS=20 is the thorough run."""
RATE = 20_000.0
"""Bytes per second: so slow that a fetch outlives several kills."""


@dataclass
class Origin:
    """What an origin was asked for since it was looked at last: path and first byte."""

    url: str
    asked: list[tuple[str, int]] = field(default_factory=list)

    def first_of_units(self) -> dict[str, int]:
        """For each unit whose body was asked for, the first byte of the first request."""
        asked, self.asked = self.asked, []
        bodies = [(path, first) for path, first in asked if "units/" in path and "." not in path]
        return dict(reversed(bodies))


@asynccontextmanager
async def origin_of(repo: Path) -> AsyncIterator[Origin]:
    app = create_app(repo, impairments=Impairments(rate=RATE, corrupt=0.05, seed=3))
    origin = Origin("")

    async def note(request: web.Request, _: web.StreamResponse) -> None:
        text = request.headers.get("Range", "bytes=0-")
        first = int(text.removeprefix("bytes=").split("-")[0])
        origin.asked.append((request.path.removeprefix("/"), first))

    app.on_response_prepare.append(note)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    origin.url = f"http://{host}:{port}"
    try:
        yield origin
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("kill")
    model = mlp((64, 160, 96, 8))
    publisher = midstream.Publisher(folder, signer=midstream.Signer.generate())
    publisher.publish(model, name="net", ladder="3b,5b,exact")
    return folder, model


async def start(origin: Origin, repo: Path, store: Path, out: Path) -> asyncio.subprocess.Process:
    words = ["fetch", origin.url, "net", "--root", str(repo / "1.root.json"), "-o", str(out)]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "midstream", *words, "--store", str(store)),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )


def held(store: Path, sizes: dict[str, int]) -> tuple[set[str], dict[str, int]]:
    """Units that are whole on disk, and how many first bytes of others are there."""
    whole = {f"units/{path.name}" for path in (store / "units").glob("*") if path.suffix == ""}
    parts: dict[str, int] = {}
    for path in (store / "partial").glob("*"):
        if path.suffix == "" and f"units/{path.name}" in sizes:
            spans = PartialUnit(path, sizes[f"units/{path.name}"]).received()
            first = [start + len(data) for start, data in spans if start == 0]
            parts[f"units/{path.name}"] = max(first, default=0)
    return whole, parts


async def test_a_client_killed_at_random_moments_resumes_and_ends_exact(
    published: tuple[Path, bytes], tmp_path: Path
) -> None:
    repo, model = published
    store, out = tmp_path / "store", tmp_path / "out"
    sizes = {f"units/{path.name}": path.stat().st_size for path in (repo / "units").glob("*")}
    rng = random.Random(11)
    whole: set[str] = set()
    parts: dict[str, int] = {}
    interrupted = 0
    async with origin_of(repo) as origin:
        for kill in range(KILLS + 1):
            process = await start(origin, repo, store, out)
            if kill < KILLS:
                await asyncio.sleep(rng.uniform(0.4, 2.0))
            if kill < KILLS and process.returncode is None:
                process.kill()
                interrupted += 1
            _, errors = await process.communicate()
            assert process.returncode in (0, -9), errors.decode()
            assert not out.exists() or out.read_bytes() == model
            # of each unit the first request of this run, against what was on disk before it
            for path, first in origin.first_of_units().items():
                assert path not in whole
                assert first >= parts.get(path, 0)
            whole, parts = held(store, sizes)
    assert interrupted >= min(KILLS, 3)
    assert out.read_bytes() == model
