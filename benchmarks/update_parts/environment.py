"""The environment that trains and the peers run in. Knows nothing of what is measured."""

import os
import shutil
import subprocess
import venv
from pathlib import Path

__all__ = ["make_environment", "make_tunes", "ready_peer"]

_REQUIREMENTS = (
    "torch==2.13.0",
    "numpy",
    "safetensors",
    "zstandard>=0.23",
    "bsdiff4==1.3.2",
)
_ALONE = ("zipnn==0.5.4",)
"""Installed without what it asks for, which it does not need here."""
_THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def make_environment(folder: Path) -> Path:
    """The Python of an environment with PyTorch and the peers; made where there is none.

    Raises:
        RuntimeError: xdelta3 is not installed; it comes with the system.
    """
    if shutil.which("xdelta3") is None:
        raise RuntimeError("xdelta3 is missing: apt-get install xdelta3, or like it")
    python, ready = folder / "bin" / "python", folder / "peers.txt"
    wanted = "\n".join([*_ALONE, *_REQUIREMENTS])
    if not (ready.exists() and ready.read_text() == wanted):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *_REQUIREMENTS], check=True)
        subprocess.run([*pip, "--no-deps", *_ALONE], check=True)
        ready.write_text(wanted)
    return python


def make_tunes(python: Path, folder: Path, seed: int) -> None:
    """Train and fine-tune the networks into a folder, where they are not there."""
    done = folder / f"seed-{seed}"
    if done.exists():
        return
    script = Path(__file__).with_name("training.py")
    command = [str(python), str(script), str(folder), "--seed", str(seed)]
    subprocess.run(command, check=True, env={**os.environ, **_THREADS})
    done.touch()


def ready_peer(python: Path) -> "subprocess.Popen[str]":
    """The process that answers for the peers."""
    script = Path(__file__).with_name("peers_worker.py")
    return subprocess.Popen(
        [str(python), str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **_THREADS},
    )
