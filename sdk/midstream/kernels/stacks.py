"""Stacks of slices as arrays, for a kernel that decodes all of them. Knows nothing of units."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AXES", "NEIGHBOURS", "Network", "Tables", "Work"]

AXES = 8
"""Of a tensor, at most."""
NEIGHBOURS = 10
"""That a level may be predicted from."""

_Int = NDArray[np.int64]

Tables = tuple[
    NDArray[np.uint32],
    NDArray[np.uint16],
    NDArray[np.uint16],
    NDArray[np.uint16],
    NDArray[np.uint16],
    NDArray[np.float64],
]
"""Slots of levels, starts of digits and of refined points, frequencies of codewords
and of values, sizes of steps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """What slices are made of."""

    tensors: _Int  # (tensors * 34,)
    """Of each: offset in the model, data type, weights; row axis, column axis (-1 for none),
    number of axes, eight sizes; step, value of level 0, shape, width, whether it is on the
    lattice; the place of each of its five vectors in `vectors`, -1 for none; the coefficients
    of ten neighbours, 0 for none."""
    vectors: NDArray[np.int8]
    """Log-scales and half octaves of all tensors."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """What is done to the slices of a network."""

    spans: _Int  # (spans, 3)
    """Tensor, first weight, and one past the last; slice after slice."""
    slices: _Int  # (slices, 4)
    """First span, spans, first record, records."""
    operations: _Int  # (records,)
    """By the numbers of the bitstream; raw slices are left alone."""
    payloads: list[memoryview | bytes]
    """Of each record."""
    groups: _Int  # (groups,)
    """How many slices are decoded together."""
