"""Stacks of units to model files, a few slices at a time.

Knows nothing of transport or trust: the units given were verified before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from midstream import formats
from midstream.bitstream import Head, Operation, Record, Run, Slice
from midstream.codec import Context, digits, exact, grid, kept, points, storage, values
from midstream.decoder.memory import group_sizes
from midstream.decoder.stack import Stack, read_stack
from midstream.errors import ErrorCode, UsageError
from midstream.kernels import blank
from midstream.limits import LIMITS, Limits
from midstream.types import DType

__all__ = ["rebuild", "rebuild_into"]


def rebuild(
    units: Sequence[bytes | bytearray | memoryview], *, limits: Limits = LIMITS
) -> bytearray:
    """Decode a base and the units on it into a model file.

    It gives the whole model or raises; what was there before is not touched.

    Args:
        units: The base, then each unit with the one before it as its parent.
        limits: Bounds on what they claim.

    Returns:
        The bytes of the model file; those of the original once the exact unit is among them.

    Raises:
        BitstreamError: A unit is malformed, or does not belong on the one before it.
        LimitError: A count or size is over its limit.
        UsageError: There is no unit.
    """
    stack = read_stack(units, limits=limits)
    model = blank(stack.model_size)
    rebuild_into(stack, model)
    return model


def rebuild_into(stack: Stack, model: bytearray | memoryview | mmap) -> None:
    """Decode a stack in place; besides, it takes `stack.working_memory` at most.

    Args:
        stack: As `read_stack` gives it.
        model: A writable buffer of `stack.model_size` bytes, such as a file mapped into memory;
            what it held does not matter. After an error it is no model.

    Raises:
        BitstreamError: A payload is malformed.
        UsageError: The buffer is of another size, or cannot be written.
    """
    with memoryview(model).cast("B") as view:
        if view.readonly or len(view) != stack.model_size:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"a buffer of {len(view)} bytes for a model of {stack.model_size}",
            )
        stack.head.topology.fill(view)
        for batch in _batches(stack, view):
            _decode(batch)
            while batch:
                _fill(batch.pop())
        _copy_tied(view, stack.head)
        formats.settle(view)


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
    values: NDArray[np.generic] | None = None
    is_in_place: bool = False

    @cached_property
    def context(self) -> Context:
        return self.head.context(self.piece)

    @cached_property
    def steps(self) -> NDArray[np.int32]:
        """Each weight's step index or trit exponent; (weights,)."""
        return self.head.steps(self.piece)

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
    for count in group_sizes(stack.head):
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


def _apply_exact(batch: Sequence[_Work], payloads: list[memoryview]) -> None:
    for work, payload in zip(batch, payloads, strict=True):
        steps = grid.step_sizes(work.steps, work.trits, work.piece.dtype)
        work.values = exact.decode(payload, work.levels, steps, work.piece.dtype)


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
    Operation.LEVELS: _apply_levels,
    Operation.DIGITS: _apply_digits,
    Operation.EXACT: _apply_exact,
    Operation.RAW: _apply_raw,
    Operation.VALUES: _apply_values,
}


def _fill(work: _Work) -> None:
    """Write a decoded slice into its holes."""
    if work.is_in_place:
        return
    if work.values is None and work.dtype.is_float:
        _fill_floats(work)
        return
    found = work.values
    if found is None:
        found = grid.reconstruct(work.levels, work.dtype, work.steps, work.trits, work.offsets)
    taken = 0
    for run in work.piece.runs:
        data = storage.as_bytes(found[taken : taken + run.weights], work.dtype)
        start = work.start(run)
        work.model[start : start + len(data)] = data
        taken += run.weights


def _fill_floats(work: _Work) -> None:
    """Write what levels stand for."""
    taken = 0
    for run in work.piece.runs:
        start = work.start(run)
        out = work.model[start : start + _bytes_before(run.weights, work.dtype.bits)]
        own = work.levels[taken : taken + run.weights]
        grid.reconstruct_into(out, own, work.dtype, work.head.run_steps(run), work.trits)
        taken += run.weights


def _copy_tied(model: memoryview, head: Head) -> None:
    """Tensors that are the same as earlier ones, which are no copies themselves."""
    tensors = head.topology.tensors
    for tensor, code in zip(tensors, head.codes, strict=True):
        if code.same_as is not None:
            first = tensors[code.same_as]
            model[tensor.offset : tensor.end] = model[first.offset : first.end]


def _bytes_before(weight: int, bits: int) -> int:
    assert weight * bits % 8 == 0, "runs start at even weights"
    return weight * bits // 8
