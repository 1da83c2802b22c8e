"""A small share of what the fuzzers try, and all inputs that are kept; `tox -e fuzz` tries more.

The targets run in a process of their own: some stand in for what is slow on purpose.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz")
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.py"))
COUNT = 60

pytestmark = pytest.mark.once


def test_every_parser_has_a_target() -> None:
    assert {"units", "formats", "manifest", "bundle", "metadata", "datagrams"} <= set(TARGETS)
    assert {
        "answers",
        "ranges",
        "news",
        "journal",
        "keys",
        "calibration",
        "providers",
        "repository",
    } <= set(TARGETS)


def test_a_share_of_hostile_inputs_is_survived() -> None:
    """One process for all, since most of the time goes into what they start from."""
    path = os.pathsep.join([str(FUZZ), str(FUZZ.parent), *filter(None, sys.path)])
    counts = [f"{name}={COUNT}" for name in TARGETS]
    done = subprocess.run(
        [sys.executable, "-W", "error", FUZZ / "share.py", *counts],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == TARGETS


def test_no_module_hides_one_of_the_fuzzers() -> None:
    beside = {path.stem for path in FUZZ.parent.glob("*.py")}
    assert not beside & {path.stem for path in FUZZ.glob("*.py")}


def test_choices_are_the_same_for_the_same_bytes() -> None:
    data = random.Random(1).randbytes(40)
    path = os.pathsep.join([str(FUZZ), *filter(None, sys.path)])
    code = "import sys; from choices import Bytes; b = Bytes(bytes.fromhex(sys.argv[1]));"
    code += "print([b.integer(0, n) for n in (0, 1, 9, 255, 256, 70000)], b.raw(50).hex())"
    words = [sys.executable, "-c", code, data.hex()]
    env = {**os.environ, "PYTHONPATH": path}
    first, second = (subprocess.check_output(words, env=env) for _ in range(2))
    assert first == second
    assert first.split()[0] == b"[0,"


def try_swarm(folder: Path, name: str, count: int) -> subprocess.CompletedProcess[str]:
    """Hostile inputs around those of a folder; the one that is tried is in file `last` beside."""
    known = folder / "known"
    known.mkdir()
    (known / "one").write_bytes(b"\1" * 9)
    path = os.pathsep.join([str(folder), str(FUZZ), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, FUZZ / "swarm.py", name, str(count), known, folder / "last"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_swarm_tries_as_many_as_it_says(tmp_path: Path) -> None:
    code = "def test_one(choices): open('{}', 'a').write(choices.raw(999).hex() + '\\n')"
    (tmp_path / "fuzz_noted.py").write_text(code.format(tmp_path / "noted"))
    done = try_swarm(tmp_path, "noted", 300)
    assert done.returncode == 0, done.stderr
    noted = (tmp_path / "noted").read_text().split()
    assert int(done.stdout) == len(noted) == len(set(noted)) == 300
    assert any("01" * 6 in data for data in noted), "some are near what is known"


def test_a_swarm_leaves_the_input_that_ended_it(tmp_path: Path) -> None:
    code = "import os\ndef test_one(choices): choices.raw(1) != b'\\x07' or os.abort()"
    (tmp_path / "fuzz_weak.py").write_text(code)
    done = try_swarm(tmp_path, "weak", 100_000)
    assert done.returncode == -signal.SIGABRT
    assert (tmp_path / "last").read_bytes()[0] == 7
