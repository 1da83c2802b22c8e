"""Chooses how wide levels spread: shape, width and log-scales of a tensor.

Knows nothing of how they are sent, only about how many bits that takes. All estimates come
from the tables themselves: levels are sorted into magnitude classes, and what each class costs
at each width is known.
"""

from dataclasses import replace
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from midstream.codec.axes import axis_index, axis_sizes
from midstream.codec.correlation import choose, neighbours
from midstream.codec.costs import class_costs, spread
from midstream.codec.digits import width_shift
from midstream.codec.parameters import TensorCode
from midstream.codec.prediction import terms
from midstream.codec.tables import WIDTHS
from midstream.kernels import fit_scales, level_classes, predict
from midstream.kernels import fit_ways as ways_in_c
from midstream.kernels import make_way as make_in_c
from midstream.kernels import refit_way as refit_in_c
from midstream.kernels.fits import (
    AXES,
    MARGIN,
    MOST_THIN,
    PADDING,
    Fit,
    Geometry,
    Making,
    Prices,
    seen,
)
from midstream.types import Tensor

__all__ = ["Ways", "fit", "fit_ways", "may_make", "refit", "refit_made"]

_SMALL = 600
_LARGE = 8000
_UNIT = 1 << 10
"""Parts of a bit that prices are counted in."""
_AXIS_BITS = 8
_PREDICTOR_BITS = 12
_CHOICES = 4
_MUCH = 0.99
"""Predictors that leave less of the bits than this are worth another choice."""
_FEWEST = 64
"""Weights of a place that tell how all of them spread."""
_SPREADS = WIDTHS
"""Widths that log-scales may be sent with."""

_PIECE = 1 << 16
"""Levels that are sorted at once."""

_Int = NDArray[np.int64]
_Levels = NDArray[np.signedinteger]


def fit(
    levels: _Levels,
    tensor: Tensor,
    *,
    step: int = 0,
    offset: int = 0,
    trits: int = 0,
    row_steps: NDArray[np.int8] | None = None,
    column_steps: NDArray[np.int8] | None = None,
    may_predict: bool = True,
) -> TensorCode:
    """The parameters that give a tensor's levels their shortest code, side information included.

    Where refinements will follow, levels of one refinement (`trits` 1) are the better ones to
    fit to: a base tells little about rows that are zero in it. Measured over 17 networks, the
    base grew by 0.3 % and base and two refinements shrank by 1 %, up to 8 % in sparse ones.

    Args:
        levels: (weights,), of any integer type, on the base grid refined `trits` times.
        tensor: Where they are from.
        step: Step index or trit exponent of the base grid, passed on.
        offset: Value of level 0, passed on.
        trits: Refinements of the base grid that the levels have.
        row_steps: Half octaves by which rows are coarser, passed on.
        column_steps: The same of columns.
        may_predict: False where levels themselves must spread as the parameters say.
    """
    plain = TensorCode(
        step=step, offset=offset, row_steps=row_steps, column_steps=column_steps, shape=1
    )
    if may_predict:
        return fit_ways(levels, tensor, plain, trits=trits).code
    return _code(_fitted(levels, tensor, None), plain, trits)


class Ways(NamedTuple):
    """How a tensor's levels may be coded."""

    code: TensorCode
    """The shortest way."""
    unpredicted: TensorCode
    """The shortest without a predictor: levels themselves spread as it says."""
    bits: float
    """What the shortest takes, about, its own parameters included."""


def fit_ways(
    levels: _Levels,
    tensor: Tensor,
    grid: TensorCode,
    *,
    trits: int = 0,
    is_rough: bool = False,
) -> Ways:
    """What `fit` finds, and what it would without a predictor.

    Args:
        levels: (weights,), of any integer type, on the base grid refined `trits` times.
        tensor: Where they are from.
        grid: Steps and offset of the base grid.
        trits: Refinements of the base grid that the levels have.
        is_rough: Whether some of the weights tell how all of them spread, where there are many.
    """
    thin = _thin(tensor) if is_rough else 0
    if ways_in_c is not None and grid.is_even:
        return _ways_in_c(levels, tensor, grid, trits, thin)
    units = _units(grid, tensor)
    found = _fitted(levels, tensor, None, thin=thin)
    code = _code(found, grid, trits)
    ways = Ways(code=code, unpredicted=code, bits=found.bits / _UNIT)
    # neighbours that predict much are chosen anew by how wide what they leave spreads
    for _ in range(_CHOICES):
        predictor = choose(levels, tensor, _code(found, grid, 0), units)
        if not predictor or predictor == ways.code.predictor:
            break
        expecting = replace(grid, predictor=predictor)
        known = found if ways.code.predictor else None
        found = _fitted(levels, tensor, _halves(levels, tensor, expecting), known, thin)
        bits, before = found.bits / _UNIT + _PREDICTOR_BITS * len(predictor), ways.bits
        if bits < before:
            ways = ways._replace(code=_code(found, expecting, trits), bits=bits)
        if bits > _MUCH * before:
            break
    return ways


