"""The publisher's side: releases, renewals, rotations, and what they refuse."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from midstream.errors import ErrorCode, LimitError, TrustError, UsageError
from midstream.limits import Limits
from midstream.trust import layout, manifest
from midstream.trust.keys import KeyRing
from midstream.trust.repository import KEPT_RELEASES, Repository
from trusting import DAY, NOW, World, release, ring, signer


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_first_release_writes_every_role_and_the_timestamp_last(world: World) -> None:
    files = list(world.repository.add_release("abr", release(), NOW))
    assert files[0].startswith("targets/abr/")
    assert files[0].endswith(".1.manifest")
    assert files[1:] == [
        "metadata/1.root.json",
        "1.root.json",
        "metadata/1.abr.json",
        "metadata/1.targets.json",
        "metadata/1.snapshot.json",
        "metadata/timestamp.json",
    ]


def test_a_second_release_writes_only_what_changed(world: World) -> None:
    world.publish()
    files = list(world.repository.add_release("abr", release(number=2), NOW))
    assert [path for path in files if path.startswith("metadata")] == [
        "metadata/2.abr.json",
        "metadata/2.snapshot.json",
        "metadata/timestamp.json",
    ]


def test_what_is_pinned_is_the_first_root(world: World) -> None:
    world.publish()
    assert world.root == world.files["metadata/1.root.json"]


def test_an_empty_repository_can_be_written(world: World) -> None:
    world.write(world.repository.resign(NOW))
    assert world.reopen().networks == ()
    assert world.repository.latest("abr") == 0


def test_writing_is_repeatable(world: World, tmp_path: Path) -> None:
    world.publish()
    other = World(tmp_path)
    other.publish()
    assert other.files == world.files


def test_an_opened_repository_goes_on_where_it_was(world: World) -> None:
    world.publish()
    world.reopen()
    world.publish(number=2)
    world.publish("face", 1, 3)
    assert world.repository.networks == ("abr", "face")
    assert world.repository.releases("abr") == (1, 2)
    assert world.reopen().latest("face") == 1


def test_only_the_last_releases_stay_signed_for(world: World) -> None:
    for number in (1, 2, 5):
        world.publish(number=number)
    assert len(world.repository.releases("abr")) == KEPT_RELEASES
    assert world.repository.releases("abr") == (2, 5)


@pytest.mark.parametrize("number", [1, 2])
def test_a_release_is_never_replaced(world: World, number: int) -> None:
    world.publish(number=2)
    with pytest.raises(UsageError, match="expected one after 2"):
        world.repository.add_release("abr", release(number=number), NOW)


def test_a_manifest_of_another_network_is_wrong_use(world: World) -> None:
    with pytest.raises(UsageError):
        world.repository.add_release("face", release("abr"), NOW)


def test_lifetimes_are_those_of_the_specification(world: World) -> None:
    world.publish()
    left = {role: (expires - NOW) / DAY for role, expires in world.repository.expiries().items()}
    assert left == {"root": 365, "targets": 365, "snapshot": 90, "timestamp": 14, "abr": 90}


def test_a_renewal_writes_the_timestamp_alone(world: World) -> None:
    world.publish()
    files = world.repository.resign(NOW + DAY)
    assert list(files) == ["metadata/timestamp.json"]
    assert world.repository.expiries()["timestamp"] == NOW + 15 * DAY


def test_a_renewal_renews_what_has_lived_half_its_life(world: World) -> None:
    world.publish()
    files = world.repository.resign(NOW + 46 * DAY)
    assert list(files) == [
        "metadata/2.abr.json",
        "metadata/2.snapshot.json",
        "metadata/timestamp.json",
    ]


def test_a_root_is_renewed_before_it_runs_out(world: World) -> None:
    world.publish()
    world.write(world.repository.resign(NOW + 200 * DAY))
    assert "metadata/2.root.json" in world.files
    assert world.reopen(now=NOW + 200 * DAY).expiries()["root"] == NOW + 565 * DAY


def test_a_machine_with_the_timestamp_key_alone_can_renew_it(world: World) -> None:
    world.publish()
    keys = KeyRing(signers={"timestamp": ring().of("timestamp")})
    world.write(world.reopen(keys).resign(NOW + 60 * DAY))
    assert world.repository.expiries()["timestamp"] == NOW + 74 * DAY
    assert world.repository.expiries()["snapshot"] == NOW + 90 * DAY


def test_a_machine_without_offline_keys_can_publish(world: World) -> None:
    world.publish()
    online = ("snapshot", "timestamp", "release")
    world.reopen(KeyRing(signers={role: ring().of(role) for role in online}))
    world.publish(number=2)
    assert world.reopen().latest("abr") == 2


def test_a_new_network_needs_the_key_of_targets(world: World) -> None:
    world.publish()
    online = ("snapshot", "timestamp", "release")
    world.reopen(KeyRing(signers={role: ring().of(role) for role in online}))
    with pytest.raises(TrustError, match="targets: 0 of its keys") as caught:
        world.publish("face")
    assert caught.value.code is ErrorCode.BAD_KEY


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_a_repository_cannot_be_made_without_a_role_s_key(role: str) -> None:
    signers = {name: one for name, one in ring().signers.items() if name != role}
    with pytest.raises(TrustError, match=f"{role}: 0 keys at hand") as caught:
        Repository.create(KeyRing(signers=signers), NOW)
    assert caught.value.code is ErrorCode.BAD_KEY


def test_a_threshold_no_set_of_keys_reaches_is_refused() -> None:
    keys = KeyRing(signers=ring().signers, thresholds={"root": 2})
    with pytest.raises(TrustError, match="1 keys at hand, 2 have to sign"):
        Repository.create(keys, NOW)


def test_a_network_without_a_key_cannot_be_added(tmp_path: Path) -> None:
    signers = {name: one for name, one in ring().signers.items() if name != "release"}
    world = World(tmp_path, KeyRing(signers=signers))
    with pytest.raises(TrustError, match="abr: 0 keys"):
        world.publish()


def test_what_ran_out_without_its_key_at_hand_is_said_at_once(world: World) -> None:
    world.publish()
    keys = KeyRing(signers={"timestamp": ring().of("timestamp")})
    with pytest.raises(TrustError) as caught:
        world.reopen(keys, NOW + 100 * DAY)
    assert caught.value.code is ErrorCode.EXPIRED


def test_what_ran_out_is_renewed_where_the_keys_are_at_hand(world: World) -> None:
    world.publish()
    later = NOW + 400 * DAY
    world.write(world.reopen(now=later).resign(later))
    assert min(world.reopen(now=later).expiries().values()) == later + 14 * DAY


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp", "abr"])
def test_any_role_gets_other_keys(world: World, role: str) -> None:
    world.publish()
    world.write(world.repository.rotate(role, (signer(50), signer(51)), NOW, threshold=2))
    keys = ring().replaced(role, (signer(50), signer(51)), 2)
    world.reopen(keys)
    world.publish(number=2)
    assert world.reopen().latest("abr") == 2


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp", "abr"])
def test_old_keys_are_of_no_use_after_a_rotation(world: World, role: str) -> None:
    world.publish()
    world.write(world.repository.rotate(role, (signer(50),), NOW))
    world.reopen(ring())
    use: dict[str, Callable[[], Any]] = {
        "root": lambda: world.repository.rotate("timestamp", (signer(60),), NOW),
        "abr": lambda: world.publish(number=2),
    }
    with pytest.raises(TrustError, match=f"{role}: 0 of its keys") as caught:
        use.get(role, lambda: world.publish("face"))()
    assert caught.value.code is ErrorCode.BAD_KEY


def test_the_root_is_written_after_a_timestamp_that_both_keys_signed(world: World) -> None:
    world.publish()
    files = world.repository.rotate("timestamp", (signer(50),), NOW)
    assert list(files) == ["metadata/timestamp.json", "metadata/2.root.json"]
    signatures = json.loads(files["metadata/timestamp.json"])["signatures"]
    assert {one["keyid"] for one in signatures} == {
        signer(50).public.keyid,
        ring().of("timestamp")[0].public.keyid,
    }


def test_the_old_key_signs_once_and_never_again(world: World) -> None:
    world.publish()
    world.repository.rotate("timestamp", (signer(50),), NOW)
    files = world.repository.resign(NOW + DAY)
    signatures = json.loads(files["metadata/timestamp.json"])["signatures"]
    assert [one["keyid"] for one in signatures] == [signer(50).public.keyid]


@pytest.mark.parametrize(("role", "needed"), [("snapshot", "root"), ("abr", "targets")])
def test_other_keys_need_the_key_of_who_delegates(world: World, role: str, needed: str) -> None:
    world.publish()
    signers = {name: one for name, one in ring().signers.items() if name != needed}
    world.reopen(KeyRing(signers=signers))
    with pytest.raises(TrustError, match=f"{needed}: 0 of its keys"):
        world.repository.rotate(role, (signer(50),), NOW)


def test_other_release_keys_sign_for_all_networks_that_the_old_ones_signed_for(
    world: World,
) -> None:
    world.publish("abr")
    world.publish("face", 1, 3)
    world.publish("vox", 1, 4)
    world.write(world.repository.rotate("vox", (signer(60),), NOW))
    files = world.repository.rotate("release", (signer(50),), NOW)
    world.write(files)
    assert [path for path in files if ".vox." in path] == []
    keys = ring().replaced("release", (signer(50),), 1).replaced("vox", (signer(60),), 1)
    world.reopen(keys)
    for name in ("abr", "face", "vox"):
        world.publish(name, 2)


def test_keys_that_do_not_count_yet_are_not_given_to_a_new_network(world: World) -> None:
    """A rotation that was cut short leaves both keys at hand."""
    world.publish("abr")
    old = ring().of("release")
    world.reopen(ring().replaced("release", (*old, signer(50)), 1))
    world.publish("face", 1, 3)
    entry = json.loads(world.files[world.latest_path("targets")])["signed"]["delegations"]
    assert [role["keyids"] for role in entry["roles"]] == [[old[0].public.keyid]] * 2


def test_a_new_key_of_a_network_at_hand_does_not_hide_the_one_that_counts(world: World) -> None:
    world.publish("abr")
    world.reopen(ring().replaced("abr", (signer(50),), 1))
    world.publish("abr", 2)
    world.write(world.repository.rotate("abr", (signer(51),), NOW))


def test_a_role_that_is_not_there_gets_no_keys(world: World) -> None:
    with pytest.raises(UsageError, match="no such role"):
        world.repository.rotate("face", (signer(50),), NOW)


def test_a_bundle_holds_what_is_read_first_in_reading_order(world: World) -> None:
    made = world.publish()
    world.write(world.repository.rotate("root", (signer(50),), NOW))
    files = world.repository.bundle_files("abr")
    assert list(files)[:-1] == [
        "metadata/2.root.json",
        "metadata/timestamp.json",
        "metadata/1.snapshot.json",
        "metadata/1.targets.json",
        "metadata/1.abr.json",
    ]
    assert manifest.decode(list(files.values())[-1]) == made
    assert all(world.files[path] == data for path, data in files.items())
    assert world.reopen(ring().replaced("root", (signer(50),), 1)).bundle_files("abr") == files


def test_a_bundle_of_an_unknown_network_is_wrong_use(world: World) -> None:
    with pytest.raises(UsageError):
        world.repository.bundle_files("abr")


def manifest_file(world: World) -> str:
    return next(path for path in world.files if path.endswith(".manifest"))


def test_no_bundle_is_made_of_a_manifest_that_was_changed(world: World) -> None:
    world.publish()
    world.files[manifest_file(world)] += b"x"
    with pytest.raises(TrustError) as caught:
        world.reopen().bundle_files("abr")
    assert caught.value.code is ErrorCode.BAD_HASH


def test_no_bundle_is_made_without_the_manifest(world: World) -> None:
    world.publish()
    del world.files[manifest_file(world)]
    with pytest.raises(TrustError) as caught:
        world.reopen().bundle_files("abr")
    assert caught.value.code is ErrorCode.NOT_FOUND


ROLE_FILES = ["root", "targets", "snapshot", "timestamp", "abr"]


@pytest.mark.parametrize("role", ROLE_FILES)
def test_a_repository_with_a_file_missing_is_refused(world: World, role: str) -> None:
    world.publish()
    del world.files[world.latest_path(role)]
    with pytest.raises(TrustError) as caught:
        world.reopen()
    assert caught.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("role", ROLE_FILES)
@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b'{"signed": {"_type": "root"}}'])
def test_a_repository_with_a_malformed_file_is_refused(
    world: World, role: str, data: bytes
) -> None:
    world.publish()
    world.files[world.latest_path(role)] = data
    with pytest.raises(TrustError) as caught:
        world.reopen()
    assert caught.value.code in {ErrorCode.BAD_METADATA, ErrorCode.BAD_HASH}


@pytest.mark.parametrize("role", ["root", "timestamp"])
def test_a_repository_with_a_file_that_nobody_can_sign_is_refused(world: World, role: str) -> None:
    world.publish()
    path = world.latest_path(role)
    world.files[path] = world.files[path].replace(b'"signed":{', b'"signed":{"x":1.5,')
    with pytest.raises(TrustError) as caught:
        world.reopen()
    assert caught.value.code is ErrorCode.BAD_METADATA


@pytest.mark.parametrize("role", ["root", "timestamp"])
def test_a_publisher_does_not_build_on_what_is_not_signed(world: World, role: str) -> None:
    world.publish()
    forged = world.forge(role, lambda signed: signed.update(version=1), signer(99))
    world.files[world.latest_path(role)] = forged
    with pytest.raises(TrustError) as caught:
        world.reopen()
    assert caught.value.code is ErrorCode.BAD_SIGNATURE


def rewrite_snapshot(world: World, change: Callable[[Any], None]) -> None:
    """A snapshot changed by its own key, with the timestamp that goes with it."""
    forged = world.forge("snapshot", change, ring().of("snapshot")[0])
    world.files[world.latest_path("snapshot")] = forged

    def drop_hash(signed: Any) -> None:
        signed["meta"]["snapshot.json"] = {"version": 1}

    stamped = world.forge("timestamp", drop_hash, ring().of("timestamp")[0])
    world.files[layout.TIMESTAMP_PATH] = stamped


def test_a_network_that_the_snapshot_does_not_list_is_refused(world: World) -> None:
    world.publish()
    rewrite_snapshot(world, lambda signed: signed["meta"].pop("abr.json"))
    with pytest.raises(TrustError, match="not in the snapshot"):
        world.reopen()


def test_metadata_of_another_role_is_refused(world: World) -> None:
    world.publish()
    world.files["metadata/1.root.json"] = world.files[layout.TIMESTAMP_PATH]
    with pytest.raises(TrustError, match="metadata of timestamp, not of root"):
        world.reopen()


def test_a_root_out_of_order_is_refused(world: World) -> None:
    world.publish()
    world.write(world.repository.rotate("root", (signer(50),), NOW))
    world.files["metadata/3.root.json"] = world.forge("root", lambda signed: None, signer(50))
    with pytest.raises(TrustError) as caught:
        world.reopen()
    assert caught.value.code is ErrorCode.ROLLBACK


def test_enormous_metadata_is_refused_unread(world: World) -> None:
    world.publish()
    with pytest.raises(LimitError):
        Repository.open(world.files, world.keys, NOW, limits=Limits(metadata_size=100))


@pytest.mark.parametrize("name", ["root", "a/b", "A", "", "x" * 65])
def test_a_wrong_name_makes_no_network(world: World, name: str) -> None:
    assert not layout.is_name(name)
