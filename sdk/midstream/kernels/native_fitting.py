"""The functions of numpy_fitting in C, same results. Knows nothing of tensors."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.fits import AXES, MARGIN, Dims, Fit, Prices, axis_sizes
from midstream.kernels.native_kernels import plain

__all__ = ["fit_scales"]

_WINDOW = 16
_PLACE_MEMORY = 12 * _WINDOW + 14
_COUNTS_MEMORY = 4 * (2 * AXES * MARGIN + 1) * 128


def fit_scales(
    classes: NDArray[np.uint8],
    dims: Dims,
    tried: Sequence[int],
    prices: Prices,
    known: Fit | None = None,
    thin: int = 0,
) -> Fit:
    """As numpy_fitting.fit_scales; ValueError where anything is of other weights."""
    sizes = axis_sizes(dims)
    state = np.array([0, 0, 0] + [-1] * AXES, np.int64)
    stops = list(accumulate(sizes))
    vector = np.zeros(stops[-1], np.int8)
    parts = [slice(stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]
    if known is not None:
        state[:3] = known.shape, known.width, 0
        for axis, own in known.deltas.items():
            state[3 + axis] = known.spreads[axis]
            vector[parts[axis]] = own
    _native.fit_scales(
        plain(classes, np.uint8),
        plain(dims, np.int64),
        bytes(tried),
        plain(prices.costs, np.uint16),
        plain(prices.sent, np.uint16),
        vector,
        state,
        np.empty(_PLACE_MEMORY * max(sizes) + _COUNTS_MEMORY, np.uint8),
        prices.axis,
        int(dims[:, 0].prod()) if len(dims) else 0,
        thin,
    )
    shape, width, bits, *spreads = state.tolist()
    used = {axis: spread for axis, spread in enumerate(spreads) if spread >= 0}
    found = {axis: vector[parts[axis]].copy() for axis in used}
    return Fit(shape=shape, width=width, deltas=found, spreads=used, bits=bits)
