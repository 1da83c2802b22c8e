"""TUF's client workflow over our fetches: what it takes, asks for, keeps and reports."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import TargetFile

from midstream.errors import (
    BitstreamError,
    ErrorCode,
    LimitError,
    MidstreamError,
    StoreError,
    TransportError,
    TrustError,
)
from midstream.limits import Limits
from midstream.transport.updater import TrustedClient
from midstream.trust import bundle, layout
from trusting import DAY, NOW, World, release, signer


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_newest_release_is_taken(world: World) -> None:
    for number in (1, 2, 9, 10):
        made = world.publish(number=number)
    assert world.client().refresh("abr") == made


def test_each_network_has_its_own_releases(world: World) -> None:
    abr, face = world.publish("abr", 3), world.publish("face", 1, 2)
    client = world.client()
    assert client.refresh("face") == face
    assert client.refresh("abr") == abr


def test_a_first_start_asks_for_six_files_in_the_order_of_the_workflow(world: World) -> None:
    """[TRU-1] to [TRU-8] need them in a row; a bundle has them in one."""
    world.publish()
    client = world.client()
    client.refresh("abr")
    assert [path.replace("0123456789abcdef", "") for path in client.requests[:5]] == [
        "metadata/2.root.json",
        "metadata/timestamp.json",
        "metadata/1.snapshot.json",
        "metadata/1.targets.json",
        "metadata/1.abr.json",
    ]
    assert client.requests[5].endswith(".1.manifest")
    assert len(client.requests) == 6


def test_a_start_from_a_bundle_asks_for_nothing(world: World) -> None:
    made = world.publish()
    client = world.client()
    files = bundle.decode(bundle.encode(world.repository.bundle_files("abr")))
    assert client.refresh("abr", bundle=files, newer_root=False) == made
    assert client.requests == []


def test_a_newer_root_is_looked_for_where_that_is_wanted(world: World) -> None:
    world.publish()
    client = world.client()
    client.refresh("abr", bundle=world.repository.bundle_files("abr"))
    assert client.requests == ["metadata/2.root.json"]


def test_a_poll_without_news_asks_for_the_timestamp_alone(world: World) -> None:
    made = world.publish()
    world.client().refresh("abr")
    client = world.client()
    assert client.refresh("abr", newer_root=False) == made
    assert client.requests == ["metadata/timestamp.json"]


def test_news_cost_what_changed(world: World) -> None:
    world.publish()
    world.client().refresh("abr")
    world.publish(number=2)
    client = world.client()
    client.refresh("abr")
    assert client.requests[:-1] == [
        "metadata/2.root.json",
        "metadata/timestamp.json",
        "metadata/2.snapshot.json",
        "metadata/2.abr.json",
    ]


@pytest.mark.parametrize("missing", range(5))
def test_what_a_bundle_lacks_is_fetched_by_itself(world: World, missing: int) -> None:
    made = world.publish()
    files = world.repository.bundle_files("abr")
    path = list(files)[missing]
    del files[path]
    client = world.client()
    assert client.refresh("abr", bundle=files, newer_root=False) == made
    assert client.requests == [path]


@pytest.mark.parametrize("damaged", range(5))
@pytest.mark.parametrize("at", [0, 60, -1])
def test_a_damaged_bundle_costs_requests_and_nothing_else(
    world: World, damaged: int, at: int
) -> None:
    made = world.publish()
    files = world.repository.bundle_files("abr")
    path = list(files)[damaged]
    data = bytearray(files[path])
    data[at] ^= 0x40
    files[path] = bytes(data)
    client = world.client()
    assert client.refresh("abr", bundle=files, newer_root=False) == made
    assert path in client.requests


def test_a_bundle_older_than_what_is_trusted_is_passed_over(world: World) -> None:
    world.publish()
    old = world.repository.bundle_files("abr")
    made = world.publish(number=2)
    world.client().refresh("abr")
    assert world.client().refresh("abr", bundle=old, newer_root=False) == made


def test_a_bundle_that_ran_out_is_passed_over(tmp_path: Path) -> None:
    world = World(tmp_path, then=NOW - 20 * DAY)
    world.publish()
    old = world.repository.bundle_files("abr")
    world.write(world.repository.resign(NOW))
    assert world.client().refresh("abr", bundle=old, newer_root=False) == release()


def test_a_bundle_of_later_roots_needs_no_request_for_them(world: World) -> None:
    made = world.publish()
    world.write(world.repository.rotate("root", (signer(50),), NOW))
    world.write(world.repository.rotate("timestamp", (signer(51),), NOW))
    client = world.client()
    files = world.repository.bundle_files("abr")
    assert client.refresh("abr", bundle=files, newer_root=False) == made
    assert client.requests == []


def test_a_bundle_that_names_a_file_the_server_lacks_is_passed_over(world: World) -> None:
    made = world.publish()
    files = world.repository.bundle_files("abr")
    world.publish(number=2)
    del world.files["metadata/1.snapshot.json"], files["metadata/1.snapshot.json"]
    made = release(number=2)
    assert world.client().refresh("abr", bundle=files, newer_root=False) == made


def test_a_bundle_does_not_hide_that_the_server_is_gone(world: World) -> None:
    world.publish()
    files = world.repository.bundle_files("abr")
    del files["metadata/1.abr.json"]
    calls: list[str] = []

    def unreachable(path: str, max_length: int) -> bytes:
        calls.append(path)
        raise TransportError(ErrorCode.UNREACHABLE, "gone")

    client = TrustedClient(world.folder, world.root, unreachable)
    with pytest.raises(TransportError):
        client.refresh("abr", bundle=files, newer_root=False)
    assert calls == ["metadata/1.abr.json"]


def test_the_bound_is_told_before_the_request(world: World) -> None:
    world.publish()
    bounds: dict[str, int] = {}

    def fetch(path: str, max_length: int) -> bytes:
        bounds[path] = max_length
        return world.fetch(path, max_length)

    TrustedClient(world.folder, world.root, fetch).refresh("abr")
    # the timestamp's is fixed, all that follow are signed for
    assert bounds.pop("metadata/timestamp.json") == 16384
    assert bounds.pop("metadata/2.root.json") == Limits().metadata_size
    assert bounds == {path: len(world.files[path]) for path in bounds}


class StatusError(TransportError):
    """A bad status, as a transport reports it."""

    def __init__(self, status: int) -> None:
        super().__init__(ErrorCode.BAD_STATUS, f"got {status}")
        self.status = status


@pytest.mark.parametrize("status", [403, 404])
def test_no_newer_root_is_the_normal_case(world: World, status: int) -> None:
    made = world.publish()

    def fetch(path: str, max_length: int) -> bytes:
        if path == "metadata/2.root.json":
            raise StatusError(status)
        return world.fetch(path, max_length)

    assert TrustedClient(world.folder, world.root, fetch).refresh("abr") == made


@pytest.mark.parametrize(
    "error",
    [
        StatusError(500),
        TransportError(ErrorCode.TIMEOUT, "t"),
        LimitError(ErrorCode.OVER_LIMIT, "l"),
    ],
)
@pytest.mark.parametrize("at", range(6))
def test_what_the_transport_says_comes_through_as_it_is(
    world: World, error: MidstreamError, at: int
) -> None:
    world.publish()
    paths: list[str] = []

    def fetch(path: str, max_length: int) -> bytes:
        paths.append(path)
        if len(paths) == at + 1:
            raise error
        return world.fetch(path, max_length)

    with pytest.raises(MidstreamError) as caught:
        TrustedClient(world.folder, world.root, fetch).refresh("abr")
    assert caught.value is error


def test_a_missing_file_is_reported_as_missing(world: World) -> None:
    world.publish()
    del world.files["metadata/timestamp.json"]
    with pytest.raises(TransportError) as caught:
        world.client().refresh("abr")
    assert caught.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("name", ["face", "../abr", "root", ""])
def test_an_unknown_network_is_refused(world: World, name: str) -> None:
    world.publish()
    with pytest.raises(TrustError) as caught:
        world.client().refresh(name)
    assert caught.value.code is ErrorCode.UNKNOWN_ROLE
    assert world.client().trusted(name) is None


def test_an_empty_repository_has_no_network(world: World) -> None:
    world.write(world.repository.resign(NOW))
    with pytest.raises(TrustError) as caught:
        world.client().refresh("abr")
    assert caught.value.code is ErrorCode.UNKNOWN_ROLE


def test_what_was_trusted_is_there_without_a_network(world: World) -> None:
    made = world.publish()
    assert world.client().trusted("abr") is None
    world.client().refresh("abr")
    assert world.client().trusted("abr") == made


def test_what_was_trusted_before_is_known_under_the_same_keys_alone(world: World) -> None:
    first = world.publish()
    world.client().refresh("abr")
    assert world.client().before("abr") is None
    assert world.client().before("no name") is None
    world.publish(number=2)
    for _ in range(2):  # the same release again changes nothing
        world.client().refresh("abr")
        assert world.client().before("abr") == first
    world.write(world.repository.rotate("abr", (signer(81),), NOW))
    world.client().refresh("abr")
    assert world.client().before("abr") is None


def test_what_never_came_does_not_take_the_place_of_what_did(world: World) -> None:
    come = {1: 2, 2: 1, 3: 0, 4: 2}
    made = {}
    for number in (1, 2, 3, 4):
        made[number] = world.publish(number=number)
        world.client(units_here=lambda found: come[found.release]).refresh("abr")
    assert world.client().before("abr") == made[1]
    world.publish(number=5)
    world.client(units_here=lambda found: come[found.release]).refresh("abr")
    assert world.client().before("abr") == made[4]


def test_a_failed_refresh_leaves_what_was_trusted(world: World) -> None:
    made = world.publish()
    world.client().refresh("abr")
    world.publish(number=2)
    world.served["metadata/2.abr.json"] = b"{}"
    with pytest.raises(TrustError):
        world.client().refresh("abr")
    assert world.client().trusted("abr") == made


@pytest.mark.parametrize("cut", [0, 10, 40, 60])
def test_a_torn_record_is_as_none(world: World, cut: int) -> None:
    made = world.publish()
    world.client().refresh("abr")
    path = next(world.folder.rglob("abr.trusted"))
    path.write_bytes(path.read_bytes()[:cut])
    assert world.client().trusted("abr") is None
    assert world.client().refresh("abr") == made


def test_files_torn_by_a_crash_are_fetched_again(world: World) -> None:
    made = world.publish()
    world.client().refresh("abr")
    for path in world.folder.rglob("*.*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(path.read_bytes()[:20])
    assert world.client().refresh("abr") == made


def test_another_pin_starts_afresh(world: World, tmp_path: Path) -> None:
    world.publish(number=9)
    world.client().refresh("abr")
    other = World(tmp_path, then=NOW - DAY)
    made = other.publish(number=1)
    assert other.client().trusted("abr") is None
    assert other.client().refresh("abr") == made
    assert world.client().trusted("abr") == release(number=9)


def test_a_pin_that_is_no_root_is_refused(world: World) -> None:
    world.publish()
    for root in (b"", b"{}", world.files["metadata/timestamp.json"]):
        with pytest.raises(TrustError) as caught:
            world.client(root).refresh("abr")
        assert caught.value.code is ErrorCode.BAD_METADATA


def test_a_folder_that_cannot_be_written_is_the_disk_s_fault(world: World) -> None:
    world.publish()
    (world.folder / "file").write_bytes(b"")
    client = TrustedClient(world.folder / "file", world.root, world.fetch)
    with pytest.raises(StoreError) as caught:
        client.refresh("abr")
    assert caught.value.code is ErrorCode.STORE_IO
    with pytest.raises(StoreError):
        client.trusted("abr")


def test_a_record_that_cannot_be_written_leaves_nothing_behind(world: World) -> None:
    world.publish()
    world.client().refresh("abr")
    path = next(world.folder.rglob("abr.trusted"))
    path.unlink()
    path.mkdir()
    (path / "x").write_bytes(b"")
    with pytest.raises(StoreError):
        world.client().refresh("abr")
    assert not list(world.folder.rglob(".new-*"))


def test_a_full_disk_is_said_and_leaves_what_was_trusted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.publish()
    world.client().refresh("abr")
    world.publish(number=2)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError) as caught:
        world.client().refresh("abr")
    assert caught.value.code is ErrorCode.STORE_FULL
    assert world.client().trusted("abr") == made
    assert not list(world.folder.rglob(".new-*"))


def test_an_enormous_manifest_is_not_fetched(world: World) -> None:
    world.publish()
    client = TrustedClient(world.folder, world.root, world.fetch, limits=Limits(manifest_size=100))
    with pytest.raises(LimitError):
        client.refresh("abr")
    assert not any(path.endswith(".manifest") for path in client.requests)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "abr"])
@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"[" * 16_000, b"\xff", b'{"signed": [], "signatures": {}}']
)
def test_hostile_metadata_is_refused_with_an_error_of_ours(
    world: World, role: str, data: bytes
) -> None:
    world.publish()
    world.served[world.latest_path(role)] = data
    with pytest.raises(MidstreamError) as caught:
        world.client().refresh("abr")
    assert caught.value.code in {
        ErrorCode.BAD_METADATA,
        ErrorCode.BAD_HASH,
        ErrorCode.LONG_BODY,
    }


STRANGE: list[Any] = [-1, "1", [], {}, {"a": [{}]}]


@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize("field", ["version", "expires", "meta", "spec_version", "_type"])
def test_strange_values_are_refused_with_an_error_of_ours_though_they_are_signed(
    world: World, field: str, value: Any
) -> None:
    world.publish()
    key = world.keys.of("timestamp")[0]
    forged = world.forge("timestamp", lambda signed: signed.update({field: value}), key)
    world.served[layout.TIMESTAMP_PATH] = forged
    with pytest.raises(TrustError):
        world.client().refresh("abr")


@pytest.mark.parametrize("value", STRANGE)
def test_strange_signatures_are_refused_with_an_error_of_ours(world: World, value: Any) -> None:
    world.publish()
    for change in ({"keyid": value}, {"sig": value}, {}):
        signed = json.loads(world.files[layout.TIMESTAMP_PATH])
        signed["signatures"] = [{**signed["signatures"][0], **change}] if change else value
        world.served[layout.TIMESTAMP_PATH] = json.dumps(signed).encode()
        with pytest.raises(TrustError):
            world.client().refresh("abr")


def test_a_manifest_that_is_signed_but_malformed_is_refused(world: World) -> None:
    world.publish()
    made = b"MDM\x00 and then nonsense"
    repository = world.repository
    network = repository._state.networks["abr"]
    network.targets["abr/2.manifest"] = TargetFile.from_data("abr/2.manifest", made, ["sha256"])
    repository._change("abr", NOW)
    world.write(repository.resign(NOW))
    digest = network.targets["abr/2.manifest"].hashes["sha256"]
    world.files[layout.manifest_path("abr", 2, digest)] = made
    with pytest.raises(BitstreamError):
        world.client().refresh("abr")
    assert world.client().trusted("abr") is None
