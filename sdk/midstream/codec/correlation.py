"""Chooses the neighbours that predict a tensor's levels, and how much they count.

Least squares over levels that are divided by their spread, a neighbour at a time as long as
one pays for itself. Levels are whole numbers of 64ths of their spread, so that the order of
their sums does not matter; C does the same for most tensors (kernels/native/choice.c). Knows
nothing of tables: whether a predictor pays in bytes is for `fit`.
"""

import math
from collections.abc import Mapping
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.codec.axes import add_vector
from midstream.codec.parameters import MAX_COEFFICIENT, TensorCode
from midstream.codec.prediction import Place, places
from midstream.kernels import add_along
from midstream.kernels.fits import Neighbours
from midstream.limits import LIMITS
from midstream.types import Tensor

__all__ = ["choose", "neighbours"]

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
_RIDGE = 1e-6
"""Of a neighbour's energy, added to it: others may be nearly the same."""
_LEAST_ENERGY = 1e-12
_PARTS, _FARTHEST = 64.0, 2047
"""Parts of a spread that levels are counted in, and how many at most."""
_FIRST_WIDTH, _WIDTHS = 12, 256
"""Nothing is less than a step wide, which is the twelfth width of levels."""
_PRICE_UNIT = 1 << 10

_Float = NDArray[np.float64]


def choose(
    levels: NDArray[np.signedinteger],
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
    widths = np.full(stop - start, code.width, np.int16)
    for axis, deltas in enumerate(code.axes):
        if deltas is not None:
            add_vector(widths, deltas, tensor, axis, start)
    parts = _parts()[np.clip(widths - _FIRST_WIDTH, 0, _WIDTHS - 1)]
    if units is not None:
        parts /= units[start:stop]
    values = levels if units is None else levels * units
    moments = _moments(values, parts, list(known.values()), start)
    chosen = _select(moments, len(levels))
    names = list(known)
    pairs = ((names[at], number) for at, number in _rounded(chosen))
    return tuple(sorted((name, number) for name, number in pairs if number))


@lru_cache(maxsize=1024)
def neighbours(tensor: Tensor) -> tuple[tuple[int, ...], Neighbours]:
    """The numbers of those that may predict a tensor's levels, and where they are."""
    known = _candidates(tensor) if tensor.weights >= _FEWEST else {}
    rows = [(place.back, place.stride, place.size) for place in known.values()]
    own = Neighbours(
        places=np.array(rows, np.int64).reshape(-1, 3),
        scales=_parts(),
        term=_PRICE_UNIT * int(_TERM_BITS),
    )
    return tuple(known), own


@cache
def _parts() -> NDArray[np.float32]:
    """What levels are multiplied by, by their width."""
    return (_PARTS * np.exp2(np.arange(_WIDTHS) / -4)).astype(np.float32)


@lru_cache(maxsize=1024)
def _candidates(tensor: Tensor) -> dict[int, Place]:
    lanes = rans.lanes_of(min(tensor.weights, LIMITS.slice_weights))
    least = min(lanes, _NEAREST) if tensor.weights >= _SMALL else _NEAREST_IN_SMALL
    return {
        at: place
        for at, place in enumerate(places(tensor))
        if place is not None and place.distance >= least
    }


def _moments(
    values: NDArray[np.signedinteger] | NDArray[np.float32],
    parts: NDArray[np.float32],
    known: list[Place],
    start: int,
) -> _Float:
    """Products of all neighbours' values and, last, the weights' own, in parts of their spread."""
    stop = start + len(parts)
    columns = np.zeros((len(known) + 1, len(parts)), np.float32)
    for column, place in zip(columns, known, strict=False):
        if len(parts) == len(values):
            shape = -1, place.size, place.stride
            column.reshape(shape)[:, place.back :] = values.reshape(shape)[:, : -place.back]
            continue
        # before the tensor's first weight there is no neighbour either
        skipped = max(0, place.distance - start)
        column[skipped:] = values[start + skipped - place.distance : max(stop - place.distance, 0)]
        if place.stride * place.size < len(values):  # its axis begins anew
            column *= _inside(place, start, len(parts)).astype(np.float32)
    columns[-1] = values[start:stop]
    whole = np.rint(np.clip(columns * parts, -_FARTHEST, _FARTHEST)).astype(np.float64)
    moments: _Float = whole @ whole.T
    return moments


def _inside(place: Place, start: int, weights: int) -> NDArray[np.int16]:
    """1 for each weight that has a neighbour, 0 for others."""
    inside = np.zeros(weights, np.int16)
    has = (np.arange(place.size) >= place.back).astype(np.int8)
    add_along(inside, has, stride=place.stride, start=start)
    return inside


def _select(moments: _Float, weights: int) -> dict[int, float]:
    """The neighbours that pay, one added after the other, and their coefficients.

    Gauss-Jordan elimination: what is left of the last column are the coefficients of those
    that are chosen, and what the others still have in common with the weights.
    """
    left = moments.copy()
    own, target = left.diagonal()[:-1], left[:-1, -1]
    np.fill_diagonal(left[:-1], own * (1 + _RIDGE) + _LEAST_ENERGY)
    chosen: list[int] = []
    first = energy = float(moments[-1, -1])
    least = max(_TERM_BITS, _LEAST_SHARE / 4 * weights)
    for _ in range(min(_MOST_TERMS, len(own))):
        gains = target * target / own
        gains[chosen] = -1
        best = int(gains.argmax())
        after = energy - float(gains[best])
        if _saved(energy, after, weights) < least:
            break
        chosen.append(best)
        energy = after
        _eliminate(left, best)
    if _saved(first, energy, weights) < _LEAST_SHARE * weights:
        return {}
    return dict(zip(chosen, target[chosen].tolist(), strict=True))


def _eliminate(left: _Float, at: int) -> None:
    """Take a neighbour's part out of all others and of the weights; `left` is changed."""
    row = left[at] / left[at, at]
    left -= left[:, at, None] * row
    left[at] = row


def _saved(before: float, after: float, weights: int) -> float:
    """Bits that less energy is worth."""
    return 0.5 * weights * math.log2(max(before, 1e-9) / max(after, 1e-9))


def _rounded(coefficients: Mapping[int, float]) -> list[tuple[int, int]]:
    return [
        (at, min(max(round(32 * number), -MAX_COEFFICIENT), MAX_COEFFICIENT))
        for at, number in coefficients.items()
    ]
