"""Adjoints of functions of one number or two, and of softmax. Knows nothing of graphs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from midstream.analysis.steps import Activation, Adjoint, Code, Found, Numbers, Pull

__all__ = ["ADJOINTS", "before_activation", "to_shape"]

_Derivative = Callable[["_Point"], NDArray[Any]]
_BOUNDS: Mapping[int, tuple[float, float]] = {
    Activation.RELU: (0, np.inf),
    Activation.RELU6: (0, 6),
    Activation.RELU_N1_TO_1: (-1, 1),
}
_ROOT = np.float32(np.sqrt(2 / np.pi))
_CUBE = np.float32(0.044715)


def to_shape(gradient: Numbers, shape: tuple[int, ...]) -> Numbers:
    """Sum a gradient over the axes along which an input was repeated."""
    extra = gradient.ndim - 1 - len(shape)
    gradient = gradient.sum(axis=tuple(range(1, 1 + extra))) if extra else gradient
    repeated = tuple(
        1 + axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[1 + axis] != 1
    )
    return gradient.sum(axis=repeated, keepdims=True) if repeated else gradient


def before_activation(gradient: Numbers, result: Numbers, activation: int) -> Numbers:
    """The gradient before a fused activation, from its result.

    Raises:
        LookupError: The activation is not known.
    """
    if activation == Activation.NONE:
        return gradient
    low, high = _BOUNDS[activation]
    return gradient * ((result > low) & (result < high))


class _Point(NamedTuple):
    """Where a function of one number is looked at."""

    x: Numbers
    y: Numbers
    parameter: float


def _gelu(at: _Point) -> NDArray[Any]:
    x = at.x
    inner = np.tanh(_ROOT * (x + _CUBE * x**3))
    slope = _ROOT * (1 + 3 * _CUBE * x * x)
    return np.asarray((1 + inner + x * (1 - inner * inner) * slope) / 2)


_DERIVATIVES: Mapping[int, _Derivative] = {
    Code.RELU: lambda at: at.y > 0,
    Code.RELU6: lambda at: (at.y > 0) & (at.y < 6),
    Code.RELU_N1_TO_1: lambda at: (at.y > -1) & (at.y < 1),
    Code.LEAKY_RELU: lambda at: np.where(at.x > 0, 1, at.parameter),
    Code.ELU: lambda at: np.where(at.x > 0, 1, at.y + 1),
    Code.GELU: _gelu,
    Code.LOGISTIC: lambda at: at.y * (1 - at.y),
    Code.TANH: lambda at: 1 - at.y * at.y,
    Code.HARD_SWISH: lambda at: np.where(at.x >= 3, 1, np.where(at.x <= -3, 0, at.x / 3 + 0.5)),
    Code.EXP: lambda at: at.y,
    Code.LOG: lambda at: 1 / at.x,
    Code.SQRT: lambda at: 0.5 / at.y,
    Code.RSQRT: lambda at: -0.5 * at.y**3,
    Code.SQUARE: lambda at: 2 * at.x,
    Code.ABS: lambda at: np.sign(at.x),
    Code.NEG: lambda at: np.full_like(at.x, -1),
    Code.SIN: lambda at: np.cos(at.x),
    Code.COS: lambda at: -np.sin(at.x),
}


def _unary(pull: Pull) -> Found:
    if pull.wanted != {0}:
        raise LookupError("a function of one number")
    at = _Point(pull.read(0), pull.result(), pull.operator.options.real(0))
    with np.errstate(all="ignore"):
        slope = _DERIVATIVES[pull.operator.code](at)
    return {0: pull.gradient * _finite(slope)}


def _finite(slope: NDArray[Any]) -> Numbers:
    """Zero for a pole, such as that of the logarithm at 0, which would hide all else."""
    return np.nan_to_num(slope.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)


class _Pair(NamedTuple):
    """Where a function of two numbers is looked at."""

    a: Numbers
    b: Numbers
    y: Numbers


_Partial = Callable[[_Pair], tuple[NDArray[Any], NDArray[Any]]]


def _power(at: _Pair) -> tuple[NDArray[Any], NDArray[Any]]:
    return at.b * at.a ** (at.b - 1), at.y * np.log(at.a)


def _chosen(at: _Pair) -> tuple[NDArray[Any], NDArray[Any]]:
    return at.a == at.y, at.a != at.y


_ONE = np.ones((), np.float32)

_PARTIALS: Mapping[int, _Partial] = {
    Code.ADD: lambda _: (_ONE, _ONE),
    Code.SUB: lambda _: (_ONE, -_ONE),
    Code.MUL: lambda at: (at.b, at.a),
    Code.DIV: lambda at: (1 / at.b, -at.a / at.b**2),
    Code.POW: _power,
    Code.SQUARED_DIFFERENCE: lambda at: (2 * (at.a - at.b), 2 * (at.b - at.a)),
    Code.MAXIMUM: _chosen,
    Code.MINIMUM: _chosen,
}
_FUSED = {Code.ADD, Code.SUB, Code.MUL, Code.DIV}


def _binary(pull: Pull) -> Found:
    at = _Pair(pull.read(0), pull.read(1), pull.result())
    gradient = pull.gradient
    if pull.operator.code in _FUSED:
        gradient = before_activation(gradient, at.y, pull.operator.options.byte(0))
    with np.errstate(all="ignore"):
        slopes = _PARTIALS[pull.operator.code](at)
    return {
        place: to_shape(_times(gradient, slopes[place]), at[place].shape) for place in pull.wanted
    }


def _times(gradient: Numbers, slope: NDArray[Any]) -> Numbers:
    return gradient if slope is _ONE else gradient * _finite(slope)


def _passed(pull: Pull) -> Found:
    """Rounding is passed as if it were not there: it is noise of its own, not a change of ours."""
    return {0: pull.gradient}


def _sum_of_many(pull: Pull) -> Found:
    return {place: to_shape(pull.gradient, pull.read(place).shape) for place in pull.wanted}


def _prelu(pull: Pull) -> Found:
    x, slope, gradient = pull.read(0), pull.read(1), pull.gradient
    found: Found = {}
    if 0 in pull.wanted:
        found[0] = gradient * np.where(x > 0, _ONE, slope)
    if 1 in pull.wanted:
        found[1] = to_shape(gradient * np.minimum(x, 0), slope.shape)
    return found


def _select(pull: Pull) -> Found:
    chosen = pull.read(0).astype(bool)
    if pull.operator.code == Code.SELECT and chosen.ndim < pull.result().ndim:
        chosen = chosen.reshape(chosen.shape + (1,) * (pull.result().ndim - chosen.ndim))
    masks = {1: chosen, 2: ~chosen}
    return {
        place: to_shape(pull.gradient * masks[place], pull.read(place).shape)
        for place in pull.wanted
    }


def _softmax(pull: Pull) -> Found:
    y, gradient = pull.result(), pull.gradient
    common = (gradient * y).sum(axis=-1, keepdims=True)
    return {0: np.float32(pull.operator.options.real(0, 1.0)) * y * (gradient - common)}


def _log_softmax(pull: Pull) -> Found:
    gradient = pull.gradient
    return {0: gradient - np.exp(pull.result()) * gradient.sum(axis=-1, keepdims=True)}


def _normalise(pull: Pull) -> Found:
    x, y, gradient = pull.read(0), pull.result(), pull.gradient
    length = np.maximum(np.sqrt(np.square(x).sum(axis=-1, keepdims=True)), np.float32(1e-6))
    return {0: (gradient - y * (gradient * y).sum(axis=-1, keepdims=True)) / length}


ADJOINTS: Mapping[int, Adjoint] = {
    **dict.fromkeys(_DERIVATIVES, _unary),
    **dict.fromkeys(_PARTIALS, _binary),
    **dict.fromkeys((Code.CAST, Code.DEQUANTIZE, Code.FAKE_QUANT, Code.QUANTIZE), _passed),
    Code.ADD_N: _sum_of_many,
    Code.PRELU: _prelu,
    Code.SELECT: _select,
    Code.SELECT_V2: _select,
    Code.SOFTMAX: _softmax,
    Code.LOG_SOFTMAX: _log_softmax,
    Code.L2_NORMALIZATION: _normalise,
}
