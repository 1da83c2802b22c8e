"""What is known of a network's tensors beside their weights. Knows nothing of how it was found.

It comes from running the network on inputs, so it is made outside of the encoder and handed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MakeStatistics", "Statistics", "TensorStatistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorStatistics:
    """What is known of one hole; a weight of an integer type counts in its own units."""

    order: int
    """Its place in the order of execution: that of the first operator that reads it."""
    sensitivity: float | None = None
    """Noise power at the outputs, summed over outputs, each relative to its own variance, per
    squared error of a weight, mean over the tensor's weights; None where it is not known."""
    rows: NDArray[np.float64] | None = None
    """(rows,), the same, mean over the weights of each row; None without such an axis."""
    columns: NDArray[np.float64] | None = None
    """(columns,), the same, mean over the weights of each column; None without such an axis."""
    covariance: NDArray[np.float64] | None = None
    """(groups, k, k): mean of x x^T, not centred, over the input patches x of the operator.

    One group, and the k numbers of x in the order of the weight's axes other than its row axis;
    or, for a depthwise weight, a group for each row, and its k taps.
    """
    mean: NDArray[np.float64] | None = None
    """(groups, k): mean of the same x."""
    bias: int | None = None
    """Which hole holds the bias that the operator adds to the rows; None where none does."""


Statistics = Sequence[TensorStatistics | None]
"""One for each hole of a model file, in order; None for one of which nothing is known."""

MakeStatistics = Callable[[bytes, Callable[[float], None]], Statistics | None]
"""From a model file to what is known of its holes; None where it cannot be run. The other
argument is told how much of that is done, 0 to 1."""
