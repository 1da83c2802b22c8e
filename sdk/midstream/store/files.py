"""Whole files on disk, and what went wrong with them. Knows nothing of what is in them."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from midstream.errors import StoreError

__all__ = ["NEW_PREFIX", "read_file", "store_error", "write_file"]

NEW_PREFIX = ".new-"
"""How the name of a file begins that is not whole yet."""


def store_error(path: Path, error: OSError) -> StoreError:
    """The error for a failed disk operation."""
    return StoreError.of(error, str(path))


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, sees either none of it or all of it.

    Raises:
        StoreError: STORE_FULL, STORE_READ_ONLY or STORE_IO.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=NEW_PREFIX)
    except OSError as error:
        raise store_error(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise store_error(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Make a new name last: a rename is durable only once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_file(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise store_error(path, error) from error
