"""The cells of levels, cut into parts, and which values lie in each.

Knows nothing of how parts are written. Values are counted by their ordinals: the place of a
float among all floats of its dtype, so that -0.0 is -1 and 0.0 is 0 (spec/coding.md, "Exact").
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from midstream.codec import storage
from midstream.codec.sections import floor_log2
from midstream.types import DType

__all__ = [
    "OCTAVES",
    "Cells",
    "Core",
    "cells_of",
    "in_core",
    "nearest_octave",
    "nearest_part",
    "ordinals_of",
    "split_bits",
]

OCTAVES = 16
"""A zero level's cell is cut at 2**-1, 2**-2, ... of its half; what is left is the core."""
_RANGE_BITS = 6
_MAX_CELL_BITS = 6

_Int = NDArray[np.int64]
_Float = NDArray[np.float64]


class Core(IntEnum):
    """What lies in the core of zero levels' cells; the numbers are those of the bitstream."""

    NOTHING = 0
    ZERO = 1
    """Only 0.0."""
    ZEROS = 2
    """0.0 and -0.0."""
    VALUES = 3
    """Anything."""


_ZERO_RANGES = {Core.ZERO: (0, 1), Core.ZEROS: (-1, 2)}
"""Least ordinal and number of ordinals of such a core."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Where each weight may lie, given its level and the bits read so far."""

    first: _Int  # (weights,) least ordinal
    count: _Int  # (weights,) ordinals, at least 1


def ordinals_of(values: NDArray[np.generic], dtype: DType) -> _Int:
    """The ordinal of each value of a storage array."""
    bits = values.view(storage.bits_dtype(dtype)).astype(np.int64)
    sign = 1 << dtype.bits - 1
    return np.where(bits >= sign, sign - 1 - bits, bits)


def _first_at(points: _Float, dtype: DType) -> _Int:
    """The ordinal of the least value that is not below each point."""
    rounded = storage.from_float64(points, dtype)
    ordinal = ordinals_of(rounded, dtype)
    # -0.0 is not below 0.0: the least value that is not below any zero is -0.0
    ordinal[points == 0] = -1
    return ordinal + (storage.to_float64(rounded, dtype) < points)


def split_bits(levels: NDArray[np.int32], steps: _Float, dtype: DType) -> _Int:
    """Into how many sub-cells, as a power of two, a cell of a level other than 0 is cut."""
    low = _first_at((levels - 0.5) * steps, dtype)
    count = np.maximum(_first_at((levels + 0.5) * steps, dtype) - low, 1)
    return np.clip(floor_log2(count) - _RANGE_BITS, 0, _MAX_CELL_BITS)


def in_core(ordinals: _Int, mode: Core) -> NDArray[np.bool_]:
    """Which of the values near zero count as core."""
    if mode in _ZERO_RANGES:
        first, count = _ZERO_RANGES[mode]
        inside: NDArray[np.bool_] = (ordinals >= first) & (ordinals < first + count)
        return inside
    return np.full(len(ordinals), mode is Core.VALUES)


def nearest_part(
    index: _Int, numbers: _Float, levels: NDArray[np.int32], steps: _Float, widths: _Int
) -> _Int:
    """The part of its cell that each number is in, given one that is at most one off."""
    below = numbers < _edge(levels, index, widths, steps)
    above = numbers >= _edge(levels, index + 1, widths, steps)
    return np.clip(index - below + above, 0, (1 << widths) - 1)


def nearest_octave(octave: _Int, sizes: _Float, steps: _Float) -> _Int:
    """The octave of a zero level's cell that each size is in, given one at most one off."""
    below = sizes < np.ldexp(steps, -2 - octave)
    above = sizes >= np.ldexp(steps, -1 - octave)
    return np.clip(octave + below - above, 0, OCTAVES - 1)


def _edge(levels: NDArray[np.int32], index: _Int, widths: _Int, steps: _Float) -> _Float:
    """Where a part of a cell starts; one rounding, that of the product."""
    return (levels - 0.5 + np.ldexp(index.astype(np.float64), -widths)) * steps


def cells_of(
    index: _Int,
    levels: NDArray[np.int32],
    steps: _Float,
    core: NDArray[np.bool_],
    mode: Core,
    dtype: DType,
) -> Cells:
    """The ordinals that each weight may still have."""
    low, high = np.empty(len(levels)), np.empty(len(levels))
    outer = levels != 0
    widths = split_bits(levels[outer], steps[outer], dtype)
    low[outer] = _edge(levels[outer], index[outer], widths, steps[outer])
    high[outer] = _edge(levels[outer], index[outer] + 1, widths, steps[outer])
    inner = ~outer
    octave, negative = index[inner] >> 1, (index[inner] & 1).astype(np.bool_)
    far, near = np.ldexp(steps[inner], -1 - octave), np.ldexp(steps[inner], -2 - octave)
    low[inner] = np.where(negative, -far, near)
    high[inner] = np.where(negative, -near, far)
    low[core] = np.ldexp(-steps[core], -1 - OCTAVES)
    high[core] = -low[core]
    first = _first_at(low, dtype)
    count = np.maximum(_first_at(high, dtype) - first, 1)
    if mode in _ZERO_RANGES:
        first[core], count[core] = _ZERO_RANGES[mode]
    return Cells(first, count)
