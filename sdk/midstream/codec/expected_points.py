"""Points of the lattice that are predicted, as numbers, and what is known of each.

A level's mean is known to half of it, its number's to a quarter: levels of one parity are two
apart. Of the last weight of a point levels four apart are open (spec/coding.md, "Lattice").
Knows nothing of bytes.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from midstream.codec.lattice import BLOCK, blocks
from midstream.codec.parameters import Context

__all__ = ["narrowed", "numbers_of"]

_PHASES = np.array([0, 2, 1, 2], np.int8)
"""The table for each quarter; the last one is a mirror image."""
_OCTAVE = 4  # quarter octaves

_Int = NDArray[np.int64]


def narrowed(context: Context) -> Context:
    """How numbers are distributed: as levels are, an octave narrower, the last ones two."""
    count = len(context.width)
    width = context.width - np.int16(_OCTAVE)
    width[(BLOCK - 1) * blocks(count) : BLOCK * blocks(count)] -= np.int16(_OCTAVE)
    return replace(context, width=width, lattice=False)


def numbers_of(
    levels: NDArray[np.int32], halves: _Int
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """The number of each level beyond what is expected, and the phase of its table.

    Args:
        levels: (weights,) of a slice.
        halves: (weights,) what is expected of each, in half steps.
    """
    count = len(levels) // BLOCK
    stop = (BLOCK - 1) * count
    quarters, wholes = halves.copy(), levels.astype(np.int64)
    odd = wholes[:stop] & 1
    wholes[:stop] += odd
    quarters[:stop] += 2 * odd
    last = slice(stop, BLOCK * count)
    rests = -levels[:stop].astype(np.int64).reshape(BLOCK - 1, count).sum(axis=0) & 3
    wholes[last] -= rests
    wholes >>= 1
    wholes[last] >>= 1
    quarters[last] = quarters[last] - 2 * rests >> 1
    numbers = wholes - (quarters >> 2)
    mirrored = (quarters & 3) == 3
    numbers[mirrored] = 1 - numbers[mirrored]
    return numbers.astype(np.int32), _PHASES[quarters & 3]
