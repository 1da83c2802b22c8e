"""The state of each slice on its way up a ladder. Knows nothing of rungs and their targets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Head, Operation, Record, Slice
from midstream.codec import Context, Folding, digits, grid, kept, refined_points, storage
from midstream.encoder.decoded import decoded_error, is_far_above_rounding
from midstream.encoder.narrow import Narrow, narrow, wide
from midstream.encoder.summits import Summit
from midstream.encoder.weights import Corrected, Weights
from midstream.kernels import nearest_levels, squared_error
from midstream.types import DType

__all__ = [
    "Plan",
    "cut",
    "cut_corrected",
    "join",
    "make_plans",
    "put",
]

_T = TypeVar("_T", bound=np.generic)
_MOST_TRITS = 10
_LARGEST_LEVEL = 1 << 29

_Levels = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """One slice as the units so far leave it."""

    index: int
    """Its place in the partition."""
    piece: Slice
    """Its weights' places."""
    head: Head
    """Says how its weights are coded; what follows from it is made anew each time."""
    stored: NDArray[np.generic]
    """(weights,), in storage form."""
    held: Narrow
    """(weights,), levels after the refinements made; empty where they are not coded."""
    corrected: NDArray[np.float64] | None = None
    """(weights,), what levels should stand for, less the offsets; None for the weights."""
    trits: int = 0
    """Refinements made."""
    folding: Folding | None = None
    """Which weights repeat others, and are not coded; None where all are."""
    summit: Summit | None = None
    """Points that all levels follow from; None where levels are those nearest to the targets."""
    planned: int | None = None
    """Refinements that it is to have at the last rung, of digits; None where none are known."""

    @property
    def levels(self) -> _Levels:
        """(weights,), as they are coded."""
        return wide(self.held)

    @property
    def context(self) -> Context:
        """Tables of the weights that are coded."""
        context = self.head.context(self.piece)
        return context if self.folding is None else self.folding.context(context)

    @property
    def targets(self) -> NDArray[np.float64]:
        """(weights,), what levels should stand for, less the offsets."""
        if self.corrected is not None:
            return self.corrected
        return self.numbers.astype(np.float64, copy=False)

    @property
    def numbers(self) -> NDArray[np.float32] | NDArray[np.float64]:
        """Targets in single precision where that is exact."""
        return self._weights if self.corrected is None else self.corrected

    @property
    def _weights(self) -> NDArray[np.float32] | NDArray[np.float64]:
        """(weights,), less the offsets, in single precision where that is exact."""
        numbers = storage.numbers(self.stored, self.piece.dtype)
        return numbers if self.piece.dtype.is_float else numbers - self.head.offsets(self.piece)

    @property
    def most_trits(self) -> int:
        """Refinements that there can be, or are to be."""
        if not self.piece.coded:
            return 0
        if self.summit is not None:
            return self.summit.trits + 1
        if self.planned is not None:
            return self.planned
        if not self.piece.dtype.is_float:
            return int(self.head.steps(self.piece).min())
        largest = float(np.max(np.abs(self.targets) / self.sizes(0), initial=1.0))
        room = int(np.log(_LARGEST_LEVEL / max(largest, 1.0)) / np.log(3))
        return max(0, min(_MOST_TRITS, room))

    @property
    def is_exact(self) -> bool:
        """Whether the levels give the weights bit for bit."""
        if not self.piece.coded:
            return True
        if self.squared_error > 0:
            return False
        dtype = self.piece.dtype
        return storage.dump(self._decoded, dtype) == storage.dump(self.stored, dtype)

    @property
    def _decoded(self) -> NDArray[np.generic]:
        """(weights,), what the levels stand for, in storage form."""
        steps = self.head.steps(self.piece)
        offsets = 0 if self.piece.dtype.is_float else self.head.offsets(self.piece)
        return grid.reconstruct(
            self.levels,
            self.piece.dtype,
            steps,
            self.trits - self.is_at_summit,
            offsets,
            ratio=self.summit.ratio if self.summit and self.is_at_summit else 1,
        )

    @property
    def is_at_summit(self) -> bool:
        """Whether its levels are points that refine others."""
        return self.summit is not None and self.trits > self.summit.trits

    def sizes(self, trits: int) -> NDArray[np.float64]:
        """The step of each weight after so many refinements; (1,) where all have the same."""
        if self.summit is not None and trits > self.summit.trits:
            return self.sizes(self.summit.trits) / self.summit.ratio
        code = self.head.codes[self.piece.runs[0].tensor]
        if len(self.piece.runs) == 1 and code.is_even:
            return grid.one_size(code.step, trits, self.piece.dtype)
        return grid.step_sizes(self.head.steps(self.piece), trits, self.piece.dtype)

    def nearest(self, trits: int) -> _Levels:
        """The levels nearest to the targets, after more refinements than made so far.

        Nearest rounding nests: each is a child of the one before, in range -1 to 1.
        """
        if trits == self.trits:
            return self.levels
        return self.rounded(trits)

    def rounded(self, trits: int) -> _Levels:
        """The levels nearest to the targets, or what follows from points, at any refinement."""
        if self.summit is not None:
            return self.summit.below(trits)
        return nearest_levels(self.numbers, self.sizes(trits))

    @cached_property
    def squared_error(self) -> float:
        """Of the weights that decoding gives, against those that there are."""
        if self.piece.dtype is DType.FLOAT32:
            error = squared_error(self._weights, self.sizes(self.trits), levels=self.levels)
            if is_far_above_rounding(error, self._weights):
                return error
        return decoded_error(self.stored, self._decoded, self.piece.dtype)

    def noise(self, trits: int) -> float:
        """Squared errors in steps of the base, after so many refinements."""
        sizes = self.sizes(0)
        if len(sizes) == 1:
            known = self.nearest(trits) if trits == self.trits or self.summit else None
            error = squared_error(self.numbers, self.sizes(trits), levels=known)
            return error / float(sizes[0]) ** 2
        errors = (self.targets - self.nearest(trits) * self.sizes(trits)) / sizes
        return float(np.einsum("i,i->", errors, errors))

    def digit_bits(self, trits: int) -> float:
        """Estimated bits of one more trit after so many."""
        parents, children = (self.coded(self.nearest(t)) for t in (trits, trits + 1))
        return self.step_bits(parents, children, trits)

    def step_bits(self, parents: _Levels, children: _Levels, trits: int) -> float:
        """The same of levels before and after it, as coded."""
        if self.summit is not None and trits == self.summit.trits:
            ratio = self.summit.ratio
            return refined_points.cost(parents, children, self.context, trits, ratio)
        return digits.cost(parents, children, self.context, trits)

    def coded(self, values: NDArray[_T]) -> NDArray[_T]:
        """What there is for each weight, of those that are coded."""
        return values if self.folding is None else values[self.folding.places]

    def folded(self, folding: Folding) -> "Plan":
        """With weights that are not coded, whose levels are then those that they repeat."""
        held = narrow(folding.levels(self.levels[folding.places]))
        return replace(self, held=held, folding=folding)

    def steps_to(self, children: _Levels, trits: int) -> list[tuple[_Levels, _Levels, int]]:
        """Parents, children and trits of each refinement from here to there, as coded."""
        ladder = [children]
        while len(ladder) < trits - self.trits:
            if self.summit is not None and trits - len(ladder) == self.summit.trits:
                ladder.append(refined_points.parents_of(ladder[-1], self.summit.ratio))
            else:
                ladder.append(grid.coarsen(ladder[-1]))
        pairs = pairwise([self.coded(own) for own in (self.levels, *ladder[::-1])])
        return [(*pair, self.trits + at) for at, pair in enumerate(pairs)]

    def refined(self, more: int) -> "Plan":
        """After so many more trits, at the levels nearest to the targets."""
        if not more:
            return self
        trits = self.trits + more
        return self.at(narrow(self.nearest(trits)), trits, self.corrected)

    def at(self, held: Narrow, trits: int, corrected: NDArray[np.float64] | None) -> "Plan":
        """At these levels, after so many refinements; weights that repeat others do so still."""
        made = replace(self, held=held, trits=trits, corrected=corrected)
        return made if self.folding is None else made.folded(self.folding)

    def kept(self) -> bytes:
        """The weights as they are."""
        return kept.encode(self.stored, self.piece.dtype)

    def record(self, operation: Operation, payload: bytes) -> Record:
        """A record of this slice."""
        return Record(slice=self.index, operation=operation, payload=payload)


