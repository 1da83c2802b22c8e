"""A repository's folder on disk: whole files, one writer. Knows nothing of what is in them."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from midstream.errors import ErrorCode, StoreError

__all__ = ["RepositoryFolder", "write_file"]

_METADATA = ("1.root.json", "metadata", "targets")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees either none of it or all of it.

    Raises:
        StoreError: STORE_FULL, STORE_READ_ONLY or STORE_IO.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    except OSError as error:
        raise store_error(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(temporary).unlink()
        raise store_error(path, error) from error


def store_error(path: Path, error: OSError) -> StoreError:
    """The error for a failed disk operation."""
    if error.errno in _FULL:
        return StoreError(ErrorCode.STORE_FULL, f"{path}: the disk is full")
    if error.errno in _READ_ONLY:
        return StoreError(ErrorCode.STORE_READ_ONLY, f"{path}: may not be written")
    return StoreError(ErrorCode.STORE_IO, f"{path}: {error.strerror or error}")


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
        """Keep other publishers out.

        Raises:
            StoreError: The folder cannot be made, or another publisher is at work.
        """
        lock = self.path / ".lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise store_error(lock, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise StoreError(
                ErrorCode.STORE_IO, f"{self.path}: another publisher is at work there"
            ) from None
        finally:
            os.close(handle)

    def metadata(self) -> dict[str, bytes]:
        """All signed files, by their path in the folder."""
        found: dict[str, bytes] = {}
        for name in _METADATA:
            top = self.path / name
            for file in [top] if top.is_file() else sorted(top.rglob("*")):
                if file.is_file() and file.suffix != ".repair" and not file.name.startswith("."):
                    found[file.relative_to(self.path).as_posix()] = self.read(file)
        return found

    def read(self, file: Path) -> bytes:
        """A file of the folder; raises StoreError where it cannot be read."""
        try:
            return file.read_bytes()
        except OSError as error:
            raise store_error(file, error) from error

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files in the order given, each one whole."""
        for path, data in files.items():
            write_file(self.path / path, data)
