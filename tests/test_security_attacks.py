"""The attacks of TUF 1.5 by their names, over HTTP and through the whole client.

The client of each test runs a release; what the attacker does must neither be taken nor end
it. What each part of the client does about each attack is in `test_trust_attacks` and its like;
spec/security.md has the table of all.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from securesystemslib.signer import Signature
from tuf.ngclient._internal import trusted_metadata_set

from hostile import Hostile, dripping, endless, hostile, unavailable
from midstream import Publisher
from midstream.client import Delivery
from midstream.errors import ErrorCode, MidstreamError
from midstream.limits import Limits
from midstream.publisher import FRESH
from midstream.trust import bundle, layout, manifest
from midstream.trust.keys import KeyRing, Signer
from midstream.trust.manifest import Manifest
from models import mlp
from trusting import World, forge_release, forge_snapshot, ring, signer
from waiting import IN_TIME

NAME, OTHER = "net", "other"
BUNDLE = layout.bundle_path(NAME)
OLD, NEW, ELSE = (mlp((6, 12, 4), seed=seed) for seed in (1, 2, 3))
LIMITS = Limits(attempts=2, bundle_size=1 << 20)
QUICK = replace(LIMITS, connect_timeout=0.5, read_timeout=0.2, least_throughput=1000)


def read(folder: Path) -> dict[str, bytes]:
    """What a folder holds, but for parity, which would undo what an attacker changes."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if path.is_file()
        and not path.name.startswith(".")
        and (name.startswith("units/") or not name.endswith(".repair"))
    }


def publish(folder: Path, model: bytes, keys: KeyRing, name: str = NAME) -> dict[str, bytes]:
    """Without an update, which would be another way than over the units that are attacked."""
    Publisher(folder, signer=keys).publish(model, name=name, ladder="4b,exact", updates=FRESH)
    return read(folder)


