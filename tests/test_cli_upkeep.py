"""refresh and rotate as a publisher types them, and clients that follow."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from midstream import Publisher
from midstream.cli import main
from midstream.client import Delivery
from midstream.errors import ErrorCode, StoreError, TrustError
from midstream.publisher.folder import RepositoryFolder
from midstream.store import load_keys
from midstream.store.keys import Signer
from models import mlp

NAME = "net"
OLD, NEW = mlp((4, 8, 2), seed=1), mlp((4, 8, 2), seed=2)
ROLES = ["root", "targets", "snapshot", "timestamp", "release", NAME]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain keys, and a repository of one release."""
    folder = tmp_path_factory.mktemp("upkeep")
    assert main(["keygen", str(folder / "keys"), "--plain"]) == 0
    publish(folder, OLD)
    return folder


@pytest.fixture
def there(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "there"))


def publish(folder: Path, model: bytes, name: str = NAME) -> None:
    publisher = Publisher(folder / "repo", signer=load_keys(folder / "keys"))
    publisher.publish(model, name=name, ladder="exact")


def rotate(folder: Path, role: str, *more: str) -> int:
    words = ["rotate", role, str(folder / "repo"), "--keys", str(folder / "keys"), "--plain"]
    return main([*words, *more])


def refresh(folder: Path, *more: str) -> int:
    return main(["refresh", str(folder / "repo"), "--keys", str(folder / "keys"), *more])


def role(folder: Path, path: str) -> Any:
    return json.loads((folder / "repo/metadata" / path).read_bytes())


async def fetch(folder: Path, store: Path | None = None) -> bytes:
    """A client's run, from the first root."""
    root = (folder / "repo/1.root.json").read_bytes()
    async with Delivery.open(str(folder / "repo"), NAME, root=root, store=store) as delivery:
        await delivery.complete()
        if await delivery.check():
            await delivery.complete()
        return await delivery.rebuild()


@pytest.mark.parametrize("changed", ROLES)
async def test_clients_of_the_old_root_follow_a_rotation(
    changed: str, there: Path, tmp_path: Path
) -> None:
    """[TRU-3] [TRU-15] One that ran before, one that runs, and one that starts afterwards."""
    assert await fetch(there, tmp_path / "store") == OLD
    root = (there / "repo/1.root.json").read_bytes()
    async with Delivery.open(str(there / "repo"), NAME, root=root) as running:
        assert rotate(there, changed) == 0
        assert not await running.check()
        publish(there, NEW)
        assert await running.check()
        await running.complete()
        assert await running.rebuild() == NEW
    assert await fetch(there, tmp_path / "store") == NEW
    assert await fetch(there) == NEW


async def test_clients_follow_a_rotation_of_every_role_in_turn(there: Path, tmp_path: Path) -> None:
    assert await fetch(there, tmp_path / "store") == OLD
    for changed in [*ROLES, *ROLES[:4], NAME]:
        assert rotate(there, changed) == 0
    assert rotate(there, "release") == 2, "it signs for no network any more"
    publish(there, NEW)
    assert await fetch(there, tmp_path / "store") == NEW
    assert await fetch(there) == NEW


@pytest.mark.parametrize("changed", ROLES[:-1])
def test_the_old_key_is_put_aside_and_of_no_use(changed: str, there: Path) -> None:
    old = (there / "keys" / f"{changed}.key").read_bytes()
    assert rotate(there, changed) == 0
    assert (there / "keys/retired" / f"{changed}.key").read_bytes() == old
    (new,) = (there / "keys").glob(f"{changed}*.key")
    assert new.stat().st_mode & 0o777 == 0o600
    new.write_bytes(old)
    with pytest.raises(TrustError) as caught:
        use(there, changed)
    assert caught.value.code is ErrorCode.BAD_KEY


def use(folder: Path, role: str) -> None:
    """Do what needs a role's key."""
    if role == "root":
        publisher = Publisher(folder / "repo", signer=load_keys(folder / "keys"))
        publisher.rotate("timestamp", [Signer.generate()])
    else:
        publish(folder, NEW, "other" if role == "targets" else NAME)


def test_a_role_has_several_keys_and_a_threshold(there: Path) -> None:
    assert rotate(there, "root", "--count", "3", "--threshold", "2") == 0
    root = role(there, "2.root.json")
    assert root["signed"]["roles"]["root"]["threshold"] == 2
    assert len(root["signed"]["roles"]["root"]["keyids"]) == 3
    assert len(root["signatures"]) == 4
    first, *others = (there / "keys").glob("root+*.key")
    first.unlink()
    assert rotate(there, "timestamp") == 0
    others[0].unlink()
    assert rotate(there, "timestamp") == 1


