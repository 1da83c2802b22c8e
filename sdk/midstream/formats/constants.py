"""The constants of a TFLite file, and what reads them. Knows nothing of what is worth coding.

Field numbers are those of the public TFLite schema, version 3. The kernel in C knows them as well,
and is as strict; what is wrong with a file is said here.
"""

from collections.abc import Iterable, Iterator
from enum import IntFlag
from typing import NamedTuple

from midstream.errors import ErrorCode, FormatError, LimitError
from midstream.formats.flatbuffer import Buffer, Table
from midstream.kernels import find_constants
from midstream.limits import LIMITS

__all__ = ["Constant", "Use", "read_constants", "read_tables"]

_VECTOR = 1 << 20

_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS = 1, 2, 4
_GRAPH_TENSORS, _GRAPH_OPERATORS = 0, 3
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_NAME = 0, 1, 2, 3
_TENSOR_VARIABLE, _TENSOR_SPARSITY = 5, 6
_BUFFER_DATA, _BUFFER_OFFSET, _BUFFER_SIZE = 0, 1, 2
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_CODE_OLD, _CODE_NEW = 0, 3


class Use(IntFlag):
    """What operators of some kinds do with a tensor; the numbers are those of the kernel in C."""

    CONVOLVED = 1
    DEPTHWISE = 2
    CONVOLVED_3D = 4
    TRANSPOSED_3D = 8
    BIAS = 16


_CONV, _DEPTHWISE, _DEQUANTIZE, _FULLY_CONNECTED = 3, 4, 6, 9
_TRANSPOSE_CONV, _CONV_3D, _TRANSPOSE_CONV_3D = 67, 132, 141
_USES = {
    _CONV: int(Use.CONVOLVED),
    _DEPTHWISE: int(Use.DEPTHWISE),
    _TRANSPOSE_CONV: int(Use.CONVOLVED),
    _CONV_3D: int(Use.CONVOLVED_3D),
    _TRANSPOSE_CONV_3D: int(Use.TRANSPOSED_3D),
}
"""What an operator does with all that it reads."""
_WITH_BIAS = {
    _CONV: 2,
    _DEPTHWISE: 2,
    _FULLY_CONNECTED: 2,
    _TRANSPOSE_CONV: 3,
    _CONV_3D: 2,
    _TRANSPOSE_CONV_3D: 3,
}
"""Which input of an operator is its bias."""
_BIAS, _NOT_BIAS = int(Use.BIAS), ~int(Use.BIAS)


class Constant(NamedTuple):
    """What a tensor says whose buffer is in the file."""

    buffer: int
    """Its number."""
    start: int
    """Where the buffer's bytes start."""
    size: int
    """How many there are."""
    type: int
    """Of its numbers, as files tell it; -1 where they are no weights: of another type, changed
    while the network runs, or of an axis of no length."""
    is_sparse: int
    """Whether weights are without their places."""
    uses: int
    """Bits of `Use`."""
    name: int
    """Where its name starts."""
    name_size: int
    """How many bytes that has."""
    shape: tuple[int, ...]
    """Its dimensions."""


def read_constants(data: memoryview, types: Iterable[int]) -> Iterable[Constant]:
    """All of them, in order of their tensors.

    Args:
        data: The file.
        types: Of numbers, those that weights may have.

    Raises:
        FormatError: The file is damaged.
        LimitError: A count in it is over its limit.
    """
    found = None if find_constants is None else find_constants(data, types)
    if found is None:  # to say what is wrong with it, if there is no other reason
        return read_tables(data, types)
    return map(Constant._make, found)


