"""Adjoints of pools, reductions and resizing. Knows nothing of graphs."""

from collections.abc import Mapping

import numpy as np

from midstream.analysis.adjoints.elementwise import before_activation
from midstream.analysis.steps import Adjoint, Code, Found, Numbers, Pull, Step
from midstream.analysis.windows import Window

__all__ = ["ADJOINTS"]


def _separable(gradient: Numbers, high: Numbers, wide: Numbers) -> Numbers:
    """Gradient before a linear map of each axis of a picture by itself.

    Args:
        gradient: (projections, n, height, width, channels), after it.
        high: (height after, height before).
        wide: (width after, width before).
    """
    projections, images, height, width, channels = gradient.shape
    flat = gradient.reshape(projections * images, height, width * channels)
    rows = np.matmul(high.T, flat)  # (projections * n, height before, width * channels)
    both = np.matmul(wide.T, rows.reshape(-1, width, channels))
    return np.asarray(both).reshape(projections, images, high.shape[1], wide.shape[1], channels)


def _pool_windows(step: Step) -> tuple[Window, Window]:
    options, data = step.operator.options, step.read(0)
    if data.ndim != 4:
        raise LookupError(f"a pool of {data.ndim} axes")
    high, wide = (
        Window.make(
            data.shape[1 + axis],
            options.integer(4 - axis),
            stride=max(1, options.integer(2 - axis, 1)),
            is_same=options.byte(0) == 0,
        )
        for axis in (0, 1)
    )
    return high, wide


def _members(window: Window) -> Numbers:
    """(outputs, inputs): 1 where an output reads an input."""
    places, inside = window.reads(np.arange(window.outputs))
    matrix = np.zeros((window.outputs, window.inputs), np.float32)
    rows = np.repeat(np.arange(window.outputs), window.size).reshape(places.shape)
    matrix[rows[inside], places[inside]] = 1
    return matrix


def _average(pull: Pull) -> Found:
    high, wide = (_members(window) for window in _pool_windows(pull))
    gradient = before_activation(pull.gradient, pull.result(), pull.operator.options.byte(5))
    # each output counts only the places that are inside, so each axis has its own mean
    high, wide = high / high.sum(axis=1, keepdims=True), wide / wide.sum(axis=1, keepdims=True)
    return {0: _separable(gradient, high, wide)}


def _largest(pull: Pull) -> Found:
    data, result, (high, wide) = pull.read(0), pull.result(), _pool_windows(pull)
    # the gradient of a clipped maximum goes nowhere: no input is equal to it
    gradient = before_activation(pull.gradient, result, pull.operator.options.byte(5))
    margins = ((0, 0), (high.before, high.after), (wide.before, wide.after), (0, 0))
    padded = np.pad(data, margins, constant_values=-np.inf)
    spread = np.zeros((len(gradient), *padded.shape), np.float32)
    free = np.ones(result.shape, bool)
    for row in range(high.size):
        for column in range(wide.size):
            place = (slice(None), high.places(row), wide.places(column))
            hit = (padded[place] == result) & free
            free &= ~hit
            spread[(slice(None), *place)] += gradient * hit
    rows = slice(high.before, high.before + high.inputs)
    columns = slice(wide.before, wide.before + wide.inputs)
    return {0: spread[:, :, rows, columns]}


def _axes(step: Step, rank: int) -> tuple[int, ...]:
    return tuple(sorted({int(axis) % rank for axis in step.read(1).ravel()}))


def _kept(step: Step, gradient: Numbers) -> tuple[Numbers, tuple[int, ...]]:
    """A gradient with the reduced axes back as 1, and those axes."""
    shape = step.read(0).shape
    axes = _axes(step, len(shape))
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    return gradient.reshape(len(gradient), *kept), axes


def _sum(pull: Pull) -> Found:
    shape = pull.read(0).shape
    gradient, axes = _kept(pull, pull.gradient)
    count = np.prod([shape[axis] for axis in axes], dtype=np.int64)
    if pull.operator.code == Code.MEAN:
        gradient = gradient / np.float32(count)
    return {0: np.broadcast_to(gradient, (len(gradient), *shape))}


def _extreme(pull: Pull) -> Found:
    data = pull.read(0)
    gradient, axes = _kept(pull, pull.gradient)
    hit = (data == pull.result().reshape(gradient.shape[1:])).astype(np.float32)
    return {0: gradient * (hit / np.maximum(hit.sum(axis=axes, keepdims=True), 1))}


def _resize(pull: Pull) -> Found:
    data, result, options = pull.read(0), pull.result(), pull.operator.options
    is_linear = pull.operator.code == Code.RESIZE_BILINEAR
    first = 2 if is_linear else 0  # the first two of the bilinear one are no longer in use
    aligned, centred = options.flag(first), options.flag(first + 1)
    weights = _between if is_linear else _nearest
    high, wide = (
        weights(data.shape[axis], result.shape[axis], aligned=aligned, centred=centred)
        for axis in (1, 2)
    )
    return {0: _separable(pull.gradient, high, wide)}


def _positions(inputs: int, outputs: int, *, aligned: bool, centred: bool) -> Numbers:
    """(outputs,) places of the input that outputs are taken from."""
    ends = aligned and outputs > 1
    scale = (inputs - 1) / (outputs - 1) if ends else inputs / outputs
    shift = 0.5 if centred else 0.0
    return np.asarray((np.arange(outputs) + shift) * scale - shift, np.float32)


def _between(inputs: int, outputs: int, *, aligned: bool, centred: bool) -> Numbers:
    place = _positions(inputs, outputs, aligned=aligned, centred=centred)
    place = np.clip(place, 0, inputs - 1)
    first = np.floor(place).astype(np.intp)
    share = place - first
    matrix = np.zeros((outputs, inputs), np.float32)
    rows = np.arange(outputs)
    matrix[rows, first] += 1 - share
    matrix[rows, np.minimum(first + 1, inputs - 1)] += share
    return matrix


def _nearest(inputs: int, outputs: int, *, aligned: bool, centred: bool) -> Numbers:
    # the nearest one rounds where the ends are aligned and cuts elsewhere, from the centre
    scale = (inputs - 1) / (outputs - 1) if aligned and outputs > 1 else inputs / outputs
    place = (np.arange(outputs) + (0.5 if centred else 0.0)) * scale
    chosen = np.floor(place + 0.5) if aligned else np.floor(place)
    matrix = np.zeros((outputs, inputs), np.float32)
    matrix[np.arange(outputs), np.clip(chosen, 0, inputs - 1).astype(np.intp)] = 1
    return matrix


ADJOINTS: Mapping[int, Adjoint] = {
    Code.AVERAGE_POOL_2D: _average,
    Code.MAX_POOL_2D: _largest,
    Code.MEAN: _sum,
    Code.SUM: _sum,
    Code.REDUCE_MAX: _extreme,
    Code.REDUCE_MIN: _extreme,
    Code.RESIZE_BILINEAR: _resize,
    Code.RESIZE_NEAREST_NEIGHBOR: _resize,
}
