"""What units say of slices: their weights, their levels, refinements. Knows nothing of rungs."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Operation, Record
from midstream.codec import digits, points, refined_points
from midstream.encoder.plan import Plan

__all__ = ["digit_records", "level_records", "raw_records"]

_Levels = NDArray[np.int32]

_SIDE_BY_SIDE = 16
"""Slices that are coded at once: enough for speed, at most a million weights in memory."""


def raw_records(plans: Sequence[Plan]) -> list[Record]:
    """The weights that are not coded, as they are."""
    return [plan.record(Operation.RAW, plan.kept()) for plan in plans if not plan.piece.coded]


def level_records(plans: Sequence[Plan]) -> Iterator[Record]:
    """The levels of a base, in order; some are coded side by side, which is faster."""
    coded = [plan for plan in plans if plan.piece.coded]
    for first in range(0, len(coded), _SIDE_BY_SIDE):
        batch = coded[first : first + _SIDE_BY_SIDE]
        payloads = points.encode_many(
            [p.coded(p.levels) for p in batch], [p.context for p in batch]
        )
        for plan, payload in zip(batch, payloads, strict=True):
            yield from _folding_records(plan)
            yield plan.record(Operation.LEVELS, payload)


def _folding_records(plan: Plan) -> list[Record]:
    if plan.folding is None:
        return []
    return [plan.record(Operation.REPEATS, plan.folding.write())]


def digit_records(before: Sequence[Plan], after: Sequence[Plan]) -> Iterator[Record]:
    """The records that refine slices, in order; some are coded side by side, which is faster.

    Args:
        before: All slices.
        after: The same, some of them refined.
    """
    chosen = (
        (there, *step)
        for here, there in zip(before, after, strict=True)
        if there.trits > here.trits
        for step in here.steps_to(there.levels, there.trits)
    )
    while batch := list(islice(chosen, _SIDE_BY_SIDE)):
        payloads = iter(_payloads([step for step in batch if not _is_last(step)]))
        for step in batch:
            if _is_last(step):
                yield step[0].record(Operation.POINTS, _points(*step))
            else:
                yield step[0].record(Operation.DIGITS, next(payloads))


_Step = tuple[Plan, _Levels, _Levels, int]
"""A slice, levels before and after a refinement, and how many there were before that."""


def _is_last(step: _Step) -> bool:
    """Whether a refinement is that to points."""
    summit = step[0].summit
    return summit is not None and step[3] == summit.trits


def _payloads(steps: Sequence[_Step]) -> list[bytes]:
    """Those of digits."""
    if not steps:
        return []
    plans, parents, children, trits = zip(*steps, strict=True)
    return digits.encode_many(parents, children, [plan.context for plan in plans], trits)


def _points(plan: Plan, parents: _Levels, children: _Levels, trits: int) -> bytes:
    assert plan.summit is not None, "it ends at points"
    ratios = [plan.summit.ratio]
    return refined_points.encode_many([parents], [children], [plan.context], [trits], ratios)[0]
