"""Objects of a flatbuffer in C, same results as numpy_objects. Knows nothing of units."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.objects import KIND_TABLE

__all__ = ["list_objects", "read_holes", "restore_objects"]


def restore_objects(
    columns: memoryview, holes: NDArray[np.int64], model_size: int, out: memoryview
) -> bool:
    """As numpy_objects.restore_objects."""
    return _native.restore_objects(columns, KIND_TABLE, plain(holes, np.int64), out, model_size)


def read_holes(
    table: memoryview, count: int, model_size: int
) -> tuple[NDArray[np.int64], int] | None:
    """Where the holes of a tensor table start and their bytes, (holes, 2); where it ends.

    Args:
        table: The table, and whatever follows.
        count: How many entries it has.
        model_size: Bytes of the model file.

    Returns:
        None where an entry is out of the ordinary.
    """
    if 4 * count > len(table):  # no entry takes less
        return None
    holes = np.empty((count, 2), np.int64)
    stop = _native.read_holes(table, holes, model_size)
    return None if stop < 0 else (holes, stop)


def list_objects(model: memoryview, holes: NDArray[np.int64]) -> bytes | None:
    """The columns of a file of at least eight bytes that says that it is a TFLite file.

    Args:
        model: The file.
        holes: Where each starts and its bytes, in order; (holes, 2).

    Returns:
        None where it has too many objects, or is laid out otherwise.
    """
    return _native.list_objects(model, KIND_TABLE, plain(holes, np.int64))
