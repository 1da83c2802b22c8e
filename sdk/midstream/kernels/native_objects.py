"""Objects of a flatbuffer in C, same results as numpy_objects. Knows nothing of units."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.objects import KIND_TABLE

__all__ = ["restore_objects"]


def restore_objects(
    columns: memoryview, holes: NDArray[np.int64], model_size: int, size: int
) -> bytes | bytearray | None:
    """As numpy_objects.restore_objects."""
    out = bytearray(size)
    kinds = plain(KIND_TABLE, np.uint8)
    done = _native.restore_objects(columns, kinds, plain(holes, np.int64), out, model_size)
    return out if done else None
