"""Verified units in a folder, safe against crashes, bounded. Knows nothing of how they came.

Layout: `units/ID` whole and verified, `partial/ID` and `partial/ID.journal` on their way,
`metadata/` for trusted metadata, `refused.jsonl` for what clients refused. A unit is checked
again whenever it is read, so what rots on the disk is never served. Processes share it: `.lock`
is held by the one that changes units, a file in `users/` says what each uses, and what is
partial belongs to the one that locked it.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import platformdirs

from midstream.errors import ErrorCode, StoreError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.store.files import NEW_PREFIX, advised, unit_error, write_file
from midstream.store.memory import MemoryPartial
from midstream.store.partial import JOURNAL, PartialUnit
from midstream.store.refusals import FILE, RefusalLog
from midstream.store.sharing import Lease, Lock, taken, used

__all__ = ["DEFAULT_SIZE_LIMIT", "Store", "default_folder"]

DEFAULT_SIZE_LIMIT = 256 << 20
"""Bytes of units that a store keeps."""
_ID = re.compile(r"[0-9a-f]{32}")
_UNITS, _PARTIAL, _METADATA, _USERS = "units", "partial", "metadata", "users"


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
    """Verified units on disk; a context manager, open in as many processes as one likes.

    Args:
        folder: Where; made where it is missing.
        size_limit: Bytes of units, whole and partial, that it keeps. What was not used for
            the longest goes first, units that any process has in use never.
        limits: Bounds on what is read; `unit_size` is the one used here.

    Raises:
        StoreError: The folder cannot be made or written.
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
        self._claims: dict[str, Lock] = {}
        if self._folder.exists() and not self._folder.is_dir():
            raise StoreError(ErrorCode.STORE_IO, f"{self._folder}: it is no folder")
        try:
            for name in (_UNITS, _PARTIAL, _METADATA, _USERS):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unit_error(_place(error, self._folder), error) from error
        with self._turn():
            self._remove_leftovers(is_alone=not used(self._folder / _USERS))
            self._lease = Lease(self._folder / _USERS)

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
    def metadata_lock(self) -> Lock:
        """For the one process that changes trusted metadata."""
        return Lock(self._folder / ".metadata-lock")

    @property
    def refusals(self) -> RefusalLog:
        """What clients refused."""
        return RefusalLog(self._folder / FILE)

    @property
    def size(self) -> int:
        """Bytes of all units, whole and partial."""
        return sum(file.size for file in self._files())

    def close(self) -> None:
        """Use nothing of it any more; calling it again does nothing."""
        for unit_id in list(self._claims):
            self._claims.pop(unit_id).free()
        self._lease.close()

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
            with path.open("rb") as file:
                data = self._read(file)
                if data is not None and verify(data):
                    with suppress(OSError):  # the time of last use; a read-only store has none
                        os.utime(path)
                    return data
                self._drop(path, file)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise unit_error(path, error) from error
        return None

    def has(self, unit_id: str) -> bool:
        """Whether a whole unit is here, looked at by nobody yet."""
        return self._path(_UNITS, unit_id).is_file()

    def commit(self, unit_id: str, data: bytes) -> None:
        """Keep a verified unit; what was partial of it goes.

        Raises:
            StoreError: It cannot be written, or STORE_FULL where units that are in use leave
                no room for it; the units that were there still are.
        """
        path = self._path(_UNITS, unit_id)
        with self._turn():
            has_room = self._make_room(len(data), unit_id)
            if has_room and not _holds(path, data):
                _write(path, data)
            self._remove_partial(unit_id)
        self._let_go(unit_id)
        if not has_room:
            raise StoreError(
                ErrorCode.STORE_FULL,
                f"{path}: {len(data)} bytes do not fit beside the units in use, "
                f"at most {self._size_limit} in all",
            )

    def partial(self, unit_id: str, size: int) -> PartialUnit | MemoryPartial:
        """A unit on its way in; one that would not fit, or that another is keeping, is not kept.

        Args:
            unit_id: What the manifest calls it.
            size: Bytes of the whole unit.

        Raises:
            StoreError: Its files cannot be made or read.
        """
        path = self._path(_PARTIAL, unit_id)
        self._let_go(unit_id)
        with self._turn():
            if not self._make_room(size, unit_id) or not self._claim(unit_id, path):
                return MemoryPartial(size)
            return PartialUnit(path, size)

    def forget(self, unit_id: str) -> None:
        """Let what is partial of a unit go; what cannot be removed is of no harm."""
        with self._turn():
            self._remove_partial(unit_id)
        self._let_go(unit_id)

    def keep(self, unit_ids: frozenset[str]) -> None:
        """Say which units are in use; the others may be evicted.

        Raises:
            StoreError: It cannot be written down; then nothing of the store is evicted, by
                nobody, until it can or this store is closed.
        """
        try:
            self._lease.hide()  # whatever comes in between, nobody evicts
        except OSError as error:
            raise unit_error(self._folder / _USERS, error) from error
        with self._turn():
            self._lease.tell(unit_ids)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """No other thread or process changes units meanwhile."""
        try:
            with taken(self._folder / ".lock"):
                yield
        except OSError as error:
            raise unit_error(_place(error, self._folder), error) from error

    def _remove_partial(self, unit_id: str) -> None:
        for suffix in (JOURNAL, ""):  # bytes that no journal speaks of are none
            with suppress(OSError):
                self._path(_PARTIAL, unit_id, suffix).unlink()

    def _claim(self, unit_id: str, path: Path) -> bool:
        """Make what is partial of a unit this store's own; say whether it is."""
        lock = Lock(path)
        if not lock.take():
            return False
        self._claims[unit_id] = lock
        return True

    def _let_go(self, unit_id: str) -> None:
        if (lock := self._claims.pop(unit_id, None)) is not None:
            lock.free()

    def _path(self, kind: str, unit_id: str, suffix: str = "") -> Path:
        if not _ID.fullmatch(unit_id):
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{unit_id[:80]!r} is no unit's id")
        return self._folder / kind / (unit_id + suffix)

    def _read(self, file: BinaryIO) -> bytes | None:
        """A file's bytes; None where they are more than any unit has."""
        if os.fstat(file.fileno()).st_size > self._limits.unit_size:
            return None
        return file.read()

    def _drop(self, path: Path, file: BinaryIO) -> None:
        """Remove a unit that has changed, unless somebody has put a whole one in its place."""
        with self._turn():
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                path.unlink()

    def _files(self) -> Iterator[_File]:
        """Every file that counts."""
        try:
            for kind in (_UNITS, _PARTIAL):
                for path in (self._folder / kind).iterdir():
                    with suppress(FileNotFoundError):
                        status = path.stat()
                        yield _File(status.st_mtime, status.st_size, path)
        except OSError as error:
            raise unit_error(self._folder, error) from error

    def _make_room(self, size: int, unit_id: str) -> bool:
        """Evict what was not used for the longest, until so many bytes of a unit fit."""
        # what is there of the unit itself will be part of those bytes
        uses = used(self._folder / _USERS)
        files = sorted(file for file in self._files() if file.unit_id != unit_id)
        total = size + sum(file.size for file in files)
        evictable = [file for file in files if self._is_evictable(file, uses)]
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
            raise unit_error(*failure) from failure[1]
        return total <= self._size_limit

    def _is_evictable(self, file: _File, uses: list[frozenset[str] | None]) -> bool:
        """Whether nobody needs it: its unit is not in use, or is here whole besides."""
        whole = self._folder / _UNITS / file.unit_id
        if file.path != whole and whole.exists():
            return True
        return not any(use is None or file.unit_id in use for use in uses)

    def _remove_leftovers(self, *, is_alone: bool) -> None:
        """What a process left that was killed: half-written files, parts of whole units."""
        units, partial = self._folder / _UNITS, self._folder / _PARTIAL
        found = list(units.glob(NEW_PREFIX + "*"))  # of a living one, in its turn alone
        if is_alone:
            found += self._folder.glob(NEW_PREFIX + "*")
            found += partial.glob(NEW_PREFIX + "*")
            found += [p for p in partial.glob("*") if _unit_of(p, units).exists()]
        for path in found:
            with suppress(OSError):
                path.unlink()


def _unit_of(part: Path, units: Path) -> Path:
    return units / part.name.removesuffix(JOURNAL)


def _place(error: OSError, folder: Path) -> Path:
    """Where it happened, as near as the system says."""
    return Path(error.filename) if isinstance(error.filename, str | Path) else folder


def _write(path: Path, data: bytes) -> None:
    try:
        write_file(path, data)
    except StoreError as error:
        raise advised(error) from error.__cause__


def _holds(path: Path, data: bytes) -> bool:
    """Whether another process has put the same bytes there already."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False
