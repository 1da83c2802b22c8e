"""Contributions: what another provider changed in the floats of a release, as one unit.

Knows nothing of who the provider is, nor of what becomes of it (spec/contributions.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from midstream.bitstream.head import Head
from midstream.bitstream.topology import Topology
from midstream.bitstream.unit import Record, read_unit, write_unit
from midstream.codec import TensorCode, scales
from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.types import DType, Tensor, UnitKind
from midstream.wire import Reader, Writer

__all__ = ["Contribution", "differences", "read_contribution", "write_contribution"]

_HASH_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """A parsed contribution."""

    parent_sha256: bytes
    """Hash of the model file that was changed, 32 bytes."""
    head: Head
    """How the differences are coded; its topology is that of `differences`."""
    records: tuple[Record, ...]
    """In order of slices."""


def differences(tensors: Iterable[Tensor]) -> Topology:
    """The file of all differences: float32, one tensor after the other, nothing between.

    Args:
        tensors: Those of the model file; integers among them cannot be contributed to.
    """
    made: list[Tensor] = []
    end = 0
    for tensor in tensors:
        if tensor.dtype.is_float:
            made.append(replace(tensor, dtype=DType.FLOAT32, offset=end))
            end = made[-1].end
    return Topology(model_size=end, tensors=tuple(made), filling=lambda: iter(()))


def write_contribution(parent_sha256: bytes, head: Head, records: Sequence[Record]) -> bytes:
    """The bytes of a contribution; of the head, the parameters alone."""
    assert len(parent_sha256) == _HASH_SIZE, "a SHA-256"
    parameters = scales.write(head.codes, head.topology.tensors)
    data = Writer().raw(parent_sha256).raw(parameters).bytes()
    return write_unit(UnitKind.CONTRIBUTION, 0, data, records)


def read_contribution(
    data: bytes | bytearray | memoryview, tensors: Iterable[Tensor], *, limits: Limits = LIMITS
) -> Contribution:
    """Parse what `write_contribution` gives.

    Args:
        data: The unit.
        tensors: Those of the model file that it is said to change.
        limits: Bounds on what it claims.

    Raises:
        BitstreamError: It is malformed, or no contribution.
        LimitError: A count or size is over its limit.
    """
    unit = read_unit(data, limits=limits)
    if unit.kind is not UnitKind.CONTRIBUTION or unit.layer:
        raise BitstreamError(
            ErrorCode.BAD_FIELD,
            f"contribution: a unit of kind {unit.kind.name.lower()} and layer {unit.layer}",
        )
    reader = Reader(unit.head, "contribution")
    parent = bytes(reader.take(_HASH_SIZE))
    topology = differences(tensors)
    codes: Sequence[TensorCode] = scales.read(reader.take(reader.remaining), topology.tensors)
    head = Head(topology=topology, codes=tuple(codes))
    return Contribution(parent_sha256=parent, head=head, records=unit.records)
