"""Payloads of levels in C. The twins in NumPy are codec.levels and codec.points.

Knows nothing of tensors.
"""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.packing import Tables
from midstream.kernels.terms import Terms

__all__ = ["count_levels", "pack_levels"]

_NONE = np.zeros(0, np.int64)
_NO_STEPS = np.zeros(0, np.int8)


def pack_levels(
    levels: NDArray[np.int32],
    spread: tuple[NDArray[np.int8], NDArray[np.int16]],
    terms: Terms | None,
    lanes: tuple[int, int],
    tables: Tables,
    *,
    is_lattice: bool,
) -> bytes:
    """The payload of a slice.

    Args:
        levels: (weights,) at most 2**30 from zero.
        spread: Shape and width of each.
        terms: What predicts them; None for nothing.
        lanes: Of its stream, and of that of last weights of points, where there is one.
        tables: What symbols are coded by.
        is_lattice: Whether levels are points.
    """
    where = (_NONE, _NONE, _NO_STEPS)
    if terms is not None:
        where = (
            plain(terms.runs, np.int64),
            plain(terms.terms, np.int64),
            plain(terms.steps, np.int8),
        )
    return _native.pack_levels(
        plain(levels, np.int32),
        plain(spread[0], np.int8),
        plain(spread[1], np.int16),
        *where,
        is_lattice,
        *lanes,
        tables.alphabets.lowest,
        tables.alphabets.sizes,
        tables.alphabets.firsts,
        tables.frequencies,
        tables.starts,
        tables.alphabets.next_phase,
        tables.last_width,
        tables.unshifted,
        tables.most,
    )


def count_levels(
    levels: NDArray[np.int32],
    spread: tuple[NDArray[np.int8], NDArray[np.int16]],
    halves: NDArray[np.int64] | None,
    tables: Tables,
    *,
    is_lattice: bool,
) -> tuple[NDArray[np.int64], int]:
    """How many there are of each symbol of all tables, and the bits of all else in a payload.

    Args:
        levels: (weights,) at most 2**30 from zero.
        spread: Shape and width of each.
        halves: (weights,) what is expected of each, in half steps; None for nothing.
        tables: What symbols are coded by.
        is_lattice: Whether levels are points.
    """
    counts = np.zeros(tables.alphabets.entries, np.int64)
    bits = _native.count_levels(
        plain(levels, np.int32),
        plain(spread[0], np.int8),
        plain(spread[1], np.int16),
        _NONE if halves is None else plain(halves, np.int64),
        is_lattice,
        tables.alphabets.lowest,
        tables.alphabets.sizes,
        tables.alphabets.firsts,
        counts,
        tables.alphabets.next_phase,
        tables.last_width,
        tables.unshifted,
        tables.most,
    )
    return counts, bits
