"""Runs of values in C, same results as the NumPy ones. Knows nothing of what values are."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.numpy_repeats import SHORTEST
from midstream.kernels.numpy_runs import Bits

__all__ = ["copy_runs", "find_runs", "may_repeat"]


def copy_runs(runs: NDArray[np.int64], values: Bits) -> None:
    """As numpy_runs.copy_runs; values are contiguous."""
    _native.copy_runs(plain(runs, np.int64), values, values.itemsize)


def find_runs(bits: Bits) -> NDArray[np.int64]:
    """As numpy_repeats.find_runs."""
    # half of its slots stay empty: few values look further than at one
    table = np.empty(2 << len(bits).bit_length(), np.uint32)
    runs = np.empty((len(bits) // SHORTEST, 4), np.int64)
    values = plain(bits, bits.dtype.type)
    return runs[: _native.find_runs(values, bits.itemsize, table, runs)].copy()


def may_repeat(bits: Bits) -> bool:
    """As codec.repeats.may_be."""
    return _native.may_repeat(plain(bits, bits.dtype.type), bits.itemsize)
