"""Files that may be served, and their versions. Knows nothing of requests."""

import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from midstream.trust import layout

__all__ = ["FOREVER", "NEVER", "Files", "ServedFile", "caching"]

FOREVER = "public, max-age=31536000, immutable, no-transform"
"""For what never changes under its name (RFC 8246)."""
NEVER = "no-cache, no-transform"
"""For what is replaced: a cache asks each time whether it still has the newest."""
_IMMUTABLE = re.compile(r"(?:units/.*|targets/.*|(?:metadata/)?[0-9]+\.[^/]*\.json(?:\.repair)?)")
_CHUNK = 1 << 20
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""This machine's want, and not that of the file."""
_MOST_VERSIONS = 1 << 16

_Signature = tuple[int, int, int]


def caching(path: str) -> str:
    """What Cache-Control says of a file (spec/delivery.md, "What an origin sends")."""
    return FOREVER if _IMMUTABLE.fullmatch(path) else NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFile:
    """A file that is open; `close` it."""

    handle: int
    size: int
    etag: str
    """Strong: the hash of its bytes."""

    def read(self, start: int, stop: int) -> bytes:
        """Bytes [start, stop), or fewer where it has become shorter."""
        return os.pread(self.handle, stop - start, start)

    def read_at_once(self, start: int, stop: int) -> bytes | None:
        """The same where the system has all of it in memory; else None, and no waiting."""
        data = bytearray(stop - start)
        try:
            count = os.preadv(self.handle, [data], start, os.RWF_NOWAIT)
        except OSError:  # it is on the disk, or this file system cannot tell
            return None
        return bytes(data) if count == len(data) else None

    def close(self) -> None:
        """Let it go."""
        os.close(self.handle)


class Files:
    """The files below one folder, and none beside it.

    Args:
        folder: The published folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._etags: dict[str, tuple[_Signature, str]] = {}

    def open(self, path: str) -> ServedFile | None:
        """A file by its path, or None where there is none to be served.

        Folders, hidden files, and links that lead out are not served.

        Raises:
            OSError: EMFILE, ENFILE, ENOMEM where no more files can be opened.
        """
        if not layout.is_path(path):
            return None
        try:
            file = (self._folder / path).resolve()
            if self._folder not in file.parents:
                return None
            handle = _open_below(self._folder, file.relative_to(self._folder).parts)
        except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
            if getattr(error, "errno", None) in _EXHAUSTED:
                raise
            return None
        try:
            return self._served(path, handle)
        except OSError:
            os.close(handle)
            return None

    def _served(self, path: str, handle: int) -> ServedFile:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectoryError
        signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        known, etag = self._etags.get(path, (None, ""))
        if known != signature:
            etag = _etag(handle)
            if len(self._etags) >= _MOST_VERSIONS:
                self._etags.clear()
            self._etags[path] = (signature, etag)
        return ServedFile(handle=handle, size=status.st_size, etag=etag)


def _open_below(folder: Path, parts: tuple[str, ...]) -> int:
    """Open a file, through no link: none that was put there since links were resolved.

    Raises:
        OSError: There is no such file, or a link is on the way.
    """
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        # no waiting, should it be a pipe
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)


def _etag(handle: int) -> str:
    """The hash of a file; a chunk at a time, since it may be larger than memory."""
    digest = hashlib.sha256()
    place = 0
    while chunk := os.pread(handle, _CHUNK, place):
        digest.update(chunk)
        place += len(chunk)
    return f'"{digest.hexdigest()[:32]}"'
