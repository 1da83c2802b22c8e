"""Keys that are encrypted later, or with another passphrase: whole at every moment."""

import io
import sys
from pathlib import Path

import pytest

from faults import Fault, Faults, Killed
from midstream.cli import main
from midstream.errors import ErrorCode, MidstreamError, StoreError, TrustError
from midstream.store.keyring import has_plain_key, has_sealed_key, load_keys, seal_keys
from midstream.store.keys import Signer
from midstream.trust import keys

SEEDS = {"root": bytes(32), "release": bytes(range(32))}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passphrases that cost next to nothing to guess."""
    cheap = keys.Cost(operations=1, memory=8192)
    monkeypatch.setitem(keys.Signer.to_bytes.__kwdefaults__, "cost", cheap)
    for name in ("MIDSTREAM_PASSPHRASE", "MIDSTREAM_NEW_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def folder_of(path: Path, passphrase: str | None = None) -> Path:
    for role, seed in SEEDS.items():
        Signer(seed).save(path / f"{role}.key", passphrase=passphrase)
    return path


def opens(folder: Path, passphrase: str | None) -> bool:
    """Whether the passphrase gives exactly the keys that were there."""
    try:
        ring = load_keys(folder, passphrase=passphrase)
    except MidstreamError:
        return False
    return {role: ring.of(role)[0].public for role in SEEDS} == {
        role: Signer(seed).public for role, seed in SEEDS.items()
    }


def test_plain_keys_are_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "keys")
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "swordfish")
    assert main(["seal", str(folder)]) == 0
    assert not has_plain_key(folder)
    assert opens(folder, "swordfish")
    assert not opens(folder, None)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert sorted(path.name for path in folder.iterdir()) == ["release.key", "root.key"]
    for path in folder.iterdir():
        assert not any(seed in path.read_bytes() for seed in SEEDS.values())


def test_a_passphrase_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "keys", "old one")
    (tmp_path / "new").write_text("new one\n")
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "old one")
    assert main(["seal", str(folder), "--new-passphrase-file", str(tmp_path / "new")]) == 0
    assert opens(folder, "new one")
    assert not opens(folder, "old one")
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "new one")
    monkeypatch.setenv("MIDSTREAM_NEW_PASSPHRASE", "third one")
    assert main(["seal", str(folder)]) == 0
    assert opens(folder, "third one")
    told = "".join(capsys.readouterr())
    assert "root.key: sealed" in told
    assert "one" not in told


def test_keys_become_plain_only_when_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "keys", "swordfish")
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "swordfish")
    assert main(["seal", str(folder)]) == 2
    assert "--plain" in capsys.readouterr().err
    assert not opens(folder, None)
    assert main(["seal", str(folder), "--plain"]) == 0
    assert "who reads a file has the key" in capsys.readouterr().err
    assert opens(folder, None)
    assert not has_sealed_key(folder)


@pytest.mark.parametrize("words", [[], ["--plain"]])
def test_a_wrong_passphrase_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    folder = folder_of(tmp_path / "keys", "swordfish")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "sardine")
    monkeypatch.setenv("MIDSTREAM_NEW_PASSPHRASE", "tunny")
    assert main(["seal", str(folder), *words]) == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_one_key_that_does_not_open_keeps_all_as_they_are(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "keys")
    Signer(bytes([7] * 32)).save(folder / "snapshot.key", passphrase="another")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(TrustError) as caught:
        seal_keys(folder, old="swordfish", new="tunny")
    assert caught.value.code is ErrorCode.BAD_KEY
    assert "snapshot.key" in str(caught.value)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_without_keys_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["seal", str(tmp_path)]) == 2
    assert "no key files" in capsys.readouterr().err


def test_a_link_to_a_key_stays_one_and_the_key_behind_it_is_sealed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "keys")
    (folder / "root.key").rename(tmp_path / "elsewhere")
    (folder / "root.key").symlink_to(tmp_path / "elsewhere")
    seal_keys(folder, old=None, new="swordfish")
    assert (folder / "root.key").is_symlink()
    assert keys.is_sealed((tmp_path / "elsewhere").read_bytes())
    assert opens(folder, "swordfish")


def steps(tmp_path: Path, old: str | None, new: str | None) -> int:
    faults = Faults(folder_of(tmp_path / "counted", old))
    with faults.installed():
        seal_keys(faults.folder, old=old, new=new)
    return len(faults.names)


@pytest.mark.once
@pytest.mark.parametrize("fault", [Fault.KILL, Fault.TEAR, Fault.FULL, Fault.READ_ONLY])
@pytest.mark.parametrize(("old", "new"), [(None, "new"), ("old", "new"), ("old", None)])
def test_whatever_happens_at_any_step_no_key_is_lost_and_the_same_again_does_the_rest(
    tmp_path: Path, fault: Fault, old: str | None, new: str | None
) -> None:
    count = steps(tmp_path, old, new)
    assert count >= 8
    for step in range(count):
        folder = folder_of(tmp_path / str(step), old)
        with Faults(folder, step, fault).installed():
            try:
                seal_keys(folder, old=old, new=new)
            except Killed:
                pass
            except StoreError as error:
                assert str(folder) in str(error)  # noqa: PT017 - or it was the last step
        for role, seed in SEEDS.items():
            path = folder / f"{role}.key"
            is_new = keys.is_sealed(path.read_bytes()) == bool(new)
            tried = [new, old] if is_new else [old]
            assert any(opened(path, one) == seed for one in tried), (step, role)
        seal_keys(folder, old=old, new=new)
        assert opens(folder, new)


def opened(path: Path, passphrase: str | None) -> bytes | None:
    """The seed in a key file."""
    try:
        found = Signer.load(path, passphrase=passphrase)
    except MidstreamError:
        return None
    (seed,) = (seed for seed in SEEDS.values() if Signer(seed).public == found.public)
    return seed
