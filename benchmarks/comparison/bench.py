"""What all measurements share: peers, our own processes, the runtime, results that are kept."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.peers import Peers
from comparison.processes import Worker
from midstream.runtime.backend import Backend

__all__ = ["Bench", "Kept"]


class Kept:
    """Peers' results in a folder: they are the same in the next run.

    Args:
        folder: Where; made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def get(self, make: Callable[[], dict[str, Any]], *key: object) -> dict[str, Any]:
        """The result kept under a key, or made and kept; `bytes` in a key are hashed."""
        parts = [
            hashlib.sha256(part).hexdigest() if isinstance(part, bytes) else repr(part)
            for part in key
        ]
        path = self._folder / f"{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:32]}.json"
        if not path.exists():
            path.write_text(json.dumps(make()))
        result: dict[str, Any] = json.loads(path.read_text())
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a measurement may use."""

    peers: Peers
    """NNCodec, ZipNN and the general compressors."""
    ours: Worker
    """Our codec with the kernels that are installed."""
    twin: Worker
    """Our codec with the NumPy kernels."""
    kept: Kept
    """Peers' results."""
    backend: Backend
    """The runtime that outputs are measured with."""
    folder: Path
    """For files."""
    repeats: int
    """Of each call that is timed."""

    @classmethod
    @contextmanager
    def open(cls, peers: Path, folder: Path, backend: Backend, repeats: int) -> Iterator["Bench"]:
        """Start all processes, and end them.

        Args:
            peers: Python of the peers' environment.
            folder: For results that are kept and files.
            backend: The runtime.
            repeats: Of each call that is timed.
        """
        script = Path(__file__).with_name("worker.py")
        files = folder / "files"
        files.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            start = stack.enter_context
            numpy = {"MIDSTREAM_KERNELS": "numpy"}
            yield cls(
                peers=start(Peers.running(peers)),
                ours=start(Worker.running(sys.executable, script)),
                twin=start(Worker.running(sys.executable, script, numpy)),
                kept=Kept(folder / "peers-results"),
                backend=backend,
                folder=files,
                repeats=repeats,
            )
