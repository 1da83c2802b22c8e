"""How wide the values of each weight spread, where they are coded without levels.

Knows nothing of how values are coded (spec/coding.md, "Values").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec.axes import add_vector
from midstream.codec.parameters import TensorCode
from midstream.types import Tensor

__all__ = ["Sigmas", "alone"]

_WIDTH_OF_SIGMA_ONE = 12
_VECTORS = (0, 1), (1, 1), (2, 1), (0, 2), (1, 2)
"""Axis of log-scales and half octaves of steps, and the quarters that an item counts."""


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
    def of(cls, runs: Sequence[tuple[Tensor, TensorCode, int, int]]) -> "Sigmas":
        """Those of the weights of tensors from a start to a stop, in flattened order."""
        if len(runs) == 1:
            return cls._of_one(*runs[0])
        counts = np.array([stop - start for _, _, start, stop in runs], np.int64)
        stops = np.cumsum(counts)
        origins = np.array([(c.step >> 2) - _WIDTH_OF_SIGMA_ONE for _, c, _, _ in runs], np.int16)
        base = origins + np.array([code.width for _, code, _, _ in runs], np.int16)
        quarters = np.repeat(base, counts)
        for (tensor, code, start, _), stop, count in zip(runs, stops, counts, strict=True):
            _add_vectors(quarters[stop - count : stop], tensor, code, start)
        return cls(
            quarters=quarters,
            stops=stops,
            shapes=np.array([code.shape for _, code, _, _ in runs], np.int16),
            origins=origins,
        )

    @classmethod
    def _of_one(cls, tensor: Tensor, code: TensorCode, start: int, stop: int) -> "Sigmas":
        """The same of one run, as most slices are: with fewer arrays made."""
        origin = (code.step >> 2) - _WIDTH_OF_SIGMA_ONE
        quarters = np.full(stop - start, origin + code.width, np.int16)
        _add_vectors(quarters, tensor, code, start)
        return cls(
            quarters=quarters,
            stops=np.array([stop - start], np.int64),
            shapes=alone(code.shape),
            origins=alone(origin),
        )

    def widths(self) -> NDArray[np.int16]:
        """The quarters of each weight beyond those of width 0; (weights,)."""
        runs = np.diff(self.stops, prepend=0)
        return self.quarters - np.repeat(self.origins, runs)


def _add_vectors(quarters: NDArray[np.int16], tensor: Tensor, code: TensorCode, start: int) -> None:
    for (axis, factor), vector in zip(_VECTORS, code.vectors, strict=True):
        if vector is not None:
            add_vector(quarters, vector, tensor, axis, start, factor=factor)


@lru_cache(maxsize=1024)
def alone(value: int) -> NDArray[np.int16]:
    """An array of one number, which is not to be written."""
    array = np.array([value], np.int16)
    array.flags.writeable = False
    return array
