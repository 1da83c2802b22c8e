"""Thresholds, stolen keys and rotations, against an honest publisher's clients."""

from pathlib import Path
from typing import Any

import pytest

from midstream.errors import ErrorCode
from midstream.trust import layout
from midstream.trust.keys import KeyRing
from trusting import DAY, NOW, World, forge_snapshot, refuse, release, ring, signer


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def two_of_three() -> KeyRing:
    three = (signer(30), signer(31), signer(32))
    return ring().replaced("root", three, 2).replaced("release", three, 2)


def test_two_of_three_keys_are_enough(tmp_path: Path) -> None:
    """[TRU-7]"""
    world = World(tmp_path, two_of_three())
    made = world.publish()
    forged = world.forge("abr", lambda signed: None, signer(32), signer(30))
    world.served[world.latest_path("abr")] = forged
    forge_snapshot(world, lambda meta: meta.update({"abr.json": {"version": 1}}))
    assert world.client().refresh("abr") == made


@pytest.mark.parametrize("signers", [(), (30,), (30, 99), (30, 30)])
def test_a_threshold_that_is_not_met_is_refused(tmp_path: Path, signers: tuple[int, ...]) -> None:
    """[TRU-7] One of three keys stolen is not enough, nor is its signature given twice."""
    world = World(tmp_path, two_of_three())
    world.publish()
    forged = world.forge("abr", lambda signed: None, *(signer(number) for number in signers))
    world.served[world.latest_path("abr")] = forged
    forge_snapshot(world, lambda meta: meta.update({"abr.json": {"version": 1}}))
    code = ErrorCode.BAD_METADATA if signers == (30, 30) else ErrorCode.BAD_SIGNATURE
    refuse(world, code)


def test_a_bad_signature_among_enough_good_ones_does_no_harm(tmp_path: Path) -> None:
    """[TRU-7] Otherwise anybody could spoil a role by adding one."""
    world = World(tmp_path, two_of_three())
    made = world.publish()
    data = world.files[world.latest_path("abr")]
    keyid = signer(30).public.keyid
    good = signer(30).public
    at = data.index(keyid.encode()) + data[data.index(keyid.encode()) :].index(b'"sig":"') + 7
    changed = data[:at] + b"0" * 128 + data[at + 128 :]
    assert good.keyid == keyid
    world.served[world.latest_path("abr")] = changed
    forge_snapshot(world, lambda meta: meta.update({"abr.json": {"version": 1}}))
    assert world.client().refresh("abr") == made


# key compromise


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp", "abr"])
def test_a_rotation_is_followed_by_old_and_new_clients(world: World, role: str) -> None:
    """[TRU-3] [TRU-15]"""
    world.publish()
    world.client().refresh("abr")
    world.write(world.repository.rotate(role, (signer(50),), NOW))
    world.publish(number=2)
    assert world.client().refresh("abr").release == 2
    world.folder = world.folder / "new"
    assert world.client().refresh("abr").release == 2


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_reader_in_the_middle_of_a_rotation_sees_a_whole_repository(
    world: World, role: str
) -> None:
    """[TRU-13] [TRU-15] After each single file that is written."""
    world.publish()
    files = dict(world.repository.rotate(role, (signer(50),), NOW))
    for number, (path, data) in enumerate(files.items()):
        world.files[path] = data
        assert world.client().refresh("abr").release == 1
        world.folder = world.folder / str(number)
        assert world.client().refresh("abr").release == 1


def test_a_reader_in_the_middle_of_a_release_sees_the_one_before(world: World) -> None:
    """[TRU-13]"""
    world.publish()
    files = dict(world.repository.add_release("abr", release(number=2), NOW))
    for number, (path, data) in enumerate(files.items()):
        world.files[path] = data
        world.folder = world.folder / str(number)
        assert world.client().refresh("abr").release == (2 if "timestamp" in path else 1)


def test_published_files_never_change_but_for_the_timestamp(world: World) -> None:
    """[TRU-14] So that they may be cached for ever."""
    world.publish()
    for change in (
        lambda: world.repository.add_release("abr", release(number=2), NOW),
        lambda: world.repository.rotate("snapshot", (signer(50),), NOW),
        lambda: world.repository.resign(NOW + 300 * DAY),
    ):
        files = change()
        assert set(files) & set(world.files) <= {layout.TIMESTAMP_PATH}
        world.write(files)


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_a_stolen_key_is_of_no_use_after_its_rotation(world: World, role: str) -> None:
    """[TRU-3]"""
    world.publish()
    stolen = world.keys.of(role)[0]
    world.write(world.repository.rotate(role, (signer(50),), NOW))
    world.client().refresh("abr")
    forged = world.forge(role, lambda signed: signed.update(version=99), stolen)
    if role == "snapshot":
        world.served[layout.metadata_path("snapshot", 99)] = forged

        def point(signed: Any) -> None:
            signed["version"] += 1
            signed["meta"]["snapshot.json"] = {"version": 99}

        forged = world.forge("timestamp", point, world.keys.of("timestamp")[0])
    world.served[layout.TIMESTAMP_PATH] = forged
    refuse(world, ErrorCode.BAD_SIGNATURE)


def test_a_fast_forward_is_undone_by_other_keys(world: World) -> None:
    """[TRU-3] A stolen timestamp key set the version as high as it goes."""
    world.publish()
    stolen = world.keys.of("timestamp")[0]
    world.served[layout.TIMESTAMP_PATH] = world.forge(
        "timestamp", lambda signed: signed.update(version=2**31), stolen
    )
    world.client().refresh("abr")
    world.served.clear()
    refuse(world, ErrorCode.ROLLBACK)
    world.write(world.repository.rotate("timestamp", (signer(50),), NOW))
    world.publish(number=2)
    assert world.client().refresh("abr").release == 2


def test_a_client_with_the_first_root_follows_many_rotations(world: World) -> None:
    """[TRU-3]"""
    world.publish()
    for number in range(50, 70):
        world.write(world.repository.rotate("root", (signer(number),), NOW))
    world.publish(number=2)
    assert world.client().refresh("abr").release == 2


def test_a_stolen_root_key_alone_is_not_enough_with_a_threshold(tmp_path: Path) -> None:
    """[TRU-3]"""
    world = World(tmp_path, two_of_three())
    world.publish()
    forged = world.forge("root", lambda signed: signed.update(version=2), signer(31))
    world.served["metadata/2.root.json"] = forged
    refuse(world, ErrorCode.BAD_SIGNATURE)
