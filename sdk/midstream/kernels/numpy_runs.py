"""Runs of values that are those of an earlier place. Knows nothing of what values are.

(spec/coding.md, "Repeats".)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALTERNATING", "MIRRORED", "NEGATIVE", "Bits", "copy_runs"]

NEGATIVE, MIRRORED, ALTERNATING = 1, 2, 4
"""Kinds of runs: each value's top bit is the other one; sources go backwards; every second value's
top bit is the other one than the kind says besides."""
Bits = NDArray[np.unsignedinteger[Any]]


def copy_runs(runs: NDArray[np.int64], values: Bits) -> None:
    """Copy runs to where they are, one after the other.

    Args:
        runs: Of each its first value, where this was before, how many they are, and its kind;
            (runs, 4).
        values: Of two or four bytes, changed in place; (values,).

    Raises:
        ValueError: A run is not among the values, or its source not before it.
    """
    start, source, length, kind = runs.T
    least = np.where(kind & MIRRORED, source - length + 1, source)
    fits = (least >= 0) & (source < start) & (length >= 1) & (start <= len(values) - length)
    if not fits.all():
        raise ValueError("runs from nowhere")
    for run in runs.tolist():
        _copy_run(values, *run)


def _copy_run(values: Bits, start: int, source: int, length: int, kind: int) -> None:
    back = start - source
    flips = _flips(length, kind)
    if kind & MIRRORED:
        found = values[source - length + 1 : source + 1][::-1]
    elif length <= back:
        found = values[source : source + length]
    else:  # it repeats itself, each time from what was just written
        found = np.resize(values[source:start], length)
        rows = np.resize(flips, (-(-length // back), back))
        flips = np.bitwise_xor.accumulate(rows, axis=0).ravel()[:length]
    top = values.dtype.type(8 * values.itemsize - 1)
    values[start : start + length] = found ^ flips.astype(values.dtype) << top


def _flips(length: int, kind: int) -> NDArray[np.uint8]:
    """1 for each value of a run whose top bit is the other one."""
    flips = np.full(length, kind & NEGATIVE, np.uint8)
    if kind & ALTERNATING:
        flips[1::2] ^= 1
    return flips
