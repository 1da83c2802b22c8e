"""The attacks of TUF's threat model, one by one, against an honest publisher's clients.

The attacker serves what he likes; he has the keys that a test says, and no others.
"""

from pathlib import Path
from typing import Any

import pytest

from midstream.errors import ErrorCode, TransportError, TrustError
from midstream.trust import layout, manifest
from midstream.trust.keys import KeyRing
from trusting import DAY, NOW, World, forge_release, forge_snapshot, refuse, release, ring, signer


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# rollback


def test_rollback_of_everything_is_refused(world: World) -> None:
    """[TRU-4] An old timestamp was signed by the right key, and is old."""
    world.publish()
    old = dict(world.files)
    world.publish(number=2)
    world.client().refresh("abr")
    world.served = old
    refuse(world, ErrorCode.ROLLBACK)


def test_rollback_of_the_snapshot_by_the_timestamp_s_key_is_refused(world: World) -> None:
    """[TRU-4] Who has the online timestamp key alone cannot go back."""
    world.publish()
    world.publish(number=2)
    world.client().refresh("abr")

    def point_back(signed: Any) -> None:
        signed["version"] += 1
        signed["meta"]["snapshot.json"] = {"version": 1}

    world.served[layout.TIMESTAMP_PATH] = world.forge(
        "timestamp", point_back, world.keys.of("timestamp")[0]
    )
    refuse(world, ErrorCode.ROLLBACK)


def test_rollback_of_one_role_by_the_snapshot_s_key_is_refused(world: World) -> None:
    """[TRU-5] Who has both online keys cannot bring an old release back."""
    world.publish()
    world.publish(number=2)
    world.client().refresh("abr")
    forge_snapshot(world, lambda meta: meta.update({"abr.json": {"version": 1}}))
    refuse(world, ErrorCode.ROLLBACK)


def test_rollback_by_leaving_a_role_out_is_refused(world: World) -> None:
    """[TRU-5]"""
    world.publish()
    world.client().refresh("abr")
    forge_snapshot(world, lambda meta: meta.pop("abr.json"))
    refuse(world, ErrorCode.BAD_METADATA)


def test_an_older_release_under_newer_metadata_is_refused(world: World) -> None:
    """[TRU-10] TUF counts versions of metadata; numbers of releases are ours to count."""
    world.publish(number=5)
    world.client().refresh("abr")
    old = release(number=4, mark=4)
    forge_release(world, "abr", old.target, manifest.encode(old))
    refuse(world, ErrorCode.ROLLBACK)


def test_a_release_that_is_replaced_by_another_of_its_number_is_refused(world: World) -> None:
    """[TRU-11]"""
    world.publish()
    world.client().refresh("abr")
    other = release(mark=9)
    forge_release(world, "abr", other.target, manifest.encode(other))
    refuse(world, ErrorCode.BAD_METADATA)


def test_other_keys_for_a_network_let_its_numbers_start_anew(world: World) -> None:
    """[TRU-10] Otherwise a stolen key could shut clients out for good with one high number."""
    world.publish()
    high = release(number=2**31 - 1, mark=9)
    forge_release(world, "abr", high.target, manifest.encode(high))
    assert world.client().refresh("abr") == high
    world.served.clear()
    world.write(world.repository.resign(NOW))
    for role in ("snapshot", "timestamp"):
        world.write(world.repository.rotate(role, (signer(80),), NOW))
    for _ in range(3):
        world.write(world.repository.rotate("abr", (signer(81),), NOW))
    made = release(number=2, mark=2)
    world.write(world.repository.add_release("abr", made, NOW))
    assert world.client().refresh("abr") == made


# freeze


@pytest.mark.parametrize(
    ("role", "days"), [("timestamp", 14), ("snapshot", 90), ("targets", 365), ("abr", 90)]
)
def test_a_freeze_ends_when_metadata_runs_out(tmp_path: Path, role: str, days: int) -> None:
    """[TRU-4] Nobody renews it: the client says so."""
    world = World(tmp_path, then=NOW - days * DAY - DAY)
    world.publish()
    if role != "timestamp":
        signers = {name: one for name, one in ring().signers.items() if name == "timestamp"}
        world.reopen(KeyRing(signers=signers), now=NOW - days * DAY - DAY)
        stamped = world.forge(
            "timestamp",
            lambda signed: signed.update(expires=f"{NOW + DAY:%Y-%m-%dT%H:%M:%SZ}"),
            ring().of("timestamp")[0],
        )
        world.served[layout.TIMESTAMP_PATH] = stamped
    refuse(world, ErrorCode.EXPIRED)


def test_a_freeze_with_an_old_root_ends_when_it_runs_out(tmp_path: Path) -> None:
    """[TRU-3]"""
    world = World(tmp_path, then=NOW - 366 * DAY)
    world.publish()
    refuse(world, ErrorCode.EXPIRED)


