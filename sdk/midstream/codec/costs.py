"""What levels cost in each table, by their magnitude classes. Knows nothing of tensors."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec.levels import code_lengths
from midstream.codec.tables import SHAPES, WIDTHS
from midstream.kernels import LEVEL_CLASSES, level_classes

__all__ = ["FIT_WIDTHS", "class_costs", "spread", "spreads"]

FIT_WIDTHS = 73
"""Widths that are tried: 2**-3 to 2**15 steps."""


@cache
def class_costs() -> NDArray[np.float64]:
    """Bits of a level of each class in each table: (shapes, 2 * classes, widths).

    The second half of the classes is that of levels half a step from what is expected.
    """
    magnitude = np.arange(1 << 16)
    classes = level_classes(magnitude.astype(np.int32))
    middle = np.bincount(classes, magnitude) / np.bincount(classes)
    levels = np.rint(middle).astype(np.int32)
    return np.stack(
        [
            np.concatenate(
                [code_lengths(levels, shape, FIT_WIDTHS, phase=phase) for phase in range(2)]
            )
            for shape in range(SHAPES)
        ]
    )


@cache
def _spread_costs() -> NDArray[np.float64]:
    """Of integers, at shape 0: (classes, widths)."""
    return np.ascontiguousarray(class_costs()[0, :LEVEL_CLASSES, :WIDTHS])


def spread(values: NDArray[np.int32]) -> int:
    """The width, 0 to 40, that gives a list of integers its shortest code at shape 0."""
    if not len(values):
        return 0
    histogram = np.bincount(level_classes(values), minlength=LEVEL_CLASSES)
    return int((histogram @ _spread_costs()).argmin())


def spreads(lists: Sequence[NDArray[np.int32] | NDArray[np.int8]]) -> list[int]:
    """The same of each of several lists; 0 of one without integers."""
    sizes = [len(values) for values in lists]
    if not any(sizes):
        return [0] * len(lists)
    classes = level_classes(np.concatenate(lists, dtype=np.int32))
    places = np.repeat(LEVEL_CLASSES * np.arange(len(lists)), sizes) + classes
    histograms = np.bincount(places, minlength=LEVEL_CLASSES * len(lists))
    costs = histograms.reshape(len(lists), -1) @ _spread_costs()
    found: list[int] = costs.argmin(axis=1).tolist()
    return found
