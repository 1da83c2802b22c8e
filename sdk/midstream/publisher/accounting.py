"""Where the bytes of units went, to the last one. Knows nothing of files or terminals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from midstream import formats
from midstream.bitstream import Head, Operation, Record, Unit, read_unit
from midstream.codec import TensorCode, grid
from midstream.decoder import Stack, read_stack
from midstream.errors import DataError
from midstream.limits import LIMITS
from midstream.types import Tensor
from midstream.wire import Reader

__all__ = ["Account", "TensorAccount", "account"]

Units = Sequence[bytes | memoryview]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorAccount:
    """What one tensor takes, and how it is coded."""

    index: int
    """Its place in the topology."""
    name: str | None
    """Its name in the model file, which is not in the bitstream; None where it has none."""
    tensor: Tensor
    """Where it is in the model file, and its shape."""
    code: TensorCode
    """Its parameters."""
    operations: tuple[Operation, ...]
    """What is done to its first slice, in order; nothing where it is tied."""
    layers: tuple[int, ...]
    """Bytes of its payloads in each layer; a slice of several tensors is shared by weights."""
    snr: tuple[float, ...] | None = None
    """Weight SNR after each layer, dB; infinite where it is exact, None where it is not known."""

    @property
    def size(self) -> int:
        """Bytes in all layers."""
        return sum(self.layers)

    @property
    def bits_per_weight(self) -> float:
        """Bits in all layers for each weight."""
        return 8 * self.size / max(self.tensor.weights, 1)

    @property
    def is_folded(self) -> bool:
        """Whether weights of its first slice that repeat others are not coded."""
        return Operation.REPEATS in self.operations

    @property
    def step(self) -> float | None:
        """Distance between its levels in the base; None where it has none."""
        if Operation.LEVELS not in self.operations:
            return None
        return grid.step_size(self.code.step, 0, self.tensor.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where all bytes of a base and the units on it went; they add up to their sizes."""

    layers: tuple[int, ...]
    """Number of each unit's layer."""
    sizes: tuple[int, ...]
    """Bytes of each unit."""
    tensors: tuple[TensorAccount, ...]
    """In order of the topology."""
    topology: tuple[int, ...]
    """Bytes of the model file without its tensors."""
    parameters: tuple[int, ...]
    """Bytes of the tensors' parameters: steps, scales, predictors."""
    framing: tuple[int, ...]
    """Bytes of headers, of units and of records."""

    @property
    def by_size(self) -> list[TensorAccount]:
        """Tensors, largest first."""
        return sorted(self.tensors, key=lambda tensor: (-tensor.size, tensor.index))

    @property
    def others(self) -> dict[str, tuple[int, ...]]:
        """What is no tensor, by its name."""
        return {
            "topology": self.topology,
            "parameters": self.parameters,
            "framing": self.framing,
        }

    def with_snr(self, snr: Sequence[tuple[float, ...]]) -> "Account":
        """The same, with the weight SNR of each tensor after each layer."""
        pairs = zip(self.tensors, snr, strict=True)
        return replace(self, tensors=tuple(replace(t, snr=found) for t, found in pairs))


def account(units: Units) -> Account:
    """Bytes of each tensor in a base and the units on it, and of all else in them.

    Args:
        units: The base, then each unit with the one before it as its parent.

    Raises:
        BitstreamError: A unit is malformed, or does not belong on the one before it.
        LimitError: A count or size is over its limit.
        UsageError: There is no unit.
    """
    stack = read_stack(units)
    parsed = [read_unit(data) for data in units]
    sizes = [len(data) for data in units]
    payloads = np.array([_payloads(unit.records, stack.head) for unit in parsed])
    topology, parameters = _head_sizes(parsed[0])
    nothing = (0,) * (len(units) - 1)
    framing = np.array(sizes) - payloads.sum(axis=1)
    framing[0] -= topology + parameters
    return Account(
        layers=tuple(unit.layer for unit in parsed),
        sizes=tuple(sizes),
        tensors=_tensors(stack, payloads),
        topology=(topology, *nothing),
        parameters=(parameters, *nothing),
        framing=tuple(framing.tolist()),
    )


def _head_sizes(base: Unit) -> tuple[int, int]:
    """Bytes of the topology and of the parameters; the length between them is framing."""
    reader = Reader(base.head, "head")
    return len(reader.blob(limit=LIMITS.unit_size)), reader.remaining


def _payloads(records: Sequence[Record], head: Head) -> NDArray[np.int64]:
    """Bytes of each tensor in one unit; (tensors,)."""
    sizes = np.zeros(len(head.topology.tensors), np.int64)
    for record in records:
        runs = head.slices[record.slice].runs
        shares = _share(len(record.payload), [run.weights for run in runs])
        np.add.at(sizes, [run.tensor for run in runs], shares)
    return sizes


def _share(size: int, weights: Sequence[int]) -> list[int]:
    """Whole bytes in proportion to weights, which add up to `size`."""
    total = max(sum(weights), 1)
    edges = [size * end // total for end in accumulate(weights, initial=0)]
    edges[-1] = size
    return [stop - start for start, stop in pairwise(edges)]


def _tensors(stack: Stack, payloads: NDArray[np.int64]) -> tuple[TensorAccount, ...]:
    operations: dict[int, tuple[Operation, ...]] = {}
    for piece, records in zip(stack.head.slices, stack.records, strict=True):
        for run in piece.runs:
            operations.setdefault(run.tensor, tuple(record.operation for record in records))
    names = _names(stack)
    pairs = zip(stack.head.topology.tensors, stack.head.codes, strict=True)
    return tuple(
        TensorAccount(
            index=index,
            name=names.get(tensor.offset),
            tensor=tensor,
            code=code,
            operations=operations.get(index, ()),
            layers=tuple(payloads[:, index].tolist()),
        )
        for index, (tensor, code) in enumerate(pairs)
    )


def _names(stack: Stack) -> dict[int, str]:
    """Names of tensors by their offsets, as the topology's own format tells them."""
    try:
        opened = formats.open_model(memoryview(stack.head.topology.blank()))
    except DataError:
        return {}  # of a format that looks at weights, or made by another hand
    return {tensor.offset: tensor.name for tensor in opened.tensors if tensor.name}
