"""Units to a model by one call in C. Knows nothing of what is wrong with them.

Its twin in NumPy is decoder.rebuild, which reads units to objects first.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.numpy_grid import Buffer
from midstream.kernels.stacks import Tables

__all__ = ["Outline", "decode_units", "outline_base"]

_Bytes = bytes | bytearray | memoryview
_Raw = tuple[bytes, int, list[tuple[int, int]]]
_Tie = tuple[int, int, int]


class Outline(NamedTuple):
    """Where things are in a base; starts and sizes in bytes."""

    model_size: int
    tensors: int
    content_size: int
    """Of the topology, unpacked."""
    frame: int
    frame_size: int
    flags: int
    flags_size: int
    rest: int
    """What follows the flags of tensor parameters."""
    rest_size: int


def outline_base(unit: _Bytes, bounds: NDArray[np.int64]) -> Outline | None:
    """Where things are in a base; None where it does not start as one.

    Args:
        unit: The bytes of a unit.
        bounds: On sizes and counts; (11,), see native/networks.h.

    Raises:
        ValueError: The bounds are out of their range.
    """
    numbers = np.empty(len(Outline._fields), np.int64)
    return Outline(*numbers.tolist()) if _native.outline_base(unit, bounds, numbers) else None


def decode_units(
    units: list[_Bytes],
    bounds: NDArray[np.int64],
    content: bytes | bytearray,
    flags: bytes,
    tables: Tables,
    out: Buffer,
) -> tuple[list[_Raw], list[_Tie]] | None:
    """Write a model but for its raw slices and tied tensors.

    Args:
        units: A base, then each unit with the one before it as its parent.
        bounds: As `outline_base` takes them.
        content: The topology of the base, unpacked.
        flags: Of its tensors, unpacked.
        tables: What symbols are looked up in.
        out: The model.

    Returns:
        Of each raw slice its payload, data type and for each run where it starts and how many
        weights it has; of each tied tensor where the bytes are, where they go and how many. None
        where units are malformed or do not fit each other, or there is no memory; the model is
        then of no use.

    Raises:
        ValueError: The model is not of the size that the base says, or tables are missing.
    """
    return _native.decode_units(units, bounds, content, flags, *tables, out)
