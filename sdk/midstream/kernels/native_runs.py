"""Runs of values in C, same results as numpy_runs. Knows nothing of what values are."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.numpy_runs import Bits

__all__ = ["copy_runs"]


def copy_runs(runs: NDArray[np.int64], values: Bits) -> None:
    """As numpy_runs.copy_runs; values are contiguous."""
    _native.copy_runs(plain(runs, np.int64), values, values.itemsize)
