"""The command line at a terminal: passphrases, interruptions, what people read."""

import getpass
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from midstream import Publisher
from midstream.cli import main, network
from midstream.cli.output import Output, human_size
from midstream.errors import ErrorCode, TrustError
from midstream.store import Store, load_keys
from models import mlp
from published import NAME, Published, published
from tensorfiles import normal, safetensors


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("MIDSTREAM_PASSPHRASE", raising=False)
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    return monkeypatch


def type_in(patch: pytest.MonkeyPatch, *words: str) -> None:
    typed: Iterator[str] = iter(words)
    patch.setattr(getpass, "getpass", lambda prompt: next(typed))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return made().write(tmp_path / "repo")


def made() -> Published:
    return published(1)


def fetch(repo: Path, out: Path, *more: str) -> int:
    root = str(repo / "1.root.json")
    return main(["fetch", str(repo), NAME, "--root", root, "-o", str(out), *more])


def test_keys_are_sealed_with_what_is_typed(
    at_a_terminal: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    type_in(at_a_terminal, "swordfish", "swordfish")
    assert main(["keygen", str(tmp_path / "keys")]) == 0
    assert load_keys(tmp_path / "keys", passphrase="swordfish")
    with pytest.raises(TrustError):
        load_keys(tmp_path / "keys", passphrase="swordfishes")


def test_two_passphrases_that_differ_make_no_key(
    at_a_terminal: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(at_a_terminal, "swordfish", "swordfisch")
    assert main(["keygen", str(tmp_path / "keys")]) == 2
    assert "differ" in capsys.readouterr().err
    assert not (tmp_path / "keys").exists()


def test_an_empty_passphrase_makes_no_key(
    at_a_terminal: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    type_in(at_a_terminal, "")
    assert main(["keygen", str(tmp_path / "keys")]) == 2
    assert not (tmp_path / "keys").exists()


def test_sealed_keys_are_opened_with_what_is_typed(
    at_a_terminal: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["refresh", str(tmp_path / "repo"), "--keys", str(tmp_path / "keys")]
    type_in(at_a_terminal, "swordfish", "swordfish", "swordfish", "herring")
    assert main(["keygen", str(tmp_path / "keys")]) == 0
    keys = load_keys(tmp_path / "keys", passphrase="swordfish")
    Publisher(tmp_path / "repo", signer=keys).publish(mlp(), name=NAME, ladder="4b")
    assert main(words) == 0
    assert main(words) == 1  # the wrong one was typed


def test_plain_keys_are_opened_without_a_question(
    at_a_terminal: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    type_in(at_a_terminal)
    keys = tmp_path / "keys"
    assert main(["keygen", str(keys), "--plain"]) == 0
    Publisher(tmp_path / "repo", signer=load_keys(keys)).publish(mlp(), name=NAME, ladder="4b")
    assert main(["refresh", str(tmp_path / "repo"), "--keys", str(keys)]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["refresh", "@none"],
        ["rotate", "root", "@none"],
        ["delegate", "ann", "@none", "net", "--key", "00" * 32],
        ["merge", "@none", "net", "@parcel"],
        ["revert", "@none", "net", "--to", "1"],
        ["offer", "@none", "net", "--withdraw", "ann"],
    ],
)
def test_a_repository_that_is_missing_is_said_before_a_passphrase_is_asked_for(
    at_a_terminal: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    type_in(at_a_terminal, "swordfish", "swordfish")
    assert main(["keygen", str(tmp_path / "keys")]) == 0
    type_in(at_a_terminal)  # what is asked for now fails the test
    (tmp_path / "parcel").write_bytes(b"")
    typed = [word.replace("@", f"{tmp_path}/") for word in words]
    assert main([*typed, "--keys", str(tmp_path / "keys")]) == 2
    assert f"midstream: {tmp_path}/none: there is no such folder [" in capsys.readouterr().err


def test_an_interrupted_verb_ends_with_130(
    repo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(network, "_tell", interrupt)
    assert fetch(repo, tmp_path / "out") == 130
    assert capsys.readouterr().err.endswith("midstream: interrupted\n")


def test_the_folder_of_the_output_is_made(repo: Path, tmp_path: Path) -> None:
    assert fetch(repo, tmp_path / "new" / "folder" / "out.tflite") == 0
    assert (tmp_path / "new" / "folder" / "out.tflite").read_bytes() == made().models[0]


def test_an_output_that_is_a_folder_is_wrong_use_and_nothing_is_fetched(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(repo, tmp_path) == 2
    told = capsys.readouterr().err
    assert f"{tmp_path}: it is a folder" in told
    assert "verified" not in told


@pytest.mark.parametrize("layer", ["99", "-1"])
def test_a_layer_that_there_is_none_of_is_wrong_use(
    repo: Path, tmp_path: Path, layer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(repo, tmp_path / "out", f"--layer={layer}") == 2
    assert layer in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_disk_without_room_costs_a_warning(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = tmp_path / "store" / "partial"
    parts.mkdir(parents=True)
    for entry in made().manifest.units:
        (parts / entry.id).symlink_to("/dev/full")
    assert fetch(repo, tmp_path / "out", "--store", str(tmp_path / "store")) == 0
    assert "warning" in capsys.readouterr().err
    assert (tmp_path / "out").read_bytes() == made().models[0]


def test_repaired_packets_are_told(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = repo / made().manifest.units[-1].path
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    assert fetch(repo, tmp_path / "out") == 0
    said = capsys.readouterr()
    assert "1 packets repaired" in said.err
    assert "1 packets repaired" in said.out


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (9999, "9999 B"), (45_300, "45.3 kB"), (12_500_000, "12.5 MB")]
)
def test_sizes_are_told_in_words(size: int, text: str) -> None:
    assert human_size(size) == text


def test_a_stale_bundle_does_not_hide_the_newest_release(tmp_path: Path) -> None:
    news = published(1, 2)
    repo = news.write(tmp_path / "repo")
    (repo / f"bundles/{NAME}.bundle").write_bytes(made().files[f"bundles/{NAME}.bundle"])
    assert fetch(repo, tmp_path / "out") == 0
    assert (tmp_path / "out").read_bytes() == news.models[1]


@pytest.mark.parametrize(("width", "shown"), [(12, 1), (30, 1), (31, 2), (60, 3)])
def test_columns_without_room_are_named_below_a_table(
    width: int, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", terminal)
    columns = ["tensor", "bytes of it", "a note"]
    Output(as_json=False).table("title", columns, [["conv2d/Kernel", "12345", "row scales"]])
    said = terminal.getvalue()
    below = f"for a wider terminal, or a pipe: {', '.join(columns[shown:])}"
    assert (below in said) == (shown < 3)
    assert ("12345" in said) == (shown > 1)
    assert ("row scales" in said) == (shown > 2)


def test_what_comes_from_outside_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output, text = Output(as_json=False), "a\x1b]0;b\x07\x9b2J\u202e\r\nmidstream: c"
    output.fail(TrustError(ErrorCode.BAD_METADATA, text))
    output.warn(text)
    output.note(text)
    output.say(text)
    output.table(text, [text, "x"], [[text, "y"]])
    told = capsys.readouterr()
    assert all(c.isprintable() or c == "\n" for c in told.err + told.out)
    assert "midstream: a?]0;b??2J???midstream: c [BAD_METADATA 606]" in told.err  # one line
    assert "a?]0;b??2J??\nmidstream: c\n" in told.out


def test_names_of_tensors_steer_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "net.safetensors"
    model.write_bytes(safetensors({"a\x1b[31mb": normal(16, 40)}))
    assert main(["encode", str(model), "-o", str(tmp_path / "units"), "--ladder", "exact"]) == 0
    assert main(["inspect", str(tmp_path / "units")]) == 0
    told = capsys.readouterr().out
    assert "a?[31mb" in told
    assert "\x1b" not in told


def test_a_store_that_may_not_grow_costs_a_warning(
    repo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is no full disk: the model is whole, and nobody has to free space."""

    class Small(Store):
        def __init__(self, folder: str | Path) -> None:
            super().__init__(folder, size_limit=100)

    monkeypatch.setattr("midstream.client.keeping.Store", Small)
    assert fetch(repo, tmp_path / "net.tflite", "--store", str(tmp_path / "store")) == 0
    assert "do not fit beside the units in use" in capsys.readouterr().err
    assert (tmp_path / "net.tflite").read_bytes() == made().models[0]
