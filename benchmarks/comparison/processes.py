"""Processes that answer a JSON line with a JSON line. Knows nothing of what they do."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

__all__ = ["ONE_THREAD", "Worker", "WorkerWithFolder"]

_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "RAYON")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _THREADS}
"""What holds every library to one thread."""


class Worker:
    """A process that answers.

    Args:
        process: Started by `running`.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @classmethod
    @contextmanager
    def running(
        cls, python: str, script: Path, environment: Mapping[str, str] | None = None
    ) -> Iterator["Worker"]:
        """Start a script of this folder, one thread, and end it."""
        with subprocess.Popen(
            [python, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD, **(environment or {})},
        ) as process:
            try:
                yield cls(process)
            finally:
                assert process.stdin is not None, "it is a pipe"
                process.stdin.close()

    def ask(self, op: str, **request: Any) -> dict[str, Any]:
        """Its answer to a request.

        Raises:
            RuntimeError: It ended; what it said is on standard error.
        """
        process = self._process
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        process.stdin.write(json.dumps({"op": op, **request}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended at {op}; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


class WorkerWithFolder:
    """What a process answers for that takes files and gives files.

    Args:
        worker: The process.
        folder: For files that go to it and come from it.
    """

    SCRIPT: ClassVar[Path]
    """What it runs, in an environment of its own."""

    def __init__(self, worker: Worker, folder: Path) -> None:
        self._worker = worker
        self._folder = folder

    @classmethod
    @contextmanager
    def running(cls, python: Path) -> Iterator[Self]:
        """Start it, and end it."""
        with (
            tempfile.TemporaryDirectory() as folder,
            Worker.running(str(python), cls.SCRIPT) as worker,
        ):
            yield cls(worker, Path(folder))
