"""What the noise of each slice, which counts in its own steps, is worth. Knows no targets.

At the outputs that has to be measured: error feedback hides most of it where inputs resemble
each other, and nothing of it elsewhere.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.encoder.climb import Refinement
from midstream.encoder.plan import Plan

__all__ = ["MOST_GROUPS", "measure_worths", "weight_worths"]

MOST_GROUPS = 24
"""Groups of slices that are measured, at most: neighbours share what they are worth."""
_LEAST = 0.01
"""Of the mean: a slice that shows nothing now may when others are finer."""


def measure_worths(
    plans: Sequence[Plan], noise: Callable[[Sequence[Refinement]], float]
) -> NDArray[np.float64]:
    """Noise at the outputs for each unit of a slice's own, relative to the mean of all slices.

    All slices are refined once, but for one group at a time: refined alone, a group shows
    nothing below the noise of the others.

    Args:
        plans: All slices.
        noise: Relative noise power of the outputs once these refinements were made.

    Returns:
        (slices,), 1 for those that cannot be refined.
    """
    own = np.array(
        [plan.noise(plan.trits) if plan.trits < plan.most_trits else 0 for plan in plans]
    )
    places = np.flatnonzero(own > 0)
    worths = np.ones(len(plans))
    if not len(places):
        return worths
    groups = np.array_split(places, min(len(places), MOST_GROUPS))
    finest = noise(_once(plans, places))
    lost = [noise(_once(plans, np.setdiff1d(places, group))) - finest for group in groups]
    mean = sum(max(each, 0.0) for each in lost) / own.sum()
    if mean > 0:
        for group, each in zip(groups, lost, strict=True):
            worths[group] = max(each / own[group].sum() / mean, _LEAST)
    return worths


def weight_worths(plans: Sequence[Plan], factors: Sequence[float]) -> NDArray[np.float64]:
    """The same by the weights alone.

    Args:
        plans: All slices.
        factors: What a squared error of each tensor counts.

    Returns:
        (slices,), 0 for those that are not coded.
    """
    return np.array(
        [
            factors[plan.piece.runs[0].tensor] * float(np.square(plan.sizes(0)).mean())
            if plan.piece.coded
            else 0.0
            for plan in plans
        ]
    )


def _once(plans: Sequence[Plan], places: NDArray[np.intp]) -> list[Refinement]:
    return [Refinement(slice=plans[place].index, bits=0.0) for place in places]
