"""What is fitted to a tensor's levels, and by which prices. Knows nothing of how it is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AXES",
    "DELTAS",
    "MARGIN",
    "MOST_THIN",
    "PADDING",
    "Dims",
    "Fit",
    "Geometry",
    "Making",
    "Neighbours",
    "Prices",
    "axis_sizes",
    "seen",
]

AXES = 3
"""Rows, columns and taps."""
MARGIN = 48
"""Log-scales are between minus and plus this many quarter octaves."""
MOST_THIN = 3
"""One of each 2**3 weights is looked at, at least."""
DELTAS = 2 * MARGIN + 1
PADDING = 16
"""Widths before the first and after the last, which cost the same as these."""

Dims: TypeAlias = NDArray[np.int64]
"""(dimensions, 3): size, axis, and places on that from one to the next; the last is the fastest."""


class Geometry:
    """Where the weights of a tensor are.

    Args:
        dims: Its dimensions.
        tried: Axes that are worth trying.
    """

    __slots__ = ("dims", "most", "parts", "places", "tried")

    def __init__(self, dims: Dims, tried: Sequence[int]) -> None:
        sizes = axis_sizes(dims)
        stops = list(accumulate(sizes))
        self.dims = dims
        """(dimensions, 3)"""
        self.tried = bytes(tried)
        """One of each axis."""
        self.most = max(sizes)
        """Places on an axis."""
        self.places = stops[-1]
        """On all axes."""
        self.parts = tuple(zip([0, *stops], stops, strict=False))
        """Where the places of each axis start and stop among all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prices:
    """What levels and log-scales cost, in 1/1024 bit."""

    costs: NDArray[np.uint16]  # (shapes, classes, widths with padding)
    """Of a level of each class."""
    sent: NDArray[np.uint16]  # (spreads, log-scales)
    """Of a log-scale, where all spread so wide."""
    axis: int
    """Of saying anything about an axis."""


class Fit(NamedTuple):
    """How wide the levels of a tensor spread."""

    shape: int
    """Of the distribution."""
    width: int
    """Quarter octaves where nothing is added."""
    deltas: Mapping[int, NDArray[np.int8]]
    """By axis, what is added at each place; axes that it does not pay for are left out."""
    spreads: Mapping[int, int]
    """By axis, how wide its log-scales spread."""
    bits: int
    """All that takes, in 1/1024 bit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbours:
    """Who may predict a weight."""

    places: NDArray[np.int64]  # (neighbours, 3)
    """How far back each is on its axis, the stride of that, its size."""
    scales: NDArray[np.float32]  # (256,)
    """What levels are multiplied by before products of them are added up, by their width."""
    term: int
    """What naming one costs, in 1/1024 bit."""


class Making(NamedTuple):
    """How thrifty levels are made."""

    size: NDArray[np.float64]  # (1,)
    """What a level is; of points, which are in half steps, half a step."""
    parts: NDArray[np.int64]  # (parts, 2)
    """Where those start and stop that are coded apart from each other."""
    prices: NDArray[np.float32]
    """As thrifty_points takes them; or savings, as thrifty_levels does."""
    free: NDArray[np.float32]
    """As many zeros."""
    reach: int
    """Numbers that have a price are at most so far from zero."""
    is_lattice: bool
    """Whether levels are points."""


def seen(dims: Dims, thin: int) -> NDArray[np.int64]:
    """Which weights are looked at, where these are one of each 2**thin of a run.

    Where they begin is spread evenly over many runs, so that each place of an axis has some.

    Args:
        dims: Dimensions, of which the last is a run.
        thin: At least 1.
    """
    length = int(dims[-1, 0])
    runs = np.arange(int(dims[:, 0].prod()) // length)
    first = ((runs * 0x9E3779B1 & 0xFFFFFFFF) >> (32 - thin))[:, None]
    places = first + np.arange(0, length, 1 << thin)
    chosen: NDArray[np.int64] = (length * runs[:, None] + places)[places < length]
    return chosen


def axis_sizes(dims: Dims) -> list[int]:
    """Places on each axis; 1 where a tensor does not have it."""
    sizes = [1] * AXES
    for size, axis, _ in dims.tolist():
        sizes[axis] *= size
    return sizes