def read_tables(data: memoryview, types: Iterable[int]) -> list[Constant]:
    """The same, table by table."""
    file = Buffer(data)
    model = file.root()
    codes = [_code(table) for table in model.tables(_MODEL_CODES, _VECTOR)]
    buffers = [_place(table, file) for table in model.tables(_MODEL_BUFFERS, LIMITS.tensors)]
    found: list[Constant] = []
    tensors = 0
    for graph in model.tables(_MODEL_SUBGRAPHS, _VECTOR):
        tables = list(graph.tables(_GRAPH_TENSORS, LIMITS.tensors))
        found += _of_graph(graph, tables, codes, buffers, set(types))
        tensors += len(tables)
        if tensors > LIMITS.tensors:
            raise LimitError(
                ErrorCode.OVER_LIMIT, f"tflite: {tensors} tensors, at most {LIMITS.tensors}"
            )
    return found


def _code(table: Table) -> int:
    """An operator's number: the old field holds those below 127, the new one all."""
    return max(table.number(_CODE_OLD, 1, signed=True), table.number(_CODE_NEW, 4))


def _place(table: Table, file: Buffer) -> tuple[int, int]:
    """Offset and size of a buffer's bytes: in the flatbuffer, or after it in a large file."""
    inside = table.vector(_BUFFER_DATA, 1, LIMITS.model_size)
    if inside is not None and inside[1]:
        return inside
    offset, size = table.number(_BUFFER_OFFSET, 8), table.number(_BUFFER_SIZE, 8)
    if offset <= 1:  # 0 is absent, 1 is the writers' placeholder
        return 0, 0
    file.span(offset, size)
    return offset, size


def _of_graph(
    graph: Table,
    tables: list[Table],
    codes: list[int],
    buffers: list[tuple[int, int]],
    types: set[int],
) -> Iterator[Constant]:
    """Those that a graph has."""
    uses = _uses(graph, codes, len(tables))
    for index, table in enumerate(tables):
        number = table.number(_TENSOR_BUFFER, 4)
        if number >= len(buffers):
            raise FormatError(
                ErrorCode.BAD_OFFSET, f"tensor {index}: buffer {number} of {len(buffers)}"
            )
        if buffers[number][1]:
            yield _constant(table, number, buffers[number], uses[index], types)


def _constant(
    table: Table, number: int, place: tuple[int, int], uses: int, types: set[int]
) -> Constant:
    kind = table.number(_TENSOR_TYPE, 1)
    shape = table.numbers(_TENSOR_SHAPE, LIMITS.dimensions)
    is_other = kind not in types or table.number(_TENSOR_VARIABLE, 1)
    if is_other or any(dimension < 1 for dimension in shape):
        return Constant(number, *place, -1, 0, uses, 0, 0, shape)
    is_sparse = int(table.has(_TENSOR_SPARSITY))
    name = table.counted(_TENSOR_NAME, 1 << 16)
    return Constant(number, *place, kind, is_sparse, uses, *name, shape)


def _uses(graph: Table, codes: list[int], count: int) -> list[int]:
    """For each tensor who reads it; dequantised weights are read by who reads the result."""
    uses = [0] * count
    forwards: list[tuple[int, int]] = []
    for operator in graph.tables(_GRAPH_OPERATORS, _VECTOR):
        code = _member(codes, operator.number(_OPERATOR_CODE, 4))
        inputs = operator.numbers(_OPERATOR_INPUTS, _VECTOR)
        own, bias = _USES.get(code, 0), _WITH_BIAS.get(code)
        for place, index in enumerate(inputs):
            if 0 <= index < count:
                uses[index] |= own | (_BIAS if place == bias else 0)
        if code == _DEQUANTIZE:
            forwards += zip(inputs, operator.numbers(_OPERATOR_OUTPUTS, _VECTOR), strict=False)
    for source, result in forwards:
        if 0 <= source < count and 0 <= result < count:
            uses[source] |= uses[result] & _NOT_BIAS
    return uses


def _member(codes: list[int], index: int) -> int:
    if index >= len(codes):
        raise FormatError(ErrorCode.BAD_OFFSET, f"operator code {index} of {len(codes)}")
    return codes[index]
