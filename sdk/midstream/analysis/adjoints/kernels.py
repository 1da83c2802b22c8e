"""Adjoints of operators with weights. Knows nothing of graphs.

Gradients are (projections, n, height, width, channels); n is seldom more than 1.
"""

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from midstream.analysis.adjoints.elementwise import before_activation, to_shape
from midstream.analysis.steps import Adjoint, Code, Found, Numbers, Pull
from midstream.analysis.weighted import Kernel, kernel_of, places_of
from midstream.analysis.windows import Windows

__all__ = ["ADJOINTS"]

_BLOCK = 1 << 15
"""Numbers that are worked on at once, so that they stay in the cache."""


def _fully_connected(pull: Pull) -> Found:
    data, weights, options = pull.read(0), pull.read(1), pull.operator.options
    gradient = before_activation(pull.gradient, pull.result(), options.byte(0))
    gradient = gradient.reshape(len(gradient), -1, weights.shape[0])  # (projections, n, rows)
    found: Found = {}
    if 0 in pull.wanted:
        found[0] = (gradient @ weights).reshape(len(gradient), *data.shape)
    if 1 in pull.wanted:
        found[1] = gradient.transpose(0, 2, 1) @ data.reshape(-1, weights.shape[1])
    if 2 in pull.wanted:
        found[2] = gradient.sum(axis=1)
    return found


def _batch_matrices(pull: Pull) -> Found:
    options, gradient = pull.operator.options, pull.gradient
    flips = options.flag(0), options.flag(1)
    left, right = (
        pull.read(place).swapaxes(-1, -2) if flips[place] else pull.read(place) for place in (0, 1)
    )
    found: Found = {}
    if 0 in pull.wanted:
        found[0] = to_shape(gradient @ right.swapaxes(-1, -2), left.shape)
    if 1 in pull.wanted:
        found[1] = to_shape(left.swapaxes(-1, -2) @ gradient, right.shape)
    return {
        place: array.swapaxes(-1, -2) if flips[place] else array for place, array in found.items()
    }


def _convolution(pull: Pull) -> Found:
    data, weights, kernel = pull.read(0), pull.read(1), kernel_of(pull)
    gradient = before_activation(pull.gradient, pull.result(), kernel.activation)
    found: Found = {}
    if 2 in pull.wanted:
        found[2] = gradient.sum(axis=(1, 2, 3))
    groups = data.shape[3] // weights.shape[3]
    parts = [
        _convolve_back(data_part, weights_part, part, kernel.windows, pull.wanted)
        for data_part, weights_part, part in zip(
            np.split(data, groups, axis=3),
            np.split(weights, groups, axis=0),
            np.split(gradient, groups, axis=4),
            strict=True,
        )
    ]
    if 0 in pull.wanted:
        found[0] = np.concatenate([part[0] for part in parts], axis=4)
    if 1 in pull.wanted:
        found[1] = np.concatenate([part[1] for part in parts], axis=1)
    return found


def _convolve_back(
    data: Numbers, weights: Numbers, gradient: Numbers, windows: Windows, wanted: frozenset[int]
) -> Found:
    """Gradients of data and weights (rows, height, width, channels)."""
    found: Found = {}
    if 0 in wanted:
        found[0] = _spread(gradient, weights, windows)
    if 1 in wanted:
        columns = _columns(data, windows)  # (n * height * width, k)
        flat = gradient.reshape(len(gradient), -1, weights.shape[0])
        found[1] = (flat.transpose(0, 2, 1) @ columns).reshape(len(gradient), *weights.shape)
    return found


def _is_plain(windows: Windows) -> bool:
    """Whether each output reads just the input at its place."""
    return all(window.size == window.stride == 1 for window in windows)


def _padded(data: Numbers, windows: Windows) -> Numbers:
    """(n, height, width, channels) with the zeros around it that some tap reads."""
    high, wide = windows
    if not (high.before or high.after or wide.before or wide.after):
        return data
    return np.pad(data, ((0, 0), (high.before, high.after), (wide.before, wide.after), (0, 0)))


def _columns(data: Numbers, windows: Windows) -> Numbers:
    """(n * height * width, k): what each output reads, in the order of the weights."""
    if _is_plain(windows):
        return data.reshape(-1, data.shape[3])
    reach = tuple((window.size - 1) * window.dilation + 1 for window in windows)
    strides, dilations = ([getattr(w, name) for w in windows] for name in ("stride", "dilation"))
    seen = sliding_window_view(_padded(data, windows), reach, axis=(1, 2))
    taken = seen[:, :: strides[0], :: strides[1], :, :: dilations[0], :: dilations[1]]
    taken = taken[:, : windows[0].outputs, : windows[1].outputs]
    return taken.transpose(0, 1, 2, 4, 5, 3).reshape(-1, taken[0, 0, 0].size)


def _spread(gradient: Numbers, weights: Numbers, windows: Windows) -> Numbers:
    """Send a gradient (projections, n, height, width, rows) back to what was read."""
    if _is_plain(windows):
        return gradient @ weights[:, 0, 0]
    high, wide = windows
    shape = (*gradient.shape[:2], *_padded_sizes(windows), weights.shape[3])
    spread = np.zeros(shape, np.float32)
    for row, column in np.ndindex(high.size, wide.size):
        place = (slice(None), slice(None), high.places(row), wide.places(column))
        spread[place] += gradient @ weights[:, row, column]
    return _inside(spread, windows)


