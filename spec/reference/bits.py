"""Primitive types, bit sections, packed bytes and the entropy coder of coding.md.

Knows nothing of tensors or units.
"""

import bisect
import itertools
import lzma
from collections.abc import Sequence

import zstandard


class RefusedError(ValueError):
    """What was given is not a stack of units, or needs what this decoder does not have."""


def check(condition: bool, message: str) -> None:
    """Refuse, unless the condition holds."""
    if not condition:
        raise RefusedError(message)


def bounded(count: int, limit: int) -> int:
    """A count, if it is at most the limit."""
    check(count <= limit, "a count is over its limit")
    return count


class Reader:
    """Primitive types, one after another."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """So many bytes."""
        check(size <= len(self.data) - self.at, "the data ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def integer(self, size: int, *, signed: bool = False) -> int:
        """An integer of so many bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def varint(self) -> int:
        """Unsigned LEB128 in its shortest form."""
        value = 0
        for i in range(9):
            byte = self.integer(1)
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                check(byte > 0 or i == 0, "a varint is longer than it has to be")
                return value
        raise RefusedError("a varint is longer than nine bytes")

    def svarint(self) -> int:
        """A zigzag varint."""
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self.data) - self.at)

    def end(self) -> None:
        """Refuse bytes after the end."""
        check(self.at == len(self.data), "bytes after the end")

    def bits(self, widths: Sequence[int]) -> list[int]:
        """A bit section of fields of these widths."""
        word = int.from_bytes(self.take((sum(widths) + 7) // 8), "little")
        starts = itertools.accumulate(widths, initial=0)
        return [word >> at & (1 << n) - 1 for at, n in zip(starts, widths, strict=False)]

    def unary(self, count: int, most: int = 15) -> list[int]:
        """A bit section of so many unary numbers of at most this."""
        out: list[int] = []
        bit, zeros, byte = 8, 0, 0
        while len(out) < count:
            if bit == 8:
                bit, byte = 0, self.integer(1)
            if byte >> bit & 1:
                out.append(zeros)
            zeros = 0 if byte >> bit & 1 else zeros + 1
            check(zeros <= most, "a unary number is too large")
            bit += 1
        return out

    def truncated(self, limits: Sequence[int]) -> list[int]:
        """Numbers below these limits in truncated binary."""
        sizes = [limit.bit_length() - 1 for limit in limits]
        spare = [(2 << k) - limit for k, limit in zip(sizes, limits, strict=True)]
        upper = self.bits(sizes)
        long = [i for i, x in enumerate(upper) if x >= spare[i]]
        for i, bit in zip(long, self.bits([1] * len(long)), strict=True):
            upper[i] = 2 * upper[i] + bit - spare[i]
        return upper


def unzstd(data: bytes, size: int, window: int) -> bytes:
    """One zstd frame, and nothing after it."""
    stream, out = zstandard.ZstdDecompressor(max_window_size=window).decompressobj(), b""
    try:
        for i in range(0, len(data), 64):
            out += stream.decompress(data[i : i + 64])
            check(len(out) <= size, "more content than there should be")
    except zstandard.ZstdError as error:
        raise RefusedError(f"zstd: {error}") from error
    check(stream.eof and not stream.unused_data and len(out) == size, "not one whole frame")
    return out


def unlzma(data: bytes, size: int) -> bytes:
    """LZMA2 chunks and their end."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 256 << 10}]
    stream = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    try:
        out = stream.decompress(data, size + 1)
    except lzma.LZMAError as error:
        raise RefusedError(f"LZMA2: {error}") from error
    check(stream.eof and not stream.unused_data and len(out) == size, "not so many bytes")
    return out


def cumulated(frequencies: Sequence[int]) -> list[int]:
    """Where each symbol starts, and 4096 at the end."""
    return list(itertools.accumulate(frequencies, initial=0))


class Stream:
    """Symbols, each with its table."""

    def __init__(self, reader: Reader, count: int, nearest: int = 32, per_lane: int = 2048):
        limit = max(1, min(count // per_lane, nearest, 32))
        lanes = 1 << limit.bit_length() - 1 if count else 0
        self.reader, self.at = reader, 0
        self.states = [reader.integer(4) for _ in range(lanes)]

    def next(self, table: Sequence[int]) -> int:
        """The next symbol."""
        lane = self.at % len(self.states)
        x = self.states[lane]
        symbol = bisect.bisect_right(table, x & 4095) - 1
        x = (table[symbol + 1] - table[symbol]) * (x >> 12) + (x & 4095) - table[symbol]
        self.states[lane] = x << 16 | self.reader.integer(2) if x < 65536 else x
        self.at += 1
        return symbol

    def end(self) -> None:
        """Refuse states that are not the first of the writer."""
        check(all(x == 65536 for x in self.states), "a state is not 65536 at the end")
