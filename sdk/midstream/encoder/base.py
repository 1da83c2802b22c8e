"""Bases: the first rung of a ladder, by any recipe and at any fineness.

Knows nothing of targets, nor of the rungs above.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Head, Topology, write_unit
from midstream.codec import TensorCode, grid, scales, storage
from midstream.encoder.folds import Folds, size
from midstream.encoder.narrow import Narrow, made
from midstream.encoder.plan import Plan, make_plans
from midstream.encoder.quantiser import Quantised, Quantiser, Recipe
from midstream.encoder.records import level_records, raw_records
from midstream.encoder.steps import Allocation, shifted
from midstream.encoder.weights import Corrected, Weights
from midstream.kernels import nearest_levels
from midstream.types import UnitKind

__all__ = ["PLACES_PER_STEP", "Base", "Bases", "fit_codes", "step_sizes"]

PLACES_PER_STEP = 8
"""Fineness is counted in eighths of a step index: tensors get finer one by one."""
_CODES = {is_coded: TensorCode(coded=is_coded) for is_coded in (False, True)}
"""Of tensors of which nothing else is known."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Base:
    """A base, and what it leaves for the rungs above."""

    head: Head
    """Topology and parameters."""
    plans: tuple[Plan, ...]
    """Its slices."""
    data: bytes
    """The unit."""


class Bases:
    """Makes bases of one network.

    Args:
        topology: The file without its weights.
        weights: Its tensors.
        quantiser: Rounds them.
    """

    def __init__(
        self, topology: Topology, weights: Sequence[Weights], quantiser: Quantiser
    ) -> None:
        self._topology = topology
        self._weights = weights
        self._quantiser = quantiser
        # what is not coded is the same in all of them
        codes = tuple(
            _CODES[w.coded] if w.same_as is None else TensorCode(coded=False, same_as=w.same_as)
            for w in weights
        )
        empty = [np.zeros(0, np.int32)] * len(weights)
        plans = make_plans(Head(topology=topology, codes=codes), weights, empty)
        self._raw = raw_records(plans)
        self.folds = Folds(plans)
        """What repeats in its slices."""
        self.is_refined = False
        """Whether rungs will refine it: tables then suit levels of one refinement, too."""
        self.uncounted = len(topology.write()) + sum(len(r.payload) for r in self._raw)
        """Bytes of the topology and of weights that are not coded."""

    def make(self, allocation: Allocation, recipe: Recipe, fineness: int) -> Base:
        """The base whose steps are so many eighths of an index below the allocation's."""
        grids = _grids(self._weights, allocation, -fineness / PLACES_PER_STEP)
        sizes = [step_sizes(w, code) for w, code in zip(self._weights, grids, strict=True)]
        quantised = self._quantiser.quantise(sizes, recipe)
        codes = self._codes(grids, quantised, recipe)
        return self.write(codes, quantised.levels, quantised.corrected)

    def _codes(
        self, grids: Sequence[TensorCode], quantised: Quantised, recipe: Recipe
    ) -> tuple[TensorCode, ...]:
        """Grids with how levels spread: those of one refinement, where these are the nearest."""
        if not self.is_refined or recipe.feedback:
            return fit_codes(self._weights, grids, quantised.levels)
        pairs = enumerate(zip(self._weights, grids, strict=True))
        nearest = [_is_plain(w, code) and at not in quantised.corrected for at, (w, code) in pairs]
        levels = [
            _refined(w, code) if is_nearest else own
            for w, code, own, is_nearest in zip(
                self._weights, grids, quantised.levels, nearest, strict=True
            )
        ]
        return fit_codes(self._weights, grids, levels, list(map(int, nearest)))

    def write(
        self,
        codes: Sequence[TensorCode],
        levels: Sequence[Narrow],
        corrected: Corrected | None = None,
        *,
        fold: Callable[[Plan], Plan] | None = None,
    ) -> Base:
        """The base of these levels.

        Args:
            codes: How each tensor is coded.
            levels: Of each tensor.
            corrected: What they should stand for, where that is not the weights.
            fold: Leaves weights of a slice out that repeat others; None to do so where it pays.
        """
        return self.of(*self.planned(codes, levels, corrected, fold=fold))

    def planned(
        self,
        codes: Sequence[TensorCode],
        levels: Sequence[Narrow],
        corrected: Corrected | None = None,
        *,
        fold: Callable[[Plan], Plan] | None = None,
    ) -> tuple[Head, tuple[Plan, ...]]:
        """The head and the slices of what `write` takes, not written yet."""
        if fold is None and self.is_refined:
            codes = self._foldable(codes, levels, corrected)
        head = self._head(codes)
        plans = make_plans(head, self._weights, levels, corrected)
        return head, tuple(map(fold or self._shorter, plans))

    def _shorter(self, plan: Plan) -> Plan:
        return self.folds.shorter(plan, is_refined=self.is_refined)

    def _foldable(
        self,
        codes: Sequence[TensorCode],
        levels: Sequence[Narrow],
        corrected: Corrected | None,
    ) -> Sequence[TensorCode]:
        """The codes, without predictors where slices are shorter folded: nothing predicts those."""
        others = [self._unpredicted(at, code) for at, code in enumerate(codes)]
        if all(own is other for own, other in zip(codes, others, strict=True)):
            return codes
        sizes, other_sizes = (
            self._sizes(make_plans(self._head(own), self._weights, levels, corrected))
            for own in (codes, others)
        )
        pairs = enumerate(zip(codes, others, strict=True))
        return [other if other_sizes[at] < sizes[at] else own for at, (own, other) in pairs]

    def _unpredicted(self, at: int, code: TensorCode) -> TensorCode:
        """What suits levels of one refinement without a predictor, if they may be folded."""
        weights = self._weights[at]
        if at not in self.folds.by_tensor or not code.predictor or not _is_plain(weights, code):
            return code
        fine = _refined(weights, code)
        return scales.fit(fine, weights.tensor, step=code.step, trits=1, may_predict=False)

    def _sizes(self, plans: Sequence[Plan]) -> Mapping[int, float]:
        """Bytes of each tensor that may be folded, its first refinement included."""
        sizes: dict[int, float] = defaultdict(float)
        for plan in plans:
            at = plan.piece.runs[0].tensor
            if at in self.folds.by_tensor:
                sizes[at] += size(self._shorter(plan), is_refined=True)
        return sizes

    def _head(self, codes: Sequence[TensorCode]) -> Head:
        return Head(topology=self._topology, codes=tuple(codes))

    def of(self, head: Head, plans: tuple[Plan, ...]) -> Base:
        """The base of these slices."""
        records = heapq.merge(self._raw, level_records(plans), key=lambda record: record.slice)
        data = write_unit(UnitKind.BASE, 0, head.write(), records)
        return Base(head=head, plans=plans, data=data)


