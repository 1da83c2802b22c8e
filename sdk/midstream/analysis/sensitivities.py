"""What errors of each hole do to the outputs, by gradients. Knows nothing of runtimes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.analysis.backward import OpaqueError, Route, find_route, go_back
from midstream.analysis.squares import Squares, Variance, signs
from midstream.analysis.steps import Numbers, Reader
from midstream.formats.graph import Graph
from midstream.types import Tensor

__all__ = ["Sensitivities", "Sensitivity"]

Sensitivity = tuple[float, NDArray[np.float64] | None, NDArray[np.float64] | None]
"""Mean over a tensor's weights, over those of each row, and over those of each column."""

_MOST_AT_ONCE = 1 << 26
"""Numbers of one tensor's gradients: 256 MiB."""


class Sensitivities:
    """Collects squared gradients.

    Call `settle` in one run, then `look` in all of them, then `go_back` in some.

    Args:
        graph: The graph.
        tensors: Its holes.
        rng: Gives the signs of outputs.
    """

    def __init__(self, graph: Graph, tensors: Sequence[Tensor], rng: np.random.Generator) -> None:
        self._graph = graph
        self._tensors = tensors
        self._rng = rng
        holes = {tensor.offset: hole for hole, tensor in enumerate(tensors)}
        self._sources = {
            number: holes[variable.offset]
            for number, variable in enumerate(graph.variables)
            if variable.offset in holes and variable.is_real
        }
        self._route = find_route(graph, self._sources)
        self._variances = {number: Variance() for number in self._route.ends}
        self._squares: dict[int, Squares] = {}
        self._gradients = 0
        largest = max((tensors[hole].weights for hole in self._sources.values()), default=1)
        self._at_once = max(1, _MOST_AT_ONCE // largest)

    @property
    def hidden(self) -> list[int]:
        """Holes that act on the outputs, but have no gradient: no operator there lets it pass."""
        return sorted(hole for hole in self._route.behind if self.of(hole) is None)

    def settle(self, reader: Reader) -> None:
        """Find the operators that no gradient passes, in a run."""
        opaque: set[int] = set()
        while True:
            try:
                self._go_back(reader, self._route, dict.fromkeys(self._route.ends, 1.0), 1)
            except OpaqueError as error:
                opaque.add(error.index)
                self._route = find_route(self._graph, self._sources, opaque)
            else:
                break
        self._variances = {number: Variance() for number in self._route.ends}
        self._squares.clear()
        self._gradients = 0

    def look(self, reader: Reader) -> None:
        """Take what one run shows of the outputs."""
        for number, variance in self._variances.items():
            stored = reader(number)
            if stored is not None:
                variance.add(self._graph.variables[number].real(stored))

    def go_back(self, reader: Reader, projections: int) -> None:
        """Add squared gradients of random sums of the outputs of one run."""
        powers = {number: variance.power for number, variance in self._variances.items()}
        for first in range(0, projections, self._at_once):
            count = min(self._at_once, projections - first)
            self._go_back(reader, self._route, powers, count)

    def _go_back(
        self, reader: Reader, route: Route, powers: dict[int, float], projections: int
    ) -> None:
        seeds: dict[int, Numbers] = {}
        for number, power in powers.items():
            stored = reader(number)
            if stored is not None and power > 0:
                seeds[number] = signs(stored.shape, power, projections, self._rng)
        self._gradients += projections
        go_back(self._graph, route, reader, seeds, self._receive)

    def _receive(self, hole: int, gradient: Numbers) -> None:
        self._squares.setdefault(hole, Squares(self._tensors[hole])).add(gradient)

    def of(self, hole: int) -> Sensitivity | None:
        """What was found of a hole; None where nothing was, or it is no number."""
        squares = self._squares.get(hole)
        if squares is None or not self._gradients:
            return None
        found = squares.means(self._gradients, self._units(hole))
        return found if np.isfinite(found[0]) else None

    def _units(self, hole: int) -> NDArray[np.float32]:
        """What one unit of a hole's weights is worth."""
        number = next(number for number, whole in self._sources.items() if whole == hole)
        variable = self._graph.variables[number]
        if not variable.scales.size:
            return np.ones((), np.float32)
        return variable.along(variable.scales, len(self._tensors[hole].shape))
