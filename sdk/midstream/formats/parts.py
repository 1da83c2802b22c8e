"""A model of several files as one. Knows nothing of disks, nor of what the files hold.

(spec/bitstream.md, "Models of several files".)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from midstream.errors import ErrorCode, FormatError
from midstream.limits import LIMITS
from midstream.wire import Reader, Writer

__all__ = ["Parts", "check_part_name", "is_joined", "join", "read"]

_MAGIC = b"MDF"
_VERSION = 0
_MOST_FILES = 1 << 12
_MOST_NAME = 255
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where each file of a model is."""

    model: tuple[int, int]
    """The model file's first byte, and one past its last."""
    files: Mapping[str, tuple[int, int]]
    """The same of its data files, by name, in order."""


def is_joined(data: bytes | memoryview) -> bool:
    """Whether it is a model of several files."""
    return bytes(data[:3]) == _MAGIC


def join(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """A model file and its data files as one.

    Raises:
        FormatError: BAD_NAME where a data file is not called as it may be.
    """
    out = Writer().raw(_MAGIC).u8(_VERSION).varint(len(files)).varint(len(model))
    for name, data in files.items():
        check_part_name(name)
        out.blob(name.encode()).varint(len(data))
    return b"".join([out.bytes(), model, *files.values()])


def read(data: bytes | memoryview) -> Parts:
    """Where the files are that `join` put together.

    Raises:
        FormatError: A name is not one, or comes twice; bytes are missing or left over.
        BitstreamError: It is malformed.
        LimitError: A count or size is over its limit.
    """
    reader = Reader(data, "model of several files")
    reader.take(len(_MAGIC))
    if (version := reader.u8()) != _VERSION:
        raise FormatError(ErrorCode.BAD_VERSION, f"several files: version {version}")
    count = reader.varint(limit=_MOST_FILES)
    sizes = [("", reader.varint(limit=LIMITS.model_size))]
    for _ in range(count):
        name = str(reader.blob(limit=_MOST_NAME), "utf-8", "replace")
        check_part_name(name)
        sizes.append((name, reader.varint(limit=LIMITS.model_size)))
    places: dict[str, tuple[int, int]] = {}
    end = reader.offset
    for name, size in sizes:
        places[name] = end, end + size
        end += size
    if len(places) != len(sizes) or end != len(data):
        raise FormatError(
            ErrorCode.BAD_LENGTH,
            f"several files: {end} bytes by {len(places)} names of {len(data)}",
        )
    return Parts(model=places.pop(""), files=places)


def check_part_name(name: str) -> None:
    """Refuse names that are not plain, or hidden.

    Raises:
        FormatError: BAD_NAME.
    """
    if len(name) > _MOST_NAME or _NAME.fullmatch(name) is None:
        raise FormatError(
            ErrorCode.BAD_NAME,
            f"data file {name[:80]!r}: expected a plain name of letters, digits, '.', '_', '-'",
        )
