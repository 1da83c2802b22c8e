"""Ways to encode a network of which the shortest is wanted. Knows nothing of how they are found."""

from collections.abc import Sequence
from dataclasses import dataclass

from midstream.bitstream import Head
from midstream.codec import points, scales
from midstream.encoder.plan import Plan

__all__ = ["Way", "shorter"]

_NEARLY = 512
"""Bits by which estimates may be wrong: of ways that differ by less all are written."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """Levels that are not written yet."""

    head: Head
    """Topology and parameters."""
    plans: tuple[Plan, ...]
    """The slices."""
    plain_bits: float
    """What the nearest levels of a step that reaches the target take, about."""


def shorter(ways: Sequence[Way]) -> list[Way]:
    """Those that may be the shortest, by what tensors take that are not coded alike in all."""
    if len(ways) < 2:
        return list(ways)
    all_codes = zip(*(way.head.codes for way in ways), strict=True)
    differ = {at for at, codes in enumerate(all_codes) if any(c is not codes[0] for c in codes)}
    bits = [_bits(way, differ) for way in ways]
    return [way for way, own in zip(ways, bits, strict=True) if own <= min(bits) + _NEARLY]


def _bits(way: Way, tensors: set[int]) -> float:
    """What slices of some of these tensors take, about, the parameters included."""
    bits = sum(scales.vectors_cost(way.head.codes[at]) for at in tensors)
    for plan in way.plans:
        if plan.piece.coded and any(run.tensor in tensors for run in plan.piece.runs):
            bits += points.cost(plan.coded(plan.levels), plan.context)
            bits += 0 if plan.folding is None else 8 * len(plan.folding.write())
    return bits
