"""A client that is killed while adapters come: no byte of them that it had comes twice."""

import asyncio
import hashlib
import signal
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from adapting import connected, of, policy
from midstream.client.events import AdaptersMerged, AdaptersRefused
from midstream.store.partial import JOURNAL
from providing import Place, model
from test_kill_moments import Origin, overlap, serving
from waiting import IN_TIME, until

pytestmark = pytest.mark.once
NAMES = ("east", "north")
LATER = 64
"""Bytes that come until the second kill."""
ENTRY = struct.Struct("<QQI")
"""Of a journal: first byte, one past the last, a checksum."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Adapters of several chunks."""
    made = Place(tmp_path_factory.mktemp("made") / "repo")
    made.adapters.offer("net", [made.parcel(name, share=0.9) for name in NAMES])
    made.adapters.sign_policy("net", "city", policy(*NAMES))
    return made


def files(place: Place) -> dict[str, bytes]:
    paths = [path for path in place.folder.rglob("*") if path.is_file()]
    return {path.relative_to(place.folder).as_posix(): path.read_bytes() for path in paths}


def parcels(place: Place) -> dict[str, bytes]:
    return {path: data for path, data in files(place).items() if path.endswith(".parcel")}


def part(store: Path, data: bytes) -> Path:
    """Where a store keeps what came of a parcel."""
    return store / "partial" / hashlib.sha256(data).hexdigest()[:32]


def had(store: Path, data: bytes) -> int:
    """First bytes of a parcel that a client has on its disk, which may be at work still."""
    path = part(store, data)
    journal = path.with_name(path.name + JOURNAL)
    first, entries = 0, journal.read_bytes() if journal.exists() else b""
    for start, stop, _ in ENTRY.iter_unpack(entries[: len(entries) // ENTRY.size * ENTRY.size]):
        assert path.read_bytes()[start:stop] == data[start:stop]
        first = max(first, stop) if start <= first else first
    return first


class Stalling(Origin):
    """It sends so many bytes of parcels, and then nothing any more."""

    def __init__(self, files: dict[str, bytes], most: int) -> None:
        super().__init__(files)
        self.left = most
        self.has_stalled = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if not request.match_info["path"].endswith(".parcel"):
            return await super().handle(request)
        path = request.match_info["path"]
        data = self.files[path]
        start, stop, _ = request.http_range.indices(len(data))
        self.asked.append((path, (start, stop)))
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = stop - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        await response.prepare(request)
        sent = data[start : min(stop, start + self.left)]
        await response.write(sent)
        self.left -= len(sent)
        if start + len(sent) < stop or not self.left:
            self.has_stalled.set()
            await asyncio.sleep(IN_TIME)
        return response


async def start(place: Place, url: str, store: Path) -> asyncio.subprocess.Process:
    words = ["fetch", url, "net", "--root", str(place.folder / "1.root.json"), "--adapters", "city"]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "midstream", *words, "-o", str(store.parent / "out")),
        *("--store", str(store)),
    )


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7, 1.0, 1.4, 1.7])
async def test_a_killed_client_goes_on_with_an_adapter_where_it_was(
    place: Place, tmp_path: Path, share: float
) -> None:
    """CON-20: killed when so much of two adapters has come; and once more, a little later."""
    sizes = [len(data) for data in parcels(place).values()]
    most, store = round(share * min(sizes)), tmp_path / "store"
    before: dict[str, int] = {}
    for more in (most, LATER):
        origin = Stalling(files(place), more)
        async with serving(origin) as url:
            process = await start(place, url, store)
            async with asyncio.timeout(IN_TIME):
                await origin.has_stalled.wait()
            await until(has_come(place, store, sum(before.values()) + more))
            process.send_signal(signal.SIGKILL)
            await process.wait()
        for path, data in parcels(place).items():
            asked = [span for where, span in origin.asked if where == path]
            assert sum(overlap(span, [(0, before.get(path, 0))]) for span in asked) == 0
            before[path] = had(store, data)
    assert most + LATER <= sum(before.values()) < sum(sizes)
    await finish(place, store, before)


def has_come(place: Place, store: Path, size: int) -> Callable[[], bool]:
    """Whether so many bytes of parcels are on a client's disk."""
    return lambda: sum(had(store, data) for data in parcels(place).values()) >= size


async def finish(place: Place, store: Path, before: dict[str, int]) -> None:
    origin = Origin(files(place))
    async with serving(origin) as url:
        assert await (await start(place, url, store)).wait() == 0
    for path, size in before.items():
        assert not [span for where, span in origin.asked if where == path and span[0] < size]
    found = place.adapters.sign_policy("net", "city", policy(*NAMES))
    assert found is not None
    assert (store.parent / "out").read_bytes() == found.model
    assert not list((store / "partial").iterdir())


async def test_what_is_damaged_on_the_disk_is_fetched_anew(place: Place, tmp_path: Path) -> None:
    """CON-20: it is refused, and goes."""
    store = tmp_path / "store"
    (store / "partial").mkdir(parents=True)
    for data in parcels(place).values():
        path = part(store, data)
        path.write_bytes(bytes(len(data)))
        span = struct.pack("<QQ", 0, len(data))
        check = zlib.crc32(span).to_bytes(4, "little")
        path.with_name(path.name + JOURNAL).write_bytes(span + check)
    async with connected(place, store=store) as (live, events):
        await live.complete()
    assert list(of(events, AdaptersMerged)[-1].shares) == list(NAMES)
    assert not list((store / "partial").iterdir())


async def test_a_refused_adapter_leaves_nothing_behind(tmp_path: Path) -> None:
    """Nor does one that is merged."""
    made = Place(tmp_path / "repo")
    made.adapters.offer("net", [made.parcel("east")])
    made.adapters.sign_policy("net", "city", policy("east"))
    (path,) = parcels(made)
    (made.folder / path).write_bytes(bytes(len(parcels(made)[path])))
    (made.folder / f"{path}.repair").unlink()
    async with connected(made, store=tmp_path / "store") as (live, events):
        await live.complete()
        assert of(events, AdaptersRefused)
        assert live.generation is not None
        assert live.generation.sha256 == hashlib.sha256(model()).hexdigest()
    assert not list((tmp_path / "store" / "partial").iterdir())
