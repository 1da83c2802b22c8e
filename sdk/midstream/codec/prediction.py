"""What the level of a weight is expected to be, given levels decoded before it.

A tensor's predictor names neighbours: places so many rows, columns or taps before a weight.
The weights of a slice fall into segments, in each of which all weights have the same
neighbours at the same distances (spec/coding.md, "Prediction"). Knows nothing of entropy
coding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec.parameters import NEIGHBOURS, TensorCode
from midstream.kernels.terms import Terms
from midstream.types import Tensor

__all__ = ["Place", "Terms", "places", "terms"]

_PLACES = ((0, 1), (0, 2), (0, 3), (0, 4), (0, 6), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1))
"""Axis (row, column, last tap, first tap) and how far back of each neighbour."""
assert len(_PLACES) == NEIGHBOURS, "the parameters have a bit for each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One neighbour in one tensor."""

    axis: int
    """0 row, 1 column, 2 last tap, 3 first tap."""
    back: int
    """Places on its axis between."""
    stride: int
    """Weights from one place on its axis to the next."""
    size: int
    """Places on its axis."""

    @property
    def distance(self) -> int:
        """Weights between, in flattened order."""
        return self.back * self.stride


@lru_cache(maxsize=1024)
def places(tensor: Tensor) -> tuple[Place | None, ...]:
    """Where each neighbour is; None for those that no weight of the tensor has."""
    strides = np.cumprod((1, *tensor.shape[:0:-1]), dtype=np.int64)[::-1].tolist()
    named = (tensor.row_axis, tensor.column_axis)
    taps = [at for at, size in enumerate(tensor.shape) if at not in named and size > 1]
    axes = (*named, taps[-1] if taps else None, taps[0] if len(taps) > 1 else None)
    found: list[Place | None] = []
    for number, back in _PLACES:
        axis = axes[number]
        if axis is None or tensor.shape[axis] <= back:
            found.append(None)
        else:
            size = tensor.shape[axis]
            found.append(Place(axis=number, back=back, stride=strides[axis], size=size))
    return tuple(found)


def terms(runs: Sequence[tuple[Tensor, TensorCode, int, int]]) -> Terms | None:
    """What predicts each weight of a slice; None for nothing at all.

    Args:
        runs: For each its tensor, the parameters of that, and its first and last weight but
            one; nothing before its start is looked at.
    """
    if not any(code.predictor for _, code, _, _ in runs):
        return None
    found: list[tuple[int, int, int, int]] = []
    rows: list[tuple[int, int, int, int, int]] = []
    steps: list[NDArray[np.int8]] = []
    for tensor, code, start, stop in runs:
        pairs = _neighbours(tensor, code)
        # longer strides are multiples of the shortest, so coordinates do not change inside
        stride = min((place.stride for place, _ in pairs), default=stop)
        found.append((start, stop - start, stride, len(pairs)))
        for place, coefficient in pairs:
            own = (code.row_steps, code.column_steps, None, None)[place.axis]
            before = -1 if own is None else sum(map(len, steps))
            steps += [] if own is None else [own]
            rows.append((place.back, place.stride, place.size, coefficient, before))
    if not rows:
        return None
    return Terms(
        runs=np.array(found, np.int64),
        terms=np.array(rows, np.int64),
        steps=np.concatenate([np.zeros(0, np.int8), *steps]),
    )


def _neighbours(tensor: Tensor, code: TensorCode) -> list[tuple[Place, int]]:
    """Those that count, and how much."""
    if not code.predictor:
        return []
    known = places(tensor)
    return [(place, c) for at, c in code.predictor if c and (place := known[at]) is not None]
