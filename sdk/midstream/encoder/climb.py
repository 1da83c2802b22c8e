"""Rungs above a base: which slices are refined, and to which levels. Knows no target.

Slices are refined one (slice, trit) at a time, the most gain per byte first. Where weights
were rounded with error feedback, they were moved, and the nearest child may be out of reach of
a trit: then the children are chosen with error feedback too, and only weights that none of
three children comes near leave them, by a wider digit.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Record, write_unit
from midstream.codec.digits import width_shift
from midstream.encoder.narrow import narrow
from midstream.encoder.plan import Plan, cut, cut_corrected, join
from midstream.encoder.quantiser import Quantiser, Recipe
from midstream.encoder.records import digit_records
from midstream.encoder.rounding import Bounds
from midstream.encoder.thrift import thrifty
from midstream.encoder.weights import Weights
from midstream.types import UnitKind

__all__ = ["Refinement", "Refiner", "ended", "refinements", "write_rung"]

_MUCH_LESS = 0.5
"""Of the noise, what a trit must leave at most, lest what further ones gain is looked at, too."""
_HALVINGS = 8
"""How often what is looked for in place of a slice gets half as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """One trit of one slice, as far as it can be told beforehand."""

    slice: int
    """The slice."""
    bits: float
    """Estimated bits."""
    gain: float = 0.0
    """By how much it lessens noise, as that counts; 0 where nobody asked."""


def refinements(
    plans: Sequence[Plan], worths: Sequence[float] | None = None
) -> Iterator[Refinement]:
    """All refinements that there can be, the most gain per bit first.

    Args:
        plans: All slices, each at the place that is its index.
        worths: What the noise of each counts; None where all count the same.
    """
    trits = {plan.index: plan.trits for plan in plans}
    queue = [entry for plan in plans if (entry := _entry(plan, plan.trits, worths)) is not None]
    heapq.heapify(queue)
    while queue:
        _, index, steps = heapq.heappop(queue)
        yield from steps
        trits[index] += len(steps)
        if (entry := _entry(plans[index], trits[index], worths)) is not None:
            heapq.heappush(queue, entry)


def _entry(
    plan: Plan, trits: int, worths: Sequence[float] | None
) -> tuple[float, int, Sequence[Refinement]] | None:
    """Gain per bit, negated for a heap whose smallest comes first; None where none is left.

    A trit gains next to nothing where most weights are so small that they stay 0: as many
    go together as gain the most per bit.
    """
    if trits >= plan.most_trits or not (noise := plan.noise(trits)):
        return None
    worth = 1.0 if worths is None else worths[plan.index]
    steps: list[Refinement] = []
    best, before, after, bits = (float("inf"), 0), noise, noise, 0.0
    for at in range(trits, plan.most_trits):
        before, after = after, plan.noise(at + 1)
        own = max(plan.digit_bits(at), 1.0)
        steps.append(Refinement(slice=plan.index, bits=own, gain=worth * (before - after)))
        bits += own
        best = min(best, (worth * (after - noise) / bits, len(steps)))
        if after <= _MUCH_LESS * noise:
            break
    return best[0], plan.index, steps[: best[1]]


def ended(rest: Sequence[Refinement], excess: float) -> list[Refinement] | None:
    """Refinements that take away so much noise in fewer bits than the first of them.

    Args:
        rest: What is left to choose from, the most gain per bit first; the first is enough.
        excess: How much noise they are to take away.

    Returns:
        None where no others of them are enough in fewer bits.
    """
    last, others = rest[0], rest[1:]
    best, least = None, last.bits
    for halvings in range(_HALVINGS):
        found = _filled(others, last.slice, excess, (last.bits / 2**halvings, least))
        if found is not None:
            best, least = found, sum(one.bits for one in found)
    return best


def _filled(
    rest: Sequence[Refinement], but: int, excess: float, limits: tuple[float, float]
) -> list[Refinement] | None:
    """The first that are enough; limits are of the bits of each and of all together."""
    each, together = limits
    found: list[Refinement] = []
    passed, left, bits = {but}, excess, 0.0
    for one in rest:
        # what comes after a refinement needs it
        if one.slice in passed or one.bits > each or bits + one.bits >= together:
            passed.add(one.slice)
            continue
        if one.gain >= left:
            return [*found, _least(rest, {but, *(each.slice for each in found)}, left, one)]
        found.append(one)
        left, bits = left - one.gain, bits + one.bits
    return None


def _least(
    rest: Sequence[Refinement], but: set[int], excess: float, known: Refinement
) -> Refinement:
    """The refinement of the fewest bits that is enough by itself, of slices not refined before."""
    passed, best = set(but), known
    for one in rest:
        if one.slice not in passed and one.gain >= excess and one.bits < best.bits:
            best = one
        passed.add(one.slice)
    return best


