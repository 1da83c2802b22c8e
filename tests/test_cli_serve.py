"""`midstream serve` and other servers, in processes that are told to end."""

import functools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from commands import fetch, prepared, server
from midstream.cli import main
from waiting import IN_TIME


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("cli"))


@pytest.fixture(autouse=True)
def _heard_interrupts() -> Iterator[None]:
    """Children hear Ctrl-C even where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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
        _, errors = process.communicate(timeout=IN_TIME)
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
            assert process.wait(IN_TIME) != 0


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
    process.wait(IN_TIME)
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
        _, errors = process.communicate(timeout=IN_TIME)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == [store]