def _padded_sizes(windows: Windows) -> tuple[int, ...]:
    return tuple(window.before + window.inputs + window.after for window in windows)


def _inside(spread: Numbers, windows: Windows) -> Numbers:
    """Without the zeros around."""
    high, wide = windows
    rows = slice(high.before, high.before + high.inputs)
    return spread[:, :, rows, wide.before : wide.before + wide.inputs]


def _transposed(pull: Pull) -> Found:
    """A transposed convolution writes what a convolution of the same windows reads."""
    places = places_of(pull.operator)
    if places is None:
        raise LookupError("no convolution")
    data, weights, kernel = pull.read(places.data), pull.read(places.weights), kernel_of(pull)
    gradient = before_activation(pull.gradient, pull.result(), kernel.activation)
    found: Found = {}
    if places.bias in pull.wanted:
        found[places.bias] = gradient.sum(axis=(1, 2, 3))
    count = len(gradient)
    merged = gradient.reshape(-1, *gradient.shape[2:])
    # (projections, n * height * width, taps, rows): what each input wrote to
    read = _columns(merged, kernel.windows).reshape(count, data[..., 0].size, -1, len(weights))
    if places.data in pull.wanted:
        taps = weights.transpose(1, 2, 0, 3).reshape(-1, weights.shape[3])
        found[places.data] = (read.reshape(count, len(read[0]), -1) @ taps).reshape(
            count, *data.shape
        )
    if places.weights in pull.wanted:
        flat = read.reshape(count, len(read[0]), -1).transpose(0, 2, 1)
        product = flat @ data.reshape(-1, data.shape[3])  # (projections, taps * rows, channels)
        shape = (count, *weights.shape[1:3], weights.shape[0], weights.shape[3])
        found[places.weights] = product.reshape(shape).transpose(0, 3, 1, 2, 4)
    return found


def _depthwise(pull: Pull) -> Found:
    data, weights, kernel = pull.read(0), pull.read(1), kernel_of(pull)
    gradient = before_activation(pull.gradient, pull.result(), kernel.activation)
    multiplier = weights.shape[3] // data.shape[3]
    found: Found = {}
    if 2 in pull.wanted:
        found[2] = gradient.sum(axis=(1, 2, 3))
    if 1 in pull.wanted:
        repeated = data if multiplier == 1 else np.repeat(data, multiplier, axis=3)
        found[1] = _depthwise_weights(repeated, gradient, kernel)
    if 0 in pull.wanted:
        spread = _depthwise_spread(gradient, weights[0], kernel.windows)
        if multiplier > 1:
            spread = spread.reshape(*spread.shape[:4], -1, multiplier).sum(axis=5)
        found[0] = spread
    return found


def _depthwise_weights(data: Numbers, gradient: Numbers, kernel: Kernel) -> Numbers:
    """(projections, 1, height, width, rows): each channel is a product of two matrices."""
    high, wide = kernel.windows
    padded = np.ascontiguousarray(_padded(data, kernel.windows).transpose(3, 0, 1, 2))
    channels = len(padded)
    read = np.empty(
        (channels, high.size, wide.size, len(data), high.outputs, wide.outputs), np.float32
    )
    for row in range(high.size):
        for column in range(wide.size):
            read[:, row, column] = padded[:, :, high.places(row), wide.places(column)]
    flat = gradient.reshape(len(gradient), -1, channels).transpose(2, 0, 1)
    taps = read.reshape(channels, high.size * wide.size, -1)
    product = np.ascontiguousarray(flat) @ taps.transpose(0, 2, 1)
    shape = (channels, len(gradient), 1, high.size, wide.size)
    return product.reshape(shape).transpose(1, 2, 3, 4, 0)


def _depthwise_spread(gradient: Numbers, weights: Numbers, windows: Windows) -> Numbers:
    """Send a gradient back through weights (height, width, channels), few rows at a time."""
    shape = (*gradient.shape[:2], *_padded_sizes(windows), gradient.shape[4])
    spread = np.zeros(shape, np.float32)
    lines = max(1, _BLOCK // (gradient.shape[3] * gradient.shape[4]))
    product = np.empty((lines, *gradient.shape[3:]), np.float32)
    for place in np.ndindex(gradient.shape[:2]):
        for first in range(0, gradient.shape[2], lines):
            part = gradient[place][first : first + lines]
            _add_taps(spread[place], part, weights, windows, first, product[: len(part)])
    return _inside(spread, windows)


def _add_taps(
    spread: Numbers, part: Numbers, weights: Numbers, windows: Windows, first: int, product: Numbers
) -> None:
    """Add to (height, width, channels) what some rows of outputs give back."""
    high, wide = windows
    for row in range(high.size):
        start = first * high.stride + row * high.dilation
        rows = slice(start, start + (len(part) - 1) * high.stride + 1, high.stride)
        for column in range(wide.size):
            target = spread[rows, wide.places(column)]
            np.multiply(part, weights[row, column], out=product)
            np.add(target, product, out=target)


ADJOINTS: Mapping[int, Adjoint] = {
    Code.FULLY_CONNECTED: _fully_connected,
    Code.BATCH_MATMUL: _batch_matrices,
    Code.CONV_2D: _convolution,
    Code.DEPTHWISE_CONV_2D: _depthwise,
    Code.TRANSPOSE_CONV: _transposed,
    Code.CUSTOM: _transposed,
}
