"""Tables as kernels look things up in them. Knows nothing of what symbols mean."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SYMBOL_BITS", "TOTAL_BITS", "Slots"]

TOTAL_BITS = 12
"""The frequencies of a table add up to two to this power."""

SYMBOL_BITS = 7
"""A table has at most two to this power symbols."""

_START_SHIFT, _VALUE_SHIFT = 12, 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Slots:
    """Tables of 2**12 slots each; every symbol has as many of them as its frequency is.

    Each kernel makes the form that it works on, once.
    """

    frequencies: NDArray[np.integer[Any]]  # (entries,)
    """Of each symbol, table after table."""
    starts: NDArray[np.integer[Any]]  # (entries,)
    """Frequencies of the symbols before it in its table."""
    values: NDArray[np.int8]  # (entries,)
    """What the symbol stands for."""

    @property
    def tables(self) -> int:
        """How many there are."""
        return int(self.frequencies.sum()) >> TOTAL_BITS

    @cached_property
    def spread(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.int8]]:
        """Frequency, place among those of its symbol and value of each slot, flat.

        A table of one symbol more than there are comes last: it leaves a state as it is.
        """
        whole = 1 << TOTAL_BITS
        frequencies = np.append(self.frequencies.astype(np.int64), whole)
        frequency = np.repeat(frequencies.astype(np.uint16), frequencies)
        offset = np.tile(np.arange(whole, dtype=np.uint16), self.tables + 1)
        offset -= np.repeat(np.append(self.starts, 0).astype(np.uint16), frequencies)
        return frequency, offset, np.repeat(np.append(self.values, np.int8(0)), frequencies)

    @cached_property
    def packed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
        """The symbol in each slot of each table, and what there is of each symbol.

        These are small, so that the tables of a short slice are soon in the cache. Bits 0-11
        of a symbol, at most 2**7 a table: frequency - 1, bits 12-23: start, 24-31: value.
        """
        frequencies = self.frequencies.astype(np.int64)
        firsts = np.cumsum(frequencies) >> TOTAL_BITS
        table = np.concatenate([[0], firsts[:-1]])
        symbol = np.arange(len(table)) - np.searchsorted(table, table)
        entry = self.values.view(np.uint8).astype(np.int64) << _VALUE_SHIFT
        entry += (self.starts.astype(np.int64) << _START_SHIFT) + frequencies - 1
        entries = np.zeros((self.tables, 1 << SYMBOL_BITS), np.uint32)
        entries[table, symbol] = entry
        # eight are read at once, each with the three after it
        names = np.zeros((self.tables << TOTAL_BITS) + 4, np.uint8)
        names[:-4] = np.repeat(symbol.astype(np.uint8), frequencies)
        return names, entries
