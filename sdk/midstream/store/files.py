"""Whole files on disk, and what went wrong with them. Knows nothing of what is in them."""

import mmap
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from midstream.errors import ErrorCode, LimitError, StoreError, UsageError

__all__ = [
    "NEW_PREFIX",
    "advised",
    "map_given",
    "new_file",
    "read_file",
    "read_given",
    "store_error",
    "unit_error",
    "write_all",
    "write_file",
]

NEW_PREFIX = ".new-"
"""How the name of a file begins that is not whole yet."""


def store_error(path: Path, error: OSError) -> StoreError:
    """The error for a failed disk operation."""
    return StoreError.of(error, str(path))


def unit_error(path: Path, error: OSError) -> StoreError:
    """The same for a store's own files, which a user need not be afraid for."""
    return advised(store_error(path, error))


def advised(error: StoreError) -> StoreError:
    """The same error of a store's own file, with what to do where the system does not say it."""
    if error.code is not ErrorCode.STORE_IO:
        return error
    advice = "if it stays so, delete the store: what it held is fetched again"
    return StoreError(error.code, f"{error.message}; {advice}")


def write_file(path: Path, data: bytes | memoryview, *, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, sees either none of it or all of it.

    Raises:
        StoreError: STORE_FULL, STORE_READ_ONLY or STORE_IO.
    """
    with _replacing(path, mode) as handle:
        write_all(handle, data)


def write_all(handle: int, data: bytes | memoryview, *, at: int = 0) -> None:
    """Write bytes at a place of an open file: all of them, or an OSError says why not."""
    left = memoryview(data)
    while left:  # a disk that fills up takes a part first
        written = os.pwrite(handle, left, at)
        left, at = left[written:], at + written


@contextmanager
def new_file(
    path: Path,
    size: int,
    *,
    mode: int = 0o644,
    settle: Callable[[memoryview], int] = len,
) -> Iterator[memoryview]:
    """Make a file in place, mapped into memory: none of it or all of it, as `write_file` does.

    Args:
        path: The file; one that is there is replaced when the block ends without an error.
        size: Its bytes, zero at first.
        mode: Its permissions.
        settle: Called when the block has ended without an error, before the file is seen;
            says how many bytes of it to keep.

    Raises:
        StoreError: STORE_FULL, STORE_READ_ONLY or STORE_IO.
    """
    with _replacing(path, mode) as handle:
        if not size:  # nothing cannot be mapped
            yield memoryview(bytearray())
            return
        os.posix_fallocate(handle, 0, size)  # a full disk is no signal later
        mapped = mmap.mmap(handle, size)  # unmapped when no view of it is left
        yield memoryview(mapped)
        kept = settle(memoryview(mapped))
        mapped.flush()
        os.ftruncate(handle, kept)


@contextmanager
def _replacing(path: Path, mode: int) -> Iterator[int]:
    """A new file's handle; durably in its place when the block ends without an error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=NEW_PREFIX)
    except OSError as error:
        raise store_error(path, error) from error
    temporary = Path(name)
    try:
        try:
            yield handle
            os.fchmod(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise store_error(path, error) from error
        raise


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


def read_given(path: Path, *, limit: int) -> bytes:
    """The bytes of a file that a user named.

    Raises:
        UsageError: There is no such file, or it cannot be read.
        LimitError: It has more than `limit` bytes.
    """
    with _opened(path, limit) as (file, size):
        return file.read(size)


def map_given(path: Path, *, limit: int) -> memoryview:
    """A file that a user named, mapped into memory; raises as `read_given` does."""
    with _opened(path, limit) as (file, size):
        # nothing cannot be mapped
        return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b"")


@contextmanager
def _opened(path: Path, limit: int) -> Iterator[tuple[BinaryIO, int]]:
    """A file that a user named, and its size."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a device may have no end
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: it is not a regular file")
        if status.st_size > limit:
            raise LimitError(
                ErrorCode.OVER_LIMIT, f"{path}: {status.st_size} bytes, at most {limit}"
            )
        with path.open("rb") as file:
            yield file, status.st_size
    except OSError as error:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: {error.strerror or error}") from error