def test_an_expiry_says_what_time_it_is_here(tmp_path: Path) -> None:
    world = World(tmp_path, then=NOW - 30 * DAY)
    world.publish()
    with pytest.raises(TrustError, match="the clock here says 20"):
        world.client().refresh("abr")


def test_rollback_is_refused_even_when_the_old_timestamp_ran_out(tmp_path: Path) -> None:
    """[TRU-4] What was trusted counts for as long as the client lives."""
    world = World(tmp_path, then=NOW - 30 * DAY)
    world.publish()
    old = dict(world.files)
    world.then = NOW
    world.publish(number=2)
    world.client().refresh("abr")
    world.served = old
    refuse(world, ErrorCode.ROLLBACK)


# mix and match


def test_mix_and_match_of_an_old_snapshot_is_refused(world: World) -> None:
    """[TRU-5] Each file is good by itself; they were never there together."""
    world.publish()
    old = world.files[world.latest_path("snapshot")]
    world.publish(number=2)
    world.served[world.latest_path("snapshot")] = old
    refuse(world, ErrorCode.BAD_HASH)


@pytest.mark.parametrize("role", ["targets", "abr"])
def test_mix_and_match_of_an_old_role_is_refused(world: World, role: str) -> None:
    """[TRU-6] [TRU-7]"""
    world.publish()
    old = world.files[world.latest_path(role)]
    world.publish(number=2)
    world.publish("face", 1, 3)
    world.served[world.latest_path(role)] = old
    refuse(world, ErrorCode.BAD_HASH)


def test_mix_and_match_of_two_networks_roles_is_refused(world: World) -> None:
    """[TRU-7]"""
    world.publish("abr")
    world.publish("vox", 1, 3)
    world.served[world.latest_path("abr")] = world.files[world.latest_path("vox")]
    refuse(world, ErrorCode.BAD_HASH)


def manifest_of(world: World, name: str) -> str:
    return next(path for path in world.files if path.startswith(f"targets/{name}/"))


def test_a_manifest_of_another_network_in_its_place_is_refused(world: World) -> None:
    """[TRU-8] An attacker without keys swaps files."""
    world.publish("abr")
    world.publish("vox", 1, 3)
    world.served[manifest_of(world, "abr")] = world.files[manifest_of(world, "vox")]
    refuse(world, ErrorCode.BAD_HASH)


def test_a_manifest_of_another_network_under_its_name_is_refused(world: World) -> None:
    """[TRU-9] A publisher's mistake, or a stolen release key: signed, and not what it says."""
    world.publish("abr")
    forge_release(world, "abr", "abr/2.manifest", manifest.encode(release("face", 2)))
    refuse(world, ErrorCode.BAD_METADATA)


def test_a_manifest_of_an_older_release_under_a_newer_number_is_refused(world: World) -> None:
    """[TRU-9]"""
    world.publish("abr")
    forge_release(world, "abr", "abr/2.manifest", manifest.encode(release("abr", 1)))
    refuse(world, ErrorCode.BAD_METADATA)


# endless data


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "abr"])
def test_endless_data_is_cut_off(world: World, role: str) -> None:
    """[TRU-4] to [TRU-8]: each file has a bound before it is asked for."""
    world.publish()
    world.endless.add(world.latest_path(role))
    refuse(world, ErrorCode.LONG_BODY)


def test_an_endless_root_is_cut_off(world: World) -> None:
    """[TRU-3]"""
    world.publish()
    world.endless.add("metadata/2.root.json")
    refuse(world, ErrorCode.LONG_BODY)


def test_an_endless_manifest_is_cut_off(world: World) -> None:
    """[TRU-8]"""
    world.publish()
    world.endless.add(manifest_of(world, "abr"))
    refuse(world, ErrorCode.LONG_BODY)


def test_an_endless_chain_of_roots_ends(world: World) -> None:
    """[TRU-3] Roots that do not follow from the last one are not followed."""
    world.publish()
    forever = world.files["metadata/1.root.json"]
    world.served = {f"metadata/{version}.root.json": forever for version in range(2, 400)}
    refuse(world, ErrorCode.ROLLBACK)


# arbitrary software, wrong keys, thresholds


def test_arbitrary_software_is_refused(world: World) -> None:
    """[TRU-8]"""
    world.publish()
    world.served[manifest_of(world, "abr")] = manifest.encode(release(mark=66))
    refuse(world, ErrorCode.BAD_HASH)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "abr"])
def test_metadata_of_a_wrong_key_is_refused(world: World, role: str) -> None:
    """[TRU-4] to [TRU-7]"""
    world.publish()
    forged = world.forge(role, lambda signed: None, signer(99))
    world.served[world.latest_path(role)] = forged
    trust_hashes_of(world, role, forged)
    refuse(world, ErrorCode.BAD_SIGNATURE)


