"""How the parameters of tensors are laid out: flags, lists of integers, vectors.

Knows nothing of how they get there. (spec/coding.md, "Tensor parameters".)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from midstream.codec.parameters import Context

__all__ = [
    "CODED",
    "COLUMNS",
    "FLOATS_ONLY",
    "KNOWN",
    "LATTICE",
    "PREDICTOR",
    "SHAPE_SHIFT",
    "TIED",
    "VECTORS",
    "VECTOR_AXES",
    "VECTOR_FLAGS",
    "Lists",
    "lists_context",
]

CODED = 1
SHAPE_SHIFT = 4
PREDICTOR = 1 << 6
LATTICE = 1 << 10
TIED = 1 << 11
VECTOR_FLAGS = (1 << 1, 1 << 2, 1 << 3, 1 << 8, 1 << 9)
"""Log-scales of rows, columns, taps; steps of rows, columns."""
VECTOR_AXES = (0, 1, 2, 0, 1)
VECTORS = sum(VECTOR_FLAGS)
KNOWN = CODED | 3 << SHAPE_SHIFT | PREDICTOR | LATTICE | VECTORS
FLOATS_ONLY = LATTICE | VECTOR_FLAGS[3] | VECTOR_FLAGS[4]


@dataclass(slots=True, kw_only=True)
class Lists:
    """Parameters of all tensors as lists of integers, in the order of the bitstream."""

    steps: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    spreads: list[int] = field(default_factory=list)
    neighbours: list[int] = field(default_factory=list)
    coefficients: list[int] = field(default_factory=list)
    ties: list[int] = field(default_factory=list)

    def columns(self) -> list[list[int]]:
        """All of them."""
        return [getattr(self, f.name) for f in fields(self)]


COLUMNS = len(fields(Lists))


def lists_context(widths: Sequence[int], sizes: Sequence[int]) -> Context:
    """Lists after each other, of the heaviest tails, each of its own width."""
    width = np.repeat(np.array(widths, np.int16), sizes)
    return Context(shape=np.zeros(len(width), np.int8), width=width)
