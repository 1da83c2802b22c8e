"""Runs of values that are those of an earlier place. Knows nothing of what values are.

(spec/coding.md, "Repeats".)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIRRORED", "NEGATIVE", "Bits", "copy_runs"]

NEGATIVE, MIRRORED = 1, 2
"""Kinds of runs: each value's top bit is the other one; sources go backwards."""
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
    flip = values.dtype.type((kind & NEGATIVE) << 8 * values.itemsize - 1)
    back = start - source
    if kind & MIRRORED:
        found = values[source - length + 1 : source + 1][::-1] ^ flip
    elif length <= back:
        found = values[source : source + length] ^ flip
    else:  # it repeats itself, each time from what was just written
        is_odd = np.arange(length) // back % 2 == 0
        found = np.resize(values[source:start], length)
        found[is_odd] ^= flip
    values[start : start + length] = found
