"""Sets of byte ranges: what has arrived and what is missing. Knows nothing of the bytes."""

from collections.abc import Iterator

__all__ = ["Ranges"]


class Ranges:
    """Half-open ranges of [0, size), kept sorted, disjoint and merged."""

    def __init__(self, size: int) -> None:
        self.size = size
        """Where the last range may end."""
        self._ranges: list[tuple[int, int]] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ranges)

    @property
    def total(self) -> int:
        """Bytes in all ranges."""
        return sum(stop - start for start, stop in self._ranges)

    @property
    def is_full(self) -> bool:
        """Whether nothing is missing."""
        return self.total == self.size

    def add(self, start: int, stop: int) -> None:
        """Put [start, stop) in; what lies behind the end is left out."""
        stop = min(stop, self.size)
        if start >= stop:
            return
        before = [r for r in self._ranges if r[1] < start]
        after = [r for r in self._ranges if r[0] > stop]
        touched = self._ranges[len(before) : len(self._ranges) - len(after)]
        low = min([start, *(r[0] for r in touched)])
        high = max([stop, *(r[1] for r in touched)])
        self._ranges = [*before, (low, high), *after]

    def missing(self, start: int = 0, stop: int | None = None) -> list[tuple[int, int]]:
        """What of [start, stop) is not in."""
        stop = self.size if stop is None else stop
        gaps: list[tuple[int, int]] = []
        for low, high in [*self._ranges, (stop, stop)]:
            if start < min(low, stop):
                gaps.append((start, min(low, stop)))
            start = max(start, high)
        return gaps

    def holds(self, start: int, stop: int) -> bool:
        """Whether all of [start, stop) is in."""
        return not self.missing(start, stop)
