"""Which of several ladders of one network is the best. Knows nothing of how they are made."""

from collections.abc import Sequence
from itertools import accumulate
from math import log

from midstream.encoder.ladder import Rung
from midstream.encoder.remarks import decibels_of
from midstream.encoder.units import EncodedUnit

__all__ = ["rank"]


def rank(rungs: Sequence[Rung], units: Sequence[EncodedUnit]) -> tuple[int, float]:
    """How many rungs are out of reach, and the bytes that the others take: the least is best.

    Args:
        rungs: What was asked for.
        units: What was made of it, in the same order.

    Returns:
        The number that is missed, and the sum over rungs of the logarithm of the bytes that
        bring what each asks for; of all where nothing does.
    """
    sizes = list(accumulate(len(unit.data) for unit in units))
    found = [_size(rungs[place:], units, sizes) for place in range(len(rungs))]
    return found.count(None), sum(log(size or sizes[-1]) for size in found)


def _size(rungs: Sequence[Rung], units: Sequence[EncodedUnit], sizes: Sequence[int]) -> int | None:
    """Bytes that bring what the first of some rungs asks for; None where nothing does."""
    names = {str(rung) for rung in rungs}
    for unit, size in zip(units, sizes, strict=True):
        reached = decibels_of(rungs[0].target, unit.fidelity)
        if unit.rung in names if reached is None else reached >= rungs[0].value:
            return size
    return None
