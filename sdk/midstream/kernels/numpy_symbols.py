"""From levels and digits to symbols of their tables, in NumPy. Knows nothing of streams.

(spec/coding.md, "Levels" and "Digits".)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.terms import classify

__all__ = ["Alphabets", "Digits", "Symbols", "digit_symbols", "level_symbols"]

_DIGIT_SYMBOLS = 4

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
    entries: int
    """Symbols of all tables."""


@dataclass(frozen=True, slots=True, eq=False)
class Symbols:
    """Levels as they are coded."""

    symbols: NDArray[np.int32]  # (weights,)
    """Place of each among all symbols of all tables; empty where not asked for."""
    low: NDArray[np.int32]  # (weights,)
    """Low bits; empty where no level has any."""
    counts: _Int
    """How many there are of each symbol of all tables."""
    places: _Int  # (escapes,)
    """Which symbols are escapes, rising."""
    escapes: _Int  # (escapes,)
    """What they stand for."""


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """Digits as they are coded."""

    symbols: NDArray[np.int32]
    """(weights,) place of each among all symbols of all tables; empty where not asked for."""
    counts: _Int  # (tables, 4)
    """How many there are of each."""
    moved: _Int  # (escapes,)
    """Digits that are escaped."""


def digit_symbols(
    parents: NDArray[np.int32],
    children: NDArray[np.int32],
    halves: _Int | None,
    tables: NDArray[np.uint16],
    *,
    of: int,
    counts_only: bool = False,
) -> Digits:
    """The symbols of digits: toward the mean, same, away from it, escape.

    Args:
        parents: (weights,) levels before.
        children: (weights,) levels after, at most 2**30 from zero.
        halves: (weights,) what is expected of each child, in half steps; 0 where None.
        tables: (weights,) the first of the tables of each, to which a class is added.
        of: Tables that there are.
        counts_only: Whether only counts and escapes are asked for.
    """
    centres = 3 * parents.astype(np.int64)
    offsets = 2 * centres if halves is None else 2 * centres - halves
    digits = children - centres
    outside = np.abs(digits) > 1
    outward = np.where(offsets < 0, -digits, digits)
    symbols = _DIGIT_SYMBOLS * (tables.astype(np.int64) + classify(offsets))
    symbols += np.where(outside, _DIGIT_SYMBOLS - 1, outward + 1)
    counts = np.bincount(symbols, minlength=_DIGIT_SYMBOLS * of).reshape(of, _DIGIT_SYMBOLS)
    kept = symbols[:0] if counts_only else symbols
    return Digits(kept.astype(np.int32), counts, digits[outside])


def level_symbols(
    levels: NDArray[np.int32],
    halves: _Int | None,
    tables: NDArray[np.uint16],
    shifts: NDArray[np.uint8],
    alphabets: Alphabets,
    *,
    counts_only: bool = False,
) -> Symbols:
    """The symbols of levels.

    Args:
        levels: (weights,) at most 2**30 from zero.
        halves: (weights,) what is expected of each, in half steps; 0 where None.
        tables: (weights,) the table of each, where no half step is expected.
        shifts: (weights,) low bits of each, at most 28; empty where none has any.
        alphabets: What the symbols of tables stand for.
        counts_only: Whether symbols themselves are not asked for.
    """
    table, values = tables.astype(np.int64), levels.astype(np.int64)
    if halves is not None:
        values -= halves >> 1
        table += (halves & 1) * alphabets.next_phase
    low = values[:0]
    if len(shifts):
        shift = shifts.astype(np.int64)
        values += 1 << shift >> 1
        low = values & ((1 << shift) - 1)
        values >>= shift
    last = alphabets.sizes[table] - 1
    symbols = values - alphabets.lowest[table]
    outside = np.flatnonzero((symbols < 0) | (symbols >= last))
    symbols[outside] = last[outside]
    symbols += alphabets.firsts[table]
    counts = np.bincount(symbols, minlength=alphabets.entries)
    kept = symbols[:0] if counts_only else symbols
    return Symbols(kept.astype(np.int32), low.astype(np.int32), counts, outside, values[outside])
