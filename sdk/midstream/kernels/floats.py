"""Values without levels, as the kernels and the encoder see them: symbols and fields.

Knows nothing of tensors or payloads' heads (spec/coding.md, "Values").
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BAD_STATE",
    "FIRST_OCTAVE",
    "HIGH",
    "LOW",
    "PARTS",
    "PART_BITS",
    "SHORT",
    "SYMBOLS",
    "ZERO",
    "Layout",
    "Slice",
]

FIRST_OCTAVE = -12
"""Of the octaves that are cut into parts, relative to that of sigma."""
PART_BITS = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 2, 0)
"""Each of these octaves is cut into 2 to the power of this many parts."""
ZERO, LOW, PARTS = 0, 1, 2
HIGH = PARTS + sum(1 << bits for bits in PART_BITS)
SYMBOLS = HIGH + 1
SHORT, BAD_STATE = -1, -2
"""What `decode_floats` says of a payload that ends early, or comes from no encoder."""

_EIGHTHS = 3  # the most bits of a part


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How the floats of a slice are cut into symbols and fields."""

    bits: int
    """Of a float, 16 or 32."""
    mantissa: int
    """Of these, the bits of the mantissa."""
    trailing: int
    """Low bits that are 0 in every value."""
    whole: int
    """Low bytes of each field that stand by themselves."""
    places: NDArray[np.int16]  # (symbols,)
    """Where each part starts, in eighths of an octave and biased; 0 for what is no part."""
    moves: NDArray[np.int16]  # (symbols,)
    """Eighths that a part moves by where sigma does by an octave; 0 for what is no part."""
    widths: NDArray[np.uint8]  # (symbols,)
    """Bits of each field beyond the whole bytes."""

    @classmethod
    @cache
    def of(cls, bits: int, mantissa: int, trailing: int, low: int) -> "Layout":
        """The layout of a float type; magnitudes that are low have so many bits."""
        cuts = np.array(PART_BITS)
        octave = np.repeat(np.arange(len(cuts)), 1 << cuts)
        first = np.repeat(np.cumsum(1 << cuts) - (1 << cuts), 1 << cuts)
        cut = cuts[octave]
        part = (np.arange(len(octave)) - first) << _EIGHTHS - cut
        bias = (1 << bits - 2 - mantissa) - 1
        sizes = np.zeros(SYMBOLS, np.int64)
        sizes[LOW], sizes[HIGH] = low, bits - 1
        sizes[PARTS:HIGH] = mantissa - cut
        whole = max(0, mantissa - 2 - trailing) // 8
        widths = np.maximum(1 + np.maximum(sizes - trailing, 0) - 8 * whole, 0)
        widths[ZERO] = 0
        places, moves = np.zeros(SYMBOLS, np.int16), np.zeros(SYMBOLS, np.int16)
        places[PARTS:HIGH] = (octave + FIRST_OCTAVE + bias << _EIGHTHS) + part
        moves[PARTS:HIGH] = 1 << _EIGHTHS
        return cls(bits, mantissa, trailing, whole, places, moves, widths.astype(np.uint8))

    def least(
        self, symbols: NDArray[np.integer], octaves: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """The least magnitude of each symbol, where sigma is in these octaves."""
        place = self.places.take(symbols) + octaves * self.moves.take(symbols).astype(np.int64)
        return place << self.mantissa - _EIGHTHS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """One slice to decode. Its weights are in runs, each with tables of its own."""

    payload: memoryview
    """What follows the head."""
    quarters: NDArray[np.int16]  # (weights,)
    """Quarter octaves of sigma."""
    stops: NDArray[np.int64]  # (runs,)
    """Where each run ends."""
    splits: NDArray[np.int16]  # (runs,)
    """Weights of fewer quarters than this are narrow."""
    narrow: NDArray[np.int16]  # (runs,)
    """The first of the four tables of such weights."""
    wide: NDArray[np.int16]  # (runs,)
    """The first of the four tables of all others."""
    lanes: int
    layout: Layout
    out: memoryview
    """Where the floats go."""
    at: int
    """The byte of it that the first one starts at."""
