"""Constants of a TFLite file in C. The twin in Python is formats.constants, which says of damage.

Knows nothing of what is worth coding.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from midstream.kernels import _native
from midstream.limits import LIMITS

__all__ = ["Row", "find_constants"]

_NUMBERS, _AXES = 9, 8
"""Items before the shape, and those that it has room for."""

Row = tuple[int, int, int, int, int, int, int, int, tuple[int, ...]]
"""The fields of `formats.constants.Constant`, in order."""


def find_constants(model: memoryview, types: Iterable[int]) -> Iterator[Row] | None:
    """What tensors say whose buffers are in the file, in order of the tensors.

    Args:
        model: The file.
        types: Of numbers, those that are known.

    Returns:
        None where the file is out of the ordinary: it is damaged, or a count is over its limit.
    """
    known = sum(1 << kind for kind in types)
    bounds = LIMITS.model_size, LIMITS.tensors, LIMITS.dimensions
    found = _native.find_constants(model, *bounds, known)
    return None if found is None else map(_row, _items(found))


def _items(found: bytes) -> list[list[int]]:
    items: list[list[int]] = np.frombuffer(found, np.int64).reshape(-1, _NUMBERS + _AXES).tolist()
    return items


def _row(items: list[int]) -> Row:
    buffer, start, size, kind, is_sparse, uses, name, name_size, axes, *shape = items
    return buffer, start, size, kind, is_sparse, uses, name, name_size, tuple(shape[:axes])
