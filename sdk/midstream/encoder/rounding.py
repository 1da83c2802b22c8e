"""Rounding with error feedback: later weights make good what earlier ones lost.

Of an operator with weights w and inputs x, the output error of levels q is (w - q)^T E[xx^T]
(w - q). With E[xx^T] = V V^T, V upper triangular, that is a sum of squares, each of which
rounding makes small in its turn (GPTQ, arXiv 2210.17323, in its decision-feedback form, which
needs no inverse). Knows nothing of runtimes: the second moments come in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.types import Tensor

__all__ = [
    "DAMPING",
    "MOST_INPUTS",
    "Bounds",
    "Feedback",
    "as_rows",
    "bounded",
    "from_rows",
    "round_with_feedback",
]

MOST_INPUTS = 4096
"""Inputs of an operator beyond which rounding is plain: the work grows with their cube."""
DAMPING = 0.02
"""Of the mean power, added to each input's: probes are few, and others will come."""
_LEAST = 1e-3
"""Of the power, which differences from the mean are taken to have at least: no less than what
rounding errors make of them."""
_BLOCK = 64

_Float = NDArray[np.float64]
_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feedback:
    """How the error of one weight of a row is felt by those after it."""

    order: NDArray[np.intp]  # (inputs,)
    """The inputs in the order of rounding, the most powerful first."""
    factor: _Float  # (groups, inputs, inputs)
    """V, upper triangular, in that order; each column divided by its diagonal element."""

    @classmethod
    def of(
        cls, moments: _Float, mean: _Float | None = None, *, damping: float = DAMPING
    ) -> "Feedback | None":
        """Factor second moments.

        Args:
            moments: (groups, inputs, inputs), E[xx^T].
            mean: (groups, inputs), E[x], where a bias takes back errors of the average, so
                that those of the differences from it are all that count.
            damping: Of the mean power, added to each input's.

        Returns:
            None where nothing is fed back: no input is ever there, or they are too many.
        """
        power = np.einsum("gii->g", moments) / moments.shape[1]
        if moments.shape[1] > MOST_INPUTS or not np.isfinite(moments).all() or not power.any():
            return None
        if mean is not None:
            moments = moments - mean[:, :, None] * mean[:, None, :]
        spread = np.einsum("gii->gi", moments)  # (groups, inputs)
        added = damping * np.maximum(spread.mean(axis=1), _LEAST * power)
        added = np.where(power > 0, added, 1.0)
        order = np.argsort(-spread.sum(axis=0), kind="stable")
        damped = moments + added[:, None, None] * np.eye(moments.shape[1])
        # the factor of the reversed matrix, reversed again, is the upper one
        last_first = order[::-1]
        lower = np.linalg.cholesky(damped[:, last_first[:, None], last_first])
        upper = lower[:, ::-1, ::-1]
        return cls(order=order, factor=upper / np.einsum("gii->gi", upper)[:, None, :])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """Where levels should stay: among the children of their parents, or near the weights."""

    low: NDArray[np.float64]
    """(weights,) or (rows, inputs)."""
    high: NDArray[np.float64]
    """The same, inclusive."""
    slack: NDArray[np.float64]
    """The same: steps by which a weight may be missed before its level leaves the bounds."""

    def map(self, change: Callable[[_Float], _Float]) -> "Bounds":
        """Bounds laid out otherwise."""
        low, high, slack = (change(array) for array in (self.low, self.high, self.slack))
        return Bounds(low=low, high=high, slack=slack)


def bounded(target: _Float, low: _Float, high: _Float, slack: _Float) -> _Float:
    """The levels nearest to targets, in steps, that bounds allow."""
    nearest = np.rint(target)
    inside: _Float = np.clip(nearest, low, high)
    return np.where(np.abs(target - inside) > slack, nearest, inside)


def round_with_feedback(
    values: _Float, sizes: _Float, feedback: Feedback, bounds: Bounds | None = None
) -> NDArray[np.int32]:
    """Levels whose errors cancel at the outputs.

    Args:
        values: (rows, inputs), the weights; rows are split evenly between the groups.
        sizes: (rows, inputs), the step of each.
        feedback: Of the operator that they belong to.
        bounds: Where levels should stay; None where all are allowed.

    Returns:
        (rows, inputs), levels.
    """
    groups, inputs = feedback.factor.shape[:2]
    # (inputs, groups, rows of a group): an input's weights lie together
    wanted, step = (_by_input(a, feedback.order, groups) for a in (values, sizes))
    if bounds is not None:
        bounds = bounds.map(lambda array: _by_input(array, feedback.order, groups))
    rounded = np.zeros(wanted.shape, np.int32)
    errors = np.zeros(wanted.shape)
    for start in range(0, inputs, _BLOCK):
        stop = min(start + _BLOCK, inputs)
        carried = _carried(errors[:start], feedback.factor[:, :start, start:stop])
        for at in range(start, stop):
            target = wanted[at] + carried[at - start]
            target += _carried(errors[start:at], feedback.factor[:, start:at, at : at + 1])[0]
            target /= step[at]
            level = _level(target, bounds, at)
            rounded[at] = level
            errors[at] = wanted[at] - level * step[at]
    levels = np.empty(values.shape, np.int32)
    levels[:, feedback.order] = rounded.reshape(inputs, -1).T
    return levels


def _level(target: _Float, bounds: Bounds | None, at: int) -> _Float:
    if bounds is None:
        return np.rint(target)
    return bounded(target, bounds.low[at], bounds.high[at], bounds.slack[at])


def _by_input(array: NDArray[_T], order: NDArray[np.intp], groups: int) -> NDArray[_T]:
    return np.ascontiguousarray(array[:, order].T).reshape(len(order), groups, -1)


def _carried(errors: _Float, factor: _Float) -> _Float:
    """What errors (inputs, groups, rows) do to later inputs: (later inputs, groups, rows)."""
    if len(errors) == 0:
        return np.zeros((factor.shape[2], *errors.shape[1:]))
    if len(factor) == 1:  # one product of matrices, at the speed of BLAS
        carried: _Float = (factor[0].T @ errors[:, 0])[:, None]
    else:
        carried = np.einsum("igr,gij->jgr", errors, factor)
    return carried


def as_rows(flat: NDArray[_T], tensor: Tensor) -> NDArray[_T]:
    """Weights in flattened order as (rows, inputs): output channels by all other axes."""
    assert tensor.row_axis is not None, "only operators with output channels have moments"
    shaped = flat.reshape(tensor.shape)
    return np.moveaxis(shaped, tensor.row_axis, 0).reshape(tensor.shape[tensor.row_axis], -1)


def from_rows(rows: NDArray[_T], tensor: Tensor) -> NDArray[_T]:
    """What `as_rows` gave, in flattened order again."""
    assert tensor.row_axis is not None, "only operators with output channels have moments"
    others = [n for axis, n in enumerate(tensor.shape) if axis != tensor.row_axis]
    shaped = rows.reshape(tensor.shape[tensor.row_axis], *others)
    return np.moveaxis(shaped, 0, tensor.row_axis).ravel()
