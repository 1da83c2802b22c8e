"""The example does what it says."""

import subprocess
import sys
from pathlib import Path

import models

EXAMPLE = Path(__file__).parent.parent / "examples" / "hot_swap.py"


def test_the_example_says_what_it_wants() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: hot_swap.py [-h] first second")


def test_the_example_swaps_refuses_and_goes_back(tmp_path: Path) -> None:
    paths = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.tflite"
        path.write_bytes(models.mlp(seed=seed))
        paths.append(str(path))
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *paths], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "staged in" in done.stdout
    assert "refused: the model does not load" in done.stdout
    assert "back to: Generation(number=1, release=1" in done.stdout
    assert "generation 2: 100 decisions or more" in done.stdout