def test_a_network_to_come_has_the_threshold_of_the_release_keys(there: Path) -> None:
    assert rotate(there, "release", "--count", "2", "--threshold", "2") == 0
    publish(there, NEW, "other")
    newest = max((there / "repo/metadata").glob("*.targets.json"), key=lambda p: int(p.name[0]))
    roles = role(there, newest.name)["signed"]["delegations"]["roles"]
    assert [(one["name"], one["threshold"]) for one in roles] == [(NAME, 2), ("other", 2)]


@pytest.mark.parametrize("changed", ["timestamp", "release"])
async def test_a_rotation_that_was_cut_short_is_done_again(
    changed: str, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[TRU-13] The disk fails at each file in turn: clients go on, and so does the publisher."""
    write = RepositoryFolder.write
    left = 0

    def fail_after(folder: RepositoryFolder, files: Mapping[str, bytes]) -> None:
        nonlocal left
        for path, data in files.items():
            if not left:
                raise StoreError(ErrorCode.STORE_FULL, "the disk is full")
            left -= 1
            write(folder, {path: data})

    for count in range(100):
        left = count
        with monkeypatch.context() as patch:
            patch.setattr(RepositoryFolder, "write", fail_after)
            code = rotate(there, changed)
        assert await fetch(there) == OLD
        if code == 0:
            break
        assert code == 3
    assert count > 3
    publish(there, NEW, "other")
    publish(there, NEW)
    assert await fetch(there) == NEW
    assert not list((there / "keys").glob(f"{changed}.key"))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nothing"], 2),
        (["root", "--count", "0"], 2),
        (["root", "--count", "2", "--threshold", "3"], 2),
        (["root", "--threshold", "0"], 2),
    ],
)
def test_a_rotation_that_makes_no_sense_makes_no_key(
    words: list[str], code: int, there: Path
) -> None:
    before = sorted((there / "keys").iterdir())
    assert rotate(there, *words) == code
    assert sorted((there / "keys").iterdir()) == before


def test_a_rotation_without_the_key_above_makes_no_key(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (there / "keys/root.key").unlink()
    before = sorted((there / "keys").iterdir())
    assert rotate(there, "timestamp", "--json") == 1
    assert json.loads(capsys.readouterr().out)["error"] == "BAD_KEY"
    assert sorted((there / "keys").iterdir()) == before


def test_new_keys_are_sealed_as_the_old_ones_are(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "swordfish")
    words = ["rotate", "timestamp", str(there / "repo"), "--keys", str(there / "keys")]
    assert main(words) == 0
    (new,) = (there / "keys").glob("timestamp+*.key")
    assert Signer.load(new, passphrase="swordfish")
    monkeypatch.delenv("MIDSTREAM_PASSPHRASE")
    assert refresh(there) == 2
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "swordfish")
    assert refresh(there) == 0


def test_plain_keys_are_followed_by_plain_ones_only_when_asked_for(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIDSTREAM_PASSPHRASE", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    words = ["rotate", "timestamp", str(there / "repo"), "--keys", str(there / "keys")]
    assert main(words) == 2
    assert not (there / "keys/retired").exists()


def test_a_refresh_signs_the_timestamp_before_it_runs_out(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = role(there, "timestamp.json")["signed"]
    assert refresh(there, "--json") == 0
    after = role(there, "timestamp.json")["signed"]
    assert after["version"] == before["version"] + 1
    expires = json.loads(capsys.readouterr().out)["expires"]
    assert set(expires) == {"root", "targets", "snapshot", "timestamp", NAME}
    assert expires["timestamp"] == after["expires"].replace("Z", "+00:00")


async def test_a_client_that_was_refused_for_expiry_takes_what_was_signed_again(
    tmp_path: Path,
) -> None:
    """[TRU-4] And one that kept metadata which ran out meanwhile, its root too."""
    assert main(["keygen", str(tmp_path / "keys"), "--plain"]) == 0
    past = datetime.now(UTC) - timedelta(days=400)
    keys = load_keys(tmp_path / "keys")
    Publisher(tmp_path / "repo", signer=keys, clock=lambda: past).publish(
        OLD, name=NAME, ladder="exact"
    )
    with pytest.raises(TrustError) as caught:
        await fetch(tmp_path, tmp_path / "store")
    assert caught.value.code is ErrorCode.EXPIRED
    assert refresh(tmp_path) == 0
    assert await fetch(tmp_path, tmp_path / "store") == OLD
    assert await fetch(tmp_path) == OLD


def test_a_machine_with_online_keys_alone_can_refresh(there: Path) -> None:
    for offline in ("root", "targets", "release"):
        (there / "keys" / f"{offline}.key").unlink()
    assert refresh(there) == 0
