"""Chooses the neighbours that predict a tensor's levels, and how much they count.

Least squares over levels that are divided by their spread, a neighbour at a time as long as
one pays for itself. Knows nothing of tables: whether a predictor pays in bytes is for `fit`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.codec.axes import add_vector
from midstream.codec.parameters import MAX_COEFFICIENT, TensorCode
from midstream.codec.prediction import Place, places
from midstream.kernels import add_along
from midstream.limits import LIMITS
from midstream.types import Tensor

__all__ = ["choose"]

_SAMPLE = 1 << 15
"""Weights that are looked at, from the middle of a tensor."""
_FEWEST = 64
_MOST_TERMS = 6
_TERM_BITS = 12.0
_LEAST_SHARE = 0.004
"""Bits a weight that a predictor must promise, since decoding with one is slower."""
_NEAREST = 16
"""Weights to a neighbour, at least, where a slice would have as many lanes or more."""
_NEAREST_IN_SMALL = 8
"""The same in tensors so small that they share a slice."""
_SMALL = 4096

_Float = NDArray[np.float64]


def choose(
    levels: NDArray[np.int32],
    tensor: Tensor,
    code: TensorCode,
    units: NDArray[np.float32] | None = None,
) -> tuple[tuple[int, int], ...]:
    """Neighbours and their coefficients in 1/32; none where they promise too little.

    Args:
        levels: (weights,)
        tensor: Where they are from.
        code: How wide they spread.
        units: (weights,) the step of each over the tensor's; None where all are the same.
    """
    known = _candidates(tensor)
    if len(levels) < _FEWEST or not known:
        return ()
    start = max(0, len(levels) - _SAMPLE) // 2
    stop = min(start + _SAMPLE, len(levels))
    # the table of width 0 has a sigma of an eighth of a step; nothing is less than a step wide
    widths = np.full(stop - start, code.width, np.int16)
    for axis, deltas in enumerate(code.axes):
        if deltas is not None:
            add_vector(widths, deltas, tensor, axis, start)
    spread = np.exp2(np.maximum(widths.astype(np.float32) / 4 - 3, 0))
    if units is not None:
        spread *= units[start:stop]
    values = levels if units is None else levels * units
    moments = _moments(values, spread, list(known.values()), start)
    chosen = _select(moments, len(levels))
    if not chosen:
        return ()
    names = [list(known)[at] for at in chosen]
    pairs = zip(names, _rounded(_solve(moments, np.array([chosen]))[0][0]), strict=True)
    return tuple(sorted((name, number) for name, number in pairs if number))


def _candidates(tensor: Tensor) -> dict[int, Place]:
    lanes = rans.lanes_of(min(tensor.weights, LIMITS.slice_weights))
    least = min(lanes, _NEAREST) if tensor.weights >= _SMALL else _NEAREST_IN_SMALL
    return {
        at: place
        for at, place in enumerate(places(tensor))
        if place is not None and place.distance >= least
    }


def _moments(
    values: NDArray[np.int32] | NDArray[np.float32],
    spread: NDArray[np.float32],
    known: list[Place],
    start: int,
) -> _Float:
    """Products of all neighbours' values and, last, the weights' own, over their spread."""
    stop = start + len(spread)
    columns = np.zeros((len(known) + 1, len(spread)), np.float32)
    for column, place in zip(columns, known, strict=False):
        if len(spread) == len(values):
            shape = -1, place.size, place.stride
            column.reshape(shape)[:, place.back :] = values.reshape(shape)[:, : -place.back]
            continue
        # before the tensor's first weight there is no neighbour either
        skipped = max(0, place.distance - start)
        column[skipped:] = values[start + skipped - place.distance : max(stop - place.distance, 0)]
        if place.stride * place.size < len(values):  # its axis begins anew
            column *= _inside(place, start, len(spread)).astype(np.float32)
    columns[-1] = values[start:stop]
    columns /= spread
    moments: _Float = (columns @ columns.T).astype(np.float64)
    return moments


def _inside(place: Place, start: int, weights: int) -> NDArray[np.int16]:
    """1 for each weight that has a neighbour, 0 for others."""
    inside = np.zeros(weights, np.int16)
    has = (np.arange(place.size) >= place.back).astype(np.int8)
    add_along(inside, has, stride=place.stride, start=start)
    return inside


def _select(moments: _Float, weights: int) -> list[int]:
    """The neighbours that pay, one added after the other."""
    chosen: list[int] = []
    first = energy = float(moments[-1, -1])
    least = max(_TERM_BITS, _LEAST_SHARE / 4 * weights)
    if _saved(first, _least_by_one(moments), weights) < least:
        return chosen
    while len(chosen) < _MOST_TERMS:
        others = [at for at in range(len(moments) - 1) if at not in chosen]
        if not others:
            break
        left = _solve(moments, np.array([[*chosen, at] for at in others]))[1]
        best = int(np.argmin(left))
        if _saved(energy, float(left[best]), weights) < least:
            break
        chosen.append(others[best])
        energy = float(left[best])
    return chosen if _saved(first, energy, weights) >= _LEAST_SHARE * weights else []


def _least_by_one(moments: _Float) -> float:
    """The energy that the best neighbour leaves, by itself."""
    own, target = np.diagonal(moments)[:-1], moments[:-1, -1]
    return float(moments[-1, -1] - (target * target / np.maximum(own, 1e-12)).max())


def _solve(moments: _Float, chosen: NDArray[np.int64]) -> tuple[_Float, _Float]:
    """Coefficients of least squares, and the energy that they leave.

    Args:
        moments: As `_moments` gives them.
        chosen: (sets, neighbours)

    Returns:
        (sets, neighbours) and (sets,)
    """
    square = moments[chosen[:, :, None], chosen[:, None, :]]
    target = moments[chosen, -1]
    ridge = 1e-6 * np.trace(square, axis1=1, axis2=2) + 1e-12
    square += ridge[:, None, None] * np.eye(chosen.shape[1])
    coefficients: _Float = np.linalg.solve(square, target[:, :, None])[:, :, 0]
    return coefficients, moments[-1, -1] - np.einsum("sn,sn->s", coefficients, target)


def _saved(before: float, after: float, weights: int) -> float:
    """Bits that less energy is worth."""
    return 0.5 * weights * math.log2(max(before, 1e-9) / max(after, 1e-9))


def _rounded(coefficients: _Float) -> list[int]:
    fixed = np.clip(np.rint(32 * coefficients), -MAX_COEFFICIENT, MAX_COEFFICIENT)
    return [int(number) for number in fixed]
