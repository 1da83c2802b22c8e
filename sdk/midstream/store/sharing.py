"""How processes share a folder: one changes it at a time, and each says what it uses.

Knows nothing of units' files. All of it rests on `flock`, which the system lets go of when a
process ends in whatever way: there is nothing to clean up after a kill.
"""

import fcntl
import os
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from midstream.errors import ErrorCode, StoreError
from midstream.store.files import write_all

__all__ = ["Lease", "Lock", "taken", "used"]

_WAIT = 10.0
"""Seconds that a turn is waited for: changes take milliseconds, a stopped process forever."""
_PAUSE = 0.004
_MOST = 1 << 24
"""Bytes of a lease that are read."""


class Lock:
    """A lock file that one at a time holds, among all threads of all processes.

    Args:
        path: The file; made where it is missing, never removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        """The file."""
        self._handle = -1

    def take(self) -> bool:
        """Take it; say whether it was free.

        Raises:
            OSError: The file cannot be made, or its disk knows no locks.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _is_free(handle):
                self._handle, handle = handle, -1
        finally:
            if handle >= 0:
                os.close(handle)
        return self._handle >= 0

    def free(self) -> None:
        """Let others have it; calling it again does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


@contextmanager
def taken(path: Path, *, wait: float = _WAIT) -> Iterator[None]:
    """Hold a lock file, in turn with others.

    Raises:
        OSError: The file cannot be made, or its disk knows no locks.
        StoreError: STORE_BUSY, its turn did not come in time.
    """
    lock = Lock(path)
    due = time.monotonic() + wait
    while not lock.take():
        if time.monotonic() > due:
            raise StoreError(
                ErrorCode.STORE_BUSY,
                f"{path}: another process has held it for {wait:g} s; "
                "end that process, or name another folder",
            )
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        lock.free()


def _is_free(handle: int) -> bool:
    """Take the lock of an open file, where nobody else has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Lease:
    """What one open store uses: lines in a file that it holds locked as long as it lives.

    Made while the folder's lock is held, or another process may take it for a dead one's.

    Args:
        folder: Where all leases are.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._handle, name = tempfile.mkstemp(dir=folder, prefix="")
        self._path = Path(name)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.tell(())
        except BaseException:  # interrupts too: a file left here would be taken for a lease
            self.close()
            raise

    def hide(self) -> None:
        """Say nothing: others take all there is to be in use."""
        os.ftruncate(self._handle, 0)

    def tell(self, ids: Iterable[str]) -> None:
        """Say what is in use.

        Raises:
            OSError: It cannot be written; others take all there is to be in use.
        """
        self.hide()
        write_all(self._handle, _encode(ids))

    def close(self) -> None:
        """Use nothing; calling it again does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            try:
                self._path.unlink(missing_ok=True)
            except OSError:
                pass  # whoever comes next sees that it is a dead one's
            finally:
                os.close(handle)


def used(folder: Path) -> list[frozenset[str] | None]:
    """What each open store uses; None for one that does not say, which may be anything.

    Those of dead processes are removed. The folder's lock is held meanwhile.

    Raises:
        OSError: They cannot be read.
    """
    found: list[frozenset[str] | None] = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError), path.open("rb") as file:  # one may be closed just now
            if _is_free(file.fileno()):
                path.unlink()
            else:
                found.append(_decode(file.read(_MOST)))
    return found


def _encode(ids: Iterable[str]) -> bytes:
    lines = "".join(f"{unit_id}\n" for unit_id in sorted(ids)).encode()
    return lines + b"%08x\n" % zlib.crc32(lines)


def _decode(data: bytes) -> frozenset[str] | None:
    """None where it is not whole."""
    *ids, _ = data.decode("ascii", "replace").splitlines() or [""]
    return frozenset(ids) if _encode(ids) == data else None
