"""Which quantiser each tensor of a release with one rung gets. Knows nothing of targets.

Thrifty levels on the integers, which may be predicted, or thrifty points of the lattice,
which may not: whichever is the less of squared error and a price for each bit.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from midstream.codec import Context, TensorCode, grid, lattice, points, scales
from midstream.encoder import thrift
from midstream.encoder.plan import Plan, cut, put
from midstream.encoder.thrift import PRICE, thrifty
from midstream.encoder.weights import Weights
from midstream.kernels import squared_error

__all__ = ["economise"]

_FINER = 14
"""Step indices from the integers' step to the lattice's half step of about equal error."""
_NARROWER = 4
"""Quarter octaves of that, about."""

_Levels = NDArray[np.int32]


def economise(
    weights: Sequence[Weights], codes: Sequence[TensorCode], plans: Sequence[Plan]
) -> tuple[list[TensorCode], list[_Levels]]:
    """Levels of fewer bytes and more error, and the grids that they are on.

    Args:
        weights: All tensors.
        codes: How their nearest levels are coded.
        plans: All slices; their levels are not looked at.
    """
    levels = [np.zeros(w.tensor.weights if w.coded else 0, np.int32) for w in weights]
    chosen = list(codes)
    for tensor, own in _by_tensor(plans).items():
        for plan in own:
            put(levels, plan.piece, _thrifty(plan))
        if not _may_be_points(weights[tensor], codes[tensor]):
            continue
        found, price = _points(weights[tensor], codes[tensor], own)
        if price < sum(_price(plan, cut(plan.piece, levels)) for plan in own):
            levels[tensor] = found
            chosen[tensor] = replace(
                codes[tensor], step=codes[tensor].step - _FINER, lattice=True, predictor=()
            )
    return chosen, levels


def _by_tensor(plans: Sequence[Plan]) -> dict[int, list[Plan]]:
    """Coded slices by the tensor of their first weights."""
    own: dict[int, list[Plan]] = {}
    for plan in plans:
        if plan.piece.coded:
            own.setdefault(plan.piece.runs[0].tensor, []).append(plan)
    return own


def _thrifty(plan: Plan) -> _Levels:
    near = plan.rounded(0)
    if not plan.piece.dtype.is_float:
        return near
    return thrifty(near, plan.numbers, plan.sizes(0), plan.context)


def _may_be_points(weights: Weights, code: TensorCode) -> bool:
    return (
        code.coded
        and weights.tensor.dtype.is_float
        and weights.tensor.weights >= lattice.FEWEST_WEIGHTS
        and code.row_steps is None
        and code.column_steps is None
        and code.step - _FINER >= -grid.MAX_STEP_INDEX
    )


def _price(plan: Plan, levels: _Levels) -> float:
    """Squared error and bits of a slice of one step, in squared steps."""
    size = plan.sizes(0)
    error = squared_error(plan.numbers, size, levels=levels)
    return error / float(size[0]) ** 2 + PRICE * points.cost(levels, plan.context)


def _points(weights: Weights, code: TensorCode, plans: Sequence[Plan]) -> tuple[_Levels, float]:
    """Points of a tensor, and their price in squared steps of the integers."""
    tensor = weights.tensor
    if code.predictor:
        near = np.concatenate([plan.rounded(0) for plan in plans])
        code = scales.fit(near, tensor, step=code.step, may_predict=False)
    half = grid.step_size(code.step - _FINER, 0, tensor.dtype)
    size = grid.step_size(code.step, 0, tensor.dtype)
    found, price = np.empty(tensor.weights, np.int32), 0.0
    for plan in plans:
        run = plan.piece.runs[0]
        width = scales.contexts(tensor, code, run.start, run.stop) + np.int16(_NARROWER)
        shape = np.full(len(width), code.shape, np.int8)
        context = Context(shape=shape, width=width, lattice=True)
        levels = thrift.points(plan.numbers, 2 * half, context)
        error = squared_error(plan.numbers, np.array([half]), levels=levels)
        price += error / size**2 + PRICE * points.cost(levels, context)
        found[run.start : run.stop] = levels
    return found, price
