"""Slices of which weights repeat others, and what it saves to leave them out.

Knows nothing of rungs: a slice that is folded in a base is so in all that is on top of it.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Slice
from midstream.codec import Folding, repeats, storage
from midstream.encoder.plan import Plan
from midstream.encoder.records import level_records
from midstream.encoder.weights import Weights

__all__ = ["Foldings", "Folds", "size"]

Foldings: TypeAlias = Mapping[int, Mapping[int, Folding]]
"""By the tensor, those of its slices, by the first weight of each."""

_FEWEST = 64
"""Weights that are worth a look."""


class Folds:
    """What repeats in the slices of one network, found once.

    Args:
        plans: All slices, whatever their levels.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._foldings = {plan.index: folding for plan in plans if (folding := _find(plan))}
        self.by_tensor: Foldings = _by_tensor(plans, self._foldings)
        """What was found."""

    def folded(self, plan: Plan) -> Plan:
        """The slice, folded if anything repeats."""
        folding = self._foldings.get(plan.index)
        return plan if folding is None else plan.folded(folding)

    def promise(self, weights: Sequence[Weights], steps: Sequence[int]) -> float:
        """Bytes that all that repeats would save, left out, for each that says where, about.

        Args:
            weights: All tensors.
            steps: About the step of each.
        """
        found = [
            (weights[at].levels(steps[at], start, start + len(folding.sources)), folding)
            for at, foldings in self.by_tensor.items()
            for start, folding in foldings.items()
        ]
        told = sum(len(folding.write()) for _, folding in found)
        return sum(_left_out(levels, folding) for levels, folding in found) / max(told, 1)

    def shorter(self, plan: Plan, *, is_refined: bool = False) -> Plan:
        """The slice folded, where that takes fewer bytes and leaves its levels as they are.

        Args:
            plan: The slice.
            is_refined: Whether what a refinement of it takes counts, too.
        """
        folding = self._foldings.get(plan.index)
        if folding is None or not _is_even(plan):
            return plan
        other = plan.folded(folding)
        if (other.levels != plan.levels).any():
            return plan
        return min(plan, other, key=lambda one: size(one, is_refined=is_refined))


def _by_tensor(plans: Sequence[Plan], foldings: Mapping[int, Folding]) -> Foldings:
    found: dict[int, dict[int, Folding]] = {}
    for plan in plans:
        if plan.index in foldings:
            run = plan.piece.runs[0]
            found.setdefault(run.tensor, {})[run.start] = foldings[plan.index]
    return found


def _find(plan: Plan) -> Folding | None:
    """What repeats among the floats of a slice; None for nothing."""
    if not _may_be_folded(plan.piece):
        return None
    bits = plan.stored.view(storage.bits_dtype(plan.piece.dtype))
    if not repeats.may_be(bits):
        return None
    runs = repeats.find(bits)
    return Folding.of(runs, plan.piece.weights) if len(runs) else None


def _may_be_folded(piece: Slice) -> bool:
    is_alone = len(piece.runs) == 1 and piece.weights >= _FEWEST
    return is_alone and piece.coded and piece.dtype.is_float


def _is_even(plan: Plan) -> bool:
    """Whether weights that are the same have the same levels after refinements, too."""
    return plan.corrected is None and len(plan.sizes(0)) == 1 and not plan.context.lattice


def _left_out(levels: NDArray[np.int32], folding: Folding) -> float:
    """Bytes that levels which are left out would take, about: none where they are zero."""
    bits = np.log2(1.0 + 2.0 * np.abs(levels))
    return float(bits.sum() - bits[folding.places].sum()) / 8


def size(plan: Plan, *, is_refined: bool) -> float:
    """Bytes of a slice of a base, and about those of its first refinement if it is refined."""
    levels = sum(len(record.payload) for record in level_records([plan]))
    return levels + plan.digit_bits(0) / 8 if is_refined else levels
