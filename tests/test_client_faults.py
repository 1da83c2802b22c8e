"""A client whose disk fails at any one step, or has changed since: an exact model every time.

MIDSTREAM_FAULTS=all takes each step with each fault, and more bits of each file.
"""

import os
import random
import shutil
from functools import cache
from pathlib import Path

import pytest

from faults import Fault, Faults, Killed
from following import LADDER, tuned
from midstream.client import Delivery, StoreFailed
from midstream.client.events import UpdateApplied
from midstream.client.images import Image
from midstream.errors import ErrorCode, StoreError, TrustError
from midstream.limits import LIMITS
from midstream.publisher import FRESH
from midstream.session import Event
from midstream.store import Store
from midstream.trust.manifest import UnitEntry
from midstream.trust.updates import updates_of
from published import NAME, Published, published, published_models

ALL = os.environ.get("MIDSTREAM_FAULTS") == "all"
DISK = {
    Fault.FULL: ErrorCode.STORE_FULL,
    Fault.READ_ONLY: ErrorCode.STORE_READ_ONLY,
    Fault.DENIED: ErrorCode.STORE_READ_ONLY,
    Fault.BAD_SECTOR: ErrorCode.STORE_IO,
}


class World:
    """A store that has the first release whole, and an origin that has the second."""

    def __init__(self, folder: Path, old: Published, new: Published) -> None:
        self.old, self.new = old, new
        self.old_origin = self.old.write(folder / "old")
        self.new_origin = self.new.write(folder / "new")
        self.prepared = folder / "prepared"
        self.store = folder / "store"

    async def prepare(self) -> None:
        """An earlier run, to its end, and one byte of the release that was to come."""
        await self.fetch(self.old_origin, self.prepared)
        entry = self.to_come[-1]
        with Store(self.prepared) as store:
            store.partial(entry.id, entry.size).write(0, self.new.files[entry.path][:300])

    def reset(self) -> None:
        """The store as that run left it."""
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.copytree(self.prepared, self.store, symlinks=True)

    async def fetch(self, origin: Path, store: Path, told: list[int] | None = None) -> list[Event]:
        """A run to its end, which gives the exact model; what happened."""
        events: list[Event] = []
        async with Delivery.open(
            str(origin), NAME, root=self.new.root, store=store, on_event=events.append
        ) as delivery:
            if told is not None:
                told.append(delivery.manifest.release)
            await delivery.complete()
            expected = self.new.models[delivery.manifest.release - 1]
            assert bytes(await delivery.rebuild()) == expected
        return events

    async def check(self, told: list[int]) -> None:
        """What the next runs find, on a disk that works again."""
        self.holds(self.old)
        if told:  # that it was trusted once is never forgotten
            with pytest.raises(TrustError):
                await self.fetch(self.old_origin, self.store)
        events = await self.fetch(self.new_origin, self.store)
        assert not [event for event in events if isinstance(event, StoreFailed)]
        self.holds(self.new)

    @property
    def to_come(self) -> list[UnitEntry]:
        """What is to be fetched of the second release: its update, if it has one."""
        listed = updates_of(self.new.manifest)
        updates = [update.unit for update in listed if update.rung is None]
        return updates or [*self.new.manifest.units]

    def holds(self, made: Published) -> None:
        """A release is in the store, as it was signed: its units, or the model that they make."""
        with Store(self.store) as store:
            data = store.unit(Image.name(made.manifest), bool)
            if data is not None:  # it came by an update
                image = Image.read(data, made.manifest, LIMITS)
                assert image is not None
                assert bytes(image.model) == made.models[-1]
                return
            for entry in made.manifest.units:
                assert store.unit(entry.id, bool) == made.files[entry.path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@cache
def releases(way: str) -> tuple[Published, Published]:
    """A repository before and after its second release, which comes in one of two ways."""
    if way == "units":
        return published(1), published(1, 2, updates=FRESH)
    models = [tuned(1), tuned(2)]
    before, after = (published_models(*models[:count], ladder=LADDER) for count in (1, 2))
    return before, after


@pytest.fixture(params=["units", "an update"])
async def world(folder: Path, request: pytest.FixtureRequest) -> World:
    world = World(folder / request.param.replace(" ", "-"), *releases(request.param))
    if not world.prepared.exists():
        await world.prepare()
    return world


async def count(world: World) -> int:
    world.reset()
    with Faults(world.store).installed() as faults:
        events = await world.fetch(world.new_origin, world.store)
    applied = [event for event in events if isinstance(event, UpdateApplied)]
    assert len(applied) == bool(updates_of(world.new.manifest))
    await world.check([2])
    assert {"open", "pwrite", "replace", "symlink"} <= set(faults.names)
    return len(faults.names)


@pytest.mark.parametrize("fault", [Fault.KILL, Fault.TEAR])
async def test_a_client_killed_at_any_step_loses_nothing(world: World, fault: Fault) -> None:
    """[DEL-14]"""
    for step in range(0, await count(world), 1 if ALL else 9):
        world.reset()
        told: list[int] = []
        with Faults(world.store, step, fault).installed(), pytest.raises(Killed):
            await world.fetch(world.new_origin, world.store, told)
        await world.check(told)


@pytest.mark.parametrize("fault", DISK)
async def test_a_disk_that_fails_at_any_step_stops_no_client(world: World, fault: Fault) -> None:
    codes = set()
    for step in range(0, await count(world), 1 if ALL else 17):
        world.reset()
        events: list[Event] = []
        with Faults(world.store, step, fault).installed() as faults:
            try:
                events = await world.fetch(world.new_origin, world.store)
            except StoreError as error:  # at the start, of a disk that is broken
                events = [StoreFailed(error=error)]
                assert fault is Fault.BAD_SECTOR
        assert faults.happened
        codes |= {event.error.code for event in events if isinstance(event, StoreFailed)}
        await world.check([])
    assert codes == {DISK[fault]}


async def test_a_bit_that_flips_anywhere_in_the_store_is_found_and_fetched_again(
    world: World,
) -> None:
    """[DEL-13]"""
    world.reset()
    await world.fetch(world.new_origin, world.store)
    whole = world.store.with_name("whole")
    shutil.rmtree(whole, ignore_errors=True)
    shutil.copytree(world.store, whole, symlinks=True)
    rng = random.Random(6)
    files = [path for path in sorted(world.store.rglob("*")) if path.is_file()]
    for path in [path for path in files if path.stat().st_size and not path.is_symlink()]:
        for _ in range(100 if ALL else 2):
            shutil.rmtree(world.store)
            shutil.copytree(whole, world.store, symlinks=True)
            data = bytearray(path.read_bytes())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
            events = await world.fetch(world.new_origin, world.store)
            assert not [event for event in events if isinstance(event, StoreFailed)], path
            world.holds(world.new)
