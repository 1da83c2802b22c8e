"""A repository's folder on disk: whole files, one writer. Knows nothing of what is in them."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from midstream.errors import ErrorCode, StoreError
from midstream.store.files import NEW_PREFIX, read_file, write_file

__all__ = ["RepositoryFolder"]

_METADATA = ("1.root.json", "metadata", "targets")


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
            raise StoreError.of(error, f"{lock}: cannot be opened") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._remove_leftovers()
            yield
        except BlockingIOError:
            raise StoreError(
                ErrorCode.STORE_IO, f"{self.path}: another publisher is at work there"
            ) from None
        finally:
            os.close(handle)

    def _remove_leftovers(self) -> None:
        """Half-written files of a publisher that was killed."""
        for path in self.path.rglob(NEW_PREFIX + "*"):
            with suppress(OSError):
                path.unlink()

    def metadata(self) -> dict[str, bytes]:
        """All signed files, by their path in the folder."""
        found: dict[str, bytes] = {}
        for name in _METADATA:
            top = self.path / name
            for file in [top] if top.is_file() else sorted(top.rglob("*")):
                if file.is_file() and file.suffix != ".repair" and not file.name.startswith("."):
                    found[file.relative_to(self.path).as_posix()] = read_file(file)
        return found

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files in the order given, each one whole."""
        for path, data in files.items():
            write_file(self.path / path, data)
