"""What predicts the weights of slices, and the streams that are decoded with it.

Knows nothing of how: there are a kernel in C and one in NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLASS_EDGES", "ESCAPED", "Escapes", "Stream", "Terms", "classify"]

ESCAPED = 127
"""The value that stands for an escape in `decode_levels`."""
CLASS_EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 18, 24, 30, 42, 60, 90)
"""The least distance of each class between a cell's centre and the mean, in half steps."""
_CLASS_OF = np.searchsorted(CLASS_EDGES, np.arange(CLASS_EDGES[-1] + 1), "right") - 1

_Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """Which levels before it predict each weight of a slice, segment after segment."""

    lengths: NDArray[np.int32]  # (segments,)
    """Weights of each segment."""
    counts: NDArray[np.int32]  # (segments,)
    """Terms of each segment."""
    distances: NDArray[np.int32]  # (terms,)
    """How many weights before."""
    gains: _Int  # (terms,)
    """Half steps, times 2**12, for each step of that weight's level."""

    @classmethod
    def none(cls, weights: int) -> "Terms":
        """What predicts nothing of so many weights, at least one."""
        nothing = np.zeros(0, np.int32)
        return cls(
            lengths=np.full(1, weights, np.int32),
            counts=np.zeros(1, np.int32),
            distances=nothing,
            gains=nothing.astype(np.int64),
        )

    @classmethod
    def join(cls, parts: "Sequence[Terms]") -> "Terms":
        """Terms of weights that follow each other."""
        return cls(
            lengths=np.concatenate([part.lengths for part in parts]),
            counts=np.concatenate([part.counts for part in parts]),
            distances=np.concatenate([part.distances for part in parts]),
            gains=np.concatenate([part.gains for part in parts]),
        )

    def dense(self) -> tuple[_Int, _Int]:
        """Distances and gains of each weight, (weights, most terms); 0 where it has fewer."""
        most = int(self.counts.max(initial=0))
        filled = np.arange(most) < self.counts[:, None]
        tables = []
        for values in (self.distances, self.gains):
            table = np.zeros(filled.shape, np.int64)
            table[filled] = values
            tables.append(np.repeat(table, self.lengths, axis=0))
        return tables[0], tables[1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """Slices of symbols that are decoded side by side."""

    words: NDArray[np.uint16]
    """Of all slices; not empty."""
    starts: _Int  # (slices,)
    """Index of the first word of each slice."""
    states: NDArray[np.uint32]
    """Final states of the encoder, slice after slice."""
    counts: _Int  # (slices,)
    """Symbols of each slice."""
    lanes: _Int  # (slices,)
    """Lanes of each slice, at most the least distance of its terms."""
    rows: NDArray[np.uint16]  # (symbols,)
    """The first of the tables that each symbol may have."""
    frequencies: NDArray[np.uint16]  # (tables, 2**12)
    """For each slot of a table, the frequency of the symbol there."""
    offsets: NDArray[np.uint16]  # (tables, 2**12)
    """How far the slot is from the first one of that symbol."""


@dataclass(slots=True, kw_only=True, eq=False)
class Escapes:
    """Values that are not symbols, slice after slice, taken as they come."""

    values: _Int
    """Of all slices; not empty."""
    starts: _Int  # (slices,)
    """Index of the next one of each slice."""
    ends: _Int  # (slices,)
    """Index past the last one of each slice."""

    def take(self, slices: _Int) -> _Int:
        """The next value of each of these slices; the same ones stand together.

        More than there are, which damage can ask for, are whatever follows; `starts` tells.
        """
        firsts = np.flatnonzero(np.diff(slices, prepend=-1))
        sizes = np.diff(firsts, append=len(slices))
        rank = np.arange(len(slices)) - np.repeat(firsts, sizes)
        found: _Int = self.values.take(self.starts[slices] + rank, mode="clip")
        self.starts[slices[firsts]] += sizes
        return found


def classify(offset: _Int) -> _Int:
    """The class of each distance between a cell's centre and the mean, in half steps."""
    return _CLASS_OF[np.minimum(np.abs(offset), CLASS_EDGES[-1])]
