"""Tables as kernels look things up in them. Knows nothing of what symbols mean."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOVE_BITS", "SYMBOL_BITS", "TOTAL_BITS", "Lookup", "Moves", "Slots"]

TOTAL_BITS = 12
"""The frequencies of a table add up to two to this power."""

SYMBOL_BITS = 7
"""A table has at most two to this power symbols."""

MOVE_BITS = 32
"""The upper half of a move is the frequency of its symbol."""

_START_SHIFT, _VALUE_SHIFT = 12, 24
_MOST_TABLES = 256
"""Whose moves are kept, 32 KiB each."""
_FIRST_TABLES = 32
"""That there is room for at first; then twice as many, and so on."""
_UNKNOWN = -1

_Int = NDArray[np.int64]

_Row = tuple[bytes, tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup:
    """What NumPy looks up: symbol s of table t is entry t * 2**7 + s."""

    names: NDArray[np.uint8]  # (tables * 2**12,)
    """The symbol in each slot."""
    frequencies: NDArray[np.int64]  # (tables * 2**7,)
    starts: NDArray[np.int64]  # (tables * 2**7,)
    values: NDArray[np.int8]  # (tables * 2**7,)
    """What the symbol stands for."""

    @cached_property
    def rows(self) -> "_Rows":
        """Names, frequencies, starts and values of each table, for plain Python."""
        return _Rows(self)

    @cached_property
    def moves(self) -> "Moves":
        """What slots do to states."""
        return Moves(self)


class _Rows(dict[int, _Row]):
    """Those that were asked for."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__()
        # not the lookup itself: it holds these, and who holds each other waits to be collected
        self._names = lookup.names
        self._columns = (lookup.frequencies, lookup.starts, lookup.values)

    def __missing__(self, table: int) -> _Row:
        here = slice(table << SYMBOL_BITS, table + 1 << SYMBOL_BITS)
        frequencies, starts, values = (tuple(part[here].tolist()) for part in self._columns)
        names = self._names[table << TOTAL_BITS : table + 1 << TOTAL_BITS]
        self[table] = names.tobytes(), frequencies, starts, values
        return self[table]


class _Kept:
    """Moves of some tables. None is ever overwritten: they may be in use elsewhere."""

    def __init__(self, tables: int, room: int) -> None:
        self.room = room
        """For so many tables."""
        self.firsts = np.full(tables, _UNKNOWN, np.int64)
        """Where the slots of each table begin."""
        self.slots = np.zeros(room << TOTAL_BITS, np.uint64)
        self.places = iter(range(room))
        """Those that are free."""


class Moves:
    """What each slot does to a state, of the tables that are in use.

    With f the frequency of a slot's symbol, and r how far the slot is from the first one of
    that, its move is f * 2**32 + r. It makes a state x to f * y + r with y = x >> 12: that is
    the upper half of move * (2**32 + y) modulo 2**64, since r * y is less than 2**32.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._names = lookup.names
        self._frequencies, self._starts = lookup.frequencies, lookup.starts
        self._tables = len(lookup.names) >> TOTAL_BITS
        self._kept = _Kept(self._tables, _FIRST_TABLES)

    def of(self, tables: _Int) -> tuple[NDArray[np.uint64], _Int] | None:
        """Moves of slots, and where those of some tables begin.

        Args:
            tables: (steps, lanes)

        Returns:
            None where several steps have too many tables.
        """
        kept = self._kept
        found: _Int = kept.firsts.take(tables)
        if found.size and int(found.min()) == _UNKNOWN:
            wanted = np.flatnonzero(np.bincount(tables.ravel()))
            if len(wanted) > _MOST_TABLES and len(tables) > 1:
                return None
            while not self._has_added(kept, wanted):
                room = min(2 * kept.room, _MOST_TABLES)
                kept = self._kept = _Kept(self._tables, max(room, len(wanted)))
            found = kept.firsts.take(tables)
        return kept.slots, found

    def _has_added(self, kept: _Kept, wanted: _Int) -> bool:
        """Whether there was room for what is missing."""
        for table in wanted[kept.firsts.take(wanted) == _UNKNOWN].tolist():
            place = next(kept.places, None)
            if place is None:
                return False
            first = place << TOTAL_BITS
            kept.slots[first : first + (1 << TOTAL_BITS)] = self._of(table)
            kept.firsts[table] = first
        return True

    def _of(self, table: int) -> NDArray[np.uint64]:
        """Of the slots of one table."""
        here = slice(table << SYMBOL_BITS, table + 1 << SYMBOL_BITS)
        each = (self._frequencies[here] << MOVE_BITS) - self._starts[here]
        found: _Int = each.take(self._names[table << TOTAL_BITS : table + 1 << TOTAL_BITS])
        found += np.arange(1 << TOTAL_BITS)
        return found.view(np.uint64)


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
    def lookup(self) -> "Lookup":
        """For NumPy; after the tables there are comes one that leaves a state as it is."""
        table, symbol = self._places
        places = np.append((table << SYMBOL_BITS) + symbol, self.tables << SYMBOL_BITS)
        frequencies = np.append(self.frequencies.astype(np.int64), 1 << TOTAL_BITS)
        values = np.append(self.values, np.int8(0))
        entries = self.tables + 1 << SYMBOL_BITS
        found = Lookup(
            names=np.repeat(np.append(symbol, 0).astype(np.uint8), frequencies),
            frequencies=np.zeros(entries, np.int64),
            starts=np.zeros(entries, np.int64),
            values=np.zeros(entries, np.int8),
        )
        found.frequencies[places] = frequencies
        found.starts[places] = np.append(self.starts, 0)
        found.values[places] = values
        return found

    @property
    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The table of each entry, and which of its symbols it is."""
        firsts = np.cumsum(self.frequencies.astype(np.int64)) >> TOTAL_BITS
        table = np.concatenate([[0], firsts[:-1]])
        return table, np.arange(len(table)) - np.searchsorted(table, table)

    @cached_property
    def packed(self) -> NDArray[np.uint32]:
        """What there is of the symbol in every other slot of each table: frequencies are even.

        Bits 0-11: frequency, bits 12-23: start, 24-31: value.
        """
        assert not (self.frequencies & 1).any(), "two slots after each other have one symbol"
        entry = self.values.view(np.uint8).astype(np.uint32) << _VALUE_SHIFT
        entry += self.starts.astype(np.uint32) << _START_SHIFT
        entry += self.frequencies.astype(np.uint32)
        return np.repeat(entry, self.frequencies >> 1)
