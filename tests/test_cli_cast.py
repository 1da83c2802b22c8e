"""The verbs that send a carousel and listen to one."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from midstream.cli import main
from published import NAME, Published
from waiting import IN_TIME


def free_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return f"udp://127.0.0.1:{sock.getsockname()[1]}"


@contextmanager
def casting(repo: Path, address: str, number: int) -> Iterator[str]:
    """A sender in a process of its own, its first line; it ends by a signal."""
    words = [sys.executable, "-m", "midstream", "cast", str(repo), NAME, address, "--rate", "8e6"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.send_signal(number)
            _, errors = process.communicate(timeout=IN_TIME)
        assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_model_is_cast_and_fetched(
    made: Published,
    repo: Path,
    tmp_path: Path,
    number: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address, output = free_address(), tmp_path / "copy.tflite"
    root = ["--root", str(repo / "1.root.json"), "-o", str(output), "--json"]
    with casting(repo, address, number) as line:
        assert line.startswith(f"casting {NAME} to {address}: 3 objects, ")
        assert main(["fetch", address, NAME, *root]) == 0
    assert output.read_bytes() == made.models[0]
    assert json.loads(capsys.readouterr().out)["release"] == 1


def test_a_carousel_beside_an_address_that_is_complete(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    address, output = free_address(), tmp_path / "copy.tflite"
    words = ["--root", str(repo / "1.root.json"), "-o", str(output), "--carousel", address]
    with casting(repo, address, signal.SIGTERM):
        assert main(["fetch", str(repo), NAME, *words]) == 0
    assert output.read_bytes() == made.models[0]


@pytest.mark.parametrize(
    "more", [["--rate", "0"], ["--hops", "0"], ["--datagram", "9"], ["--bundle-share", "1"]]
)
def test_what_makes_no_sense_is_wrong_use(
    repo: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cast", str(repo), NAME, free_address(), *more]) == 2
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["other", f"../bundles/{NAME}"])
def test_a_network_that_is_not_there_is_told_from_those_that_are(
    repo: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cast", str(repo), name, free_address()]) == 2
    said = f"midstream: {name}: the repository has no such network; it has {NAME} [NOT_FOUND 607]"
    assert said in capsys.readouterr().err


def test_a_folder_without_networks_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cast", str(tmp_path), NAME, free_address()]) == 2
    assert "it has none" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["udp://localhost:1", "127.0.0.1:1", "udp://127.0.0.1"])
def test_an_address_that_is_none_is_wrong_use(repo: Path, address: str) -> None:
    assert main(["cast", str(repo), NAME, address]) == 2


def test_a_network_that_is_not_there_is_wrong_use(repo: Path) -> None:
    assert main(["cast", str(repo), "nobody", free_address()]) == 2
