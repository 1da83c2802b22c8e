"""The example of five providers does what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples" / "federated" / "federated.py"
ROUNDS = 3


def test_providers_improve_a_network_and_the_liar_never_counts(tmp_path: Path) -> None:
    repo, picture = tmp_path / "repo", tmp_path / "curve.png"
    command = [str(EXAMPLE), str(repo), "--rounds", str(ROUNDS), "--picture", str(picture)]
    printed = run(*command)
    found = [float(number) for number in re.findall(r"([\d.]+) % right", printed)]
    assert len(found) == ROUNDS
    assert found[-1] > 80
    assert picture.stat().st_size > 0
    log = json.loads(run("-m", "midstream", "log", str(repo), "digits", "--json"))
    for release in log["releases"][1:]:
        counted = {p["provider"] for p in release["provenance"]["parts"] if not p["refused"]}
        assert counted == {"ada", "ben", "cleo", "dan"}


def run(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
