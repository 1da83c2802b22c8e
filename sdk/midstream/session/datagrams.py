"""Datagrams of the carousel: one symbol and its place. Knows nothing of sockets or of order.

The bytes are spec/delivery.md, "Carousel".
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum

from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.fec.grids import Grid
from midstream.limits import LIMITS, Limits
from midstream.wire import Reader, Writer

__all__ = ["HEADER_SIZE", "Datagram", "ObjectKey", "ObjectKind"]

HEADER_SIZE = 21
"""Bytes before the symbol."""

_MAGIC = 0xCA
_VERSION = 0
_ID_SIZE = 8
_CHECK_SIZE = 4


class ObjectKind(IntEnum):
    """What goes round."""

    BUNDLE = 0
    """What a client needs first (spec/trust.md, "Bundle")."""
    UNIT = 1
    """One unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKey:
    """One object as one sender cuts it; symbols go together where all of it is the same."""

    kind: ObjectKind
    """What it is."""
    id: bytes
    """8 bytes: of a unit's id, or of the SHA-256 of a bundle."""
    size: int
    """Its bytes."""
    symbol_size: int
    """Bytes of a symbol."""

    @property
    def grid(self) -> Grid:
        """How it is cut."""
        return Grid(self.size, self.symbol_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """One symbol on its way."""

    key: ObjectKey
    """The object that it is of."""
    row: int
    """Its block, or its joint row."""
    column: int
    """Its place in the block."""
    symbol: bytes
    """`symbol_size` bytes."""

    def encode(self) -> bytes:
        """The bytes of the datagram."""
        key = self.key
        head = Writer().u8(_MAGIC).u8(_VERSION << 4 | key.kind).u16(self.row).u8(self.column)
        start = head.u32(key.size).raw(key.id).bytes()
        return start + _check(start, self.symbol) + self.symbol

    @classmethod
    def decode(cls, data: bytes, *, limits: Limits = LIMITS) -> "Datagram":
        """The symbol in a datagram.

        Raises:
            BitstreamError: It is none of ours, or damaged.
            LimitError: The object would be too large.
        """
        reader = Reader(data, "datagram")
        if (magic := reader.u8()) != _MAGIC:
            raise BitstreamError(ErrorCode.BAD_MAGIC, f"datagram: starts with {magic:#x}")
        version, kind = divmod(reader.u8(), 16)
        row, column, size = reader.u16(), reader.u8(), reader.u32()
        name, check = bytes(reader.take(_ID_SIZE)), bytes(reader.take(_CHECK_SIZE))
        symbol = bytes(reader.take(reader.remaining))
        if check != _check(data[: HEADER_SIZE - _CHECK_SIZE], symbol):
            raise BitstreamError(ErrorCode.BAD_CODEWORD, "datagram: damaged")
        if version != _VERSION:
            raise BitstreamError(ErrorCode.BAD_VERSION, f"datagram: version {version}")
        if kind not in tuple(ObjectKind) or not symbol or not size:
            raise BitstreamError(ErrorCode.BAD_FIELD, f"datagram: kind {kind}, {size} bytes")
        _check_size(ObjectKind(kind), size, limits)
        key = ObjectKey(kind=ObjectKind(kind), id=name, size=size, symbol_size=len(symbol))
        if not key.grid.has(row, column):
            raise BitstreamError(ErrorCode.BAD_FIELD, f"datagram: no symbol at {row}, {column}")
        return cls(key=key, row=row, column=column, symbol=symbol)


def _check(start: bytes, symbol: bytes) -> bytes:
    """CRC-32 of all else: it finds damage; who lies is found by signed hashes."""
    return zlib.crc32(symbol, zlib.crc32(start)).to_bytes(_CHECK_SIZE, "little")


def _check_size(kind: ObjectKind, size: int, limits: Limits) -> None:
    limit = limits.bundle_size if kind is ObjectKind.BUNDLE else limits.unit_size
    if size > limit:
        raise LimitError(ErrorCode.OVER_LIMIT, f"datagram: of {size} bytes, at most {limit}")
