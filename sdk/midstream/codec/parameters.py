"""What is sent about a tensor beside its weights. Knows nothing of how it is coded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_LEVEL", "Context", "TensorCode"]

MAX_LEVEL = 1 << 30
"""Levels are at most this far from zero."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorCode:
    """Parameters of one tensor: its grid, and how wide its levels spread where."""

    coded: bool = True
    """False where the weights are kept as they are; all other fields are then unused."""
    step: int = 0
    """Step index of the base grid; for integer dtypes its trit exponent."""
    offset: int = 0
    """The value of level 0, integer dtypes only."""
    shape: int = 1
    """Index of the distribution's shape, 0 to 2: heavy, near Gaussian, light tails."""
    width: int = 0
    """Quarter octaves of sigma over step at the base grid, from 2**-3 up."""
    rows: NDArray[np.int8] | None = None
    """Quarter octaves added for each row (output channel); None: not sent."""
    columns: NDArray[np.int8] | None = None
    """The same for each column (input channel)."""
    taps: NDArray[np.int8] | None = None
    """The same for each tap, all other axes together."""
    predictor: int = 0
    """Reserved; 0 says that nothing is predicted."""

    @property
    def axes(self) -> tuple[NDArray[np.int8] | None, ...]:
        """Rows, columns, taps."""
        return self.rows, self.columns, self.taps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """How the levels of consecutive weights are distributed, weight by weight."""

    shape: NDArray[np.int8]  # (weights,)
    """Index of the distribution's shape."""
    width: NDArray[np.int16]  # (weights,)
    """Quarter octaves of sigma over the base step, not clamped."""

    def __post_init__(self) -> None:
        assert self.shape.shape == self.width.shape, "one of each for a weight"
