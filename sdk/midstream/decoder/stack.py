"""A base and the units on top of it, parsed and checked against each other.

Knows nothing of payloads: a stack says which operations each slice goes through.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from midstream.bitstream import Operation, Record, Slice, Topology, Unit, partition, read_unit
from midstream.codec import TensorCode, scales
from midstream.errors import BitstreamError, ErrorCode, UsageError
from midstream.limits import LIMITS, Limits
from midstream.types import UnitKind
from midstream.wire import Reader, Writer

__all__ = ["Stack", "read_head", "read_stack", "write_head"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What a base and the units on it do to each slice."""

    topology: Topology
    """The file without its weights."""
    codes: tuple[TensorCode, ...]
    """Parameters of each tensor."""
    slices: tuple[Slice, ...]
    """The network's slices."""
    records: tuple[tuple[Record, ...], ...]
    """For each slice, what is done to it, in order."""


def write_head(topology: Topology, codes: Sequence[TensorCode]) -> bytes:
    """The head of a base: the topology, then the parameters of its tensors."""
    parameters = scales.write(codes, topology.tensors)
    return Writer().blob(topology.write()).raw(parameters).bytes()


def read_head(head: bytes | memoryview, limits: Limits) -> tuple[Topology, tuple[TensorCode, ...]]:
    """Parse what `write_head` gives; raises BitstreamError or LimitError."""
    reader = Reader(head, "head")
    topology = Topology.read(reader.blob(limit=limits.unit_size), limits=limits)
    codes = scales.read(reader.take(reader.remaining), topology.tensors)
    return topology, tuple(codes)


def read_stack(
    units: Sequence[bytes | bytearray | memoryview], *, limits: Limits = LIMITS
) -> Stack:
    """Parse a base and the units on it.

    Args:
        units: The base, then each unit with the one before it as its parent.
        limits: Bounds on what they claim.

    Raises:
        BitstreamError: A unit is malformed, or does not belong on the one before it.
        LimitError: A count or size is over its limit.
        UsageError: There is no unit.
    """
    if not units:
        raise UsageError(ErrorCode.BAD_ARGUMENT, "no units: a model starts with a base")
    parsed = [read_unit(data, limits=limits) for data in units]
    _check_order(parsed)
    topology, codes = read_head(parsed[0].head, limits)
    slices = partition(topology.tensors, [code.coded for code in codes])
    records = _sort(parsed, len(slices))
    for piece, steps in zip(slices, records, strict=True):
        _check_operations(piece, steps, codes, limits)
    return Stack(topology=topology, codes=codes, slices=slices, records=records)


def _check_order(units: Sequence[Unit]) -> None:
    for place, unit in enumerate(units):
        if (unit.kind is UnitKind.BASE) != (place == 0):
            raise BitstreamError(
                ErrorCode.WRONG_PARENT, f"unit {place}: a {unit.kind.name} in that place"
            )
        if place and unit.layer <= units[place - 1].layer:
            raise BitstreamError(
                ErrorCode.WRONG_PARENT,
                f"unit {place}: layer {unit.layer} on layer {units[place - 1].layer}",
            )


def _sort(units: Sequence[Unit], slices: int) -> tuple[tuple[Record, ...], ...]:
    sorted_records: list[list[Record]] = [[] for _ in range(slices)]
    for unit in units:
        for record in unit.records:
            if record.slice >= slices:
                raise BitstreamError(
                    ErrorCode.BAD_FIELD, f"unit: slice {record.slice} of {slices}"
                )
            sorted_records[record.slice].append(record)
    return tuple(tuple(records) for records in sorted_records)


def _check_operations(
    piece: Slice, records: Sequence[Record], codes: Sequence[TensorCode], limits: Limits
) -> None:
    """Only sequences that spec/bitstream.md, "Operations", allows."""
    operations = [record.operation for record in records]
    middle = operations[1:-1] if operations[-1:] != [Operation.DIGITS] else operations[1:]
    first = Operation.LEVELS if piece.coded else Operation.RAW
    allowed = (
        operations[:1] == [first]
        and all(operation is Operation.DIGITS for operation in middle)
        and (piece.coded or len(operations) == 1)
        and operations.count(Operation.LEVELS) <= 1
        and (piece.dtype.is_float or Operation.EXACT not in operations)
    )
    digits = operations.count(Operation.DIGITS)
    if not piece.dtype.is_float and piece.coded:
        allowed = allowed and all(codes[run.tensor].step >= digits for run in piece.runs)
    if not allowed or digits > limits.trits:
        names = ", ".join(operation.name for operation in operations) or "nothing"
        raise BitstreamError(
            ErrorCode.WRONG_PARENT,
            f"slice of tensor {piece.runs[0].tensor}: {names} cannot follow each other",
        )
