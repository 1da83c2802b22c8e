"""Slices of which only those weights are coded that are in no run. Knows nothing of levels' tables.

The levels of a run are those of its source, or minus those (spec/coding.md, "Folded slices").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import repeats, storage
from midstream.codec.parameters import Context
from midstream.errors import BitstreamError, ErrorCode
from midstream.types import DType

__all__ = ["Folding"]

_NEGATIVE = np.uint32(1 << 31)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folding:
    """Where all weights of a slice are among those that are coded."""

    runs: repeats.Runs
    """Of weights that are not coded."""
    places: NDArray[np.intp]  # (coded,)
    """Weights that are."""
    sources: NDArray[np.intp]  # (weights,)
    """Among those, the one that each weight is, or is the negative of."""
    is_negative: NDArray[np.bool_]  # (weights,)
    """Which weights are."""

    @classmethod
    def of(cls, runs: repeats.Runs, weights: int) -> "Folding":
        """From the runs of a slice of so many weights."""
        marks = np.arange(weights, dtype=np.uint32)
        places = repeats.literals(marks, runs).astype(np.intp)
        found = repeats.expand(np.arange(len(places), dtype=np.uint32), runs)
        is_negative = found >= _NEGATIVE
        sources = (found & ~_NEGATIVE).astype(np.intp)
        return cls(runs=runs, places=places, sources=sources, is_negative=is_negative)

    @classmethod
    def read(cls, payload: memoryview, weights: int) -> "Folding":
        """From the payload of a record.

        Raises:
            BitstreamError: It did not come from an encoder.
        """
        runs, taken = repeats.read(payload, weights)
        if taken != len(payload):
            raise BitstreamError(ErrorCode.TRAILING_BYTES, "repeats: bytes after the runs")
        return cls.of(runs, weights)

    def write(self) -> bytes:
        """The payload of a record."""
        return repeats.write(self.runs)

    def context(self, context: Context) -> Context:
        """How the weights that are coded are distributed; nothing predicts them."""
        return Context(
            shape=context.shape[self.places],
            width=context.width[self.places],
            lattice=context.lattice,
        )

    def levels(self, coded: NDArray[np.int32]) -> NDArray[np.int32]:
        """The levels of all weights; (weights,)."""
        found = coded[self.sources]
        np.negative(found, out=found, where=self.is_negative)
        return found

    def values(self, coded: NDArray[np.generic], dtype: DType) -> NDArray[np.generic]:
        """The floats of all weights, in storage form; (weights,)."""
        bits = coded.view(storage.bits_dtype(dtype))
        return repeats.expand(bits, self.runs).view(storage.ELEMENT[dtype])
