"""Slices step by step: one operation after the other, many slices side by side in each.

It says what is wrong with a payload; `at_once` is faster where there is a kernel for it.
Knows nothing of units.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Head, Operation, Record, Run, Slice
from midstream.codec import (
    Context,
    Folding,
    digits,
    exact,
    grid,
    kept,
    points,
    refined_points,
    storage,
    values,
)
from midstream.decoder.memory import group_sizes
from midstream.decoder.stack import Stack
from midstream.types import DType

__all__ = ["rebuild_slice", "rebuild_slices"]


def rebuild_slices(stack: Stack, model: memoryview) -> None:
    """Write the weights of all slices into a model.

    Raises:
        BitstreamError: A payload is malformed.
    """
    for batch in _batches(stack, model):
        _decode(batch)
        while batch:
            _fill(batch.pop())


def rebuild_slice(stack: Stack, index: int, model: memoryview) -> None:
    """The same of one slice.

    Raises:
        BitstreamError: A payload is malformed.
    """
    piece, records = stack.head.slices[index], stack.records[index]
    work = _Work(head=stack.head, piece=piece, records=records, model=model)
    _decode([work])
    _fill(work)


_NO_LEVELS = np.zeros(0, np.int32)


@dataclass(kw_only=True)
class _Work:
    """One slice while it is decoded."""

    head: Head
    piece: Slice
    records: tuple[Record, ...]
    model: memoryview
    levels: NDArray[np.int32] = field(default_factory=lambda: _NO_LEVELS)
    trits: int = 0
    ratio: int = 1
    folding: Folding | None = None
    values: NDArray[np.generic] | None = None
    is_in_place: bool = False

    @cached_property
    def context(self) -> Context:
        context = self.head.context(self.piece)
        return context if self.folding is None else self.folding.context(context)

    @cached_property
    def steps(self) -> NDArray[np.int32]:
        """Step index or trit exponent of each weight that is coded; (coded,)."""
        steps = self.head.steps(self.piece)
        return steps if self.folding is None else steps[self.folding.places]

    @cached_property
    def offsets(self) -> NDArray[np.int32]:
        return self.head.offsets(self.piece)

    @property
    def dtype(self) -> DType:
        return self.piece.dtype

    def start(self, run: Run) -> int:
        """The byte of the model that a run starts at."""
        tensor = self.head.topology.tensors[run.tensor]
        return tensor.offset + _bytes_before(run.start, self.dtype.bits)


def _batches(stack: Stack, model: memoryview) -> Iterator[list[_Work]]:
    """Slices in groups of bounded size, so that their lanes are decoded side by side."""
    pieces = zip(stack.head.slices, stack.records, strict=True)
    for count in group_sizes(stack.head, stack.records):
        yield [
            _Work(head=stack.head, piece=piece, records=records, model=model)
            for piece, records in islice(pieces, count)
        ]


def _decode(batch: Sequence[_Work]) -> None:
    """Apply the records of a batch, the first of each slice, then the second, and so on."""
    for turn in range(max(len(work.records) for work in batch)):
        here = [work for work in batch if len(work.records) > turn]
        for operation, apply in _APPLY.items():
            chosen = [work for work in here if work.records[turn].operation is operation]
            if chosen:
                apply(chosen, [memoryview(work.records[turn].payload) for work in chosen])


def _apply_repeats(batch: Sequence[_Work], payloads: list[memoryview]) -> None:
    for work, payload in zip(batch, payloads, strict=True):
        work.folding = Folding.read(payload, work.piece.weights)


def _apply_levels(batch: Sequence[_Work], payloads: list[memoryview]) -> None:
    decoded = points.decode(payloads, [work.context for work in batch])
    for work, found in zip(batch, decoded, strict=True):
        work.levels = found


def _apply_digits(batch: Sequence[_Work], payloads: list[memoryview]) -> None:
    decoded = digits.decode(
        payloads,
        [work.context for work in batch],
        [work.levels for work in batch],
        [work.trits for work in batch],
    )
    for work, found in zip(batch, decoded, strict=True):
        work.levels = found
        work.trits += 1


def _apply_points(batch: Sequence[_Work], payloads: list[memoryview]) -> None:
    decoded, ratios = refined_points.decode(
        payloads,
        [work.context for work in batch],
        [work.levels for work in batch],
        [work.trits for work in batch],
    )
    for work, found, ratio in zip(batch, decoded, ratios, strict=True):
        work.levels, work.ratio = found, ratio


def _apply_exact(batch: Sequence[_Work], payloads: list[memoryview]) -> None:
    for work, payload in zip(batch, payloads, strict=True):
        steps = grid.step_sizes(work.steps, work.trits, work.piece.dtype)
        work.values = exact.decode(payload, work.levels, steps, work.dtype)


def _apply_raw(batch: Sequence[_Work], payloads: list[memoryview]) -> None:
    for work, payload in zip(batch, payloads, strict=True):
        work.values = kept.decode(payload, work.piece.weights, work.piece.dtype)


def _apply_values(batch: Sequence[_Work], payloads: list[memoryview]) -> None:
    values.decode_into(
        payloads,
        [work.head.sigmas(work.piece) for work in batch],
        [work.dtype for work in batch],
        [_place(work) for work in batch],
    )


def _place(work: _Work) -> tuple[memoryview, int]:
    """Where the bytes of a slice go: into the model itself, where they stay together."""
    if len(work.piece.runs) == 1:
        work.is_in_place = True
        return work.model, work.start(work.piece.runs[0])
    data = bytearray(_bytes_before(work.piece.weights, work.dtype.bits))
    work.values = np.frombuffer(data, storage.ELEMENT[work.dtype])
    return memoryview(data), 0


_APPLY = {
    Operation.REPEATS: _apply_repeats,
    Operation.LEVELS: _apply_levels,
    Operation.DIGITS: _apply_digits,
    Operation.EXACT: _apply_exact,
    Operation.RAW: _apply_raw,
    Operation.VALUES: _apply_values,
    Operation.POINTS: _apply_points,
}


def _fill(work: _Work) -> None:
    """Write a decoded slice into its holes."""
    if work.is_in_place:
        return
    if work.values is None and work.dtype.is_float and work.folding is None:
        _fill_floats(work)
        return
    found = _values(work)
    taken = 0
    for run in work.piece.runs:
        data = storage.as_bytes(found[taken : taken + run.weights], work.dtype)
        start = work.start(run)
        work.model[start : start + len(data)] = data
        taken += run.weights


def _values(work: _Work) -> NDArray[np.generic]:
    """All weights of a slice; (weights,)."""
    found = work.values
    if found is None:
        offsets = 0 if work.dtype.is_float else work.offsets
        found = grid.reconstruct(
            work.levels, work.dtype, work.steps, work.trits, offsets, ratio=work.ratio
        )
    if work.folding is None or len(found) == work.piece.weights:
        return found
    return work.folding.values(found, work.dtype)


def _fill_floats(work: _Work) -> None:
    """Write what levels stand for."""
    taken = 0
    for run in work.piece.runs:
        start = work.start(run)
        out = work.model[start : start + _bytes_before(run.weights, work.dtype.bits)]
        own = work.levels[taken : taken + run.weights]
        steps, ratio = work.head.run_steps(run), work.ratio
        grid.reconstruct_into(out, own, work.dtype, steps, work.trits, ratio=ratio)
        taken += run.weights


def _bytes_before(weight: int, bits: int) -> int:
    assert weight * bits % 8 == 0, "runs start at even weights"
    return weight * bits // 8
