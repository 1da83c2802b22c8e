"""From steps to levels, for a whole network and by one recipe. Knows nothing of slices.

The same function serves a base and every rung above it: what differs is the step of each
weight, and where its level should stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import grid
from midstream.encoder.biases import correct_biases, corrected_by
from midstream.encoder.narrow import Narrow, narrow
from midstream.encoder.rounding import (
    DAMPING,
    MOST_INPUTS,
    Bounds,
    Feedback,
    as_rows,
    bounded,
    from_rows,
    round_with_feedback,
)
from midstream.encoder.statistics import Statistics
from midstream.encoder.weights import Corrected, Weights
from midstream.kernels import nearest_levels
from midstream.types import Tensor

__all__ = ["Quantised", "Quantiser", "Recipe"]

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is done to make the outputs better at given bytes."""

    rows: bool = False
    """Rows have steps of their own."""
    columns: bool = False
    """Columns have."""
    feedback: bool = False
    """Weights are rounded with error feedback."""
    biases: bool = False
    """Biases take back what rounding changed on average."""
    damping: float = DAMPING
    """Of error feedback: the more, the nearer do levels stay to the weights."""

    def __str__(self) -> str:
        parts = [name for name in ("rows", "columns", "feedback", "biases") if getattr(self, name)]
        return "+".join(parts) or "plain"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantised:
    """A network's levels."""

    levels: tuple[Narrow, ...]
    """Of each tensor, flattened; empty where it is not coded."""
    corrected: Corrected
    """Biases that levels stand for instead of the weights."""


class Quantiser:
    """Rounds a network's weights.

    Args:
        weights: All tensors.
        statistics: What is known of each; no recipe but the plain one needs any.
    """

    def __init__(self, weights: Sequence[Weights], statistics: Statistics) -> None:
        self._weights = weights
        self._statistics = statistics
        self._corrected = corrected_by(statistics)
        self._feedback: dict[tuple[int, bool, float], Feedback | None] = {}

    def quantise(
        self,
        sizes: Sequence[_Float],
        recipe: Recipe,
        bounds: Sequence[Bounds | None] | None = None,
    ) -> Quantised:
        """The levels of all tensors.

        Args:
            sizes: The step of each weight of each tensor, flattened; (1,) where all have the
                same.
            recipe: How to round.
            bounds: Where the levels of each tensor should stay.
        """
        limits = bounds or [None] * len(self._weights)
        biases = set(self._corrected) if recipe.biases else set()
        levels: dict[int, Narrow] = {}
        corrected: Corrected = {}
        for place, w in enumerate(self._weights):
            if w.coded and place not in biases:
                levels[place] = narrow(self._round(place, sizes[place], recipe, limits[place]))
        if biases:
            errors = {
                at: self._targets(at) - levels[at] * sizes[at] for at in self._operators(levels)
            }
            corrected = correct_biases(self._weights, self._statistics, errors)
        for place in biases:
            if self._weights[place].coded:
                targets = corrected[place] if place in corrected else self._targets(place)
                levels[place] = nearest_levels(targets, sizes[place])
        none = np.zeros(0, np.int32)
        count = range(len(self._weights))
        return Quantised(
            levels=tuple(levels.get(place, none) for place in count),
            corrected=corrected,
        )

    def _targets(self, place: int) -> _Float:
        w = self._weights[place]
        return w.values - w.offset

    def _operators(self, levels: Mapping[int, Narrow]) -> list[int]:
        """Those whose biases are corrected."""
        return [place for place in self._corrected.values() if place in levels]

    def _round(
        self, place: int, sizes: _Float, recipe: Recipe, bounds: Bounds | None
    ) -> NDArray[np.int32]:
        w = self._weights[place]
        feedback = self._factored(place, recipe) if recipe.feedback else None
        if feedback is None:
            if bounds is None:
                return grid.nearest(w.stored, w.tensor.dtype, sizes, w.offset)
            places = (w.values - w.offset) / sizes
            return bounded(places, bounds.low, bounds.high, bounds.slack).astype(np.int32)
        if bounds is not None:
            bounds = bounds.map(lambda array: as_rows(array, w.tensor))
        sizes = np.broadcast_to(sizes, w.stored.shape)
        values, steps = (as_rows(a, w.tensor) for a in (w.values, sizes))
        return from_rows(round_with_feedback(values, steps, feedback, bounds), w.tensor)

    def _factored(self, place: int, recipe: Recipe) -> Feedback | None:
        """Feedback of one operator; about the mean where its bias takes that back."""
        key = place, recipe.biases and place in self._corrected.values(), recipe.damping
        if key not in self._feedback:
            self._feedback[key] = self._factor(*key)
        return self._feedback[key]

    def _factor(self, place: int, centred: bool, damping: float) -> Feedback | None:
        known, w = self._statistics[place], self._weights[place]
        if known is None or known.covariance is None or not w.tensor.dtype.is_float:
            return None
        if not _fits(known.covariance, w.tensor):
            return None
        mean = known.mean if centred else None
        return Feedback.of(known.covariance, mean, damping=damping)


def _fits(moments: _Float, tensor: Tensor) -> bool:
    """Whether second moments are those of a tensor's rows, and not too many."""
    if tensor.row_axis is None or len(moments[0]) > MOST_INPUTS:
        return False
    rows = tensor.shape[tensor.row_axis]
    return rows % len(moments) == 0 and rows * len(moments[0]) == tensor.weights
