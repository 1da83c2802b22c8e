"""A fuzzer's bytes as decisions. Knows nothing of what is decided."""

from typing import Protocol

__all__ = ["Bytes", "Choices"]


class Choices(Protocol):
    """What decides what is damaged, and how."""

    def integer(self, low: int, high: int) -> int:
        """One of low to high."""

    def raw(self, count: int) -> bytes:
        """So many bytes, or fewer."""


class Bytes:
    """Decisions off the start of a byte string; zeros once it is used up.

    The same with and without atheris, so that a corpus means the same in the tests.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def integer(self, low: int, high: int) -> int:
        span = high - low
        return low + int.from_bytes(self.raw((span.bit_length() + 7) // 8), "little") % (span + 1)

    def raw(self, count: int) -> bytes:
        start = self._at
        self._at += count
        return self._data[start : self._at]
