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
    printed, trusting = run(*command, "--beside", "mean").split("mean: ")
    found = [float(number) for number in re.findall(r"([\d.]+) % right", printed)]
    assert len(found) == 1 + ROUNDS
    assert found[0] < 20
    assert found[-1] > 80
    assert printed.count("counted ada, ben, cleo, dan; left out liar") == ROUNDS
    assert trusting.count("counted ada, ben, cleo, dan, liar; left out nobody") == ROUNDS
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
