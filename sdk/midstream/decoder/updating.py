"""Updates: from the exact model of one release to that of the next, a slice at a time.

Knows nothing of transport or trust: the unit given was verified before. The parent's model is
only read; the new one is written into a buffer of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from mmap import mmap

from midstream.bitstream import Operation, Record, Slice, Topology, UpdateHead, read_unit, state_id
from midstream.bitstream.update import STATE_ID_SIZE
from midstream.codec import differences, kept
from midstream.codec.references import Decayed, LowRank, Reference
from midstream.errors import BitstreamError, ErrorCode, UsageError
from midstream.kernels import blank
from midstream.limits import LIMITS, Limits
from midstream.types import UnitKind

__all__ = [
    "Exact",
    "Update",
    "apply_records",
    "apply_update",
    "check_parent",
    "copy_kept",
    "detached",
    "parse_update",
    "read_update",
    "update_into",
]

_WEIGHT_MEMORY = 320
"""Of one weight of a slice; a test holds the decoder to it."""
_TABLES_MEMORY = 6 << 20
_LISTED_MEMORY = 1024
"""Of each record, slice and tensor."""
_PLACE_MEMORY = 20
"""Of each weight of a tensor that was resized, and of its source."""

_Buffer = bytes | bytearray | memoryview | mmap


@dataclass(frozen=True, kw_only=True)
class Exact:
    """A model file with its topology; every rung but the exact one is none."""

    topology: Topology
    """Where its holes are."""
    model: bytes | bytearray | memoryview
    """The file."""

    @cached_property
    def id(self) -> bytes:
        """What an update on it calls it, 16 bytes; the file must not change after that."""
        return state_id(self.topology, self.model)


@dataclass(frozen=True, kw_only=True)
class Update:
    """An update, read and checked against the topology it applies to."""

    head: UpdateHead
    """Topology, references and parameters."""
    records: tuple[tuple[Record, ...], ...]
    """For each slice, the one thing that is done to it, or nothing."""
    size: int
    """Bytes of the unit."""

    @property
    def model_size(self) -> int:
        """Bytes of the new model file."""
        return self.head.topology.model_size

    @property
    def working_memory(self) -> int:
        """Bytes that applying takes besides the unit and both model files, at most."""
        head = self.head
        slices = max((piece.weights for piece in head.slices), default=0)
        resized = sum(
            part.home.weights + (part.source.weights if part.source else 0)
            for part in head.parts
            if not part.is_whole
        )
        factors = sum(16 * _factors(found) for found in head.references.values())
        # a slice of a product is made of whole rows
        shapes = [head.parts[at].tensor.shape for at in head.references]
        rows = max((math.prod(shape[1:]) for shape in shapes), default=0)
        scales = sum(axis.size for code in head.codes for axis in code.axes if axis is not None)
        listed = len(head.slices) + len(head.parts) + sum(map(len, self.records))
        own = head.topology.working_memory if head.topology is not head.old else 0
        return (
            own
            + _WEIGHT_MEMORY * max(slices, scales)
            + 32 * rows
            + factors
            + _PLACE_MEMORY * resized
            + _LISTED_MEMORY * listed
            + _TABLES_MEMORY
        )

    @property
    def work(self) -> int:
        """Weights that applying decodes, none that are copied (spec/trust.md, "Updates")."""
        pairs = zip(self.head.slices, self.records, strict=True)
        return sum(
            piece.weights for piece, records in pairs if records or self.head.is_expected(piece)
        )

    @property
    def peak_memory(self) -> int:
        """Bytes that applying takes, the unit and both model files included."""
        return self.size + self.head.old.model_size + self.model_size + self.working_memory


def read_update(
    unit: bytes | bytearray | memoryview, old: Exact, *, limits: Limits = LIMITS
) -> Update:
    """Parse an update on an exact model.

    Args:
        unit: Its bytes.
        old: The model that it applies to.
        limits: Bounds on what it claims.

    Raises:
        BitstreamError: It is malformed, no update, or for another model (WRONG_PARENT).
        LimitError: A count or size is over its limit.
    """
    return parse_update(unit, old.topology, old.id, limits=limits)


def parse_update(
    unit: bytes | bytearray | memoryview, topology: Topology, parent: bytes, *, limits: Limits
) -> Update:
    """The same, for a model of which topology and id are known; it raises the same."""
    parsed = read_unit(unit, limits=limits)
    if parsed.kind is not UnitKind.UPDATE:
        raise BitstreamError(
            ErrorCode.WRONG_PARENT, f"update: a unit of kind {parsed.kind.name} on an exact model"
        )
    check_parent(bytes(parsed.head[:STATE_ID_SIZE]), parent)
    head = UpdateHead.read(parsed.head, topology, limits=limits)
    records = _sort(parsed.records, head.slices)
    for piece, found in zip(head.slices, records, strict=True):
        _check_record(head, piece, found)
    return Update(head=head, records=records, size=len(unit))


def apply_update(
    old: Exact, unit: bytes | bytearray | memoryview, *, limits: Limits = LIMITS
) -> Exact:
    """The exact model that an update makes of another; that one is not touched.

    Args:
        old: The exact model of the parent.
        unit: The update.
        limits: Bounds on what it claims.

    Raises:
        BitstreamError: It is malformed, or for another model (WRONG_PARENT).
        LimitError: A count or size is over its limit.
    """
    update = read_update(unit, old, limits=limits)
    model = blank(update.model_size)
    update_into(update, old, model)
    return Exact(topology=detached(update.head, model), model=model)


def update_into(update: Update, old: Exact, model: bytearray | memoryview | mmap) -> None:
    """Write the new model into a buffer; besides, it takes `update.working_memory` at most.

    Args:
        update: As `read_update` gives it.
        old: The exact model of the parent.
        model: A writable buffer of `update.model_size` bytes, not that of the parent; what it
            held does not matter. After an error it is no model.

    Raises:
        BitstreamError: A payload is malformed, or the update is for another model.
        UsageError: The buffer is of another size, or cannot be written.
    """
    check_parent(update.head.parent, old.id)
    with memoryview(model).cast("B") as view, memoryview(old.model).cast("B") as parent:
        if view.readonly or len(view) != update.model_size:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"a buffer of {len(view)} bytes for a model of {update.model_size}",
            )
        copy_kept(update.head, parent, view)
        apply_records(update, parent, view)


def apply_records(update: Update, parent: memoryview, model: memoryview) -> None:
    """Write what is new into a copy of the parent, or into itself where weights keep their places.

    Raises:
        BitstreamError: A payload is malformed; what was written to is no model then.
    """
    for piece, records in zip(update.head.slices, update.records, strict=True):
        _apply(update.head, piece, records, parent, model)


def _factors(reference: Reference) -> int:
    """Numbers of a product."""
    plain = reference.then if isinstance(reference, Decayed) else reference
    return plain.left.size + plain.right.size if isinstance(plain, LowRank) else 0


def check_parent(wanted: bytes, held: bytes) -> None:
    """Both are ids of models.

    Raises:
        BitstreamError: They are not the same (WRONG_PARENT).
    """
    if wanted != held:
        raise BitstreamError(
            ErrorCode.WRONG_PARENT, f"update: for the model {wanted.hex()}, not {held.hex()}"
        )


def detached(head: UpdateHead, model: bytearray) -> Topology:
    """The new topology, its filling where it is anyway."""
    return Topology.cut(memoryview(model), head.topology.tensors)


def _sort(records: Sequence[Record], slices: Sequence[Slice]) -> tuple[tuple[Record, ...], ...]:
    found: list[tuple[Record, ...]] = [()] * len(slices)
    for record in records:
        if record.slice >= len(slices) or found[record.slice]:
            raise BitstreamError(
                ErrorCode.BAD_FIELD, f"update: slice {record.slice} of {len(slices)}, or twice"
            )
        found[record.slice] = (record,)
    return tuple(found)


def _check_record(head: UpdateHead, piece: Slice, records: Sequence[Record]) -> None:
    """Only what spec/updates.md, "Records", allows."""
    is_kept = all(head.parts[head.listed[run.tensor]].source is not None for run in piece.runs)
    operation = records[0].operation if records else None
    differs = operation is Operation.DIFFERENCES and is_kept and piece.coded
    if not (differs or operation is Operation.RAW or (operation is None and is_kept)):
        name = "nothing" if operation is None else operation.name
        raise BitstreamError(
            ErrorCode.WRONG_PARENT,
            f"update: {name} cannot give slice of {piece.weights} {piece.dtype.name}",
        )


def copy_kept(head: UpdateHead, parent: memoryview, model: memoryview) -> None:
    """What is between the holes, and what is the same in them as in the parent."""
    if head.topology is head.old:
        model[:] = parent
        return
    head.topology.fill(model)
    for part in head.parts:
        if part.source is None:
            continue
        if part.is_whole:
            model[part.home.offset : part.home.end] = parent[part.source.offset : part.source.end]
        else:
            part.put(model, 0, part.old(parent, 0, part.tensor.weights))


def _apply(
    head: UpdateHead,
    piece: Slice,
    records: Sequence[Record],
    parent: memoryview,
    model: memoryview,
) -> None:
    if not records and not head.is_expected(piece):
        return
    if records and records[0].operation is Operation.RAW:
        found = kept.decode(memoryview(records[0].payload), piece.weights, piece.dtype)
    else:
        found = head.expected(piece, parent)
        if records:
            payload = memoryview(records[0].payload)
            found = differences.decode(payload, found, head.sigmas(piece), piece.dtype)
    taken = 0
    for run in piece.runs:
        part = head.parts[head.listed[run.tensor]]
        part.put(model, run.start, found[taken : taken + run.weights])
        taken += run.weights
