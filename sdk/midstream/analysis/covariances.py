"""Moments of what each hole is multiplied by. Knows nothing of runtimes."""

from collections.abc import Sequence

import numpy as np

from midstream.analysis.holes import Reading
from midstream.analysis.moments import Moments, patches
from midstream.analysis.steps import Reader, Step
from midstream.formats.graph import Graph

__all__ = ["Covariances"]

_PATCHES = 64
"""Of one operator in one run."""
_MOST_NUMBERS = 4096
"""Of a patch; a covariance of more is not made."""
_MOST_COVARIANCES = 1 << 27
"""Numbers of all covariances together: 1 GiB."""


class Covariances:
    """Collects what runs show of the inputs of operators with weights.

    Args:
        graph: The graph.
        readings: How it reads each hole.
        rng: Chooses patches.
    """

    def __init__(
        self, graph: Graph, readings: Sequence[Reading | None], rng: np.random.Generator
    ) -> None:
        self._graph = graph
        self._readings = readings
        self._rng = rng
        self._moments: dict[int, Moments] = {}
        self._left = _MOST_COVARIANCES

    def look(self, reader: Reader) -> None:
        """Take what one run shows."""
        for hole, found in enumerate(self._readings):
            for index in found.multiplied if found else ():
                self._add(hole, Step(self._graph, self._graph.operators[index], reader))

    def _add(self, hole: int, step: Step) -> None:
        try:
            found = patches(step, _PATCHES, self._rng)
        except LookupError:  # a kernel of some other form has no patches
            return
        if found is None or found.shape[2] > _MOST_NUMBERS:
            return
        if hole not in self._moments:
            size = found.shape[0] * found.shape[2] ** 2
            if size > self._left:
                return
            self._left -= size
            self._moments[hole] = Moments(found.shape[0], found.shape[2])
        self._moments[hole].add(found)

    def moments(self, hole: int) -> Moments | None:
        """What was found of a hole; None where nothing was."""
        return self._moments.get(hole)
