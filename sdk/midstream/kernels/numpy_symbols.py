"""From levels to symbols of their tables, in NumPy. Knows nothing of streams.

(spec/coding.md, "Levels".)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Alphabets", "Symbols", "level_symbols"]

_Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alphabets:
    """What the symbols of tables stand for; the last of each is the escape."""

    lowest: NDArray[np.int32]  # (tables,)
    """What the first symbol of each stands for; the others follow."""
    sizes: NDArray[np.int32]  # (tables,)
    """Symbols of each."""
    firsts: NDArray[np.int32]  # (tables,)
    """Place of the first one among all of all tables."""
    next_phase: int
    """Tables from one to that of the next half step."""


@dataclass(frozen=True, slots=True, eq=False)
class Symbols:
    """Levels as they are coded."""

    symbols: NDArray[np.int32]  # (weights,)
    """Place of each among all symbols of all tables."""
    low: NDArray[np.int32]  # (weights,)
    """Low bits."""
    places: _Int  # (escapes,)
    """Which symbols are escapes, rising."""
    escapes: _Int  # (escapes,)
    """What they stand for."""


def level_symbols(
    levels: NDArray[np.int32],
    halves: _Int | None,
    tables: NDArray[np.uint16],
    shifts: NDArray[np.uint8],
    alphabets: Alphabets,
) -> Symbols:
    """The symbols of levels.

    Args:
        levels: (weights,) at most 2**30 from zero.
        halves: (weights,) what is expected of each, in half steps; 0 where None.
        tables: (weights,) the table of each, where no half step is expected.
        shifts: (weights,) low bits of each, at most 28.
        alphabets: What the symbols of tables stand for.
    """
    shift, table, values = (array.astype(np.int64) for array in (shifts, tables, levels))
    if halves is not None:
        values -= halves >> 1
        table += (halves & 1) * alphabets.next_phase
    values += 1 << shift >> 1
    low = values & ((1 << shift) - 1)
    values >>= shift
    last = alphabets.sizes[table] - 1
    symbols = values - alphabets.lowest[table]
    outside = np.flatnonzero((symbols < 0) | (symbols >= last))
    symbols[outside] = last[outside]
    symbols += alphabets.firsts[table]
    return Symbols(symbols.astype(np.int32), low.astype(np.int32), outside, values[outside])
