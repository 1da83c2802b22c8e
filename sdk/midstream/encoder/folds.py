"""Slices of which weights repeat others, and what it saves to leave them out.

Knows nothing of rungs: a slice that is folded in a base is so in all that is on top of it.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from midstream.bitstream import Slice
from midstream.codec import Folding, repeats, storage
from midstream.encoder.plan import Plan, level_records

__all__ = ["Foldings", "Folds"]

Foldings: TypeAlias = Mapping[int, Mapping[int, Folding]]
"""By the tensor, those of its slices, by the first weight of each."""

_FEWEST = 64
"""Weights that are worth a look."""
_CLEARLY = 2
"""Bytes saved for each that says where, by an estimate, where nothing else need be tried."""


class Folds:
    """What repeats in the slices of one network, found once.

    Args:
        plans: All slices, whatever their levels.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._foldings = {plan.index: folding for plan in plans if (folding := _find(plan))}
        self.by_tensor: Foldings = _by_tensor(plans, self._foldings)
        """What was found."""
        shares = [_share(folding) for folding in self._foldings.values()]
        self.are_most = bool(shares) and min(shares) > 0.5
        """Whether more than half of each slice that is folded is left out."""

    def folded(self, plan: Plan) -> Plan:
        """The slice, folded if anything repeats."""
        folding = self._foldings.get(plan.index)
        return plan if folding is None else plan.folded(folding)

    def may_pay(self, plans: Sequence[Plan]) -> bool:
        """Whether all that repeats, left out, may save more bytes than it takes to say where.

        Args:
            plans: All slices with levels; where some are folded, that has paid already.
        """
        found = [
            (plan, self._foldings[plan.index]) for plan in plans if plan.index in self._foldings
        ]
        if any(plan.folding for plan, _ in found):
            return True
        saved = sum(_size(plan) * _share(folding) for plan, folding in found)
        return saved > sum(len(folding.write()) for _, folding in found)

    def surely_pay(self, plans: Sequence[Plan]) -> bool:
        """Whether those that are folded clearly save bytes: levels that are zero count as none."""
        folded = [(plan, plan.folding) for plan in plans if plan.folding is not None]
        saved = sum(_saved(plan, folding) for plan, folding in folded)
        return saved > _CLEARLY * sum(len(folding.write()) for _, folding in folded)

    def shorter(self, plan: Plan) -> Plan:
        """The slice folded, where that takes fewer bytes and leaves its levels as they are."""
        folding = self._foldings.get(plan.index)
        if folding is None or not _is_even(plan):
            return plan
        other = plan.folded(folding)
        if (other.levels != plan.levels).any() or _size(other) >= _size(plan):
            return plan
        return other


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


def _saved(plan: Plan, folding: Folding) -> float:
    """Bytes that weights left out would take, in proportion to the logarithms of levels."""
    bits = np.log2(1.0 + np.abs(plan.levels))
    coded = float(bits[folding.places].sum())
    left_out = float(bits.sum()) - coded
    return (_size(plan) - len(folding.write())) * left_out / coded if coded else 0.0


def _share(folding: Folding) -> float:
    """Of the weights, those that are not coded."""
    return repeats.count(folding.runs) / len(folding.sources)


def _size(plan: Plan) -> int:
    return sum(len(record.payload) for record in level_records([plan]))
