"""The command line in this process: a folder to try it on, and its two most used calls."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from midstream.cli import main
from models import mlp
from waiting import IN_TIME


def prepared(folder: Path) -> Path:
    """A folder with a model, keys and a repository of one release."""
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
            process.wait(IN_TIME)


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)
