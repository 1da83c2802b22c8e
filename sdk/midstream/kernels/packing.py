"""By what payloads of levels are made. Knows nothing of how that is done."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_symbols import Alphabets

__all__ = ["Tables"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """The tables of levels; shapes have one for each width."""

    alphabets: Alphabets
    """What their symbols stand for."""
    frequencies: NDArray[np.uint16]
    """Of all symbols of all tables."""
    starts: NDArray[np.uint16]
    """The sum of those before it in its table."""
    last_width: int
    """The widest that there is."""
    unshifted: int
    """The widest whose levels have no low bits."""
    most: int
    """Wider ones count as this."""