def trust_hashes_of(world: World, role: str, forged: bytes) -> None:
    """Take the hashes out of the way, so that signatures alone decide."""
    if role in ("targets", "abr"):
        forge_snapshot(world, lambda meta: meta.update({f"{role}.json": {"version": 1}}))
    if role == "snapshot":
        world.served[layout.TIMESTAMP_PATH] = world.forge(
            "timestamp",
            lambda signed: signed["meta"].update({"snapshot.json": {"version": 1}}),
            world.keys.of("timestamp")[0],
        )


@pytest.mark.parametrize("stolen", ["timestamp", "snapshot", "targets", "release"])
def test_a_root_of_a_wrong_key_is_refused(world: World, stolen: str) -> None:
    """[TRU-3] No other role's key makes a root."""
    world.publish()
    forged = world.forge("root", lambda signed: signed.update(version=2), world.keys.of(stolen)[0])
    world.served["metadata/2.root.json"] = forged
    refuse(world, ErrorCode.BAD_SIGNATURE)


def test_another_repository_s_root_is_refused(world: World, tmp_path: Path) -> None:
    """[TRU-1] Everything is signed, consistently, by somebody else."""
    world.publish()
    keys = KeyRing(signers={role: (signer(200),) for role in ring().signers})
    other = World(tmp_path, keys)
    other.publish(number=7)
    world.served = other.files
    refuse(world, ErrorCode.BAD_SIGNATURE)


# a role outside its path


def test_a_role_that_signs_outside_its_path_is_not_heard(world: World) -> None:
    """[TRU-7] The keys of one network cannot publish for another."""
    world.publish("abr")
    made = world.publish("face", 1, 3)
    evil = manifest.encode(release("face", 9, 66))
    forge_release(world, "abr", "face/9.manifest", evil)
    assert world.client().refresh("face") == made
    refuse(world, ErrorCode.NOT_FOUND)


def test_a_network_that_nobody_delegated_to_is_not_heard(world: World) -> None:
    """[TRU-6] Online keys list a role of their own; targets never named it."""
    world.publish()
    forge_snapshot(world, lambda meta: meta.update({"evil.json": {"version": 1}}))
    refuse(world, ErrorCode.UNKNOWN_ROLE, "evil")


def test_a_network_that_was_removed_is_not_heard_any_more(world: World) -> None:
    """[TRU-6] What the client kept of it does not bring it back."""
    world.publish("abr")
    world.publish("face", 1, 3)
    world.client().refresh("face")
    version = max(world.versions("targets")) + 1

    def remove(signed: Any) -> None:
        signed["version"] = version
        signed["delegations"]["roles"] = [
            role for role in signed["delegations"]["roles"] if role["name"] != "face"
        ]

    world.served[layout.metadata_path("targets", version)] = world.forge(
        "targets", remove, world.keys.of("targets")[0]
    )
    forge_snapshot(world, lambda meta: meta.update({"targets.json": {"version": version}}))
    refuse(world, ErrorCode.UNKNOWN_ROLE, "face")
    assert world.client().refresh("abr").release == 1


# a bundle is not trusted


def test_a_bundle_of_arbitrary_files_gets_nowhere(world: World) -> None:
    """[TRU-2]"""
    made = world.publish()
    files = dict.fromkeys(world.repository.bundle_files("abr"), b"{}")
    assert world.client().refresh("abr", bundle=files, newer_root=False) == made


def test_a_bundle_of_another_repository_gets_nowhere(world: World, tmp_path: Path) -> None:
    """[TRU-2]"""
    made = world.publish()
    keys = KeyRing(signers={role: (signer(200),) for role in ring().signers})
    other = World(tmp_path, keys)
    other.publish(number=7)
    files = other.repository.bundle_files("abr")
    assert world.client().refresh("abr", bundle=files, newer_root=False) == made


def test_a_bundle_that_hides_a_newer_root_is_found_out_soon_after(world: World) -> None:
    """[TRU-3] The check that the first start put off."""
    world.publish()
    old = world.repository.bundle_files("abr")
    world.write(world.repository.rotate("timestamp", (signer(50),), NOW))
    world.publish(number=2)
    assert world.client().refresh("abr", bundle=old, newer_root=False).release == 1
    assert world.client().refresh("abr").release == 2


def test_a_server_that_is_gone_is_not_taken_for_one_without_news(world: World) -> None:
    """[TRU-4]"""
    world.publish()
    world.client().refresh("abr")
    del world.files[layout.TIMESTAMP_PATH]
    with pytest.raises(TransportError):
        world.client().refresh("abr")
