"""From gradients of what an operator wrote to gradients of what it read.

Each file has those of one kind; the table of all is here.
"""

from collections.abc import Mapping

from midstream.analysis.adjoints import elementwise, kernels, pooling, routing
from midstream.analysis.steps import Adjoint, Code

__all__ = ["ADJOINTS", "CONSTANT"]

ADJOINTS: Mapping[int, Adjoint] = {
    **elementwise.ADJOINTS,
    **kernels.ADJOINTS,
    **pooling.ADJOINTS,
    **routing.ADJOINTS,
}
"""By the operator's code."""

CONSTANT = frozenset(
    {
        Code.CEIL,
        Code.EQUAL,
        Code.FLOOR,
        Code.GREATER,
        Code.GREATER_EQUAL,
        Code.LESS,
        Code.LESS_EQUAL,
        Code.NOT_EQUAL,
        Code.ROUND,
        Code.SHAPE,
        Code.ZEROS_LIKE,
    }
)
"""Operators whose result a small change does not change."""