def refit(levels: _Levels, tensor: Tensor, code: TensorCode) -> TensorCode:
    """The same parameters, as they suit other levels of the same tensor; scales on the same axes.

    Args:
        levels: (weights,), of any integer type, on the base grid.
        tensor: Where they are from.
        code: How levels much like these are coded.
    """
    known = _known(code)
    if refit_in_c is not None and code.is_even and _are_candidates(code, tensor):
        return _refitted_in_c(levels, tensor, code, known)
    if code.predictor:
        chosen = choose(levels, tensor, code, _units(code, tensor))
        code = replace(code, predictor=chosen or code.predictor)
    return _code(_adjusted(levels, tensor, _halves(levels, tensor, code), known), code, 0)


def may_make(code: TensorCode, tensor: Tensor) -> bool:
    """Whether levels that are coded so may be made by `refit_made`."""
    return make_in_c is not None and code.is_even and _are_candidates(code, tensor)


def refit_made(
    numbers: NDArray[np.float32] | NDArray[np.float64],
    tensor: Tensor,
    code: TensorCode,
    plan: Making,
) -> tuple[NDArray[np.int32], float, TensorCode]:
    """Thrifty levels, the sum of their squared errors, and what `refit` finds for them.

    Args:
        numbers: (weights,) the weights.
        tensor: Where they are from.
        code: How the levels are coded, about; `may_make` says whether that is known here.
        plan: How they are made.
    """
    assert make_in_c is not None, "asked for where it is there"
    names, own = neighbours(tensor)
    before = tuple((names.index(name), coefficient) for name, coefficient in code.predictor)
    known = _known(code), before
    levels, error, (found, chosen) = make_in_c(
        numbers, plan, _geometry(tensor), _prices(), own, known
    )
    predictor = tuple((names[at], coefficient) for at, coefficient in chosen)
    return levels, error, _code(found, code, 0, predictor)


def _known(code: TensorCode) -> Fit:
    """Scales as they are known, but for what they take."""
    deltas = {axis: own for axis, own in enumerate(code.axes) if own is not None}
    spreads = {axis: spread(own.astype(np.int32)) for axis, own in deltas.items()}
    return Fit(shape=code.shape, width=code.width, deltas=deltas, spreads=spreads, bits=0)


def _ways_in_c(levels: _Levels, tensor: Tensor, grid: TensorCode, trits: int, thin: int) -> Ways:
    """What `fit_ways` finds."""
    assert ways_in_c is not None, "asked for where it is there"
    names, own = neighbours(tensor)
    (best, chosen), other = ways_in_c(
        levels.astype(np.int32, copy=False), _geometry(tensor), _prices(), own, thin
    )
    predictor = tuple((names[at], coefficient) for at, coefficient in chosen)
    unpredicted = _code(other, grid, trits)
    code = _code(best, grid, trits, predictor) if predictor else unpredicted
    return Ways(code=code, unpredicted=unpredicted, bits=best.bits / _UNIT)


def _are_candidates(code: TensorCode, tensor: Tensor) -> bool:
    """Whether all that predict are among those that `choose` may choose."""
    return not code.predictor or set(dict(code.predictor)) <= set(neighbours(tensor)[0])


def _refitted_in_c(levels: _Levels, tensor: Tensor, code: TensorCode, known: Fit) -> TensorCode:
    """What `refit` finds, given what is known of the scales."""
    assert refit_in_c is not None, "asked for where it is there"
    names, own = neighbours(tensor)
    before = tuple((names.index(name), coefficient) for name, coefficient in code.predictor)
    wide = levels.astype(np.int32, copy=False)
    found, chosen = refit_in_c(wide, _geometry(tensor), _prices(), own, (known, before))
    predictor = tuple((names[at], coefficient) for at, coefficient in chosen)
    return _code(found, code, 0, predictor)


