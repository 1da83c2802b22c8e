"""Whole stacks of slices in C, from payloads to weights. Its NumPy twin is decoder.rebuild.

Knows nothing of units, nor of what is wrong with them.
"""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.numpy_grid import Buffer
from midstream.kernels.slots import Slots
from midstream.kernels.stacks import Network, Work

__all__ = ["decode_stacked"]

_WEIGHT_MEMORY = 64
_SLICE_MEMORY = 1024
_TABLES_MEMORY = 1 << 17


def decode_stacked(
    network: Network,
    work: Work,
    *,
    levels: Slots,
    digits: NDArray[np.uint16],
    refined: tuple[NDArray[np.uint16], NDArray[np.uint16]],
    values: NDArray[np.uint16],
    sizes: NDArray[np.float64],
    weights: int,
    out: Buffer,
) -> bool:
    """Write the weights of all slices but raw ones into a model.

    Args:
        network: Its tensors.
        work: On its slices.
        levels: Tables of levels.
        digits: Where the slots of each digit start; (tables, 4).
        refined: The same of refined points, and frequencies of codewords; (shares, kinds, 17).
        values: Frequencies of tables of values; (tables, 40).
        sizes: The size of every step.
        weights: Of a group, at most.
        out: The model.

    Returns:
        False where a payload is damaged, or memory too small; the model is then of no use.

    Raises:
        ValueError: Arguments do not fit each other.
    """
    most = int(work.groups.max(initial=0))
    return _native.decode_stacked(
        plain(network.tensors, np.int64),
        plain(network.vectors, np.int8),
        plain(work.spans, np.int64),
        plain(work.slices, np.int64),
        plain(work.operations, np.int64),
        work.payloads,
        plain(work.groups, np.int64),
        levels.packed,
        plain(digits, np.uint16),
        plain(refined[0], np.uint16),
        plain(refined[1], np.uint16),
        plain(values, np.uint16),
        plain(sizes, np.float64),
        np.empty(_TABLES_MEMORY + _WEIGHT_MEMORY * weights + _SLICE_MEMORY * most, np.uint8),
        out,
    )
