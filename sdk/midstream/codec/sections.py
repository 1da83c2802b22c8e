"""Bit fields of exact payloads: fixed width, unary, truncated binary. Knows nothing of floats.

Each section starts at a byte and holds one kind of field for all weights, so that it reads
at once (spec/coding.md, "Bits").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import pack_bits, read_varints, unpack_bits

__all__ = ["Sections", "floor_log2", "write_truncated", "write_unary"]

_Int = NDArray[np.int64]


def floor_log2(counts: _Int) -> _Int:
    """The whole part of the binary logarithm of counts from 1 to 2**53."""
    return np.frexp(counts.astype(np.float64))[1].astype(np.int64) - 1


def write_unary(numbers: _Int) -> bytes:
    """So many zeros and a one, for each."""
    ends = np.cumsum(numbers + 1)
    bits = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    bits[ends - 1] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def write_truncated(places: _Int, counts: _Int) -> list[bytes]:
    """Truncated binary: a section of floor(log2(count)) bits each, one of last bits."""
    widths = floor_log2(counts)
    short = (2 << widths) - counts
    long = places >= short
    codes = places + np.where(long, short, 0)
    main = (codes >> long).astype(np.uint64)
    last = (codes[long] & 1).astype(np.uint8)
    return [pack_bits(main, widths), np.packbits(last, bitorder="little").tobytes()]


class Sections:
    """Reads the sections of a payload, never past its end.

    Args:
        payload: The bytes to read; not copied.
        what: What they are, for error messages.

    Every method raises BitstreamError where the payload ends early or its bits are not
    those of an encoder.
    """

    def __init__(self, payload: memoryview, what: str = "exact") -> None:
        self.payload = payload
        """What is left."""
        self._what = what

    def take(self, size: int) -> NDArray[np.uint8]:
        """The next bytes, not copied."""
        if size > len(self.payload):
            raise BitstreamError(
                ErrorCode.BAD_LENGTH, f"{self._what}: {size} bytes wanted, {len(self.payload)} left"
            )
        part = np.frombuffer(self.payload, np.uint8, size)
        self.payload = self.payload[size:]
        return part

    def fields(self, widths: _Int) -> _Int:
        """Values of so many bits each."""
        data = self.take((int(widths.sum()) + 7) // 8)
        return unpack_bits(data, widths).astype(np.int64)

    def flags(self, count: int) -> _Int:
        """Values of one bit."""
        data = self.take((count + 7) // 8)
        return np.unpackbits(data, count=count, bitorder="little").astype(np.int64)

    def unary(self, count: int, *, below: int) -> _Int:
        """Numbers less than `below`, each so many zeros and a one."""
        longest = min((count * below + 7) // 8, len(self.payload))
        bits = np.unpackbits(np.frombuffer(self.payload, np.uint8, longest), bitorder="little")
        ends = np.flatnonzero(bits)[:count]
        numbers = np.diff(ends, prepend=-1) - 1
        if len(ends) < count or numbers.max(initial=0) >= below:
            raise BitstreamError(ErrorCode.BAD_SYMBOL, f"{self._what}: a unary number is malformed")
        self.take((int(ends[-1]) + 8) // 8 if count else 0)
        return numbers

    def truncated(self, counts: _Int) -> _Int:
        """Numbers each less than its count, in truncated binary."""
        widths = floor_log2(counts)
        short = (2 << widths) - counts
        places = self.fields(widths)
        long = np.flatnonzero(places >= short)
        places[long] = (places[long] << 1 | self.flags(len(long))) - short[long]
        return places

    def varints(self, count: int) -> _Int:
        """Unsigned LEB128."""
        read = read_varints(np.frombuffer(self.payload, np.uint8), count)
        if read is None:
            raise BitstreamError(ErrorCode.BAD_SYMBOL, f"{self._what}: a varint is malformed")
        self.take(read[1])
        return read[0].astype(np.int64)

    def end(self) -> None:
        """Nothing may be left."""
        if len(self.payload):
            raise BitstreamError(
                ErrorCode.TRAILING_BYTES, f"{self._what}: {len(self.payload)} bytes after the end"
            )
