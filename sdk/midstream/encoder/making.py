"""Thrifty levels of a whole tensor of floats, and how they are coded. Knows nothing of samples."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.codec import Context, Folding, TensorCode, grid, scales
from midstream.codec.fitting import may_make, refit, refit_made
from midstream.codec.prediction import terms
from midstream.encoder import thrift
from midstream.encoder.narrow import Narrow, narrow
from midstream.encoder.weights import Numbers, Weights
from midstream.kernels import nearest_levels, squared_error
from midstream.types import DType

__all__ = ["make"]

_PIECE = 1 << 18
"""Weights that are numbers at once."""

_Cuts = Sequence[tuple[int, int]]
_Levels = NDArray[np.int32]
_Sizes = NDArray[np.float64]


def make(
    weights: Weights, code: TensorCode, cuts: _Cuts, foldings: Mapping[int, Folding]
) -> tuple[Narrow, float, TensorCode]:
    """Thrifty levels, the sum of their squared errors, and how they are coded.

    Args:
        weights: The tensor.
        code: How its levels are coded, about.
        cuts: Where the parts that are coded apart from each other start and stop.
        foldings: Of slices, which weights that repeat others are left out, by their start.
    """
    tensor, size = weights.tensor, grid.one_size(code.step, 0, weights.tensor.dtype)
    if foldings or not _is_made_at_once(weights, code):
        levels, error = _by_parts(weights, code, size, cuts, foldings)
        return levels, error, refit(levels, tensor, code)
    plan = thrift.plan_of(size, np.array(cuts, np.int64), is_lattice=code.lattice)
    found, error, code = refit_made(weights.numbers(), tensor, code, plan)
    return narrow(found), error, code


def _is_made_at_once(weights: Weights, code: TensorCode) -> bool:
    """Whether one call makes and fits; not where all numbers would have to be made first."""
    tensor = weights.tensor
    is_small = tensor.dtype is DType.FLOAT32 or tensor.weights <= _PIECE
    return is_small and may_make(code, tensor)


def _by_parts(
    weights: Weights, code: TensorCode, size: _Sizes, cuts: _Cuts, foldings: Mapping[int, Folding]
) -> tuple[Narrow, float]:
    """Thrifty levels, and the sum of their squared errors, part by part."""
    found, error = [], 0.0
    for start, stop in cuts:
        numbers = weights.numbers(start, stop)
        context = _context(weights, code, start, stop)
        own = _part(numbers, size, context, foldings.get(start))
        error += squared_error(numbers, size, levels=own)
        found.append(narrow(own))
    return found[0] if len(found) == 1 else np.concatenate(found), error


def _part(numbers: Numbers, size: _Sizes, context: Context, folding: Folding | None) -> _Levels:
    """Thrifty levels of a slice."""
    if folding is None:
        return _levels(numbers, size, context)
    return folding.levels(_levels(numbers[folding.places], size, folding.context(context)))


def _levels(numbers: Numbers, size: _Sizes, context: Context) -> _Levels:
    if context.lattice:
        return thrift.points(numbers, 2 * float(size[0]), context)
    return thrift.thrifty(nearest_levels(numbers, size), numbers, size, context)


def _context(weights: Weights, code: TensorCode, start: int, stop: int) -> Context:
    """How the levels of a slice are coded."""
    tensor = weights.tensor
    width = scales.contexts(tensor, code, start, stop)
    return Context(
        shape=np.full(len(width), code.shape, np.int8),
        width=width,
        terms=terms([(tensor, code, start, stop)]),
        lattice=code.lattice,
    )