class Refiner:
    """Makes the levels of refined slices.

    Args:
        weights: All tensors.
        quantiser: Rounds them.
        recipe: How it rounded the base.
    """

    def __init__(self, weights: Sequence[Weights], quantiser: Quantiser, recipe: Recipe) -> None:
        self._weights = weights
        self._sizes = [w.tensor.weights for w in weights]
        self._quantiser = quantiser
        self._recipe = recipe

    def refine(
        self, plans: Sequence[Plan], chosen: Sequence[Refinement], slack: float | None
    ) -> tuple[Plan, ...]:
        """Refine slices.

        Args:
            plans: All slices.
            chosen: What is refined.
            slack: Fine steps by which children may miss what error feedback wants; None for
                the levels nearest to the weights, without any.
        """
        more = _counts(plans, chosen)
        if slack is None:
            return tuple(plan.refined(n) for plan, n in zip(plans, more, strict=True))
        bounds = self._bounds(plans, more, slack)
        sizes = self._joined(plans, [_sizes(p, n) for p, n in zip(plans, more, strict=True)])
        quantised = self._quantiser.quantise(sizes, self._recipe, bounds)
        return tuple(
            plan.at(
                cut(plan.piece, quantised.levels),
                plan.trits + n,
                cut_corrected(plan.piece, self._weights, quantised.corrected),
            )
            if n
            else plan
            for plan, n in zip(plans, more, strict=True)
        )

    def refine_thriftily(
        self, plans: Sequence[Plan], chosen: Sequence[Refinement]
    ) -> tuple[Plan, ...]:
        """Refine slices to children that give up a little accuracy for fewer bits.

        Args:
            plans: All slices.
            chosen: What is refined.
        """
        pairs = zip(plans, _counts(plans, chosen), strict=True)
        return tuple(thriftily(plan, more) for plan, more in pairs)

    def _joined(
        self, plans: Sequence[Plan], parts: Sequence[NDArray[np.float64]]
    ) -> list[NDArray[np.float64]]:
        return join(plans, parts, self._sizes)

    def _spread(self, plans: Sequence[Plan], values: Sequence[float]) -> list[NDArray[np.float64]]:
        """One value of each slice for all its weights."""
        pairs = zip(plans, values, strict=True)
        return self._joined(plans, [np.full(len(p.held), value) for p, value in pairs])

    def _bounds(self, plans: Sequence[Plan], more: Sequence[int], slack: float) -> list[Bounds]:
        """Children of what is refined, and the very levels of what is not."""
        pairs = list(zip(plans, more, strict=True))
        middle = self._joined(plans, [p.held.astype(np.float64) * 3**n for p, n in pairs])
        reach = self._spread(plans, [(3**n - 1) / 2 for n in more])
        slacks = self._spread(plans, [slack if n else np.inf for n in more])
        return [
            Bounds(low=m - r, high=m + r, slack=s)
            for m, r, s in zip(middle, reach, slacks, strict=True)
        ]


def _counts(plans: Sequence[Plan], chosen: Sequence[Refinement]) -> list[int]:
    """How often each slice is refined."""
    counts = Counter(refinement.slice for refinement in chosen)
    return [counts[plan.index] for plan in plans]


def thriftily(plan: Plan, more: int) -> Plan:
    """A slice after so many more trits, its levels children that are near and cheap."""
    near = plan.refined(more)
    if not more or not plan.piece.dtype.is_float or near.is_at_summit:
        return near
    levels, sizes = near.levels.copy(), plan.sizes(near.trits)
    here = slice(None) if plan.folding is None else plan.folding.places
    sizes = sizes if len(sizes) == 1 else sizes[here]
    context = plan.context
    wider = replace(context, width=context.width + np.int16(width_shift(near.trits)))
    moved = thrifty(levels[here], plan.numbers[here], sizes, wider)
    middle, reach = plan.levels[here] * 3**more, (3**more - 1) // 2
    levels[here] = np.clip(moved, middle - reach, middle + reach)
    return plan.at(narrow(levels), near.trits, plan.corrected)


def _sizes(plan: Plan, more: int) -> NDArray[np.float64]:
    if not plan.piece.coded:
        return np.zeros(0)
    return np.broadcast_to(plan.sizes(plan.trits + more), plan.held.shape)


def write_rung(
    kind: UnitKind,
    layer: int,
    before: Sequence[Plan],
    after: Sequence[Plan],
    *,
    more: Iterable[Record] = (),
) -> bytes:
    """The unit that refines plans to what they are after, and what else it then does to slices.

    Args:
        kind: What it is.
        layer: Its layer.
        before: All slices.
        after: The same, some of them refined.
        more: Records that follow those that refine, in order of slices.
    """
    records = heapq.merge(digit_records(before, after), more, key=lambda record: record.slice)
    return write_unit(kind, layer, b"", records)
