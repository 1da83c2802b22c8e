"""Operators of TFLite files, and what they read and write. Knows nothing of what they compute.

Only the first graph of a file is looked at: the others are bodies of loops and conditions.
Field numbers are those of the public TFLite schema, version 3.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.errors import ErrorCode, FormatError, LimitError
from midstream.formats.flatbuffer import Buffer, Table
from midstream.limits import LIMITS

__all__ = ["Graph", "Operator", "Options", "Variable", "read_graph"]

_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS = 1, 2, 4
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 1, 2, 3
_TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_QUANTISATION = 1, 2, 4
_QUANTISATION_SCALES, _QUANTISATION_ZEROS, _QUANTISATION_AXIS = 2, 3, 6
_BUFFER_DATA, _BUFFER_OFFSET = 0, 1
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_OPERATOR_OPTIONS, _OPERATOR_CUSTOM = 4, 5
_CODE_OLD, _CODE_CUSTOM, _CODE_NEW = 0, 1, 3
_VECTOR = 1 << 20
_NAME = 256
_FLOATS = {0, 1, 10, 18}
"""float32, float16, float64, bfloat16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A tensor of the graph: an activation or a constant."""

    offset: int
    """Where its constant bytes start in the file; 0 where it has none."""
    is_float: bool
    """Whether its numbers are floating point."""
    scales: NDArray[np.float32]
    """(channels,) or (1,): what one unit of an integer is worth; empty where that is 1."""
    zeros: NDArray[np.int64]
    """(channels,) or (1,): the integers that stand for 0.0; empty where scales are."""
    axis: int
    """The axis of the channels that scales are of."""

    @property
    def is_real(self) -> bool:
        """Whether it stands for real numbers, so that a small change of it means something."""
        return self.is_float or self.scales.size > 0

    def real(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """What its stored numbers stand for: float32, or the array where it is not real."""
        if not self.is_real:
            return array
        if not self.scales.size:
            return array.astype(np.float32, copy=False)
        zeros = self.along(self.zeros.astype(np.float32), array.ndim)
        return (array.astype(np.float32) - zeros) * self.along(self.scales, array.ndim)

    def along(self, values: NDArray[np.float32], rank: int) -> NDArray[np.float32]:
        """Values of the channels, shaped to multiply an array of some rank."""
        if values.size < 2:
            return values.reshape(())
        return values.reshape([-1 if axis == self.axis else 1 for axis in range(rank)])


class Options:
    """What an operator was told, by field number.

    Args:
        table: The fields; None where all have their defaults.
        custom: What a custom operator was told, in a form of its own.
    """

    def __init__(self, table: Table | None = None, custom: bytes = b"") -> None:
        self._table = table
        self.custom = custom
        """Bytes of a custom operator's options."""

    def integer(self, field: int, default: int = 0) -> int:
        """An int32."""
        return self._number(field, 4, default)

    def byte(self, field: int, default: int = 0) -> int:
        """An int8 or an enumeration."""
        return self._number(field, 1, default)

    def flag(self, field: int) -> bool:
        """A truth value."""
        return self._number(field, 1, 0) != 0

    def real(self, field: int, default: float = 0.0) -> float:
        """A float32."""
        bits = struct.unpack("<i", struct.pack("<f", default))[0]
        return float(struct.unpack("<f", struct.pack("<i", self._number(field, 4, bits)))[0])

    def _number(self, field: int, size: int, default: int) -> int:
        if self._table is None:
            return default
        return self._table.number(field, size, default=default, signed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One step of the computation."""

    code: int
    """Which operator of the schema it is."""
    custom: str
    """The name of a custom one."""
    inputs: tuple[int, ...]
    """Variables that it reads; -1 for one that is left out."""
    outputs: tuple[int, ...]
    """Variables that it writes."""
    options: Options
    """How it works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The first graph of a file."""

    variables: tuple[Variable, ...]
    """Its tensors, by number."""
    operators: tuple[Operator, ...]
    """In order of execution."""
    inputs: tuple[int, ...]
    """Variables that come from outside."""
    outputs: tuple[int, ...]
    """Variables that are the result."""


def read_graph(data: bytes | memoryview) -> Graph:
    """Read the first graph of a TFLite file.

    Raises:
        FormatError: The file is damaged, or has no graph.
        LimitError: A count in it is over its limit.
    """
    file = Buffer(data)
    model = file.root()
    codes = [_code(table) for table in model.tables(_MODEL_CODES, _VECTOR)]
    offsets = [_offset(table) for table in model.tables(_MODEL_BUFFERS, LIMITS.tensors)]
    graph = next(model.tables(_MODEL_SUBGRAPHS, _VECTOR), None)
    if graph is None:
        raise FormatError(ErrorCode.BAD_HEADER, "tflite: a model without a graph")
    variables = tuple(_variable(t, offsets) for t in graph.tables(_GRAPH_TENSORS, LIMITS.tensors))
    count = len(variables)
    operators = graph.tables(_GRAPH_OPERATORS, _VECTOR)
    return Graph(
        variables=variables,
        operators=tuple(_operator(table, codes, count) for table in operators),
        inputs=_checked(graph.numbers(_GRAPH_INPUTS, _VECTOR), 0, count),
        outputs=_checked(graph.numbers(_GRAPH_OUTPUTS, _VECTOR), 0, count),
    )


def _code(table: Table) -> tuple[int, str]:
    """An operator's number, of which the old field holds those below 127, and custom name."""
    number = max(table.number(_CODE_OLD, 1, signed=True), table.number(_CODE_NEW, 4))
    return number, table.text(_CODE_CUSTOM, 1 << 16)[:_NAME]


def _offset(table: Table) -> int:
    """Where a buffer's bytes are: in the flatbuffer, or after it in a large file."""
    inside = table.vector(_BUFFER_DATA, 1, LIMITS.model_size)
    if inside is not None and inside[1]:
        return inside[0]
    return table.number(_BUFFER_OFFSET, 8)


def _variable(table: Table, offsets: list[int]) -> Variable:
    number = table.number(_TENSOR_BUFFER, 4)
    if number >= len(offsets):
        raise FormatError(ErrorCode.BAD_OFFSET, f"tflite: buffer {number} of {len(offsets)}")
    is_float = table.number(_TENSOR_TYPE, 1) in _FLOATS
    quantisation = None if is_float else table.table(_TENSOR_QUANTISATION)
    scales, zeros, axis = _scales(quantisation)
    return Variable(
        offset=offsets[number], is_float=is_float, scales=scales, zeros=zeros, axis=axis
    )


def _scales(table: Table | None) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """Scales, zero points and the axis they go along."""
    if table is None:
        return np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    scales = np.frombuffer(table.bytes(_QUANTISATION_SCALES, 4, _VECTOR), "<f4")
    zeros = np.frombuffer(table.bytes(_QUANTISATION_ZEROS, 8, _VECTOR), "<i8")
    if zeros.size not in (0, scales.size):
        raise FormatError(
            ErrorCode.BAD_LENGTH, f"tflite: {zeros.size} zero points for {scales.size} scales"
        )
    zeros = zeros if zeros.size else np.zeros(scales.size, np.int64)
    return scales.astype(np.float32), zeros, table.number(_QUANTISATION_AXIS, 4, signed=True)


def _operator(table: Table, codes: list[tuple[int, str]], count: int) -> Operator:
    index = table.number(_OPERATOR_CODE, 4)
    if index >= len(codes):
        raise FormatError(ErrorCode.BAD_OFFSET, f"tflite: operator code {index} of {len(codes)}")
    code, custom = codes[index]
    return Operator(
        code=code,
        custom=custom,
        inputs=_checked(table.numbers(_OPERATOR_INPUTS, _VECTOR), -1, count),
        outputs=_checked(table.numbers(_OPERATOR_OUTPUTS, _VECTOR), 0, count),
        options=Options(table.table(_OPERATOR_OPTIONS), table.bytes(_OPERATOR_CUSTOM, 1, _VECTOR)),
    )


def _checked(numbers: tuple[int, ...], least: int, count: int) -> tuple[int, ...]:
    """Numbers of variables, all of them there."""
    if len(numbers) > LIMITS.tensors:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"tflite: {len(numbers)} variables, at most {LIMITS.tensors}"
        )
    for number in numbers:
        if not least <= number < count:
            raise FormatError(ErrorCode.BAD_OFFSET, f"tflite: variable {number} of {count}")
    return numbers
