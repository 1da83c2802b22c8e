"""Pictures made of random numbers, with what natural ones have. Knows nothing of networks.

Noise of all octaves has their power at each scale; dead leaves, shapes of all sizes that hide
each other, have their edges and even surfaces too. All is made of sums, products, quotients and
square roots of single numbers, so it is the same everywhere.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["COARSEST", "dead_leaves", "octaves", "texture"]

COARSEST = 4
"""Cells along a side of the coarsest octave of a picture."""
_COMMON = 0.75
"""What the channels of a picture share: natural ones are nearly grey."""
_LEAVES = 150
_SMALLEST, _LARGEST = 0.02, 0.5
"""Radii of leaves, of the shorter side."""
_TINT, _SHADE = 0.25, 0.3
"""How much colours differ from grey, and the two ends of a leaf from each other."""

_Float = NDArray[np.float64]


def octaves(count: int, height: int, width: int, colours: int, rng: np.random.Generator) -> _Float:
    """Noise of all octaves, each half as strong as the one below: about 1/f, as pictures are.

    Returns:
        (count, height, width, colours) in [0, 1].
    """
    return _coloured(count, height, width, colours, rng, fall=0.5)


def texture(count: int, height: int, width: int, colours: int, rng: np.random.Generator) -> _Float:
    """Noise of all octaves, all as strong: rough as leaves, sand or cloth are.

    Returns:
        (count, height, width, colours) in [0, 1].
    """
    return _coloured(count, height, width, colours, rng, fall=1.0)


def _coloured(
    count: int, height: int, width: int, colours: int, rng: np.random.Generator, *, fall: float
) -> _Float:
    grey = _fractal(count, height, width, rng, fall)
    planes = [
        _COMMON * grey + (1 - _COMMON) * _fractal(count, height, width, rng, fall)
        for _ in range(colours)
    ]
    return np.stack(planes, axis=3)


def dead_leaves(
    count: int, height: int, width: int, colours: int, rng: np.random.Generator
) -> _Float:
    """Shaded ellipses that hide each other, the smaller the more there are.

    Returns:
        (count, height, width, colours) in [0, 1].
    """
    pictures = np.empty((count, height, width, colours))
    for picture in pictures:
        picture[:] = _colour(colours, rng)
        for _ in range(_LEAVES):
            _drop(picture, rng)
    return pictures


def _colour(colours: int, rng: np.random.Generator) -> _Float:
    return np.clip(rng.random() + _TINT * (rng.random(colours) - 0.5), 0, 1)


def _drop(picture: _Float, rng: np.random.Generator) -> None:
    """Let one leaf fall on a picture (height, width, colours)."""
    height, width, colours = picture.shape
    side = min(height, width)
    small, large = 1 / (_SMALLEST * side) ** 2, 1 / (_LARGEST * side) ** 2
    radius = 1 / np.sqrt(small + (large - small) * rng.random())  # as many of each size as seen
    middle = rng.random(2) * (height, width)
    along, flat, shade = _direction(rng), 0.4 + 0.6 * rng.random(), _SHADE * (rng.random() - 0.5)
    colour = _colour(colours, rng)
    low = np.maximum(np.floor(middle - radius), 0).astype(int)
    high = np.minimum(np.ceil(middle + radius) + 1, (height, width)).astype(int)
    y = (np.arange(low[0], high[0]) + 0.5 - middle[0])[:, None] / radius
    x = (np.arange(low[1], high[1]) + 0.5 - middle[1]) / radius
    lengthwise, across = x * along[0] + y * along[1], (y * along[0] - x * along[1]) / flat
    inside = lengthwise * lengthwise + across * across < 1
    shaded = np.clip(colour * (1 + shade * lengthwise[:, :, None]), 0, 1)
    part = picture[low[0] : high[0], low[1] : high[1]]
    part[inside] = shaded[inside]


def _direction(rng: np.random.Generator) -> _Float:
    """A unit vector."""
    x, y = rng.random(2) - 0.5
    unit: _Float = np.array([x, y]) / np.sqrt(max(x * x + y * y, 1e-9))
    return unit


def _fractal(count: int, height: int, width: int, rng: np.random.Generator, fall: float) -> _Float:
    """Noise in [0, 1] that fills the range, each octave so strong over the one below.

    Returns:
        (count, height, width).
    """
    total = np.zeros((count, height, width))
    cells, weight = COARSEST, 1.0
    while cells <= min(height, width) // 2:
        corners = rng.random((count, cells + 1, cells + 1))
        total += weight * _interpolate(_interpolate(corners, height, 1), width, 2)
        cells, weight = cells * 2, weight * fall
    low = total.min(axis=(1, 2), keepdims=True)
    return np.asarray((total - low) / np.ptp(total, axis=(1, 2), keepdims=True))


def _interpolate(corners: _Float, size: int, axis: int) -> _Float:
    """Corners to pixels along an axis, by the smooth step 3t^2 - 2t^3 between two corners."""
    cells = corners.shape[axis] - 1
    place = (np.arange(size) + 0.5) * cells / size
    first = place.astype(np.intp)
    t = place - first
    step = (t * t * (3 - 2 * t)).reshape([-1 if at == axis else 1 for at in range(corners.ndim)])
    low, high = corners.take(first, axis), corners.take(first + 1, axis)
    return np.asarray(low * (1 - step) + high * step)
