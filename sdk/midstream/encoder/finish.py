"""From levels to the very values, in as few bytes as there is a way. Knows nothing of rungs.

The exact values of a slice cost least where its levels are those nearest to its weights, at a
step that is not much wider than they are spread. Levels made for the outputs are neither:
corrected, thrifty, or all but a few of them 0. They are refined towards the weights first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from midstream.bitstream import Operation, Record
from midstream.codec import digits, exact, kept
from midstream.encoder.plan import Plan

__all__ = ["exact_records"]

_MOST_REFINEMENTS = 3
_FEW = 64
"""One weight in so many may have a level that is not its nearest, one in two a level of 0."""


def exact_records(plans: Sequence[Plan]) -> Iterator[Record]:
    """What gives float slices their values back, slice by slice; nothing for others."""
    for plan in plans:
        if plan.piece.coded and plan.piece.dtype.is_float:
            yield from min(_ways(plan), key=_size)


def _size(records: Sequence[Record]) -> int:
    return sum(len(record.payload) for record in records)


def _ways(plan: Plan) -> Iterator[list[Record]]:
    """The values of a slice as they are to its levels, then after ever more refinements."""
    yield [_values(plan)]
    here = replace(plan, corrected=None)
    if _is_near(here):
        return
    for more in range(1, min(_MOST_REFINEMENTS, here.most_trits - plan.trits) + 1):
        finer = here.refined(more)
        yield [*_refinements(plan, finer), _values(finer)]


def _is_near(plan: Plan) -> bool:
    """Whether refining can hardly help: levels are those of the weights, and few of them are 0."""
    moved = np.count_nonzero(plan.levels != plan.rounded(plan.trits))
    zeros = len(plan.levels) - np.count_nonzero(plan.levels)
    return bool(moved * _FEW <= len(plan.levels) and zeros * 2 <= len(plan.levels))


def _refinements(before: Plan, after: Plan) -> list[Record]:
    return [
        after.record(Operation.DIGITS, digits.encode(parents, children, after.context, trits))
        for parents, children, trits in before.steps_to(after.levels, after.trits)
    ]


def _values(plan: Plan) -> Record:
    """The record that ends a slice."""
    dtype = plan.piece.dtype
    sizes = np.broadcast_to(plan.sizes(plan.trits), plan.held.shape)
    stored, levels = plan.coded(plan.stored), plan.coded(plan.levels)
    payload = exact.encode(stored, levels, plan.coded(sizes), dtype)
    shorter = kept.encode_shorter(plan.stored, dtype, len(payload))
    if shorter is not None:
        return plan.record(Operation.RAW, shorter)
    return plan.record(Operation.EXACT, payload)
