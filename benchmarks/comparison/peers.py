"""The peers' environment and the process in it that answers. Knows nothing of networks."""

import subprocess
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comparison.processes import WorkerWithFolder

__all__ = ["Peers", "make_environment"]

_ALONE = ("nncodec==2.1.3", "zipnn==0.5.4")
"""Installed without what they ask for: torchvision, which they do not need here."""
_REQUIREMENTS = (
    "torch==2.13.0",
    "numpy<2",
    "zstandard>=0.23",
    "brotli>=1.1",
    "safetensors",
    "click",
    "h5py",
    "opencv-python-headless<5",
    "pandas",
    "ptflops",
    "scikit-learn",
    "torchmetrics",
    "tqdm",
)


def make_environment(folder: Path, wheels: Path) -> Path:
    """The Python of an environment with the peers in it; made where there is none.

    Args:
        folder: Where it is, or will be.
        wheels: Folder in which the installer may look too.
    """
    python = folder / "bin" / "python"
    ready = folder / "peers.txt"
    wanted = "\n".join([*_ALONE, *_REQUIREMENTS])
    if not (ready.exists() and ready.read_text() == wanted):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--find-links", str(wheels)]
        subprocess.run([*pip, *_REQUIREMENTS], check=True)
        subprocess.run([*pip, "--no-deps", *_ALONE], check=True)
        ready.write_text(wanted)
    return python


class Peers(WorkerWithFolder):
    """The peers, in a process of their environment."""

    SCRIPT = Path(__file__).with_name("peers_worker.py")

    def nncodec(
        self,
        arrays: Sequence[NDArray[np.generic]],
        *,
        qp: int,
        nonweight_qp: int,
        repeats: int = 1,
    ) -> tuple[dict[str, Any], list[NDArray[np.generic]]]:
        """Code float32 and int32 arrays: size, median seconds, and what the decoder gives."""
        sent, received = self._folder / "arrays.npz", self._folder / "decoded.npz"
        np.savez(sent, **{f"t{at}": array for at, array in enumerate(arrays)})  # type: ignore[arg-type] # its stub takes the names for options
        answer = self._worker.ask(
            "nncodec",
            arrays=str(sent),
            decoded=str(received),
            qp=qp,
            nonweight_qp=nonweight_qp,
            repeats=repeats,
        )
        with np.load(received) as file:
            return answer, [file[f"t{at}"] for at in range(len(arrays))]

    def zipnn(self, data: bytes, options: Mapping[str, Any], *, repeats: int = 1) -> dict[str, Any]:
        """Code bytes: size, whether they came back, seconds of each decode."""
        return self._worker.ask("zipnn", file=self._file(data), options=options, repeats=repeats)

    def general(self, data: bytes, method: str) -> dict[str, Any]:
        """Code bytes with `zstd`, `xz` or `brotli`: size, whether they came back."""
        return self._worker.ask("general", file=self._file(data), method=method)

    def read_checkpoint(self, data: bytes) -> dict[str, NDArray[np.generic]]:
        """A checkpoint of PyTorch as arrays by name."""
        arrays = self._folder / "checkpoint.npz"
        self._worker.ask("checkpoint", file=self._file(data), arrays=str(arrays))
        with np.load(arrays) as file:
            return {name: file[name] for name in file.files}

    def _file(self, data: bytes) -> str:
        path = self._folder / "data"
        path.write_bytes(data)
        return str(path)
