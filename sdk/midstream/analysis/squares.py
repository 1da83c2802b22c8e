"""Squared gradients of weights, and the variance of outputs. Knows nothing of graphs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.analysis.steps import Numbers
from midstream.types import Tensor

__all__ = ["Squares", "Variance", "signs"]


class Variance:
    """Power of a variable about its mean, all its numbers in all runs together."""

    def __init__(self) -> None:
        self._runs = 0
        self._count = 0
        self._sum = 0.0
        self._squares = 0.0

    def add(self, found: NDArray[np.generic]) -> None:
        """Count one run's numbers."""
        wide = found.astype(np.float64).ravel()
        self._runs += 1
        self._count += wide.size
        self._sum += float(wide.sum())
        self._squares += float(wide @ wide)

    @property
    def power(self) -> float:
        """Mean over runs of the sum of squares about the mean; 0 where that is no number."""
        if not self._count or not np.isfinite(self._squares):
            return 0.0
        about = self._squares - self._sum**2 / self._count
        # rounding leaves a little of a variable that never varies
        return about / self._runs if about > 1e-9 * self._squares else 0.0


def signs(
    shape: tuple[int, ...], power: float, projections: int, rng: np.random.Generator
) -> Numbers:
    """(projections, *shape): +1 or -1 by chance, over the root of the power."""
    coins = rng.integers(0, 2, (projections, *shape), dtype=np.int8)
    return (2 * coins - 1) * np.float32(power**-0.5)


class Squares:
    """Sum of squared gradients of each weight of a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._sum = np.zeros(tensor.weights, np.float32)

    def add(self, gradient: Numbers) -> None:
        """Count gradients: (projections, *shape); of sparse weights, with zeros between them."""
        flat = gradient.reshape(len(gradient), -1)
        squares = np.einsum("pw,pw->w", flat, flat)
        is_sparse = squares.size != self._sum.size
        self._sum += squares.sum() / self._sum.size if is_sparse else squares

    def means(
        self, count: int, units: NDArray[np.float32]
    ) -> tuple[float, NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Means over all weights, over those of each row and over those of each column.

        Args:
            count: Number of gradients that were to be added; those that were not are zero.
            units: What one unit of a weight is worth, of a shape that multiplies the tensor's.
        """
        shape = self._tensor.shape
        squares = self._sum.reshape(shape).astype(np.float64) * np.square(units) / count
        axes = self._tensor.row_axis, self._tensor.column_axis
        rows, columns = (
            None if axis is None else squares.mean(axis=_others(axis, len(shape))) for axis in axes
        )
        return float(squares.mean()), rows, columns


def _others(axis: int, rank: int) -> Sequence[int]:
    return tuple(other for other in range(rank) if other != axis)
