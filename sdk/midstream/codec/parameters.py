"""What is sent about a tensor beside its weights. Knows nothing of how it is coded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.frozen import setters
from midstream.kernels import predict
from midstream.kernels.terms import MAX_HALF_OCTAVES, Terms

__all__ = [
    "MAX_COEFFICIENT",
    "MAX_HALF_OCTAVES",
    "MAX_LEVEL",
    "NEIGHBOURS",
    "Context",
    "TensorCode",
]

MAX_LEVEL = 1 << 30
"""Levels are at most this far from zero."""
NEIGHBOURS = 10
"""Places that a level may be predicted from: rows 1, 2, 3, 4 and 6 before, columns 1 and 2,
taps 1 and 2 before on the last tap axis and 1 on the first."""
MAX_COEFFICIENT = 64
"""Of a neighbour, in 1/32."""


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
    row_steps: NDArray[np.int8] | None = None
    """Half octaves added to the step of each row, float dtypes only; None: not sent."""
    column_steps: NDArray[np.int8] | None = None
    """The same for each column."""
    predictor: tuple[tuple[int, int], ...] = ()
    """Neighbours that predict a level, rising, and their coefficients in 1/32."""
    lattice: bool = False
    """Whether levels are points of a lattice, in half steps, float dtypes only."""
    same_as: int | None = None
    """Index of an earlier tensor of the same bytes; all other fields are then unused."""

    @property
    def is_even(self) -> bool:
        """Whether all weights have the same step."""
        return self.row_steps is None and self.column_steps is None

    @property
    def axes(self) -> tuple[NDArray[np.int8] | None, ...]:
        """Log-scales of rows, columns, taps."""
        return self.rows, self.columns, self.taps

    @property
    def vectors(self) -> tuple[NDArray[np.int8] | None, ...]:
        """All that is sent for each place on an axis: log-scales, then steps."""
        return *self.axes, self.row_steps, self.column_steps

    @classmethod
    def of_grid(
        cls,
        grid: tuple[int, int],
        spread: tuple[int, int],
        vectors: Sequence[NDArray[np.int8] | None],
        predictor: tuple[tuple[int, int], ...],
        lattice: bool,
    ) -> "TensorCode":
        """The same as the constructor gives for coded weights, for parsers: twice as fast.

        Args:
            grid: Step and offset.
            spread: Shape and width.
            vectors: As `vectors` gives them.
            predictor: Neighbours and their coefficients.
            lattice: Whether levels are points of a lattice.
        """
        code = object.__new__(cls)
        _set_coded(code, True)
        _set_step(code, grid[0])
        _set_offset(code, grid[1])
        _set_shape(code, spread[0])
        _set_width(code, spread[1])
        rows, columns, taps, row_steps, column_steps = vectors
        _set_rows(code, rows)
        _set_columns(code, columns)
        _set_taps(code, taps)
        _set_row_steps(code, row_steps)
        _set_column_steps(code, column_steps)
        _set_predictor(code, predictor)
        _set_lattice(code, lattice)
        _set_same_as(code, None)
        return code


(
    _set_coded,
    _set_step,
    _set_offset,
    _set_shape,
    _set_width,
    _set_rows,
    _set_columns,
    _set_taps,
    _set_row_steps,
    _set_column_steps,
    _set_predictor,
    _set_lattice,
    _set_same_as,
) = setters(TensorCode)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """How the levels of consecutive weights are distributed, weight by weight."""

    shape: NDArray[np.int8]  # (weights,)
    """Index of the distribution's shape."""
    width: NDArray[np.int16]  # (weights,)
    """Quarter octaves of sigma over the base step, not clamped."""
    terms: Terms | None = None
    """What predicts each weight; None where nothing does."""
    phase: NDArray[np.int8] | None = None
    """(weights,) which tables: centred on 0, 1/2, 1/4; None for 0 or what terms say."""
    lattice: bool = False
    """Whether levels are points of a lattice, in half steps."""

    def __post_init__(self) -> None:
        assert self.shape.shape == self.width.shape, "one of each for a weight"
        assert self.terms is None or self.terms.weights == len(self.width), "the same weights"

    def halves(self, levels: NDArray[np.int32]) -> NDArray[np.int64] | None:
        """What is expected of each of these levels, in half steps; None for nothing at all."""
        return None if self.terms is None else predict(levels, self.terms)