@cache
def releases() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Two networks; then one of them has a second release.

    News are withheld, so that each file is asked for by itself; `test_client_news.py` forges them.
    """
    with tempfile.TemporaryDirectory() as made:
        publish(Path(made), ELSE, ring(), OTHER)
        old, new = publish(Path(made), OLD, ring()), publish(Path(made), NEW, ring())
    del old[layout.news_path(NAME)], new[layout.news_path(NAME)]
    return old, new


@cache
def elsewhere() -> dict[str, bytes]:
    """Another repository, with a network of that name."""
    keys = KeyRing(signers={role: (signer(200),) for role in ring().signers})
    with tempfile.TemporaryDirectory() as made:
        publish(Path(made), NEW, keys)
        return publish(Path(made), ELSE, keys)


def manifest_of(
    files: dict[str, bytes], name: str = NAME, release: int = 1
) -> tuple[str, Manifest]:
    (path,) = (
        path
        for path in files
        if path.startswith(f"targets/{name}/") and path.endswith(f".{release}.manifest")
    )
    return path, manifest.decode(files[path])


@pytest.fixture
def world(tmp_path: Path) -> World:
    """What an attacker forges from: the second release."""
    made = World(tmp_path / "unused", ring())
    made.files = dict(releases()[1])
    return made


@asynccontextmanager
async def client(server: Hostile, store: Path | None = None) -> AsyncIterator[Delivery]:
    root = releases()[0][layout.PINNED_ROOT]
    async with (
        asyncio.timeout(IN_TIME),
        Delivery.open(server.url, NAME, root=root, store=store, limits=LIMITS) as delivery,
    ):
        yield delivery


@asynccontextmanager
async def running(
    files: dict[str, bytes], model: bytes, store: Path | None = None
) -> AsyncIterator[tuple[Hostile, Delivery]]:
    """A client that has a release whole; it still has it in the end, whatever happened."""
    async with hostile(dict(files)) as server, client(server, store) as delivery:
        await delivery.complete()
        release = delivery.manifest.release
        yield server, delivery
        assert await delivery.rebuild(release=release) == model


async def refuse(delivery: Delivery, *codes: ErrorCode) -> None:
    """The client takes nothing of what it finds, and says why."""
    with pytest.raises(MidstreamError) as caught:
        await look(delivery)
    assert caught.value.code in codes, caught.value


async def look(delivery: Delivery) -> None:
    """Take what is new."""
    if await delivery.check():
        await delivery.complete()


async def has(server: Hostile, model: bytes) -> None:
    """A client that starts now has the newest model, exactly."""
    async with client(server) as delivery:
        await delivery.check()
        await delivery.complete()
        assert await delivery.rebuild() == model


@pytest.mark.parametrize("what", ["unit", "manifest", "repository"])
async def test_arbitrary_software_attack(what: str) -> None:
    """[TRU-8] [TRU-12] Files of the attacker's own, in place of the publisher's."""
    old, new = releases()
    path, found = manifest_of(new, release=2)
    evil = manifest_of(elsewhere(), release=2)[1]
    served = dict(elsewhere())
    codes = (ErrorCode.BAD_SIGNATURE,)
    if what == "manifest":
        served = {**new, path: manifest.encode(evil)}
        codes = (ErrorCode.BAD_HASH, ErrorCode.LONG_BODY)
    elif what == "unit":
        pages = [
            (a.hashes_path, b.hashes_path) for a, b in zip(found.units, evil.units, strict=True)
        ]
        units = [(a.path, b.path) for a, b in zip(found.units, evil.units, strict=True)]
        served = {**new, **{mine: elsewhere()[theirs] for mine, theirs in (*pages, *units)}}
        codes = (ErrorCode.BAD_HASH, ErrorCode.TOO_MANY_ERASURES)
    async with running(old, OLD) as (server, delivery):
        server.files = served
        await refuse(delivery, *codes)


@pytest.mark.parametrize("what", ["timestamp", "root", "snapshot", NAME, "manifest", "unit"])
async def test_endless_data_attack(what: str, world: World) -> None:
    """[TRU-3] to [TRU-8] Each body has a bound before it is asked for."""
    old, new = releases()
    path, found = manifest_of(new, release=2)
    paths = {"root": "metadata/2.root.json", "manifest": path, "unit": found.base.path}
    async with running(old, OLD) as (server, delivery):
        server.files = dict(new)
        server.answers[paths.get(what) or world.latest_path(what)] = endless
        await refuse(delivery, ErrorCode.LONG_BODY)


@pytest.mark.parametrize("what", ["targets", "bundle"])
async def test_endless_data_attack_on_a_first_start(what: str, world: World) -> None:
    """[TRU-6] What a client that runs does not ask for."""
    files = dict(releases()[1])
    del files[BUNDLE]
    async with hostile(files) as server:
        server.answers[BUNDLE if what == "bundle" else world.latest_path(what)] = endless
        with pytest.raises(MidstreamError) as caught:
            await has(server, NEW)
        assert caught.value.code is ErrorCode.LONG_BODY


async def test_extraneous_dependencies_attack(world: World) -> None:
    """[TRU-7] More files than were signed for, in the bundle and by a stolen release key."""
    old, new = releases()
    evil = "units/" + "e" * 32
    parts = {**bundle.decode(new[BUNDLE]), evil: ELSE, f"targets/{NAME}/extra.so": ELSE}
    forge_release(world, NAME, f"{NAME}/extra.so", ELSE, keep=True)
    async with hostile(dict(old)) as server, client(server) as delivery:
        await delivery.complete()
        server.files = {**new, **world.served, BUNDLE: bundle.encode(parts), evil: ELSE}
        await look(delivery)
        assert await delivery.rebuild() == NEW
        await has(server, NEW)
    signed = (*manifest_of(new, release=2)[1].units, *manifest_of(old)[1].units)
    units = {path for path in server.asked if path.startswith("units/")}
    assert units <= {entry.path for entry in signed}
    assert not [path for path in server.asked if path.endswith(".so")]


@pytest.mark.parametrize("stolen", [("timestamp",), ("timestamp", "snapshot")])
async def test_fast_forward_attack(stolen: tuple[str, ...], tmp_path: Path) -> None:
    """[TRU-3] Versions as high as they go, by stolen keys; other keys undo it."""
    folder, keys = tmp_path / "repo", ring()
    made = World(tmp_path / "unused", keys)
    made.files = publish(folder, OLD, keys)
    highest = 2**31
    if "snapshot" in stolen:
        forge_snapshot(made, lambda meta: None, version=highest)

    def forward(signed: Any) -> None:
        signed["version"] = highest
        if "snapshot" in stolen:
            signed["meta"] = {"snapshot.json": {"version": highest}}

    forged = made.forge("timestamp", forward, keys.of("timestamp")[0])
    made.served[layout.TIMESTAMP_PATH] = forged
    async with (
        hostile(dict(made.files)) as server,
        Delivery.open(server.url, NAME, root=made.root, limits=LIMITS) as delivery,
    ):
        await delivery.complete()
        server.files.update(made.served)
        assert not await delivery.check()
        server.files = dict(made.files)
        await refuse(delivery, ErrorCode.ROLLBACK)
        for number, role in enumerate(stolen):
            new = (signer(50 + number),)
            Publisher(folder, signer=keys).rotate(role, new)
            keys = keys.replaced(role, new, 1)
        server.files = publish(folder, NEW, keys)
        await look(delivery)
        assert await delivery.rebuild() == NEW


async def test_indefinite_freeze_attack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[TRU-4] The same metadata for ever: two weeks, then the client says that it ran out."""
    store = tmp_path / "store"
    async with running(releases()[0], OLD, store) as (server, delivery):
        assert not await delivery.check()
        later(monkeypatch, timedelta(days=13))
        assert not await delivery.check()
        later(monkeypatch, timedelta(days=15))
        await refuse(delivery, ErrorCode.EXPIRED)
        with pytest.raises(MidstreamError) as caught:
            await has(server, OLD)
        assert caught.value.code is ErrorCode.EXPIRED


