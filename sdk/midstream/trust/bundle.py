"""Bundles: what a client needs first, in one container. Knows nothing of what is in it.

A bundle is not signed. Each file in it is verified as if it had been fetched by itself, so a
bundle that is damaged or cut short costs requests, never trust (spec/trust.md, "Bundle").
"""

import zlib
from collections.abc import Mapping

from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.limits import LIMITS, Limits
from midstream.trust import layout
from midstream.wire import Reader, Writer

__all__ = [
    "MAGIC",
    "VERSION",
    "BundleReader",
    "compress",
    "decode",
    "decompress",
    "encode",
    "manifest_in",
]

MAGIC = b"MDB"
VERSION = 0
"""The format's version; 0 means that its bytes may still change."""

_MAX_PATH = 255


def encode(files: Mapping[str, bytes], *, limits: Limits = LIMITS) -> bytes:
    """The bytes of a bundle, its files in the order of the mapping.

    Raises:
        BitstreamError: BAD_FIELD where a path leaves the repository.
        LimitError: There are too many files or too many bytes.
    """
    out = Writer().raw(MAGIC).u8(VERSION).varint(len(files))
    for path, data in files.items():
        _check_path(path)
        out.text(path).varint(len(data))
    for data in files.values():
        out.raw(data)
    _check_size("files", len(files), limits.bundle_parts)
    _check_size("bytes", len(out), limits.bundle_size)
    return out.bytes()


def decode(data: bytes | memoryview, *, limits: Limits = LIMITS) -> dict[str, bytes]:
    """All files of a whole bundle, in order; BundleReader takes what there is of a damaged one.

    Raises:
        BitstreamError: It is malformed or cut short.
        LimitError: A count or size in it is over its limit.
    """
    reader = BundleReader(limits=limits)
    files = dict(reader.feed(data))
    reader.close()
    return files


def compress(data: bytes) -> bytes:
    """A bundle as it is sent where every byte counts: signed metadata is half hexadecimal."""
    return zlib.compress(data, zlib.Z_BEST_COMPRESSION)


def decompress(data: bytes, *, limits: Limits = LIMITS) -> bytes:
    """What was compressed; never more than `metadata_size`, and nothing where it is damaged."""
    try:
        return zlib.decompressobj().decompress(data, limits.metadata_size)
    except zlib.error:
        return b""


def manifest_in(files: Mapping[str, bytes], name: str) -> bytes | None:
    """The manifest of a network among files of a bundle, not verified; None without."""
    listed = [path for path in files if path.startswith(f"{layout.TARGETS}{name}/")]
    return files[listed[-1]] if listed else None


class BundleReader:
    """Reads a bundle as it arrives, file by file, and keeps what a damaged one still gives.

    Bytes go in by `feed`; files come out as soon as they are whole. What follows a
    malformed place is dropped: `error` says what was wrong, `close` raises it.
    """

    def __init__(self, *, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._rest = bytearray()
        self._waiting: list[tuple[str, int]] | None = None
        self.error: BitstreamError | LimitError | None = None
        """Why the rest was dropped, if it was."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Files that are announced and not yet whole; empty before the directory is here."""
        return tuple(path for path, _ in self._waiting or ())

    @property
    def is_whole(self) -> bool:
        """Whether every file has come and nothing was wrong."""
        return self.error is None and self._waiting == []

    def feed(self, data: bytes | bytearray | memoryview) -> list[tuple[str, bytes]]:
        """Take bytes, give the files that they complete: path and content.

        Never raises: what was whole before a malformed place is as good as ever.
        """
        if self.error is not None:
            return []
        self._rest += data
        try:
            return self._files()
        except (BitstreamError, LimitError) as error:
            self.error = error
            self._rest.clear()
            return []

    def close(self) -> None:
        """Make sure that the bundle was whole.

        Raises:
            BitstreamError: It is malformed or cut short.
            LimitError: A count or size in it is over its limit.
        """
        if self.error is not None:
            raise self.error
        if self._waiting is None or self._waiting:
            missing = f"{len(self._waiting)} files" if self._waiting else "its directory"
            raise BitstreamError(ErrorCode.BAD_LENGTH, f"bundle: ends before {missing} came whole")

    def _files(self) -> list[tuple[str, bytes]]:
        if self._waiting is None:
            self._waiting = self._directory()
        files: list[tuple[str, bytes]] = []
        while self._waiting and self._waiting[0][1] <= len(self._rest):
            path, size = self._waiting.pop(0)
            files.append((path, bytes(self._rest[:size])))
            del self._rest[:size]
        if self._waiting == [] and self._rest:
            self.error = BitstreamError(
                ErrorCode.TRAILING_BYTES, f"bundle: {len(self._rest)} bytes after the end"
            )
        return files

    def _directory(self) -> list[tuple[str, int]] | None:
        """Paths and sizes, or None where they are not all here yet."""
        reader = Reader(bytes(self._rest), "bundle")
        try:
            entries = _read_directory(reader, self._limits)
        except BitstreamError as error:
            if error.code is ErrorCode.BAD_LENGTH:
                return None  # each field is bounded, so this ends
            raise
        del self._rest[: reader.offset]
        return entries


def _read_directory(reader: Reader, limits: Limits) -> list[tuple[str, int]]:
    if (magic := bytes(reader.take(3))) != MAGIC:
        raise BitstreamError(ErrorCode.BAD_MAGIC, f"bundle: starts with {magic!r}, not {MAGIC!r}")
    if (version := reader.u8()) != VERSION:
        raise BitstreamError(
            ErrorCode.BAD_VERSION, f"bundle: version {version}, this reader knows {VERSION}"
        )
    entries: dict[str, int] = {}
    total = 0
    for _ in range(reader.varint(limit=limits.bundle_parts)):
        path = reader.text(limit=_MAX_PATH)
        _check_path(path)
        if path in entries:
            raise BitstreamError(ErrorCode.BAD_FIELD, f"bundle: {path!r} is in it twice")
        entries[path] = reader.varint(limit=limits.bundle_size)
        total += entries[path]
        _check_size("bytes", total, limits.bundle_size)
    return list(entries.items())


def _check_path(path: str) -> None:
    if not layout.is_path(path):
        raise BitstreamError(ErrorCode.BAD_FIELD, f"bundle: {path!r} is no path in a repository")


def _check_size(what: str, value: int, limit: int) -> None:
    if value > limit:
        raise LimitError(ErrorCode.OVER_LIMIT, f"bundle: {value} {what}, at most {limit}")
