"""Verified units in a folder, safe against crashes, bounded. Knows nothing of how they came.

Layout: `units/ID` whole and verified, `partial/ID` and `partial/ID.journal` on their way,
`metadata/` for trusted metadata, `.lock` held while the store is open. A unit is checked
again whenever it is read, so what rots on the disk is never served.
"""

import fcntl
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from midstream.errors import ErrorCode, StoreError, UsageError
from midstream.store.files import read_file, write_file
from midstream.store.partial import PartialUnit

__all__ = ["DEFAULT_SIZE_LIMIT", "Store", "default_folder"]

DEFAULT_SIZE_LIMIT = 256 << 20
"""Bytes of units that a store keeps."""
_ID = re.compile(r"[0-9a-f]{32}")


def default_folder() -> Path:
    """Where a user's store is by default."""
    return Path(platformdirs.user_cache_dir("midstream", appauthor=False))


class Store:
    """Verified units on disk; a context manager, open in one process at a time.

    Args:
        folder: Where; made where it is missing.
        size_limit: Bytes of units, whole and partial, that it keeps. What was not used for
            the longest goes first, units that are in use never.

    Raises:
        StoreError: The folder cannot be made or written, or another process has it open.
    """

    def __init__(self, folder: Path, *, size_limit: int = DEFAULT_SIZE_LIMIT) -> None:
        self._folder = Path(folder)
        self._size_limit = size_limit
        self._kept: frozenset[str] = frozenset()
        try:
            for name in ("units", "partial", "metadata"):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError.of(error, f"{self._folder}: cannot be opened") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise StoreError(
                ErrorCode.STORE_IO, f"{self._folder}: another process has this store open"
            ) from None
        self._remove_leftovers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def metadata_dir(self) -> Path:
        """Folder for trusted metadata."""
        return self._folder / "metadata"

    @property
    def size(self) -> int:
        """Bytes of all units, whole and partial."""
        return sum(size for size, _, _ in self._files())

    def close(self) -> None:
        """Let another process open it; calling it again does nothing."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def unit(self, unit_id: str, verify: Callable[[bytes], bool]) -> bytes | None:
        """A whole unit.

        Args:
            unit_id: What the manifest calls it.
            verify: Whether bytes are what was signed; those that are not are dropped.

        Returns:
            Its bytes, or None where it is not here.

        Raises:
            StoreError: It is here but cannot be read.
        """
        path = self._path("units", unit_id)
        if not path.exists():
            return None
        data = read_file(path)
        if not verify(data):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):  # the time of last use; a read-only store has none
            os.utime(path)
        return data

    def commit(self, unit_id: str, data: bytes) -> None:
        """Keep a verified unit; what was partial of it goes.

        Raises:
            StoreError: It cannot be written; the store is as it was.
        """
        self._make_room(len(data))
        write_file(self._path("units", unit_id), data)
        for suffix in ("", ".journal"):
            with suppress(OSError):
                (self._folder / "partial" / (unit_id + suffix)).unlink()

    def partial(self, unit_id: str, size: int) -> PartialUnit:
        """A unit on its way in.

        Args:
            unit_id: What the manifest calls it.
            size: Bytes of the whole unit.

        Raises:
            StoreError: Its files cannot be made or read.
        """
        return PartialUnit(self._path("partial", unit_id), size)

    def keep(self, unit_ids: frozenset[str]) -> None:
        """Say which units are in use; the others may be evicted."""
        self._kept = unit_ids

    def _path(self, kind: str, unit_id: str) -> Path:
        if not _ID.fullmatch(unit_id):
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{unit_id[:80]!r} is no unit's id")
        return self._folder / kind / unit_id

    def _files(self) -> list[tuple[int, float, Path]]:
        """Size, time of last use and path of every file that counts."""
        found = []
        for kind in ("units", "partial"):
            for path in (self._folder / kind).iterdir():
                with suppress(FileNotFoundError):
                    status = path.stat()
                    found.append((status.st_size, status.st_mtime, path))
        return found

    def _make_room(self, size: int) -> None:
        """Evict what was not used for the longest."""
        files = sorted(self._files(), key=lambda found: found[1])
        total = sum(found[0] for found in files) + size
        for found_size, _, path in files:
            if total <= self._size_limit:
                return
            if path.name.split(".")[0] not in self._kept:
                with suppress(OSError):
                    path.unlink()
                    total -= found_size

    def _remove_leftovers(self) -> None:
        """Half-written files of a process that was killed."""
        for path in (self._folder / "units").glob(".new-*"):
            with suppress(OSError):
                path.unlink()