def make_plans(
    head: Head,
    weights: Sequence[Weights],
    levels_of: Sequence[Narrow],
    corrected: Corrected | None = None,
) -> tuple[Plan, ...]:
    """A plan for each slice of a network, nothing refined yet.

    Args:
        head: Topology and parameters.
        weights: Each tensor's weights.
        levels_of: Each tensor's levels on the base grid.
        corrected: What they should stand for, where that is not the weights.
    """
    stored = [w.stored for w in weights]
    return tuple(
        Plan(
            index=index,
            piece=piece,
            head=head,
            stored=cut(piece, stored),
            held=cut(piece, levels_of),
            corrected=cut_corrected(piece, weights, corrected or {}),
        )
        for index, piece in enumerate(head.slices)
    )


def cut(piece: Slice, arrays: Sequence[NDArray[_T]]) -> NDArray[_T]:
    """A slice's part of what there is for each weight of each tensor; not copied from one."""
    if len(piece.runs) == 1:
        run = piece.runs[0]
        return arrays[run.tensor][run.start : run.stop]
    return np.concatenate([arrays[run.tensor][run.start : run.stop] for run in piece.runs])


def cut_corrected(
    piece: Slice, weights: Sequence[Weights], corrected: Corrected
) -> NDArray[np.float64] | None:
    """What a slice's levels should stand for; None where that is its weights."""
    tensors = [run.tensor for run in piece.runs]
    if not any(tensor in corrected for tensor in tensors):
        return None
    wanted = {at: w.values - w.offset for at, w in enumerate(weights) if at in tensors}
    wanted |= corrected
    return np.concatenate([wanted[run.tensor][run.start : run.stop] for run in piece.runs])


def join(
    plans: Sequence[Plan], parts: Sequence[NDArray[_T]], sizes: Sequence[int]
) -> list[NDArray[_T]]:
    """Tensors of so many weights out of their slices' parts, zeros where a part is empty."""
    tensors = [np.zeros(size, parts[0].dtype) for size in sizes]
    for plan, part in zip(plans, parts, strict=True):
        put(tensors, plan.piece, part)
    return tensors


def put(tensors: Sequence[NDArray[_T]], piece: Slice, part: NDArray[_T]) -> None:
    """Write a slice's part into its tensors, where it is not empty."""
    taken = 0
    for run in piece.runs if len(part) else ():
        tensors[run.tensor][run.start : run.stop] = part[taken : taken + run.weights]
        taken += run.weights
