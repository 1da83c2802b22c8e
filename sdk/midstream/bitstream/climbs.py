"""Levels of a stack of units, tensor by tensor, and what they let expect of another stack.

Knows nothing of how units get from one to the other (spec/lossy.md, "Moves").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream.head import Head
from midstream.bitstream.slices import Run, Slice
from midstream.bitstream.unit import Operation, Record, Unit
from midstream.codec import Context, Folding, TensorCode, digits, grid, points, scales
from midstream.codec.moves import FARTHEST
from midstream.codec.references import LowRank
from midstream.types import Tensor

__all__ = [
    "Climb",
    "Expected",
    "climbs_of",
    "digits_among",
    "expect",
    "levels_of",
    "payloads_of",
    "records_of",
]

_MOST = 7
"""Levels that are expected this far from zero, or farther, share their tables."""

_Levels = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Climb:
    """The levels of one tensor on its way up a stack."""

    tensor: Tensor
    """Its shape and type."""
    code: TensorCode
    """Its steps."""
    levels: _Levels
    """(refinements + 1, weights), of the base and after each; only as far as there are any."""
    trits: NDArray[np.int8]
    """(weights,), refinements of each weight; -1 where it has no levels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """What is expected of the levels of a slice."""

    levels: tuple[_Levels, ...]
    """(weights,) of the base and after each refinement."""
    widths: _Levels
    """(weights,), how far the finest may be from those."""


def records_of(units: Sequence[Unit], slices: int) -> list[list[Record]]:
    """The records of each slice, in order."""
    found: list[list[Record]] = [[] for _ in range(slices)]
    for unit in units:
        for record in unit.records:
            found[record.slice].append(record)
    return found


def digits_among(records: Sequence[Record]) -> int:
    """How many refinements there are among records."""
    return sum(record.operation is Operation.DIGITS for record in records)


def levels_of(head: Head, piece: Slice, records: Sequence[Record]) -> list[_Levels] | None:
    """The levels of a slice, of the base and after each refinement; None where it ends in none.

    Raises:
        BitstreamError: A payload is malformed.
    """
    operations = [record.operation for record in records]
    if operations[:1] == [Operation.REPEATS]:
        folding = Folding.read(memoryview(records[0].payload), piece.weights)
        coded = _levels_of(folding.context(head.context(piece)), records[1:])
        return None if coded is None else [folding.levels(own) for own in coded]
    return _levels_of(head.context(piece), records)


def _levels_of(context: Context, records: Sequence[Record]) -> list[_Levels] | None:
    operations = [record.operation for record in records]
    if operations[:1] != [Operation.LEVELS] or set(operations[1:]) - {Operation.DIGITS}:
        return None
    if context.lattice:
        return None
    found = points.decode([memoryview(records[0].payload)], [context])
    for trits, record in enumerate(records[1:]):
        payload = memoryview(record.payload)
        found += digits.decode([payload], [context], [found[-1]], [trits])
    return found


def payloads_of(head: Head, piece: Slice, levels: Sequence[_Levels], firsts: bytes) -> list[bytes]:
    """The payloads that give a slice its levels: what `levels_of` reads.

    Args:
        head: Parameters of its tensors.
        piece: The slice.
        levels: (weights,) of the base and after each refinement.
        firsts: First byte of the payload of each refinement.
    """
    context = head.context(piece)
    found = points.encode_many([levels[0]], [context])
    count = len(levels) - 1
    return found + digits.encode_many(
        levels[:-1], levels[1:], [context] * count, range(count), firsts
    )


def climbs_of(head: Head, records: Sequence[Sequence[Record]]) -> list[Climb]:
    """The levels of all tensors of a stack.

    Args:
        head: Of its base.
        records: Of each slice, in order.

    Raises:
        BitstreamError: A payload is malformed.
    """
    tensors = head.topology.tensors
    most = [0] * len(tensors)
    for piece, own in zip(head.slices, records, strict=True):
        for run in piece.runs:
            most[run.tensor] = max(most[run.tensor], digits_among(own))
    found = [
        Climb(
            tensor=tensor,
            code=code,
            levels=np.zeros((refinements + 1, tensor.weights), np.int32),
            trits=np.full(tensor.weights, -1, np.int8),
        )
        for tensor, code, refinements in zip(tensors, head.codes, most, strict=True)
    ]
    for piece, own in zip(head.slices, records, strict=True):
        _put(found, piece, levels_of(head, piece, own))
    return found