def later(monkeypatch: pytest.MonkeyPatch, shift: timedelta) -> None:
    """The library's clock goes forward."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + shift

    clock = SimpleNamespace(datetime=Shifted, timezone=timezone)
    monkeypatch.setattr(trusted_metadata_set, "datetime", clock)


@pytest.mark.parametrize("how", ["refuses", "lacks", "damages"])
async def test_malicious_mirrors_preventing_updates(how: str, tmp_path: Path) -> None:
    """A mirror that keeps an update back is no mirror without news; another one has it."""
    old, new = releases()
    store = tmp_path / "store"
    async with running(old, OLD, store) as (server, delivery):
        server.files = dict(new)
        for path in [*(new.keys() - old.keys()), layout.TIMESTAMP_PATH]:
            if how == "refuses":
                server.answers[path] = unavailable
            elif how == "lacks":
                del server.files[path]
            else:
                server.files[path] = bytes(len(server.files[path]))
        codes = (ErrorCode.BAD_STATUS, ErrorCode.NOT_FOUND, ErrorCode.BAD_METADATA)
        await refuse(delivery, *codes)
    async with hostile(dict(new)) as mirror, client(mirror, store) as delivery:
        await delivery.check()
        await delivery.complete()
        assert await delivery.rebuild() == NEW


@pytest.mark.parametrize("role", ["snapshot", NAME])
async def test_mix_and_match_attack(role: str, world: World) -> None:
    """[TRU-5] [TRU-7] Each file was good once; they were never there together."""
    old, new = releases()
    before = World(world.folder, ring())
    before.files = dict(old)
    async with running(old, OLD) as (server, delivery):
        server.files = {**new, world.latest_path(role): old[before.latest_path(role)]}
        await refuse(delivery, ErrorCode.BAD_HASH)


@pytest.mark.parametrize("stolen", [(), ("timestamp",), ("timestamp", "snapshot")])
async def test_rollback_attack(stolen: tuple[str, ...], world: World, tmp_path: Path) -> None:
    """[TRU-4] [TRU-5] Older files, also by who has online keys; across runs too."""
    old, new = releases()
    store = tmp_path / "store"
    if stolen == ("timestamp",):
        first = {"version": 1}
        world.served[layout.TIMESTAMP_PATH] = world.forge(
            "timestamp",
            lambda signed: signed.update(version=99, meta={"snapshot.json": first}),
            world.keys.of("timestamp")[0],
        )
    elif stolen:
        forge_snapshot(world, lambda meta: meta.update({f"{NAME}.json": {"version": 1}}))
    async with running(new, NEW, store) as (server, delivery):
        server.files = {**old, **world.served}
        await refuse(delivery, ErrorCode.ROLLBACK)
    async with hostile({**old, **world.served}) as server:
        with pytest.raises(MidstreamError) as caught:
            async with client(server, store):
                pass
        assert caught.value.code is ErrorCode.ROLLBACK


@pytest.mark.parametrize("what", ["timestamp", "manifest", "unit"])
async def test_slow_retrieval_attack(
    what: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[DEL-5] A body that drips is given up in time."""
    old, new = releases()
    path, found = manifest_of(new, release=2)
    slow = {"timestamp": layout.TIMESTAMP_PATH, "manifest": path, "unit": found.base.path}[what]
    async with running(old, OLD) as (server, delivery):
        server.files = dict(new)
        server.answers[slow] = dripping
        monkeypatch.setattr(delivery._transport, "limits", QUICK)
        await refuse(delivery, ErrorCode.TIMEOUT)


