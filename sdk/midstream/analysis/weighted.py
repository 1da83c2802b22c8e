"""Operators that multiply patches by weights, in one form. Knows nothing of statistics."""

import struct
from dataclasses import dataclass

from midstream.analysis.steps import Activation, Code, Numbers, Step
from midstream.analysis.windows import Window, Windows
from midstream.formats.graph import Operator

__all__ = ["PLACES", "Kernel", "Places", "kernel_of", "places_of"]

_TRANSPOSED = "Convolution2DTransposeBias"
"""A custom operator of segmentation networks."""
_SAME = 0
_CUSTOM_SAME = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which inputs of an operator are what."""

    data: int
    """What it reads patches of."""
    weights: int
    """What patches are multiplied by."""
    bias: int
    """What is added."""


PLACES = {
    Code.CONV_2D: Places(data=0, weights=1, bias=2),
    Code.DEPTHWISE_CONV_2D: Places(data=0, weights=1, bias=2),
    Code.FULLY_CONNECTED: Places(data=0, weights=1, bias=2),
    Code.TRANSPOSE_CONV: Places(data=2, weights=1, bias=3),
}


def places_of(operator: Operator) -> Places | None:
    """Where data, weights and bias are; None for an operator that has no weights."""
    if operator.code == Code.CUSTOM:
        return PLACES[Code.CONV_2D] if operator.custom == _TRANSPOSED else None
    return PLACES.get(operator.code)  # type: ignore[call-overload, no-any-return]  # an int is no Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """How a convolution slides."""

    windows: Windows
    """Of height and width; of the convolution that it transposes, if it does."""
    is_transposed: bool
    """Whether its outputs are the places that the windows read."""
    activation: int
    """What is done to the result."""


def kernel_of(step: Step) -> Kernel:
    """The kernel of a two-dimensional convolution of any kind, as it ran.

    Raises:
        LookupError: Its weights or numbers are not there.
    """
    operator = step.operator
    if operator.code in (Code.TRANSPOSE_CONV, Code.CUSTOM):
        return _transposed(step)
    options = operator.options
    dilations = (6, 5) if operator.code == Code.DEPTHWISE_CONV_2D else (5, 4)
    activation = 4 if operator.code == Code.DEPTHWISE_CONV_2D else 3
    return Kernel(
        windows=_windows(
            step.read(0),
            step.read(1),
            strides=(options.integer(2, 1), options.integer(1, 1)),
            dilations=(options.integer(dilations[0], 1), options.integer(dilations[1], 1)),
            is_same=options.byte(0) == _SAME,
        ),
        is_transposed=False,
        activation=options.byte(activation),
    )


def _transposed(step: Step) -> Kernel:
    options = step.operator.options
    if step.operator.code == Code.CUSTOM:
        if len(options.custom) < 12:
            raise LookupError("a custom operator without its options")
        padding, wide, high = struct.unpack_from("<iii", options.custom)
        is_same, activation = padding == _CUSTOM_SAME, int(Activation.NONE)
    else:
        is_same = options.byte(0) == _SAME
        wide, high = options.integer(1, 1), options.integer(2, 1)
        activation = options.byte(3)
    windows = _windows(
        step.result(), step.read(1), strides=(high, wide), dilations=(1, 1), is_same=is_same
    )
    return Kernel(windows=windows, is_transposed=True, activation=activation)


def _windows(
    data: Numbers,
    weights: Numbers,
    *,
    strides: tuple[int, int],
    dilations: tuple[int, int],
    is_same: bool,
) -> Windows:
    if data.ndim != 4 or weights.ndim != 4 or min(*strides, *dilations) < 1:
        raise LookupError(f"a convolution of {data.ndim} by {weights.ndim} axes")
    high, wide = (
        Window.make(
            data.shape[1 + axis],
            weights.shape[1 + axis],
            stride=strides[axis],
            dilation=dilations[axis],
            is_same=is_same,
        )
        for axis in (0, 1)
    )
    return high, wide
