"""Points of the lattice at the end of a slice's way, and the levels below. Knows no targets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import Context, grid, refined_points
from midstream.codec.digits import width_shift
from midstream.encoder import thrift
from midstream.encoder.narrow import Narrow, wide

__all__ = ["Summit", "points_of"]

_STEP = 2.0
"""Of the integers, in half steps of the lattice."""
_QUARTERS = 4
"""Of an octave, in widths."""

_Levels = NDArray[np.int32]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summit:
    """Points that the last refinement of a slice ends at."""

    points: Narrow
    """(weights,), in half steps of the lattice."""
    trits: int
    """Refinements before."""
    ratio: int
    """Half steps to a step after these."""

    def below(self, trits: int) -> _Levels:
        """(weights,), what levels after so many refinements are; the points after more."""
        levels = wide(self.points)
        if trits > self.trits:
            return levels
        levels = refined_points.parents_of(levels, self.ratio)
        for _ in range(self.trits - trits):
            levels = grid.coarsen(levels)
        return levels


def points_of(numbers: _Numbers, context: Context, trits: int, ratio: int) -> _Levels:
    """Points near some weights, and cheap.

    Args:
        numbers: (weights,) that are coded, in half steps.
        context: How their levels are coded.
        trits: Refinements before.
        ratio: Half steps to a step after these.
    """
    wider = width_shift(trits) + round(_QUARTERS * float(np.log2(ratio)))
    spread = Context(
        shape=context.shape,
        width=context.width + np.int16(wider),
        terms=context.terms,
        lattice=True,
    )
    return thrift.points(numbers, _STEP, spread)