def _grids(weights: Sequence[Weights], allocation: Allocation, shift: float) -> list[TensorCode]:
    steps = shifted(weights, allocation.relative, shift)
    axes = zip(allocation.rows, allocation.columns, strict=True)
    return [
        TensorCode(step=step, offset=w.offset, row_steps=rows, column_steps=columns)
        if w.coded
        else TensorCode(coded=False, same_as=w.same_as)
        for w, step, (rows, columns) in zip(weights, steps, axes, strict=True)
    ]


def step_sizes(weights: Weights, code: TensorCode) -> NDArray[np.float64]:
    """The step of each weight, flattened; (1,) where all have the same."""
    if not code.coded:
        return np.zeros(0)
    tensor = weights.tensor
    count = 1 if code.is_even else tensor.weights
    steps = scales.weight_steps(tensor, code, 0, count)
    return grid.step_sizes(steps, 0, tensor.dtype)


def fit_codes(
    weights: Sequence[Weights],
    grids: Sequence[TensorCode],
    levels: Sequence[Narrow],
    trits: Sequence[int] | None = None,
) -> tuple[TensorCode, ...]:
    """Grids with how their levels spread.

    Args:
        weights: All tensors.
        grids: Their steps.
        levels: Of each tensor.
        trits: Refinements that they have; None for none.
    """
    each = zip(weights, grids, levels, trits or [0] * len(levels), strict=True)
    return tuple(_code(w, code, own, n) if code.coded else code for w, code, own, n in each)


def _is_plain(weights: Weights, code: TensorCode) -> bool:
    return code.coded and code.is_even and weights.tensor.dtype.is_float


def _refined(weights: Weights, code: TensorCode) -> Narrow:
    """The nearest levels after one refinement: a base tells little of rows that are zero in it."""
    dtype = weights.tensor.dtype
    size = grid.one_size(code.step, 1, dtype)

    def make(start: int, stop: int) -> NDArray[np.int32]:
        return nearest_levels(storage.numbers(weights.stored[start:stop], dtype), size)

    return made(weights.tensor.weights, make)


def _code(weights: Weights, chosen: TensorCode, levels: Narrow, trits: int) -> TensorCode:
    return scales.fit(
        levels,
        weights.tensor,
        step=chosen.step,
        offset=chosen.offset,
        trits=trits,
        row_steps=chosen.row_steps,
        column_steps=chosen.column_steps,
    )
