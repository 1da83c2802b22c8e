"""The command line as scripts rely on it: its fixed calls, its JSON, its exit codes."""

import socket
from pathlib import Path
from typing import Any

import pytest

from commands import fetch, prepared, publish, said, server
from midstream import kernels
from midstream.cli import doctor as doctor_verb
from midstream.cli import main
from midstream.errors import ErrorCode, RuntimeMissingError
from midstream.version import __version__
from models import mlp


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("cli"))


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"midstream {__version__}\n"


@pytest.mark.parametrize(
    "words", [[], ["nothing"], ["publish"], ["fetch", "url"], ["serve", ".", "--port", "x"]]
)
def test_wrong_words_end_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_a_published_file_comes_back_byte_for_byte(made: Path, tmp_path: Path) -> None:
    assert fetch(made, tmp_path / "sub" / "copy.tflite") == 0
    assert (tmp_path / "sub/copy.tflite").read_bytes() == (made / "model.tflite").read_bytes()


def test_fetch_says_in_json_what_came_over_the_wire(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(made / "repo", "--loss", ".05", "--corrupt", ".02") as url:
        capsys.readouterr()
        assert fetch(made, tmp_path / "copy", "--json", url=url) == 0
    found = said(capsys)
    sizes = sum(path.stat().st_size for path in (made / "repo/units").glob("*") if not path.suffix)
    assert found["layer"] == 3
    assert found["bytes_received"] > sizes
    assert (tmp_path / "copy").read_bytes() == (made / "model.tflite").read_bytes()


def test_the_base_alone_can_be_fetched(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(made, tmp_path / "base", "--layer", "0") == 0
    assert "layer 0" in capsys.readouterr().out
    assert (tmp_path / "base").stat().st_size == (made / "model.tflite").stat().st_size


def test_a_layer_that_is_not_there_is_wrong_use(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(made, tmp_path / "out", "--layer", "99") == 2
    assert "99" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_second_fetch_takes_units_from_the_store(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--store", str(tmp_path / "store"), "--json"]
    assert fetch(made, tmp_path / "one", *more) == 0
    first = said(capsys)
    assert fetch(made, tmp_path / "two", *more) == 0
    second = said(capsys)
    assert first["from_store"] == 0
    assert second["from_store"] > 0.9 * sum(
        entry["bytes"] for entry in published_layers(made, capsys)
    )
    assert (tmp_path / "two").read_bytes() == (made / "model.tflite").read_bytes()


def published_layers(made: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Units of the repository, from the manifest that inspect reads."""
    manifest = next((made / "repo/targets").rglob("*.1.manifest"))
    assert main(["inspect", str(manifest), "--json"]) == 0
    units: list[dict[str, Any]] = said(capsys)["units"]
    return units


def test_publishing_a_name_again_makes_the_next_release(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.tflite").write_bytes(mlp())
    assert main(["keygen", str(tmp_path / "keys"), "--plain"]) == 0
    capsys.readouterr()
    for number in (1, 2):
        assert publish(tmp_path, "net", "--ladder", "4b,exact", "--json") == 0
        release = said(capsys)
        assert release["release"] == number
        assert release["layers"][-1]["rung"] == "exact"


def test_other_keys_cannot_publish_into_a_repository(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen", str(tmp_path / "other"), "--plain"]) == 0
    words = ["publish", str(made / "model.tflite"), "--repo", str(made / "repo")]
    assert main([*words, "--keys", str(tmp_path / "other"), "--name", "evil"]) == 1
    assert "midstream: " in capsys.readouterr().err


def test_a_repository_is_verified_and_renewed(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["refresh", str(made / "repo"), "--keys", str(made / "keys")]) == 0
    root = str(made / "repo/1.root.json")
    capsys.readouterr()
    assert main(["verify", str(made / "repo"), "--root", root, "--json"]) == 0
    assert said(capsys)["networks"][0]["units"] == 4


@pytest.mark.parametrize("which", ["units/*[0-9a-f]", "units/*.repair", "units/*.hashes"])
def test_verify_finds_one_changed_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    (tmp_path / "model.tflite").write_bytes(mlp())
    assert main(["keygen", str(tmp_path / "keys"), "--plain"]) == 0
    assert publish(tmp_path, "net", "--ladder", "4b,exact") == 0
    changed = sorted((tmp_path / "repo").glob(which))[0]
    data = bytearray(changed.read_bytes())
    data[len(data) // 3] ^= 1
    changed.write_bytes(data)
    root = str(tmp_path / "repo/1.root.json")
    assert main(["verify", str(tmp_path / "repo"), "--root", root]) == 1
    assert changed.name in capsys.readouterr().err


def test_verify_wants_a_folder_with_a_network(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(made / "repo/1.root.json")
    assert main(["verify", str(tmp_path), "--root", root]) == 2
    assert main(["verify", str(tmp_path / "none"), "--root", root]) == 2
    assert capsys.readouterr().err.count("midstream: ") == 2


def test_encode_writes_no_repair_symbols_and_decode_gives_the_file_back(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "units", tmp_path / "model"
    words = ["encode", str(made / "model.tflite"), "-o", str(folder), "--ladder", "20dB,exact"]
    assert main([*words, "--json"]) == 0
    assert [layer["layer"] for layer in said(capsys)["layers"]] == [0, 1]
    assert sorted(path.name for path in folder.iterdir()) == [
        "layer-0.unit",
        "layer-1.unit",
        "model.manifest",
    ]
    assert main(["decode", str(folder), "-o", str(out)]) == 0
    assert out.read_bytes() == (made / "model.tflite").read_bytes()
    assert main(["decode", str(folder), "-o", str(out), "--layer", "0"]) == 0
    assert out.read_bytes() != (made / "model.tflite").read_bytes()
    assert main(["decode", str(folder), "-o", str(out), "--layer", "7"]) == 2


def test_decode_refuses_a_unit_that_was_changed(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    words = ["encode", str(made / "model.tflite"), "-o", str(folder), "--ladder", "4b"]
    assert main(words) == 0
    unit = bytearray((folder / "layer-0.unit").read_bytes())
    unit[-1] ^= 1
    (folder / "layer-0.unit").write_bytes(unit)
    assert main(["decode", str(folder), "-o", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("model.tflite", "tflite model"),
        ("repo", "repository"),
        ("repo/bundles/net.bundle", "bundle"),
    ],
)
def test_inspect_says_what_a_path_holds(
    made: Path, capsys: pytest.CaptureFixture[str], name: str, what: str
) -> None:
    assert main(["inspect", str(made / name), "--json"]) == 0
    assert said(capsys)["what"] == what
    assert main(["inspect", str(made / name)]) == 0
    assert what in capsys.readouterr().out


def test_inspect_reads_units_and_folders_of_units(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["encode", str(made / "model.tflite"), "-o", str(tmp_path), "--ladder", "4b,exact"]
    assert main(words) == 0
    capsys.readouterr()
    for name, kind in (("layer-0.unit", "BASE"), ("layer-1.unit", "EXACT")):
        assert main(["inspect", str(tmp_path / name), "--json"]) == 0
        assert said(capsys)["kind"] == kind
    assert main(["inspect", str(tmp_path), "--json"]) == 0
    assert len(said(capsys)["units"]) == 2


def test_inspect_of_nothing_known_is_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "noise").write_bytes(b"\x00" * 100)
    assert main(["inspect", str(tmp_path / "noise"), "--json"]) == 1
    found = said(capsys)
    assert found["error"] == "UNKNOWN_FORMAT"
    assert main(["inspect", str(tmp_path / "none")]) == 2
    assert main(["inspect", str(tmp_path)]) == 2


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--ladder", "soon"], 2),
        (["--ladder", "6b,4b"], 2),
        (["--repair", "9"], 2),
        (["--loss", "0.9"], 2),
        (["--loss", "0.1", "--repair", "1"], 2),
        (["--name", "No Name"], 2),
        (["--keys", "/nonexistent"], 2),
    ],
)
def test_arguments_that_make_no_sense_are_wrong_use(
    made: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int
) -> None:
    assert publish(made, "other", *more) == code
    error = capsys.readouterr().err
    assert error.count("midstream: ") == 1
    assert "Traceback" not in error


@pytest.mark.parametrize("content", [b"", b"x" * 30, b"\x1c\x00\x00\x00TFL3" + b"\xff" * 40])
def test_a_damaged_model_is_the_data_s_fault(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    model = tmp_path / "bad.tflite"
    model.write_bytes(content)
    words = ["publish", str(model), "--repo", str(tmp_path / "repo"), "--name", "net"]
    assert main([*words, "--keys", str(made / "keys")]) == 1
    assert capsys.readouterr().err.count("midstream: ") == 1
    assert not (tmp_path / "repo").exists()


def test_an_origin_that_is_not_there_is_the_peer_s_fault(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert fetch(made, tmp_path / "out", url=url) == 1
    assert "UNREACHABLE" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("url", ["ftp://host/x", "http://", "/nonexistent/folder"])
def test_an_address_that_makes_no_sense_is_wrong_use(made: Path, tmp_path: Path, url: str) -> None:
    assert fetch(made, tmp_path / "out", url=url) == 2


def test_a_wrong_root_is_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.tflite").write_bytes(mlp())
    assert main(["keygen", str(tmp_path / "keys"), "--plain"]) == 0
    assert publish(tmp_path, "net", "--ladder", "4b") == 0
    root = str(tmp_path / "repo/1.root.json")
    out = tmp_path / "out"
    assert main(["fetch", str(made / "repo"), "net", "--root", root, "-o", str(out)]) == 1
    assert "BAD_SIGNATURE" in capsys.readouterr().err
    assert not out.exists()


def test_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = said(capsys)
    assert found["midstream"] == __version__
    assert found["kernels"] == kernels.NAME
    speeds = {name for name, value in found.items() if name.endswith("_per_s") and value > 0}
    assert len(speeds) == 4
    assert found["runtime"]


def test_doctor_ends_with_3_where_no_runtime_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> None:
        raise RuntimeMissingError(ErrorCode.NO_RUNTIME, "no TFLite runtime is installed")

    monkeypatch.setattr(doctor_verb, "find_backend", none)
    assert main(["doctor"]) == 3
    assert "runtime: none" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["keygen", "x" * 300, "--plain"],
        ["inspect", "x" * 300],
        ["verify", "x" * 300, "--root", "ROOT"],
        ["publish", "MODEL", "--repo", "r", "--keys", "x" * 300, "--name", "net"],
    ],
)
def test_a_path_that_cannot_be_is_one_line(
    words: list[str], made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"ROOT": str(made / "repo/1.root.json"), "MODEL": str(made / "model.tflite")}
    assert main([given.get(word, word) for word in words]) in (2, 3)
    assert "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize("root", ["none", ".", "/dev/zero"])
def test_a_root_that_is_no_file_is_wrong_use(made: Path, tmp_path: Path, root: str) -> None:
    words = ["--root", str(tmp_path / root)]
    assert main(["verify", str(made / "repo"), *words]) == 2
    assert main(["fetch", str(made / "repo"), "net", "-o", str(tmp_path / "o"), *words]) == 2


@pytest.mark.parametrize("given", ["keys/root.key", "repo/metadata/timestamp.json"])
def test_a_root_that_is_none_is_named(
    made: Path, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--root", str(made / given)]
    assert main(["verify", str(made / "repo"), *words]) == 1
    assert main(["fetch", str(made / "repo"), "net", "-o", str(tmp_path / "o"), *words]) == 1
    assert capsys.readouterr().err.count(f"{made / given}: it is no repository's root") == 2


def test_decode_says_that_a_folder_is_not_one_of_encode_s(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(made / "repo"), "-o", str(tmp_path / "out")]) == 2
    assert "no folder that encode wrote" in capsys.readouterr().err


def test_an_address_without_its_scheme_is_told_from_a_folder(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(made, tmp_path / "out", url="127.0.0.1:8000") == 2
    assert "an address begins with http://" in capsys.readouterr().err


def test_an_enormous_model_is_the_data_s_fault(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate((2 << 30) + 1)  # sparse
    assert main(["inspect", str(tmp_path / "large")]) == 1


def test_renewing_what_is_not_there_makes_no_folder(made: Path, tmp_path: Path) -> None:
    assert main(["refresh", str(tmp_path / "none"), "--keys", str(made / "keys")]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "", "Net"])
def test_a_name_that_cannot_be_one_is_wrong_use(made: Path, tmp_path: Path, name: str) -> None:
    root = str(made / "repo/1.root.json")
    words = ["fetch", str(made / "repo"), name, "--root", root, "-o", str(tmp_path / "out")]
    assert main(words) == 2


def test_a_shorter_ladder_leaves_nothing_of_a_longer_one(made: Path, tmp_path: Path) -> None:
    words = ["encode", str(made / "model.tflite"), "-o", str(tmp_path), "--ladder"]
    assert main([*words, "3b,6b,exact"]) == 0
    assert main([*words, "exact"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layer-0.unit", "model.manifest"]


def test_an_error_in_a_model_file_says_which_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"nothing of the kind")
    words = ["encode", str(tmp_path / "bad.tflite"), "-o", str(tmp_path / "out"), "--ladder", "4b"]
    assert main(words) == 1
    assert "bad.tflite: " in capsys.readouterr().err
