"""Bytes of a unit that is not whole yet, in quarantine. Knows nothing of verified units.

Two files: the bytes at their places, and a journal of which ranges are there. Bytes are
written before the journal speaks of them; a journal entry carries a checksum, and reading
stops at the first that is torn. So a kill at any moment costs at most the last write.
Whoever resumes checks the bytes again: a power failure may keep an entry and lose its bytes.

An entry of the journal: first byte (u64), one past the last (u64), CRC-32 of the two (u32),
little-endian.
"""

import os
import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from midstream.session.ranges import Ranges
from midstream.store.files import unit_error, write_all, write_file

__all__ = ["JOURNAL", "PartialUnit"]

JOURNAL = ".journal"
"""What the name of a journal ends with."""
_RANGE = struct.Struct("<QQ")
_CHECK = struct.Struct("<I")
_ENTRY_SIZE = _RANGE.size + _CHECK.size
_MOST_ENTRIES = 4096
"""Entries of a journal before it is written anew, with its ranges merged."""


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
        self._journal = path.with_name(path.name + JOURNAL)
        self._ranges = Ranges(size)
        try:
            path.touch()
            self._entries = self._read_journal()
            os.truncate(path, size)  # it counts as whole from the start: nobody has its room
        except OSError as error:
            raise unit_error(path, error) from error

    def missing(self) -> list[tuple[int, int]]:
        """The ranges [start, stop) that are not here."""
        return self._ranges.missing()

    def received(self) -> list[tuple[int, bytes]]:
        """What is here: offsets and bytes, in order, with gaps between them.

        Raises:
            StoreError: The files cannot be read.
        """
        found = []
        try:
            with self._path.open("rb") as file:
                for start, stop in self._ranges:
                    file.seek(start)
                    found.append((start, file.read(stop - start)))
        except OSError as error:
            raise unit_error(self._path, error) from error
        return found

    def write(self, offset: int, data: bytes) -> None:
        """Keep bytes that arrived; what lies behind the unit's end is not kept.

        Nothing is where the files are gone: a store drops what is partial of a whole unit.

        Raises:
            StoreError: STORE_FULL, STORE_READ_ONLY or STORE_IO.
        """
        data = data[: max(self._ranges.size - offset, 0)]
        if not data:
            return
        stop = offset + len(data)
        try:
            _put(self._path, data, offset)
            # what a failed write left of an entry is written over
            _put(self._journal, _entry(offset, stop), self._entries * _ENTRY_SIZE)
        except FileNotFoundError:
            return  # another process has put the whole unit there, or needed the room
        except OSError as error:
            raise unit_error(self._path, error) from error
        self._ranges.add(offset, stop)
        self._entries += 1
        if self._entries > _MOST_ENTRIES:
            self._merge()

    def discard(self) -> None:
        """Forget the unit; what cannot be removed is of no harm."""
        for path in (self._journal, self._path):  # bytes that no journal speaks of are none
            with suppress(OSError):
                path.unlink()

    def _read_journal(self) -> int:
        """Take the ranges that are there; say how many entries tell them."""
        if not self._journal.exists():
            return 0
        data = self._journal.read_bytes()
        there = min(self._ranges.size, self._path.stat().st_size)
        good = 0
        for start, stop in _entries(data):
            if stop > there:
                break
            self._ranges.add(start, stop)
            good += 1
        if good * _ENTRY_SIZE < len(data):
            # a torn entry would hide those that are written after it
            os.truncate(self._journal, good * _ENTRY_SIZE)
        return good

    def _merge(self) -> None:
        """A server that sends byte by byte must not make the journal longer than the unit."""
        merged = list(self._ranges)
        write_file(self._journal, b"".join(_entry(start, stop) for start, stop in merged))
        self._entries = len(merged)


def _put(path: Path, data: bytes, at: int) -> None:
    """Write bytes at their place in a file; only a journal is made where it is missing."""
    made = os.O_CREAT if path.name.endswith(JOURNAL) else 0
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | made, 0o644)
    try:
        write_all(handle, data, at=at)
    finally:
        os.close(handle)


def _entry(start: int, stop: int) -> bytes:
    span = _RANGE.pack(start, stop)
    return span + _CHECK.pack(zlib.crc32(span))


def _entries(data: bytes) -> Iterable[tuple[int, int]]:
    """Entries up to the first that is torn or makes no sense."""
    for place in range(0, len(data) - _ENTRY_SIZE + 1, _ENTRY_SIZE):
        span = data[place : place + _RANGE.size]
        start, stop = _RANGE.unpack(span)
        if _entry(start, stop) != data[place : place + _ENTRY_SIZE] or start >= stop:
            return
        yield start, stop
