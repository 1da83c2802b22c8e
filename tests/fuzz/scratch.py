"""A folder in memory, where the system has one, for targets that read files."""

import atexit
import tempfile
from pathlib import Path

__all__ = ["folder"]

_MEMORY = Path("/dev/shm")


def folder() -> Path:
    """A new one, gone when the process ends."""
    made = tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)
    atexit.register(made.cleanup)
    return Path(made.name)