def _put(climbs: Sequence[Climb], piece: Slice, levels: Sequence[_Levels] | None) -> None:
    done = 0
    for run in piece.runs if levels is not None else ():
        assert levels is not None, "there are no runs otherwise"
        climb = climbs[run.tensor]
        climb.trits[run.start : run.stop] = len(levels) - 1
        for row, part in zip(climb.levels, levels, strict=False):
            row[run.start : run.stop] = part[done : done + run.weights]
        done += run.weights


def expect(
    head: Head,
    piece: Slice,
    trits: int,
    climbs: Sequence[Climb | None],
    products: Mapping[int, LowRank] | None = None,
) -> Expected:
    """What other levels let expect of those of a slice after so many refinements.

    Args:
        head: Parameters of its tensors.
        piece: The slice.
        trits: How many.
        climbs: For each of its tensors, the levels that it may be near to.
        products: What is added to what those stand for, of some tensors.
    """
    added = products or {}
    found = [
        _expect(head, run, trits, climbs[run.tensor], added.get(run.tensor)) for run in piece.runs
    ]
    levels = tuple(np.concatenate([own.levels[t] for own in found]) for t in range(trits + 1))
    widths = np.concatenate([own.widths for own in found])
    is_known = widths > _UNKNOWN
    alone = head.context(piece).width.astype(np.int32) + digits.width_shift(trits)
    return Expected(levels=levels, widths=np.where(is_known, widths, alone))


_UNKNOWN = -(1 << 20)


def _expect(
    head: Head, run: Run, trits: int, climb: Climb | None, product: LowRank | None
) -> Expected:
    if climb is None:
        zeros = np.zeros(run.weights, np.int32)
        return Expected(levels=(zeros,) * (trits + 1), widths=zeros + _UNKNOWN)
    tensor, code = head.topology.tensors[run.tensor], head.codes[run.tensor]
    place, is_inside = _places(climb.tensor, tensor, run)
    old_trits = np.where(is_inside, climb.trits[place], -1)
    old_steps = scales.weight_steps(climb.tensor, climb.code, 0, climb.tensor.weights)[place]
    steps = scales.weight_steps(tensor, code, run.start, run.stop)
    finest = _finest(climb, place, np.minimum(old_trits, trits), old_steps)
    sizes = grid.step_sizes(steps, trits, tensor.dtype)
    if product is not None:
        finest += product.product(run.start, run.stop)
    top = np.clip(np.rint((finest - code.offset) / sizes), -FARTHEST, FARTHEST)
    is_known = old_trits >= 0
    levels = [np.where(is_known, top, 0).astype(np.int32)]
    is_same = (steps == old_steps) & (code.offset == climb.code.offset) & (product is None)
    for trit in range(trits - 1, -1, -1):
        own = climb.levels[min(trit, len(climb.levels) - 1), place]
        levels.append(np.where(is_same & (old_trits >= trit), own, grid.coarsen(levels[-1])))
    is_finer = steps < code.step
    widths = 2 * (2 * np.minimum(np.abs(levels[0]), _MOST) + is_finer)
    return Expected(levels=tuple(levels[::-1]), widths=np.where(is_known, widths, _UNKNOWN))


def values_of(climb: Climb) -> NDArray[np.float64]:
    """(weights,), what the last levels of a tensor stand for; 0 where there are none."""
    count = climb.tensor.weights
    steps = scales.weight_steps(climb.tensor, climb.code, 0, count)
    return _finest(climb, np.arange(count), climb.trits, steps)


def _finest(
    climb: Climb, place: NDArray[np.int64], trits: NDArray[np.int8], steps: _Levels
) -> NDArray[np.float64]:
    """What levels stand for after so many refinements of each weight; 0 where there are none."""
    found = np.zeros(len(place))
    for trit in range(len(climb.levels)):
        here = trits == trit
        sizes = grid.step_sizes(steps[here], trit, climb.tensor.dtype)
        found[here] = climb.levels[trit, place[here]] * sizes + climb.code.offset
    return found


def _places(old: Tensor, new: Tensor, run: Run) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of each weight of a run its place in the old tensor, and whether it has one; else it is 0."""
    flat = np.arange(run.start, run.stop)
    if old.shape == new.shape:
        return flat, np.ones(run.weights, np.bool_)
    axes = np.unravel_index(flat, new.shape)
    is_inside = np.ones(run.weights, np.bool_)
    for axis, size in zip(axes, old.shape, strict=True):
        is_inside &= axis < size
    clipped = [np.where(is_inside, axis, 0) for axis in axes]
    return np.ravel_multi_index(clipped, old.shape), is_inside
