"""Entries of a table in C, same results as numpy_entries. Knows nothing of what they say."""

from midstream.kernels import _native
from midstream.kernels.entries import Entries, Layout

__all__ = ["read_entries"]


def read_entries(data: memoryview, start: int, count: int, layout: Layout) -> Entries | None:
    """As numpy_entries.read_entries; ValueError where the start is beyond the data."""
    numbers = layout.room(count, len(data) - start)
    if numbers is None:
        return None
    stop = _native.read_entries(data, start, layout.codes, layout.bounds, numbers)
    return None if stop < 0 else Entries(numbers=numbers, layout=layout, stop=stop)
