"""What is typed wrong is one line that names it, before any work is done."""

from pathlib import Path

import pytest

from commands import fetch, prepared, publish
from midstream.cli import main
from midstream.cli.main import build_parser

(VERBS,) = (action.choices for action in build_parser()._actions if action.dest == "verb")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is encoded."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a model was encoded")

    monkeypatch.setattr("midstream.publisher.publish.encode", fail)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out) > 200


def test_a_word_that_is_unknown_is_said_with_the_usage_of_its_verb(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["verify", "repo", "--root", "1.root.json", "--wrong"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: midstream verify [-h] --root ROOT")
    assert said.endswith("midstream verify: error: unrecognized arguments: --wrong\n")


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("name", "what"),
    [("net", "net"), ("another", "another: a new network is signed for by targets")],
)
def test_keys_of_another_repository_are_refused_before_a_model_is_encoded(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, what: str
) -> None:
    assert main(["keygen", str(tmp_path / "keys"), "--plain"]) == 0
    assert publish(made, name, "--keys", str(tmp_path / "keys")) == 1
    assert f"midstream: {what}: 0 of its keys at hand" in capsys.readouterr().err


@pytest.mark.usefixtures("no_work")
def test_a_repository_that_is_a_file_is_refused_before_a_model_is_encoded(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"mine")
    assert publish(made, "net", "--repo", str(file)) == 2
    assert f"midstream: {file}: it is no folder [" in capsys.readouterr().err
    assert file.read_bytes() == b"mine"


def test_damage_to_a_repository_is_not_said_of_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(tmp_path)
    (tmp_path / "repo/metadata/timestamp.json").write_bytes(b"{")
    assert publish(tmp_path, "net") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("midstream: metadata/timestamp.json: metadata is damaged")


def test_a_store_that_is_a_file_is_not_to_be_deleted(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"mine")
    assert fetch(made, tmp_path / "copy", "--store", str(file)) == 3
    errors = capsys.readouterr().err
    assert f"midstream: {file}: it is no folder [" in errors
    assert "delete" not in errors


@pytest.mark.parametrize(
    "words",
    [
        ["log", "PATH", "net"],
        ["cast", "PATH", "net", "udp://127.0.0.1:5000"],
        ["verify", "PATH", "--root", "ROOT"],
        ["refresh", "PATH", "--keys", "KEYS"],
        ["revert", "PATH", "net", "--to", "1", "--keys", "KEYS"],
        ["serve", "PATH"],
    ],
    ids=lambda words: words[0],
)
def test_a_folder_that_is_not_there_is_said_to_be_none(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    path = str(tmp_path / "none")
    places = {"PATH": path, "ROOT": str(made / "repo/1.root.json"), "KEYS": str(made / "keys")}
    assert main([places.get(word, word) for word in words]) == 2
    assert f"midstream: {path}: there is no such folder [" in capsys.readouterr().err


def test_calibration_inputs_that_are_not_there_are_said_to_be_none(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "none.npy")
    assert publish(made, "net", "--calibrate", path) == 2
    assert f"midstream: {path}: No such file or directory [" in capsys.readouterr().err


def test_inspect_names_the_file_that_is_nothing_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    assert main(["inspect", str(tmp_path / "file")]) == 1
    assert f"midstream: {tmp_path / 'file'}: model: 4 bytes" in capsys.readouterr().err


def test_another_use_is_answered_with_those_there_are(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        publish(made, "net", "--use", "ftp")
    assert "choose from 'http', 'carousel'" in capsys.readouterr().err


def test_encode_has_the_ladder_of_publish(made: Path, tmp_path: Path) -> None:
    assert main(["encode", str(made / "model.tflite"), "-o", str(tmp_path / "units")]) == 0
    assert main(["decode", str(tmp_path / "units"), "-o", str(tmp_path / "copy")]) == 0
    assert (tmp_path / "copy").read_bytes() == (made / "model.tflite").read_bytes()
