"""How the entries of a table are laid out: the same fields in each. Knows nothing of them.

(spec/bitstream.md, "Primitive types".)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIST_ITEMS", "Entries", "Layout"]

LIST_ITEMS = 8
"""Items of a list, at most."""
_COLUMNS = {"b": 1, "v": 1, "x": 2, "l": 1 + LIST_ITEMS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Fields of each entry of a table."""

    fields: str
    """A letter each: "b" a byte, "v" a varint, "x" a blob, "l" a byte and so many varints."""
    most: tuple[int, ...]
    """What a byte or varint of each field is at most; for blobs, their sizes."""

    # kept, since tables are read again and again
    codes: bytes = field(init=False, repr=False, compare=False)
    bounds: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    row: Struct = field(init=False, repr=False, compare=False)
    """Numbers of one entry: of a blob its start and size, of a list its size and 8 items."""

    def __post_init__(self) -> None:
        assert len(self.fields) == len(self.most), "a bound for each field"
        columns = sum(_COLUMNS[letter] for letter in self.fields)
        object.__setattr__(self, "codes", self.fields.encode())
        object.__setattr__(self, "bounds", np.array(self.most, np.int64))
        object.__setattr__(self, "row", Struct(f"={columns}q"))

    def room(self, count: int, size: int) -> NDArray[np.int64] | None:
        """For so many entries; None where so many bytes are fewer than they take."""
        # no field takes less than a byte, so what is reserved is bounded by what is there
        if count * len(self.fields) > size:
            return None
        return np.empty((count, self.row.size // 8), np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entries:
    """What was read of a table."""

    numbers: NDArray[np.int64]  # (entries, columns)
    layout: Layout
    stop: int
    """Where in the data they end."""

    def rows(self) -> Iterator[tuple[int, ...]]:
        """The numbers of each entry, one entry at a time."""
        return self.layout.row.iter_unpack(self.numbers.data)
