"""What the level of a weight is expected to be, given levels decoded before it.

A tensor's predictor names neighbours: places so many rows, columns or taps before a weight.
The weights of a slice fall into segments, in each of which all weights have the same
neighbours at the same distances (spec/coding.md, "Prediction"). Knows nothing of entropy
coding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec.parameters import MAX_HALF_OCTAVES, NEIGHBOURS, TensorCode
from midstream.kernels.terms import Terms
from midstream.types import Tensor

__all__ = ["Place", "Terms", "places", "terms"]

_PLACES = ((0, 1), (0, 2), (0, 3), (0, 4), (0, 6), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1))
"""Axis (row, column, last tap, first tap) and how far back of each neighbour."""
assert len(_PLACES) == NEIGHBOURS, "the parameters have a bit for each"
_GAINS = np.array(
    [round(256 * 2 ** (half / 2)) for half in range(-MAX_HALF_OCTAVES, MAX_HALF_OCTAVES + 1)],
    np.int64,
)
"""256 times a neighbour's step over one's own, for each difference in half octaves."""

_Int = NDArray[np.int64]


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


def terms(tensor: Tensor, code: TensorCode, start: int, stop: int) -> Terms:
    """What predicts each weight of a run; nothing before its start is looked at."""
    known = places(tensor)
    pairs = [(place, c) for at, c in code.predictor if c and (place := known[at]) is not None]
    # longer strides are multiples of the shortest, so coordinates do not change inside
    edges = _edges(min((place.stride for place, _ in pairs), default=stop), start, stop)
    firsts = edges[:-1]
    inside = np.zeros((len(firsts), len(pairs)), np.bool_)
    gains = np.zeros((len(firsts), len(pairs)), np.int64)
    for column, (place, coefficient) in enumerate(pairs):
        coordinate = firsts // place.stride % place.size
        inside[:, column] = (coordinate >= place.back) & (firsts - place.distance >= start)
        gains[:, column] = coefficient * _ratio(code, place, coordinate)
    distances = np.array([place.distance for place, _ in pairs], np.int32)
    return Terms(
        lengths=np.diff(edges).astype(np.int32),
        counts=inside.sum(axis=1).astype(np.int32),
        distances=np.broadcast_to(distances, inside.shape)[inside],
        gains=gains[inside],
    )


def _edges(stride: int, start: int, stop: int) -> _Int:
    """Where segments begin, and the end: at multiples of a stride."""
    inner = np.arange(start // stride + 1, -(-stop // stride), dtype=np.int64) * stride
    return np.concatenate([[start], inner, [stop]])


def _ratio(code: TensorCode, place: Place, coordinate: _Int) -> _Int:
    """256 times the step of each segment's neighbour over its own."""
    steps = (code.row_steps, code.column_steps, None, None)[place.axis]
    if steps is None:
        return np.full(len(coordinate), 256, np.int64)
    halves = steps.astype(np.int64)
    before = halves[np.maximum(coordinate - place.back, 0)]
    difference = np.clip(before - halves[coordinate], -MAX_HALF_OCTAVES, MAX_HALF_OCTAVES)
    ratio: _Int = _GAINS[difference + MAX_HALF_OCTAVES]
    return ratio