class Impostor(Signer):
    """Signs by a key of its own, and says that it was another one."""

    def __init__(self, claimed: Signer) -> None:
        super().__init__(bytes([99]) * 32)
        self._claimed = claimed.public

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._claimed.keyid, super().sign(payload).signature)


@pytest.mark.parametrize("missing", [signer(99), None], ids=["other keys", "false signatures"])
@pytest.mark.parametrize(
    "stolen",
    [("timestamp",), ("snapshot",), ("release",), ("targets",), ("timestamp", "snapshot")],
    ids="+".join,
)
async def test_vulnerability_to_key_compromise(
    stolen: tuple[str, ...], missing: Signer | None, world: World
) -> None:
    """[TRU-4] to [TRU-7] Who has these keys alone cannot publish; all others are missing."""
    old, _ = releases()
    evil = manifest.encode(manifest_of(elsewhere(), release=2)[1])
    signers = {
        role: keys if role in stolen else (missing or Impostor(keys[0]),)
        for role, keys in ring().signers.items()
    }
    world.files, world.keys = dict(old), KeyRing(signers=signers)
    forge_release(world, NAME, f"{NAME}/2.manifest", evil)
    async with running(old, OLD) as (server, delivery):
        server.files = {**elsewhere(), **old, **world.served}
        await refuse(delivery, ErrorCode.BAD_SIGNATURE)


async def test_stolen_release_and_online_keys_do_publish(world: World) -> None:
    """[TRU-7] What is refused above is refused for want of keys, and for nothing else."""
    old, _ = releases()
    world.files = dict(old)
    evil = manifest.encode(manifest_of(elsewhere(), release=2)[1])
    forge_release(world, NAME, f"{NAME}/2.manifest", evil)
    async with running(old, OLD) as (server, delivery):
        server.files = {**elsewhere(), **old, **world.served}
        await look(delivery)
        assert await delivery.rebuild() == ELSE


@pytest.mark.parametrize("what", ["network", "manifest", "unit", "layer"])
async def test_wrong_software_installation(what: str, world: World) -> None:
    """[TRU-8] [TRU-9] [TRU-12] Signed by the publisher, and not what was asked for."""
    old, new = releases()
    path, found = manifest_of(new, release=2)
    other = manifest_of(new, OTHER)[1]
    codes = {ErrorCode.BAD_HASH, ErrorCode.LONG_BODY, ErrorCode.TOO_MANY_ERASURES}
    served: dict[str, bytes] = {}
    if what == "network":
        forge_release(world, NAME, f"{NAME}/3.manifest", manifest.encode(other))
        served, codes = world.served, {ErrorCode.BAD_METADATA}
    elif what == "manifest":
        served = {path: manifest.encode(other)}
    else:
        wrong = other.units[0] if what == "unit" else found.units[1]
        served = {
            found.base.path: new[wrong.path],
            found.base.hashes_path: new[wrong.hashes_path],
        }
    async with running(old, OLD) as (server, delivery):
        server.files = {**new, **served}
        await refuse(delivery, *codes)


async def through(data: bytes) -> None:
    """A first start by such a bundle ends with the newest model, exactly."""
    async with hostile({**releases()[1], BUNDLE: data}) as server:
        await has(server, NEW)


async def test_a_stale_bundle() -> None:
    """[TRU-3] It was good once."""
    await through(releases()[0][BUNDLE])


async def test_a_truncated_bundle() -> None:
    """[TRU-2]"""
    data = releases()[1][BUNDLE]
    for size in range(0, len(data), 997):
        await through(data[:size])


@pytest.mark.parametrize("preferred", [0, 1])
async def test_a_bundle_mixed_from_two_releases(preferred: int) -> None:
    """[TRU-2] Every file of both, and the files of one under the paths that both have."""
    parts = [bundle.decode(files[BUNDLE]) for files in releases()]
    await through(bundle.encode({**parts[1 - preferred], **parts[preferred]}))


async def test_a_bundle_from_another_repository() -> None:
    """[TRU-1] [TRU-2]"""
    await through(elsewhere()[BUNDLE])
