"""Mean and covariance of what weights are multiplied by. Knows nothing of runtimes."""

import numpy as np
from numpy.typing import NDArray

from midstream.analysis.steps import Code, Numbers, Step
from midstream.analysis.weighted import kernel_of, places_of
from midstream.analysis.windows import gather, gather_transposed

__all__ = ["Moments", "patches"]

Groups = NDArray[np.float32]
"""(groups, patches, k)."""


class Moments:
    """Sums over patches; they grow with what is added.

    Args:
        groups: 1, or the number of rows where each has patches of its own.
        size: Numbers of a patch.
    """

    def __init__(self, groups: int, size: int) -> None:
        self._squares = np.zeros((groups, size, size))
        self._sums = np.zeros((groups, size))
        self._count = 0

    def add(self, found: Groups) -> None:
        """Count patches: (groups, patches, k)."""
        self._squares += np.matmul(found.transpose(0, 2, 1), found)
        self._sums += found.sum(axis=1, dtype=np.float64)
        self._count += found.shape[1]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(groups, k, k): mean of x x^T."""
        return self._squares / max(self._count, 1)

    @property
    def mean(self) -> NDArray[np.float64]:
        """(groups, k): mean of x."""
        return self._sums / max(self._count, 1)


def patches(step: Step, most: int, rng: np.random.Generator) -> Groups | None:
    """Some of the patches that an operator read.

    Args:
        step: The operator, as it ran.
        most: Number of them; all where there are fewer.
        rng: Chooses them.

    Returns:
        (groups, patches, k): one group with k in the order of the weight's axes other than its
        rows, or a group for each row of a depthwise weight; None where the operator has no
        weights, or reads different channels for different rows otherwise.
    """
    places = places_of(step.operator)
    if places is None:
        return None
    data, weights = step.read(places.data), step.read(places.weights)
    if step.operator.code == Code.FULLY_CONNECTED:
        rows = data.reshape(-1, weights.shape[-1])
        return rows[_choose(len(rows), most, rng)][None]
    found = _slide(step, data, most, rng)  # (patches, height, width, channels)
    if step.operator.code == Code.DEPTHWISE_CONV_2D:
        multiplier = weights.shape[3] // found.shape[3]
        grouped = found.reshape(len(found), -1, found.shape[3]).transpose(2, 0, 1)
        return grouped if multiplier == 1 else np.repeat(grouped, multiplier, axis=0)
    if found.shape[3] != weights.shape[3]:
        return None  # a convolution in groups
    return found.reshape(1, len(found), -1)


def _slide(step: Step, data: Numbers, most: int, rng: np.random.Generator) -> Numbers:
    kernel = kernel_of(step)
    high, wide = kernel.windows
    if kernel.is_transposed:
        chosen = _choose(data.shape[0] * high.inputs * wide.inputs, most, rng)
        return gather_transposed(data, kernel.windows, chosen)
    chosen = _choose(data.shape[0] * high.outputs * wide.outputs, most, rng)
    return gather(data, kernel.windows, chosen)


def _choose(count: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    if count <= most:
        return np.arange(count)
    return rng.integers(count, size=most)
