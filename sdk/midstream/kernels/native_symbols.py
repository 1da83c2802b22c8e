"""The functions of numpy_symbols in C, same results. Knows nothing of streams."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.numpy_symbols import Alphabets, Digits, Symbols
from midstream.kernels.terms import CLASS_EDGES, classify

__all__ = ["digit_symbols", "level_symbols"]

_NONE = np.zeros(0, np.int64)
_CLASSES = classify(np.arange(CLASS_EDGES[-1] + 1)).astype(np.uint8)


def digit_symbols(
    parents: NDArray[np.int32],
    children: NDArray[np.int32],
    halves: NDArray[np.int64] | None,
    tables: NDArray[np.uint16],
    *,
    of: int,
    counts_only: bool = False,
) -> Digits:
    """As numpy_symbols.digit_symbols; ValueError where a table is out of range."""
    symbols = np.empty(0 if counts_only else len(parents), np.int32)
    counts = np.zeros((of, 4), np.int64)
    moved = np.empty(len(parents), np.int64)  # the system gives what is written to
    found = _native.digit_symbols(
        plain(parents, np.int32),
        plain(children, np.int32),
        _NONE if halves is None else plain(halves, np.int64),
        plain(tables, np.uint16),
        _CLASSES,
        symbols,
        counts,
        moved,
    )
    return Digits(symbols, counts, moved[:found].copy())


def level_symbols(
    levels: NDArray[np.int32],
    halves: NDArray[np.int64] | None,
    tables: NDArray[np.uint16],
    shifts: NDArray[np.uint8],
    alphabets: Alphabets,
    *,
    counts_only: bool = False,
) -> Symbols:
    """As numpy_symbols.level_symbols; ValueError where a table or a shift is out of range."""
    count = len(levels)
    symbols = np.empty(0 if counts_only else count, np.int32)
    low, counts = np.empty(len(shifts), np.int32), np.zeros(alphabets.entries, np.int64)
    # room for as many escapes as there can be, of which the system gives what is written to
    places, escapes = np.empty(count, np.int64), np.empty(count, np.int64)
    found = _native.level_symbols(
        plain(levels, np.int32),
        _NONE if halves is None else plain(halves, np.int64),
        plain(tables, np.uint16),
        plain(shifts, np.uint8),
        plain(alphabets.lowest, np.int32),
        plain(alphabets.sizes, np.int32),
        plain(alphabets.firsts, np.int32),
        alphabets.next_phase,
        symbols,
        low,
        counts,
        places,
        escapes,
    )
    return Symbols(symbols, low, counts, places[:found].copy(), escapes[:found].copy())
