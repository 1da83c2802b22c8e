"""Every byte of a small stack of units, and of a lossy update, flipped: an error or a model, the
same in both kernels.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from flips import MASKS, outcome, stack, updated

pytestmark = pytest.mark.once

CASES = {"stack": ([], stack()), "lossy update": updated()}
KERNELS = ["numpy", *(["native"] if find_spec("midstream.kernels._native") else [])]


@pytest.fixture(scope="module", params=CASES)
def flipped(request: pytest.FixtureRequest) -> tuple[list[bytes], list[bytes]]:
    """Units that the others stand on, and those whose bytes are flipped."""
    return CASES[request.param]


@pytest.fixture(scope="module")
def outcomes(flipped: tuple[list[bytes], list[bytes]]) -> dict[str, list[str]]:
    """By kernel; whatever is no error of ours ends the process."""
    text = json.dumps([[unit.hex() for unit in units] for units in flipped])
    found = {}
    for name in KERNELS:
        done = subprocess.run(
            [sys.executable, "-W", "error", Path(__file__).with_name("flips.py")],
            input=text,
            capture_output=True,
            text=True,
            env=os.environ | {"MIDSTREAM_KERNELS": name},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found[name] = json.loads(done.stdout)
    return found


def test_every_flip_is_survived(
    flipped: tuple[list[bytes], list[bytes]], outcomes: dict[str, list[str]]
) -> None:
    for found in outcomes.values():
        assert len(found) == len(MASKS) * sum(map(len, flipped[1]))
        assert not Counter(found).keys() & {"BAD_ARGUMENT", "BAD_STATE"}  # it is the data


def test_every_kernel_says_the_same(outcomes: dict[str, list[str]]) -> None:
    first, *others = outcomes.values()
    assert all(other == first for other in others)


def test_what_is_flipped_is_whole_before() -> None:
    assert outcome(*CASES["lossy update"]) == outcome([], stack(1.05)[:2])
