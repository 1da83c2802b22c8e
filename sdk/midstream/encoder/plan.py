"""The state of each slice while a ladder is built, and what its next refinement would bring.

Knows nothing of rungs: `build` decides how far to go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Head, Operation, Record, Slice
from midstream.codec import Context, digits, exact, grid, levels, raw, storage
from midstream.encoder.weights import Weights
from midstream.types import DType

__all__ = ["Plan", "Refinement", "base_records", "digit_records", "make_plan"]

_T = TypeVar("_T", bound=np.generic)
_MOST_TRITS = 10
_SIDE_BY_SIDE = 16
"""Slices that are coded at once: enough for speed, at most a million weights in memory."""
_LARGEST_LEVEL = 1 << 29


@dataclass(slots=True, kw_only=True)
class Plan:
    """One slice, refined so far."""

    index: int
    """Its place in the partition."""
    piece: Slice
    """Its weights' places."""
    context: Context
    """Tables of its weights."""
    stored: NDArray[np.generic]
    """(weights,), in storage form."""
    values: NDArray[np.float64]
    """(weights,), less the offsets."""
    importance: NDArray[np.float64]
    """(weights,), what a squared error counts."""
    steps: NDArray[np.int32]
    """(weights,), step index or trit exponent."""
    offsets: NDArray[np.int32]
    """(weights,), what level 0 stands for."""
    ladder: list[NDArray[np.int32]] = field(default_factory=list)
    """Levels after 0, 1, ... trits; each (weights,)."""
    trits: int = 0
    """Refinements made so far."""

    @property
    def can_refine(self) -> bool:
        """Whether another trit is possible."""
        return self.trits + 1 < len(self.ladder)

    @property
    def is_exact(self) -> bool:
        """Whether the levels give the weights bit for bit."""
        if not self.piece.coded:
            return True
        if self.errors(self.trits).any():
            return False
        dtype, near = self.piece.dtype, self.ladder[self.trits]
        values = grid.reconstruct(near, dtype, self.steps, self.trits, self.offsets)
        return storage.dump(values, dtype) == storage.dump(self.stored, dtype)

    def refine(self) -> "Refinement":
        """Go one trit further; the record is made later, with others."""
        self.trits += 1
        return Refinement(plan=self, trits=self.trits - 1)

    def finish(self) -> "list[Refinement]":
        """Go as far as an integer slice goes; a float slice stays."""
        if self.piece.dtype.is_float or not self.piece.coded:
            return []
        return [self.refine() for _ in range(len(self.ladder) - 1 - self.trits)]

    def exact(self) -> list[Record]:
        """What gives a float slice its values back; nothing for others."""
        if not (self.piece.dtype.is_float and self.piece.coded):
            return []
        sizes = grid.step_sizes(self.steps, self.trits, self.piece.dtype)
        payload = exact.encode(self.stored, self.ladder[self.trits], sizes, self.piece.dtype)
        escape = self.raw()
        if len(escape) < len(payload):
            return [self.record(Operation.RAW, escape)]
        return [self.record(Operation.EXACT, payload)]

    def base_bits(self) -> float:
        """Estimated bits of the base's levels."""
        return levels.cost(self.ladder[0], self.context) if self.piece.coded else 0.0

    def next_bits(self) -> float:
        """Estimated bits of one more trit."""
        parents, children = self.ladder[self.trits], self.ladder[self.trits + 1]
        return digits.cost(parents, children, self.context, self.trits)

    def next_gain(self) -> float:
        """What one more trit takes off the weighted squared error."""
        here, there = self.errors(self.trits), self.errors(self.trits + 1)
        return float(self.importance @ (here - there))

    def errors(self, trits: int) -> NDArray[np.float64]:
        """Squared error of each weight after so many trits; (weights,)."""
        sizes = grid.step_sizes(self.steps, trits, self.piece.dtype)
        return np.square(self.values - self.ladder[trits] * sizes)

    def raw(self) -> bytes:
        """The weights as they are."""
        data = storage.dump(self.stored, self.piece.dtype)
        return raw.encode(data, max(1, self.piece.dtype.bits // 8))

    def record(self, operation: Operation, payload: bytes) -> Record:
        """A record of this slice."""
        return Record(slice=self.index, operation=operation, payload=payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """One trit of one slice, chosen but not yet coded."""

    plan: Plan
    """The slice."""
    trits: int
    """Refinements before it."""


def base_records(plans: Sequence[Plan]) -> list[Record]:
    """What a base does: levels, or the weights as they are where they are not coded."""
    records = [plan.record(Operation.RAW, plan.raw()) for plan in plans if not plan.piece.coded]
    coded = [plan for plan in plans if plan.piece.coded]
    for first in range(0, len(coded), _SIDE_BY_SIDE):
        batch = coded[first : first + _SIDE_BY_SIDE]
        payloads = levels.encode_many([p.ladder[0] for p in batch], [p.context for p in batch])
        records += [p.record(Operation.LEVELS, d) for p, d in zip(batch, payloads, strict=True)]
    return records


def digit_records(chosen: Sequence[Refinement]) -> list[Record]:
    """The records of refinements, in their order; coded side by side, which is faster."""
    records: list[Record] = []
    for first in range(0, len(chosen), _SIDE_BY_SIDE):
        batch = chosen[first : first + _SIDE_BY_SIDE]
        payloads = digits.encode_many(
            [step.plan.ladder[step.trits] for step in batch],
            [step.plan.ladder[step.trits + 1] for step in batch],
            [step.plan.context for step in batch],
            [step.trits for step in batch],
        )
        pairs = zip(batch, payloads, strict=True)
        records += [step.plan.record(Operation.DIGITS, payload) for step, payload in pairs]
    return records


def make_plan(
    head: Head, weights: Sequence[Weights], importance: Sequence[float]
) -> tuple[Plan, ...]:
    """A plan for each slice of a network, nothing refined yet.

    Args:
        head: Topology and parameters.
        weights: Each tensor's weights.
        importance: Of each tensor, what a squared error counts.
    """
    plans: list[Plan] = []
    for index, piece in enumerate(head.slices):
        plan = Plan(
            index=index,
            piece=piece,
            context=head.context(piece),
            stored=_gather(piece, [w.stored for w in weights]),
            values=_gather(piece, [w.values - w.offset for w in weights]),
            importance=np.repeat(
                [importance[run.tensor] for run in piece.runs], [r.weights for r in piece.runs]
            ),
            steps=head.steps(piece),
            offsets=head.offsets(piece),
        )
        if piece.coded:
            plan.ladder = _nested_levels(plan)
        plans.append(plan)
    return tuple(plans)


def _gather(piece: Slice, arrays: Sequence[NDArray[_T]]) -> NDArray[_T]:
    return np.concatenate([arrays[run.tensor][run.start : run.stop] for run in piece.runs])


def _nested_levels(plan: Plan) -> list[NDArray[np.int32]]:
    """The finest levels, and their parents down to the base: nearest rounding nests."""
    trits = _most_trits(plan)
    sizes = grid.step_sizes(plan.steps, trits, plan.piece.dtype)
    finest = np.rint(plan.values / sizes).astype(np.int32)
    ladder = [finest]
    for _ in range(trits):
        ladder.append(grid.coarsen(ladder[-1]))
    return ladder[::-1]


def _most_trits(plan: Plan) -> int:
    if not plan.piece.dtype.is_float:
        return int(plan.steps.min())
    sizes = grid.step_sizes(plan.steps, 0, plan.piece.dtype)
    largest = float(np.max(np.abs(plan.values) / sizes, initial=1.0))
    room = int(np.log(_LARGEST_LEVEL / max(largest, 1.0)) / np.log(3))
    half = 5 if plan.piece.dtype in (DType.FLOAT16, DType.BFLOAT16) else _MOST_TRITS
    return max(0, min(half, room))
