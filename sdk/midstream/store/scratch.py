"""Folders for one run, in memory where the system has files there. Knows not what is in them.

What goes with the process anyway need not wait for a disk. A process that is killed leaves its
folder behind, and memory with it, so each holds its own locked, and the next process removes
those that nobody holds.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from midstream.errors import StoreError

__all__ = ["MEMORY", "scratch_folder"]

MEMORY = Path("/dev/shm")  # noqa: S108 - names in it are made by mkdtemp, for their owner alone
"""Where Linux keeps files in memory."""
_PREFIX = "midstream-run-"


@contextmanager
def scratch_folder(*, away_from: Path | None = None) -> Iterator[Path]:
    """A folder that is gone in the end.

    Args:
        away_from: A folder that turned out to be full; this one is elsewhere, if it can be.

    Raises:
        StoreError: None can be made.
    """
    try:
        folder, handle = _make(away_from)
    except OSError as error:
        raise StoreError.of(error, "no temporary folder can be made") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _make(away_from: Path | None) -> tuple[Path, int]:
    """The folder, and what holds it."""
    if away_from is None or MEMORY not in away_from.parents:
        with suppress(OSError):  # there is no such place, or it is full: then on a disk
            _sweep(MEMORY)
            return _hold(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=MEMORY)))
    return _hold(Path(tempfile.mkdtemp(prefix=_PREFIX)))


def _hold(folder: Path) -> tuple[Path, int]:
    """Lock a folder.

    Raises:
        OSError: Another process has taken it for a dead one's.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.stat()  # it may have been removed before it was locked
    except OSError:
        os.close(handle)
        raise
    return folder, handle


@cache
def _sweep(place: Path) -> None:
    """Remove, once a process, what killed ones have left."""
    for left in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # held, another user's, or gone
            folder, handle = _hold(left)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)
