"""Lists of integers in one payload of levels, in C. The twin in NumPy is codec.levels.

Knows nothing of what they say (spec/coding.md, "Tensor parameters").
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.slots import Slots

__all__ = ["decode_lists"]

_ITEM_MEMORY = 16
"""Bytes: a width, a row, a shift and an escape take 13."""
_MEMORY = 2048


def decode_lists(
    data: memoryview, widths: Sequence[int], sizes: Sequence[int], slots: Slots
) -> tuple[NDArray[np.int32], int] | None:
    """Integers of all lists, and the bytes that they took.

    Args:
        data: Starts with their payload; more may follow it.
        widths: Of each list, 0 to 255 quarter octaves.
        sizes: Of each list; not all of them 0.
        slots: The tables of levels.

    Returns:
        None where the payload is malformed.
    """
    items = sum(sizes)
    out = np.empty(items, np.int32)
    taken = _native.decode_lists(
        data,
        bytes(widths),
        np.array(sizes, np.int64),
        slots.packed,
        np.empty(_MEMORY + _ITEM_MEMORY * items, np.uint8),
        out,
    )
    return None if taken < 0 else (out, taken)