def _halves(levels: _Levels, tensor: Tensor, code: TensorCode) -> _Int | None:
    """What is expected of each level, in half steps; None for nothing at all."""
    expected = terms([(tensor, code, 0, len(levels))])
    return None if expected is None else predict(levels.astype(np.int32, copy=False), expected)


def _units(code: TensorCode, tensor: Tensor) -> NDArray[np.float32] | None:
    """The step of each weight over the tensor's."""
    axes = [(at, h) for at, h in enumerate((code.row_steps, code.column_steps)) if h is not None]
    if not axes:
        return None
    halves = np.zeros(tensor.weights, np.float32)
    for axis, steps in axes:
        halves += steps[axis_index(tensor, axis, 0, tensor.weights)]
    return np.exp2(halves / 2)


def _fitted(
    levels: _Levels, tensor: Tensor, halves: _Int | None, known: Fit | None = None, thin: int = 0
) -> Fit:
    """What suits levels; what is known is where it begins."""
    where, classes = _geometry(tensor), _classes(levels, halves)
    if thin:
        classes = classes[seen(where.dims, thin)]
    return fit_scales(classes, where.dims, where.tried, _prices(), known, thin)


def _thin(tensor: Tensor) -> int:
    """How few of the weights tell how those on each place of each axis spread."""
    each = tensor.weights // _geometry(tensor).most if tensor.weights >= _LARGE else 0
    return next((thin for thin in range(MOST_THIN, 0, -1) if each >> thin >= _FEWEST), 0)


def _adjusted(levels: _Levels, tensor: Tensor, halves: _Int | None, known: Fit) -> Fit:
    """The same scales, on no other axes."""
    return fit_scales(_classes(levels, halves), _geometry(tensor).dims, (), _prices(), known)


def _classes(levels: _Levels, halves: _Int | None) -> NDArray[np.uint8]:
    """Magnitude classes; a piece at a time is wide of what is held narrow."""
    if halves is not None or levels.dtype == np.int32:
        return level_classes(levels.astype(np.int32, copy=False), halves)
    classes = np.empty(len(levels), np.uint8)
    for start in range(0, len(levels), _PIECE):
        piece = slice(start, start + _PIECE)
        classes[piece] = level_classes(levels[piece].astype(np.int32))
    return classes


@lru_cache(maxsize=1024)
def _geometry(tensor: Tensor) -> Geometry:
    """The dimensions of a tensor by axis, and the axes that are worth trying."""
    named = {tensor.row_axis: 0, tensor.column_axis: 1}
    dims: list[list[int]] = []
    steps = [1, 1, 1]
    for place in reversed(range(len(tensor.shape))):
        size, axis = tensor.shape[place], named.get(place, 2)
        if size == 1:
            continue
        if dims and dims[0][1] == axis:
            dims[0][0] *= size
        else:
            dims.insert(0, [size, axis, steps[axis]])
        steps[axis] *= size
    sizes = enumerate(axis_sizes(tensor))
    tried = tuple(
        at for at, n in sizes if at in _axes_for(tensor.weights) and 1 < n < tensor.weights
    )
    return Geometry(np.array(dims or [[1, 2, 1]], np.int64), tried)


def _axes_for(weights: int) -> tuple[int, ...]:
    """Axes worth trying: rows; with more weights taps; with many more columns."""
    if weights < _SMALL:
        return (0,)
    return (0, 2) if weights < _LARGE else (0, 1, 2)


def _code(
    found: Fit,
    known: TensorCode,
    trits: int,
    predictor: tuple[tuple[int, int], ...] | None = None,
) -> TensorCode:
    """Parameters as found; the predictor is that of what is known where None."""
    return TensorCode.of_grid(
        (known.step, known.offset),
        (found.shape, found.width - width_shift(trits)),
        (*map(found.deltas.get, range(AXES)), known.row_steps, known.column_steps),
        known.predictor if predictor is None else predictor,
        known.lattice,
    )


@cache
def _prices() -> Prices:
    costs = np.rint(_UNIT * class_costs()).astype(np.uint16)
    padded = np.pad(costs, ((0, 0), (0, 0), (PADDING, PADDING)), mode="edge")
    candidates = np.arange(-MARGIN, MARGIN + 1, dtype=np.int32)
    sent = class_costs()[0][level_classes(candidates)].T[:_SPREADS]
    return Prices(
        costs=np.ascontiguousarray(padded),
        sent=np.ascontiguousarray(np.rint(_UNIT * sent).astype(np.uint16)),
        axis=_UNIT * _AXIS_BITS,
    )
