"""Ctrl-C at any moment of a verb is one line and 130, and leaves nothing half-written."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import prepared
from midstream.cli import main
from waiting import IN_TIME

AT = """
import os, signal, sys
at = {at!r}

class Finder:
    def find_spec(self, name, path, target=None):
        if name == at:
            os.kill(os.getpid(), signal.SIGINT)

def look(frame, event, arg):
    if event == "call" and f"{{frame.f_globals.get('__name__')}}.{{frame.f_code.co_name}}" == at:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from midstream_command import main
sys.setprofile(look)
sys.exit(main())
"""
"""The command; Ctrl-C comes when a module begins to be imported, or a function is called first."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("interrupted"))


@pytest.fixture
def there(made: Path, tmp_path: Path) -> Path:
    """A repository, keys and a model, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "there"))


@pytest.fixture(autouse=True)
def _heard_interrupts() -> Iterator[None]:
    """Children hear Ctrl-C even where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def words(verb: str, folder: Path) -> list[str]:
    repo, model, keys = (str(folder / name) for name in ("repo", "model.tflite", "keys"))
    root, out, store = (str(folder / name) for name in ("repo/1.root.json", "out", "store"))
    return {
        "publish": ["publish", model, "--repo", repo, "--name", "net", "--keys", keys],
        "fetch": ["fetch", repo, "net", "--root", root, "-o", out, "--store", store],
        "cast": ["cast", repo, "net", "udp://127.0.0.1:9"],
        "serve": ["serve", repo, "--port", "0"],
        "merge": ["merge", repo, "net", model, "--keys", keys],
    }[verb]


def interrupted(folder: Path, verb: str, at: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", AT.format(at=at), *words(verb, folder)],
        capture_output=True,
        text=True,
        timeout=IN_TIME,
    )
    assert ended.returncode == 130, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.mark.parametrize("at", ["midstream", "numpy.linalg", "aiohttp.web", "midstream.cli.main"])
def test_while_modules_are_imported(tmp_path: Path, at: str) -> None:
    assert interrupted(tmp_path, "fetch", at) == "midstream: interrupted\n"


@pytest.mark.parametrize("verb", ["publish", "fetch", "cast", "serve", "merge"])
def test_before_a_verb_begins(tmp_path: Path, verb: str) -> None:
    assert (
        interrupted(tmp_path, verb, "midstream.cli.main.build_parser") == "midstream: interrupted\n"
    )


@pytest.mark.parametrize(
    ("verb", "at"),
    [
        ("publish", "midstream.encoder.build._prepared"),
        ("publish", "midstream.publisher.publish.protect"),
        ("publish", "midstream.store.files._sync_folder"),
        ("fetch", "midstream.client.arriving._start"),
        ("fetch", "midstream.client.releases.write_model"),
        ("cast", "midstream.cli.casting._cast"),
        ("serve", "midstream.cli.network._serve_forever"),
        ("merge", "midstream.publisher.checking.check"),
    ],
)
def test_while_a_verb_works(there: Path, verb: str, at: str) -> None:
    said = interrupted(there, verb, at).splitlines()
    assert said[-1] == "midstream: interrupted"
    assert not [path for path in there.rglob("*") if path.name.startswith((".new-", "tmp"))]
    assert main(words("publish", there)) == 0  # nothing is in its way
