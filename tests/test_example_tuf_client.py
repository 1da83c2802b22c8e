"""The client of TUF's conformance protocol, against a repository that is served and attacked."""

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from midstream.origin import Counters, serve
from midstream.trust import layout
from trusting import NOW, World, forge_snapshot, signer

EXAMPLE = Path(__file__).parent.parent / "examples" / "tuf_client.py"
TARGET = layout.target_path("abr", 1)


def loaded() -> Any:
    """The example, as a module."""
    spec = importlib.util.spec_from_file_location("tuf_client", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tuf_client = loaded()


@dataclass
class Suite:
    """What the suite does: it starts the client with addresses and folders of its own."""

    world: World
    folder: Path
    url: str = ""

    def put(self) -> None:
        """Serve what is published, or what an attacker has in its place."""
        for path, data in (self.world.files | self.world.served).items():
            file = self.folder / "repo" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    async def run(self, *words: str) -> str | None:
        metadata = ["--metadata-dir", str(self.folder / "metadata")]
        places = ["--metadata-url", f"{self.url}/metadata", "--target-base-url"]
        places += [f"{self.url}/targets", "--target-dir", str(self.folder / "targets")]
        done: str | None = await asyncio.to_thread(tuf_client.main, [*metadata, *places, *words])
        return done

    async def refresh(self) -> str | None:
        return await self.run("refresh")

    async def download(self, target: str = TARGET) -> str | None:
        return await self.run("--target-name", target, "download")

    def version(self, role: str) -> int:
        """What the client trusts."""
        held = json.loads((self.folder / f"metadata/{role}.json").read_bytes())
        version: int = held["signed"]["version"]
        return version


def taken(folder: Path) -> list[Path]:
    """Targets that the client took."""
    return [path for path in folder.glob("targets/*") if path.is_file()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "unused")
    made.publish()
    return made


@asynccontextmanager
async def suite_of(
    world: World, folder: Path, counters: Counters | None = None
) -> AsyncIterator[Suite]:
    """A client that was given the first root, and a server."""
    suite = Suite(world, folder)
    suite.put()
    (folder / "metadata").mkdir()
    (folder / "first.json").write_bytes(world.root)
    async with serve(folder / "repo", counters=counters) as suite.url:
        assert await suite.run("init", str(folder / "first.json")) is None
        yield suite


async def test_refresh_follows_the_metadata(world: World, tmp_path: Path) -> None:
    async with suite_of(world, tmp_path) as suite:
        assert await suite.refresh() is None
        versions = [suite.version(role) for role in ("root", "timestamp", "snapshot", "targets")]
        world.publish(number=2)
        suite.put()
        assert await suite.refresh() is None
        assert suite.version("timestamp") == versions[1] + 1


async def test_a_target_is_taken_once_and_again_where_it_is_gone(
    world: World, tmp_path: Path
) -> None:
    counters = Counters()
    async with suite_of(world, tmp_path, counters) as suite:
        assert await suite.download() is None
        (file,) = taken(tmp_path)
        (signed,) = (data for path, data in world.files.items() if path.startswith("targets/"))
        assert file.read_bytes() == signed
        before = counters.requests
        assert await suite.download() is None
        assert counters.requests - before == 2  # no newer root, the timestamp
        file.unlink()
        assert await suite.download() is None
        assert file.read_bytes() == signed


async def test_what_nobody_signs_for_is_not_taken(world: World, tmp_path: Path) -> None:
    async with suite_of(world, tmp_path) as suite:
        assert "nobody signs for it" in str(await suite.download(layout.target_path("abr", 9)))
    assert taken(tmp_path) == []


async def test_a_target_of_other_bytes_is_refused(world: World, tmp_path: Path) -> None:
    async with suite_of(world, tmp_path) as suite:
        for path in [path for path in world.files if path.startswith("targets/")]:
            world.served[path] = world.files[path].replace(b"abr", b"abc")
        suite.put()
        assert "BAD_HASH" in str(await suite.download())
    assert taken(tmp_path) == []


async def test_a_rollback_is_refused_and_nothing_changes(world: World, tmp_path: Path) -> None:
    old = dict(world.files)
    world.publish(number=2)
    async with suite_of(world, tmp_path) as suite:
        assert await suite.refresh() is None
        before = suite.version("timestamp")
        world.served = old
        suite.put()
        assert "ROLLBACK" in str(await suite.refresh())
        assert suite.version("timestamp") == before


async def test_stolen_online_keys_are_not_enough(world: World, tmp_path: Path) -> None:
    async with suite_of(world, tmp_path) as suite:
        assert await suite.refresh() is None
        online = world.keys.of("snapshot")[0]
        forged = world.forge("targets", lambda signed: signed.update(version=99), online)
        world.served[layout.metadata_path("targets", 99)] = forged
        forge_snapshot(world, lambda meta: meta["targets.json"].update(version=99))
        suite.put()
        assert await suite.refresh() is not None
        assert suite.version("targets") < 99


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp", "abr"])
async def test_rotated_keys_are_followed(world: World, tmp_path: Path, role: str) -> None:
    async with suite_of(world, tmp_path) as suite:
        assert await suite.refresh() is None
        world.write(world.repository.rotate(role, (signer(50),), NOW))
        suite.put()
        assert await suite.download() is None
        assert suite.version("root") == max(world.versions("root"), default=1)


async def test_metadata_that_ran_out_is_refused(world: World, tmp_path: Path) -> None:
    old = World(tmp_path / "unused", then=NOW - timedelta(days=4000))
    old.publish()
    async with suite_of(old, tmp_path) as suite:
        assert "EXPIRED" in str(await suite.refresh())


async def test_no_server_is_one_line(world: World, tmp_path: Path) -> None:
    async with suite_of(world, tmp_path) as suite:
        pass
    assert "UNREACHABLE" in str(await suite.refresh())
    assert len(EXAMPLE.read_text().splitlines()) <= 80
