"""The command line as scripts rely on it: its fixed calls, its JSON, its exit codes."""

import base64
import functools
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from midstream import kernels
from midstream.cli import doctor as doctor_verb
from midstream.cli import main
from midstream.errors import ErrorCode, RuntimeMissingError
from midstream.store.keys import Signer
from midstream.version import __version__
from models import mlp


@pytest.fixture(autouse=True)
def _heard_interrupts() -> Iterator[None]:
    """Children hear Ctrl-C even where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, keys and a repository of one release."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "model.tflite").write_bytes(mlp((16, 48, 32, 4)))
    assert main(["keygen", str(folder / "keys"), "--plain"]) == 0
    assert publish(folder, "net") == 0
    return folder


def publish(folder: Path, name: str, *more: str) -> int:
    repo, keys = str(folder / "repo"), str(folder / "keys")
    model = str(folder / "model.tflite")
    return main(["publish", model, "--repo", repo, "--keys", keys, "--name", name, *more])


def fetch(folder: Path, out: Path, *more: str, url: str | None = None) -> int:
    root = str(folder / "repo" / "1.root.json")
    return main(
        ["fetch", url or str(folder / "repo"), "net", "--root", root, "-o", str(out), *more]
    )


@contextmanager
def server(repo: Path, *more: str) -> Iterator[str]:
    """`midstream serve` in a process of its own; gives its URL, ends it by SIGTERM."""
    words = [sys.executable, "-m", "midstream", "serve", str(repo), "--port", "0", *more]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield re.findall(r"http://\S+", line)[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


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


@pytest.mark.parametrize(
    "verb",
    [
        "keygen",
        "seal",
        "publish",
        "refresh",
        "renew",
        "rotate",
        "verify",
        "serve",
        "fetch",
        "encode",
        "decode",
        "inspect",
    ],
)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out) > 200


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


def test_serve_refuses_a_folder_that_is_not_there_and_shares_above_one(tmp_path: Path) -> None:
    assert main(["serve", str(tmp_path / "none")]) == 2
    assert main(["serve", str(tmp_path), "--loss", "7"]) == 2
    assert main(["serve", str(tmp_path), "--connections", "0"]) == 2
    assert main(["serve", str(tmp_path), "--grace", "nan"]) == 2


def test_a_port_that_is_taken_is_an_error_of_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", str(tmp_path), "--port", str(taken.getsockname()[1])]) == 3
    assert capsys.readouterr().err.count("midstream: ") == 1


def test_serve_ends_quietly_when_it_is_told_to(made: Path) -> None:
    words = [sys.executable, "-m", "midstream", "serve", str(made / "repo"), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors == b""


def connect_often(port: int) -> None:
    for _ in range(1000):
        socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.01)


def test_serve_ends_at_once_when_it_is_told_twice(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(64 << 20))
    words = [sys.executable, "-m", "midstream", "serve", str(tmp_path), "--port", "0"]
    with subprocess.Popen([*words, "--grace", "600"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(b":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(9) == b"HTTP/1.1 "
            process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionRefusedError):  # it has heard
                connect_often(port)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) != 0


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


def test_a_static_web_server_is_an_origin_too(made: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    folder = str(made / "repo")
    with subprocess.Popen(
        [*words, "--directory", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = re.findall(r"port (\d+)", process.stdout.readline())[0]
        try:
            assert fetch(made, tmp_path / "copy", url=f"http://127.0.0.1:{port}") == 0
        finally:
            process.terminate()
    assert (tmp_path / "copy").read_bytes() == (made / "model.tflite").read_bytes()


@pytest.mark.parametrize(("more", "is_marked"), [((), True), (("--no-marks",), False)])
def test_fetch_marks_its_requests_for_units_or_not(
    made: Path, tmp_path: Path, more: tuple[str, ...], is_marked: bool
) -> None:
    """[DEL-28]"""
    heads = []

    class Noting(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            heads.append((self.path, self.headers.get("CMCD-Object"), self.headers["Priority"]))
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Noting, directory=str(made / "repo"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as origin:
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{origin.server_port}"
        assert fetch(made, tmp_path / "copy", *more, url=url) == 0
        origin.shutdown()
    of_units = {tuple(marks) for path, *marks in heads if path.startswith("/units/")}
    assert of_units == ({("ot=o", "u=5, i")} if is_marked else {(None, None)})


def test_output_that_nobody_reads_ends_quietly(made: Path) -> None:
    words = [sys.executable, "-m", "midstream", "inspect", str(made / "model.tflite")]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": "80"}
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(10)
    assert b"Traceback" not in errors


def test_a_fetch_that_is_interrupted_leaves_no_half_file(made: Path, tmp_path: Path) -> None:
    out, store = tmp_path / "out", tmp_path / "store"
    with server(made / "repo", "--rate", "2000") as url:
        root = str(made / "repo/1.root.json")
        words = ["fetch", url, "net", "--root", root, "-o", str(out), "--store", str(store)]
        process = subprocess.Popen(
            [sys.executable, "-m", "midstream", *words], stderr=subprocess.PIPE
        )
        while process.poll() is None and not list(store.rglob("*.*")):
            time.sleep(0.02)  # until something was received, which is long before all is
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == [store]


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
