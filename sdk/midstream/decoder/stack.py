"""A base and the units on top of it, parsed and checked against each other.

Knows nothing of payloads: a stack says which operations each slice goes through.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from midstream.bitstream import Head, Operation, Record, Slice, Unit, read_unit
from midstream.codec import TensorCode
from midstream.decoder.memory import working_memory
from midstream.errors import BitstreamError, ErrorCode, UsageError
from midstream.limits import LIMITS, Limits
from midstream.types import UnitKind

__all__ = ["Stack", "may_have_digits", "read_stack", "stack_of"]

_ON_TOP = (UnitKind.ENHANCEMENT, UnitKind.EXACT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What a base and the units on it do to each slice."""

    head: Head
    """Topology, parameters and slices."""
    records: tuple[tuple[Record, ...], ...]
    """For each slice, what is done to it, in order."""
    size: int
    """Bytes of the units."""
    units: tuple[bytes | bytearray | memoryview, ...] = ()
    """The units themselves, where they are a base and what is on top of it."""

    @property
    def model_size(self) -> int:
        """Bytes of the model file."""
        return self.head.topology.model_size

    @property
    def working_memory(self) -> int:
        """Bytes that decoding takes besides the units and the model file, at most."""
        slices = working_memory(self.head, self.records)
        return self.head.topology.working_memory + slices

    @property
    def peak_memory(self) -> int:
        """Bytes that decoding takes, the units and the model file included."""
        return self.size + self.model_size + self.working_memory


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
    head = Head.read(parsed[0].head, limits=limits)
    records = [unit.records for unit in parsed]
    return stack_of(head, records, size=sum(map(len, units)), limits=limits, units=units)


def stack_of(
    head: Head,
    records: Sequence[Sequence[Record]],
    *,
    size: int,
    limits: Limits = LIMITS,
    units: Sequence[bytes | bytearray | memoryview] = (),
) -> Stack:
    """Check what units do to each slice.

    Args:
        head: Topology and parameters.
        records: Those of each unit, in order.
        size: Bytes of all units.
        limits: Bounds on what they claim.
        units: What the stack is decoded from at once, where it can be.

    Raises:
        BitstreamError: Operations are on no slice, or cannot follow each other.
    """
    sorted_records = _sort(records, len(head.slices))
    _check_operations(head, sorted_records, limits)
    return Stack(head=head, records=sorted_records, size=size, units=tuple(units))


def _check_order(units: Sequence[Unit]) -> None:
    for place, unit in enumerate(units):
        if unit.kind not in (_ON_TOP if place else (UnitKind.BASE,)):
            raise BitstreamError(
                ErrorCode.WRONG_PARENT, f"unit {place}: a {unit.kind.name} in that place"
            )
        if place and unit.layer <= units[place - 1].layer:
            raise BitstreamError(
                ErrorCode.WRONG_PARENT,
                f"unit {place}: layer {unit.layer} on layer {units[place - 1].layer}",
            )


def _sort(units: Sequence[Sequence[Record]], slices: int) -> tuple[tuple[Record, ...], ...]:
    sorted_records: list[list[Record]] = [[] for _ in range(slices)]
    for unit in units:
        for record in unit:
            if record.slice >= slices:
                raise BitstreamError(ErrorCode.BAD_FIELD, f"unit: slice {record.slice} of {slices}")
            sorted_records[record.slice].append(record)
    return tuple(tuple(records) for records in sorted_records)


def _check_operations(head: Head, records: Sequence[Sequence[Record]], limits: Limits) -> None:
    """Only sequences that spec/bitstream.md, "Operations", allows."""
    for piece, own in zip(head.slices, records, strict=True):
        operations = tuple([record.operation for record in own])
        # two before digits and one after them; what is longer is not worth to be remembered
        if len(operations) <= limits.trits + 3 and _may_follow(
            operations, piece.coded, piece.dtype.is_float
        ):
            digits = operations.count(Operation.DIGITS) + operations.count(Operation.POINTS)
            if not digits or may_have_digits(piece, digits, head.codes, limits):
                continue
        names = ", ".join(operation.name for operation in operations) or "nothing"
        raise BitstreamError(
            ErrorCode.WRONG_PARENT,
            f"slice of tensor {piece.runs[0].tensor}: {names} cannot follow each other",
        )


_ENDS = {Operation.DIGITS, Operation.EXACT, Operation.RAW, Operation.POINTS}
_OF_FLOATS = {Operation.EXACT, Operation.VALUES, Operation.POINTS}


@lru_cache(maxsize=256)
def _may_follow(operations: tuple[Operation, ...], coded: bool, is_float: bool) -> bool:
    """Whether a slice may go through such operations, whatever its tensors are."""
    if operations[:2] == (Operation.REPEATS, Operation.LEVELS) and is_float:
        operations = operations[1:]
    middle = operations[1:-1] if operations[-1:] != (Operation.DIGITS,) else operations[1:]
    climbs = operations[:1] == (Operation.LEVELS,) and all(
        operation is Operation.DIGITS for operation in middle
    )
    return operations == (Operation.RAW,) or (
        coded
        and (climbs or operations == (Operation.VALUES,))
        and set(operations[1:][-1:]) <= _ENDS
        and (is_float or not _OF_FLOATS & set(operations))
    )


def may_have_digits(piece: Slice, digits: int, codes: Sequence[TensorCode], limits: Limits) -> bool:
    """Whether so many refinements may follow the levels of a slice."""
    own = [codes[run.tensor] for run in piece.runs]
    return (
        digits <= limits.trits
        and not any(code.lattice for code in own)
        and (piece.dtype.is_float or all(code.step >= digits for code in own))
    )
