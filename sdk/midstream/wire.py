"""Bounded reading and writing of integers and bytes. Knows nothing of what they mean.

All integers are little-endian; varints are unsigned LEB128 in their shortest form
(spec/bitstream.md, "Primitive types").
"""

from midstream.errors import BitstreamError, ErrorCode, LimitError

__all__ = ["Reader", "Writer"]

_VARINT_BYTES = 9  # 63 bits: every value fits a signed 64-bit integer


class Reader:
    """Reads fields off a buffer, never past its end.

    Args:
        data: The bytes to read; not copied.
        what: What they are, for error messages.

    Every method raises BitstreamError (BAD_LENGTH) where the buffer ends early.
    """

    __slots__ = ("_data", "_offset", "_what", "missing")

    def __init__(self, data: bytes | bytearray | memoryview, what: str = "data") -> None:
        self._data = memoryview(data).cast("B")
        self._offset = 0
        self._what = what
        self.missing = 0
        """Bytes that the read which failed with BAD_LENGTH lacked."""

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._offset

    @property
    def remaining(self) -> int:
        """Bytes left."""
        return len(self._data) - self._offset

    def take(self, size: int) -> memoryview:
        """The next `size` bytes, not copied."""
        if size > self.remaining:
            self.missing = size - self.remaining
            raise BitstreamError(
                ErrorCode.BAD_LENGTH,
                f"{self._what} at {self._offset}: {size} bytes wanted, {self.remaining} left",
            )
        start = self._offset
        self._offset += size
        return self._data[start : self._offset]

    def u8(self) -> int:
        """One byte."""
        if self._offset >= len(self._data):
            self.take(1)  # says what is missing
        self._offset += 1
        return self._data[self._offset - 1]

    def u16(self) -> int:
        """Two bytes."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """Four bytes."""
        return int.from_bytes(self.take(4), "little")

    def varint(self, *, limit: int) -> int:
        """An unsigned LEB128 integer of at most `limit`.

        Raises:
            BitstreamError: BAD_FIELD where it is not in its shortest form.
            LimitError: OVER_LIMIT where it is larger than `limit`.
        """
        start = self._offset
        value = self.u8()
        if value >= 0x80:
            value = self._go_on(start, value & 0x7F)
        if value > limit:
            raise LimitError(
                ErrorCode.OVER_LIMIT, f"{self._what} at {start}: got {value}, at most {limit}"
            )
        return value

    def varints(self, count: int, *, limit: int) -> list[int]:
        """So many unsigned LEB128 integers of at most `limit`, as `varint` reads them."""
        ahead = self._data[self._offset : self._offset + count].tolist()
        if len(ahead) == count and max(ahead, default=0) < min(0x80, limit + 1):
            self._offset += count
            return ahead  # a byte each, as most are
        return [self.varint(limit=limit) for _ in range(count)]

    def _go_on(self, start: int, value: int) -> int:
        """The value of a varint, given that of its first byte."""
        for position in range(1, _VARINT_BYTES):
            byte = self.u8()
            value |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                break
        else:
            raise self._bad(start, f"a varint longer than {_VARINT_BYTES} bytes")
        if byte == 0:
            raise self._bad(start, "a varint that is not in its shortest form")
        return value

    def signed(self, *, limit: int) -> int:
        """A zigzag varint: 0, -1, 1, -2, ...; its absolute value at most `limit`."""
        folded = self.varint(limit=2 * limit)
        return (folded >> 1) ^ -(folded & 1)

    def blob(self, *, limit: int) -> memoryview:
        """A varint length and so many bytes, not copied."""
        return self.take(self.varint(limit=limit))

    def text(self, *, limit: int) -> str:
        """A varint length and so many bytes of UTF-8."""
        start = self._offset
        try:
            return str(self.blob(limit=limit), "utf-8")
        except UnicodeDecodeError:
            raise self._bad(start, "text that is not UTF-8") from None

    def end(self) -> None:
        """Make sure that nothing is left.

        Raises:
            BitstreamError: TRAILING_BYTES where something is.
        """
        if self.remaining:
            raise BitstreamError(
                ErrorCode.TRAILING_BYTES,
                f"{self._what} at {self._offset}: {self.remaining} bytes after the end",
            )

    def _bad(self, offset: int, problem: str) -> BitstreamError:
        return BitstreamError(ErrorCode.BAD_FIELD, f"{self._what} at {offset}: {problem}")


class Writer:
    """Writes the fields that Reader reads; every method returns the writer itself."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts = bytearray()

    def __len__(self) -> int:
        return len(self._parts)

    def raw(self, data: bytes | bytearray | memoryview) -> "Writer":
        """Bytes as they are."""
        self._parts += data
        return self

    def u8(self, value: int) -> "Writer":
        """One byte."""
        return self.raw(value.to_bytes(1, "little"))

    def u16(self, value: int) -> "Writer":
        """Two bytes."""
        return self.raw(value.to_bytes(2, "little"))

    def u32(self, value: int) -> "Writer":
        """Four bytes."""
        return self.raw(value.to_bytes(4, "little"))

    def varint(self, value: int) -> "Writer":
        """An unsigned LEB128 integer."""
        assert 0 <= value < 1 << 63, "the caller bounds what it writes"
        while value >= 0x80:
            self._parts.append(value & 0x7F | 0x80)
            value >>= 7
        self._parts.append(value)
        return self

    def signed(self, value: int) -> "Writer":
        """A zigzag varint."""
        return self.varint(value << 1 if value >= 0 else (-value << 1) - 1)

    def blob(self, data: bytes | bytearray | memoryview) -> "Writer":
        """A varint length and the bytes."""
        return self.varint(len(data)).raw(data)

    def text(self, value: str) -> "Writer":
        """A varint length and UTF-8."""
        return self.blob(value.encode())

    def bytes(self) -> bytes:
        """Everything written so far."""
        return bytes(self._parts)
