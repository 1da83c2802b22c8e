"""Levels to bytes and back. Knows nothing of units, files or where bytes come from.

The bytes are spec/coding.md; section names in comments are its headings.
"""

from midstream.codec import (
    differences,
    digits,
    exact,
    grid,
    kept,
    lattice,
    levels,
    points,
    prediction,
    raw,
    references,
    refined_points,
    repeats,
    scales,
    storage,
    values,
)
from midstream.codec.folding import Folding
from midstream.codec.parameters import Context, TensorCode
from midstream.codec.sigmas import Sigmas

__all__ = [
    "Context",
    "Folding",
    "Sigmas",
    "TensorCode",
    "differences",
    "digits",
    "exact",
    "grid",
    "kept",
    "lattice",
    "levels",
    "points",
    "prediction",
    "raw",
    "references",
    "refined_points",
    "repeats",
    "scales",
    "storage",
    "values",
]
