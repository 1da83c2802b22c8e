"""A repository's folder on disk: whole files, one writer. Knows nothing of what is in them."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from midstream.errors import ErrorCode, StoreError, UsageError
from midstream.store.files import NEW_PREFIX, read_file, write_file
from midstream.trust import layout

__all__ = ["RepositoryFolder", "is_repository", "no_repository"]

_METADATA = (layout.PINNED_ROOT, "metadata", "targets")
_OTHERS = {".repair", ".parcel", ".policy"}
"""Files among them that nothing is built on."""
_WRITTEN = ("", "metadata", "targets/*", "units", "bundles", "contributions/*", ".refused")
"""Folders of a repository that files are written into."""


def is_repository(folder: Path) -> bool:
    """Whether a folder has a root that was published."""
    metadata = (f"{layout.METADATA}{file.name}" for file in (folder / layout.METADATA).glob("*"))
    return (folder / layout.PINNED_ROOT).is_file() or any(map(layout.is_root, metadata))


class RepositoryFolder:
    """The published folder, for the publisher.

    Args:
        path: The folder; made where it is missing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        """The folder."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other publishers out, and remove what one that was killed left half-written.

        Nothing is removed from a folder that has no root yet.

        Raises:
            StoreError: The folder cannot be made, or another publisher is at work.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError.of(error, f"{self.path}: cannot be made") from error
        with self._alone(".lock", "another publisher"):
            if is_repository(self.path):
                self._remove_leftovers()
            yield

    @contextmanager
    def merging(self) -> Iterator[None]:
        """Keep out other merges and changes of who may contribute, but no publisher.

        From the look at what counted already to the release that counts more, nobody else may
        count the same.

        Raises:
            UsageError: NOT_FOUND where there is no such folder, or no repository in it.
            StoreError: Another merge is at work.
        """
        self.expect()
        with self._alone(".merge.lock", "another merge"):
            yield

    def expect(self) -> None:
        """Refuse a folder that is no repository, before a lock is made in it.

        Raises:
            UsageError: NOT_FOUND where there is no such folder, or no repository in it.
        """
        if not self.path.is_dir():
            raise UsageError(ErrorCode.NOT_FOUND, f"{self.path}: there is no such folder")
        if not is_repository(self.path):
            raise no_repository(self.path)

    @contextmanager
    def _alone(self, name: str, other: str) -> Iterator[None]:
        """Hold a lock, or say who holds it."""
        lock = self.path / name
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError.of(error, f"{lock}: cannot be opened") from error
        try:
            _take(handle, f"{self.path}: {other} is at work there")
            yield
        finally:
            os.close(handle)

    def _remove_leftovers(self) -> None:
        for folder in _WRITTEN:
            for path in self.path.glob(f"{folder}/{NEW_PREFIX}*".removeprefix("/")):
                with suppress(OSError):
                    path.unlink()

    def metadata(self) -> dict[str, bytes]:
        """Metadata and manifests, by their path in the folder."""
        found: dict[str, bytes] = {}
        for name in _METADATA:
            top = self.path / name
            for file in [top] if top.is_file() else sorted(top.rglob("*")):
                is_signed = file.suffix not in _OTHERS and not file.name.startswith(".")
                if is_signed and file.is_file():
                    found[file.relative_to(self.path).as_posix()] = read_file(file)
        return found

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files in the order given, each one whole."""
        for path, data in files.items():
            write_file(self.path / path, data)


def no_repository(folder: Path) -> UsageError:
    """The error for a folder that is no repository."""
    return UsageError(ErrorCode.NOT_FOUND, f"{folder}: there is no repository in it")


def _take(handle: int, problem: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(ErrorCode.STORE_IO, problem) from None
