"""Biases that take back what rounding changed on average. Knows nothing of how it was done.

An operator whose weights changed by q - w changes its outputs by (q - w) E[x] on average; its
bias, made smaller by as much, gives the averages back for no bytes at all.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.encoder.rounding import as_rows
from midstream.encoder.statistics import Statistics
from midstream.encoder.weights import Weights

__all__ = ["correct_biases", "corrected_by"]

_Float = NDArray[np.float64]


def corrected_by(statistics: Statistics) -> dict[int, int]:
    """For each bias that one operator alone adds, the hole of that operator's weights."""
    users: dict[int, list[int]] = {}
    for place, known in enumerate(statistics):
        if known is not None and known.bias is not None and known.mean is not None:
            users.setdefault(known.bias, []).append(place)
    return {bias: places[0] for bias, places in users.items() if len(places) == 1}


def correct_biases(
    weights: Sequence[Weights], statistics: Statistics, errors: dict[int, _Float]
) -> dict[int, _Float]:
    """The biases that give back the average outputs.

    Args:
        weights: All tensors.
        statistics: What is known of each.
        errors: By the place of an operator's weights, w - q, flattened.

    Returns:
        By the place of a bias, its values, flattened.
    """
    corrected: dict[int, _Float] = {}
    for bias, place in corrected_by(statistics).items():
        known = statistics[place]
        if place not in errors or known is None or known.mean is None:
            continue
        rows = as_rows(errors[place], weights[place].tensor)  # (rows, inputs)
        groups, inputs = known.mean.shape
        if rows.shape[1] != inputs or len(rows) != weights[bias].tensor.weights:
            continue
        lost = np.einsum("gri,gi->gr", rows.reshape(groups, -1, inputs), known.mean)
        corrected[bias] = weights[bias].values + lost.ravel()
    return corrected
