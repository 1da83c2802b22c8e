"""Low bits of the levels of several slices, and what symbols stand for with them, in NumPy.

Knows nothing of tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_batches import Batch, join
from midstream.kernels.numpy_kernels import unpack_bits
from midstream.kernels.numpy_walk import Block
from midstream.kernels.terms import ESCAPED, LowBits

__all__ = ["Added", "Fields", "read_values"]

_Int = NDArray[np.int64]
Added = tuple[_Int, _Int]
"""By how many bits values are shifted, and what is then added."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fields:
    """Low bits of levels."""

    shifts: NDArray[np.uint8]  # (levels + 1,)
    bits: NDArray[np.uint32]  # (levels + 1,)

    @classmethod
    def join(cls, low: Sequence[LowBits], batch: Batch) -> "Fields | None":
        """Those of the levels of all slices; None where there are none."""
        if not any(part.shifts.any() for part in low):
            return None
        pairs = list(zip(low, batch.counts.tolist(), strict=True))
        return cls(
            shifts=join([_shifts(*pair) for pair in pairs], np.uint8),
            bits=join([_bits(*pair) for pair in pairs], np.uint32),
        )

    def of_symbols(self, symbols: _Int) -> Added:
        """By how much some levels are shifted, and what is then added.

        Numbers of wide cells become those of levels in them; these count from the middle.
        """
        shifts = self.shifts.take(symbols).astype(np.int64)
        return shifts, self.bits.take(symbols) - (1 << shifts >> 1)


def _shifts(low: LowBits, count: int) -> NDArray[np.uint8]:
    """How many low bits each level has."""
    return low.shifts if len(low.shifts) else np.zeros(count, np.uint8)


def _bits(low: LowBits, count: int) -> NDArray[np.uint32]:
    """The low bits of each level."""
    if not len(low.data) or not len(low.shifts):
        return np.zeros(count, np.uint32)
    found = unpack_bits(np.frombuffer(low.data, np.uint8), low.shifts.astype(np.int64))
    return found.astype(np.uint32)


def read_values(block: Block, here: slice, choice: _Int, batch: Batch, added: Added | None) -> _Int:
    """What a stretch's symbols stand for with escapes and low bits.

    Args:
        block: Where the stretch is.
        here: The stretch.
        choice: Tables from the first of each symbol to its own.
        batch: Has the escapes.
        added: Low bits of the block's symbols; None for none.
    """
    value = block.decode(here, choice)
    escaped = (value == ESCAPED).nonzero()[0]
    if escaped.size:
        value[escaped] = batch.escapes.take(block.slices(escaped))
    if added is not None:
        shifts, bits = added
        value <<= shifts[here]
        value += bits[here]
    return value
