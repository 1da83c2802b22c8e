"""Bytes of a unit that is not whole yet, in quarantine. Knows nothing of verified units.

Two files: the bytes at their places, and a journal of which ranges are there. Bytes are
written before the journal speaks of them; a journal entry carries a checksum, and reading
stops at the first that is torn. So a kill at any moment costs at most the last write.
"""

import struct
import zlib
from contextlib import suppress
from pathlib import Path

from midstream.errors import StoreError

__all__ = ["PartialUnit"]

_ENTRY = struct.Struct("<QQI")


class PartialUnit:
    """What has arrived of one unit; nothing of it is verified.

    Args:
        path: The file of its bytes; the journal is beside it.
        size: Bytes of the whole unit.

    Raises:
        StoreError: The files cannot be made or read.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._journal = path.with_suffix(".journal")
        self._size = size
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            self._spans = self._read_journal()
        except OSError as error:
            raise StoreError.of(error, f"{path}: cannot be used") from error

    def received(self) -> list[tuple[int, bytes]]:
        """What an earlier run received: offsets and bytes.

        Raises:
            StoreError: The files cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                found = []
                for start, stop in self._spans:
                    file.seek(start)
                    found.append((start, file.read(stop - start)))
                return found
        except OSError as error:
            raise StoreError.of(error, f"{self._path}: cannot be used") from error

    def write(self, offset: int, data: bytes) -> None:
        """Keep bytes that arrived.

        Raises:
            StoreError: STORE_FULL, STORE_READ_ONLY or STORE_IO.
        """
        try:
            with self._path.open("r+b") as file:
                file.seek(offset)
                file.write(data)
            with self._journal.open("ab") as journal:
                journal.write(_entry(offset, offset + len(data)))
        except OSError as error:
            raise StoreError.of(error, f"{self._path}: cannot be used") from error

    def discard(self) -> None:
        """Forget the unit; what cannot be removed is of no harm."""
        for path in (self._journal, self._path):
            with suppress(OSError, StoreError):
                path.unlink()

    def _read_journal(self) -> list[tuple[int, int]]:
        if not self._journal.exists():
            return []
        data = self._journal.read_bytes()
        there = self._path.stat().st_size
        spans = []
        for place in range(0, len(data) - _ENTRY.size + 1, _ENTRY.size):
            start, stop, check = _ENTRY.unpack_from(data, place)
            if check != _check(start, stop) or not start < stop <= min(self._size, there):
                break
            spans.append((start, stop))
        whole = len(spans) * _ENTRY.size
        if whole < len(data):  # a torn entry would hide those that are written after it
            with self._journal.open("r+b") as journal:
                journal.truncate(whole)
        return spans


def _entry(start: int, stop: int) -> bytes:
    return _ENTRY.pack(start, stop, _check(start, stop))


def _check(start: int, stop: int) -> int:
    return zlib.crc32(struct.pack("<QQ", start, stop))
