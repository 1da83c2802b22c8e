"""Verified units in a folder, safe against crashes, bounded. Knows nothing of how they came.

Layout: `units/ID` whole and verified, `partial/ID` and `partial/ID.journal` on their way,
`metadata/` for trusted metadata, `.lock` held while the store is open. A unit is checked
again whenever it is read, so what rots on the disk is never served.
"""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import platformdirs

from midstream.errors import ErrorCode, StoreError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.store.files import NEW_PREFIX, store_error, write_file
from midstream.store.memory import MemoryPartial
from midstream.store.partial import JOURNAL, PartialUnit

__all__ = ["DEFAULT_SIZE_LIMIT", "Store", "default_folder"]

DEFAULT_SIZE_LIMIT = 256 << 20
"""Bytes of units that a store keeps."""
_ID = re.compile(r"[0-9a-f]{32}")
_UNITS, _PARTIAL, _METADATA = "units", "partial", "metadata"


def default_folder() -> Path:
    """Where a user's store is by default."""
    return Path(platformdirs.user_cache_dir("midstream", appauthor=False))


class _File(NamedTuple):
    used: float
    """When it was last used."""
    size: int
    path: Path

    @property
    def unit_id(self) -> str:
        """The unit that it belongs to."""
        return self.path.name.removesuffix(JOURNAL)


class Store:
    """Verified units on disk; a context manager, open in one process at a time.

    Args:
        folder: Where; made where it is missing.
        size_limit: Bytes of units, whole and partial, that it keeps. What was not used for
            the longest goes first, units that are in use never.
        limits: Bounds on what is read; `unit_size` is the one used here.

    Raises:
        StoreError: The folder cannot be made or written, or another process has it open.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        size_limit: int = DEFAULT_SIZE_LIMIT,
        limits: Limits = LIMITS,
    ) -> None:
        self._folder = Path(folder)
        self._size_limit = size_limit
        self._limits = limits
        self._kept: frozenset[str] = frozenset()
        try:
            for name in (_UNITS, _PARTIAL, _METADATA):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise store_error(self._folder, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise _lock_error(self._folder, error) from error
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
        return self._folder / _METADATA

    @property
    def size(self) -> int:
        """Bytes of all units, whole and partial."""
        return sum(file.size for file in self._files())

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
            StoreError: It is here but cannot be read, or has changed and cannot be removed.
        """
        path = self._path(_UNITS, unit_id)
        try:
            data = self._read(path)
            if data is None or not verify(data):
                path.unlink(missing_ok=True)
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_error(path, error) from error
        with suppress(OSError):  # the time of last use; a read-only store has none
            os.utime(path)
        return data

    def commit(self, unit_id: str, data: bytes) -> None:
        """Keep a verified unit; what was partial of it goes.

        Raises:
            StoreError: It cannot be written, or STORE_FULL where units that are in use leave
                no room for it; the units that were there still are.
        """
        path = self._path(_UNITS, unit_id)
        has_room = self._make_room(len(data), unit_id)
        if has_room:
            write_file(path, data)
        for suffix in (JOURNAL, ""):
            with suppress(OSError):
                self._path(_PARTIAL, unit_id, suffix).unlink()
        if not has_room:
            raise StoreError(
                ErrorCode.STORE_FULL,
                f"{path}: {len(data)} bytes do not fit beside the units in use, "
                f"at most {self._size_limit} in all",
            )

    def partial(self, unit_id: str, size: int) -> PartialUnit | MemoryPartial:
        """A unit on its way in; one that would not fit is not kept.

        Args:
            unit_id: What the manifest calls it.
            size: Bytes of the whole unit.

        Raises:
            StoreError: Its files cannot be made or read.
        """
        path = self._path(_PARTIAL, unit_id)
        if not self._make_room(size, unit_id):
            return MemoryPartial(size)
        return PartialUnit(path, size)

    def keep(self, unit_ids: frozenset[str]) -> None:
        """Say which units are in use; the others may be evicted."""
        self._kept = unit_ids

    def _path(self, kind: str, unit_id: str, suffix: str = "") -> Path:
        if not _ID.fullmatch(unit_id):
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{unit_id[:80]!r} is no unit's id")
        return self._folder / kind / (unit_id + suffix)

    def _read(self, path: Path) -> bytes | None:
        """A file's bytes; None where they are more than any unit has."""
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > self._limits.unit_size:
                return None
            return file.read()

    def _files(self) -> Iterator[_File]:
        """Every file that counts."""
        try:
            for kind in (_UNITS, _PARTIAL):
                for path in (self._folder / kind).iterdir():
                    with suppress(FileNotFoundError):
                        status = path.stat()
                        yield _File(status.st_mtime, status.st_size, path)
        except OSError as error:
            raise store_error(self._folder, error) from error

    def _make_room(self, size: int, unit_id: str) -> bool:
        """Evict what was not used for the longest, until so many bytes of a unit fit."""
        # what is there of the unit itself will be part of those bytes
        files = sorted(file for file in self._files() if file.unit_id != unit_id)
        total = size + sum(file.size for file in files)
        evictable = [file for file in files if self._is_evictable(file)]
        if total - sum(file.size for file in evictable) > self._size_limit:
            return False
        failure: tuple[Path, OSError] | None = None
        for file in evictable:
            if total <= self._size_limit:
                return True
            try:
                file.path.unlink(missing_ok=True)
                total -= file.size
            except OSError as error:
                failure = failure or (file.path, error)
        if total > self._size_limit and failure is not None:
            raise store_error(*failure) from failure[1]
        return total <= self._size_limit

    def _is_evictable(self, file: _File) -> bool:
        """Whether nobody needs it: its unit is not in use, or is here whole besides."""
        whole = self._folder / _UNITS / file.unit_id
        return file.unit_id not in self._kept or (file.path != whole and whole.exists())

    def _remove_leftovers(self) -> None:
        """What a process left that was killed: half-written files, parts of whole units."""
        units, partial = self._folder / _UNITS, self._folder / _PARTIAL
        half = [*units.glob(NEW_PREFIX + "*"), *partial.glob(NEW_PREFIX + "*")]
        parts = [p for p in partial.glob("*") if (units / p.name.removesuffix(JOURNAL)).exists()]
        for path in half + parts:
            with suppress(OSError):
                path.unlink()


def _lock_error(folder: Path, error: OSError) -> StoreError:
    if isinstance(error, BlockingIOError):
        return StoreError(ErrorCode.STORE_IO, f"{folder}: another process has this store open")
    return store_error(folder, error)
