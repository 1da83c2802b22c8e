"""Keys and passphrases on the command line: where they come from, and where they never go."""

import base64
import io
import logging
import sys
from pathlib import Path

import pytest

from commands import publish
from midstream.cli import main
from midstream.store.keys import Signer
from models import mlp


def test_keys_are_sealed_with_the_passphrase_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.tflite").write_bytes(mlp())
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "correct horse")
    assert main(["keygen", str(tmp_path / "keys")]) == 0
    assert "warning" not in capsys.readouterr().err
    assert publish(tmp_path, "net", "--ladder", "4b") == 0
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "wrong")
    assert publish(tmp_path, "net", "--ladder", "4b") == 1
    monkeypatch.delenv("MIDSTREAM_PASSPHRASE")
    assert publish(tmp_path, "net", "--ladder", "4b") == 2
    assert main(["keygen", str(tmp_path / "keys"), "--plain"]) == 2


def test_keys_are_sealed_with_the_first_line_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "of the environment")
    secret = tmp_path / "secret"
    secret.write_bytes(b"correct horse\r\nnot this\n")
    more = ["--passphrase-file", str(secret)]
    assert main(["keygen", str(tmp_path / "keys"), *more]) == 0
    (tmp_path / "model.tflite").write_bytes(mlp())
    assert publish(tmp_path, "net", "--ladder", "4b", *more) == 0
    assert publish(tmp_path, "net", "--ladder", "4b") == 1
    assert Signer.load(tmp_path / "keys/root.key", passphrase="correct horse")


@pytest.mark.parametrize("content", [b"", b"\nsecond", None, bytes(5000)])
def test_a_passphrase_file_that_gives_none_makes_no_key(
    tmp_path: Path, content: bytes | None
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    words = ["keygen", str(tmp_path / "keys"), "--passphrase-file", str(secret)]
    assert main(words) in (1, 2)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("given", [None, ""])
def test_plain_keys_are_made_only_when_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str | None,
) -> None:
    monkeypatch.delenv("MIDSTREAM_PASSPHRASE", raising=False)
    if given is not None:
        monkeypatch.setenv("MIDSTREAM_PASSPHRASE", given)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["keygen", str(tmp_path / "keys")]) == 2
    assert "--plain" in capsys.readouterr().err
    assert not (tmp_path / "keys").exists()


def test_no_passphrase_and_no_key_is_ever_printed_or_logged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    seed = bytes(range(100, 132))
    monkeypatch.setattr("nacl.utils.random", lambda size: seed[:size])
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "swordfish")
    (tmp_path / "model.tflite").write_bytes(mlp())
    assert main(["keygen", str(tmp_path / "keys")]) == 0
    assert publish(tmp_path, "net", "--ladder", "4b") == 0
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "swordfishes")
    assert publish(tmp_path, "net", "--ladder", "4b", "--json") == 1
    (tmp_path / "keys/root.key").write_bytes((tmp_path / "keys/root.key").read_bytes()[:-1])
    assert publish(tmp_path, "net", "--ladder", "4b") == 1
    told = "".join(capfd.readouterr()) + caplog.text
    assert "BAD_KEY" in told
    for secret in ("swordfish", seed.hex(), repr(seed)[2:-1], base64.b64encode(seed).decode()):
        assert secret not in told


def test_plain_keys_are_readable_by_their_owner_alone_and_said_to_be_plain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen", str(tmp_path / "keys"), "--plain"]) == 0
    assert "plain" in capsys.readouterr().err
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
