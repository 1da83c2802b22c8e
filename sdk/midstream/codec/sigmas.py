"""How wide the values of each weight spread, where they are coded without levels.

Knows nothing of how values are coded (spec/coding.md, "Values").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec.axes import add_vector
from midstream.codec.parameters import TensorCode
from midstream.types import Tensor

__all__ = ["Sigmas"]

_WIDTH_OF_SIGMA_ONE = 12
_HALF_OCTAVE = 2  # quarters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sigmas:
    """Sigmas of the weights of a slice, in runs of one tensor each."""

    quarters: NDArray[np.int16]  # (weights,)
    """Quarter octaves of sigma."""
    stops: NDArray[np.int64]  # (runs,)
    """Where each run ends."""
    shapes: NDArray[np.int16]  # (runs,)
    """Of the distribution, 0 to 2."""
    origins: NDArray[np.int16]  # (runs,)
    """The quarters of a weight of width 0."""

    @classmethod
    def uniform(cls, weights: int, *, shape: int, quarters: int) -> "Sigmas":
        """One sigma for all weights, of the width that stands for one step."""
        return cls(
            quarters=np.full(weights, quarters, np.int16),
            stops=np.array([weights], np.int64),
            shapes=np.array([shape], np.int16),
            origins=np.array([quarters - _WIDTH_OF_SIGMA_ONE], np.int16),
        )

    @classmethod
    def of(cls, tensor: Tensor, code: TensorCode, start: int, stop: int) -> "Sigmas":
        """Those of the weights of a tensor from `start` to `stop`, in flattened order."""
        origin = (code.step >> 2) - _WIDTH_OF_SIGMA_ONE
        quarters = np.full(stop - start, origin + code.width, np.int16)
        for axis, deltas in enumerate(code.axes):
            if deltas is not None:
                add_vector(quarters, deltas, tensor, axis, start)
        for axis, halves in enumerate((code.row_steps, code.column_steps)):
            if halves is not None:
                add_vector(quarters, halves, tensor, axis, start, factor=_HALF_OCTAVE)
        return cls(
            quarters=quarters,
            stops=np.array([stop - start], np.int64),
            shapes=np.array([code.shape], np.int16),
            origins=np.array([origin], np.int16),
        )

    @classmethod
    def join(cls, parts: "Sequence[Sigmas]") -> "Sigmas":
        """Those of runs that follow each other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            quarters=np.concatenate([part.quarters for part in parts]),
            stops=np.cumsum([len(part.quarters) for part in parts]),
            shapes=np.concatenate([part.shapes for part in parts]),
            origins=np.concatenate([part.origins for part in parts]),
        )

    def widths(self) -> NDArray[np.int16]:
        """The quarters of each weight beyond those of width 0; (weights,)."""
        runs = np.diff(self.stops, prepend=0)
        return self.quarters - np.repeat(self.origins, runs)
