"""Holes of TFLite files. Knows nothing of running them.

A hole is a constant buffer that holds the weights of a tensor. What else the file has, shape
vectors, quantisation parameters, places of sparse weights, signatures and metadata, is topology.
Field numbers are those of the public TFLite schema, version 3.
"""

from dataclasses import dataclass, field

from midstream.errors import ErrorCode, FormatError, LimitError
from midstream.formats.flatbuffer import Buffer, Table
from midstream.formats.worth import apart, is_worth
from midstream.limits import LIMITS
from midstream.types import DType, Tensor

__all__ = ["is_tflite", "locate"]

_IDENTIFIER = b"TFL3"
"""int32 tensors that are no operator's bias are weights only from this size on."""
_VECTOR = 1 << 20

_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS = 1, 2, 4
_GRAPH_TENSORS, _GRAPH_OPERATORS = 0, 3
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_NAME = 0, 1, 2, 3
_TENSOR_VARIABLE, _TENSOR_SPARSITY = 5, 6
_BUFFER_DATA, _BUFFER_OFFSET, _BUFFER_SIZE = 0, 1, 2
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_CODE_OLD, _CODE_NEW = 0, 3

_DTYPES = {
    0: DType.FLOAT32,
    1: DType.FLOAT16,
    2: DType.INT32,
    3: DType.UINT8,
    9: DType.INT8,
    17: DType.INT4,
    18: DType.BFLOAT16,
}
_CONV, _DEPTHWISE, _DEQUANTIZE, _FULLY_CONNECTED = 3, 4, 6, 9
_TRANSPOSE_CONV, _CONV_3D, _TRANSPOSE_CONV_3D = 67, 132, 141
_CONVOLUTIONS = {_CONV, _TRANSPOSE_CONV}
_WITH_BIAS = {
    _CONV: 2,
    _DEPTHWISE: 2,
    _FULLY_CONNECTED: 2,
    _TRANSPOSE_CONV: 3,
    _CONV_3D: 2,
    _TRANSPOSE_CONV_3D: 3,
}
"""Which input of an operator is its bias."""


def is_tflite(data: bytes | memoryview) -> bool:
    """Whether the file says that it is one."""
    return bytes(data[4:8]) == _IDENTIFIER


@dataclass(slots=True)
class _Use:
    """Who reads a tensor."""

    operators: set[int] = field(default_factory=set)
    is_bias: bool = False


def locate(data: bytes | memoryview) -> tuple[Tensor, ...]:
    """Find the weights.

    Returns:
        Holes in order of their offsets; a buffer that several tensors share is one hole.

    Raises:
        FormatError: The file is damaged.
        LimitError: A count in it is over its limit.
    """
    file = Buffer(data)
    model = file.root()
    codes = [_code(table) for table in model.tables(_MODEL_CODES, _VECTOR)]
    buffers = [_place(table, file) for table in model.tables(_MODEL_BUFFERS, LIMITS.tensors)]
    found: dict[int, Tensor | None] = {}
    tensors = 0
    for graph in model.tables(_MODEL_SUBGRAPHS, _VECTOR):
        tensors += _locate_in_graph(graph, codes, buffers, found)
        if tensors > LIMITS.tensors:
            raise LimitError(
                ErrorCode.OVER_LIMIT, f"tflite: {tensors} tensors, at most {LIMITS.tensors}"
            )
    return apart(found.values())  # a hostile file may share bytes between buffers


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


def _locate_in_graph(
    graph: Table,
    codes: list[int],
    buffers: list[tuple[int, int]],
    found: dict[int, Tensor | None],
) -> int:
    """Add what a graph knows of its buffers to what is known of them; how many tensors it has."""
    tensors = list(graph.tables(_GRAPH_TENSORS, LIMITS.tensors))
    uses = _uses(graph, codes, len(tensors))
    for index, table in enumerate(tensors):
        number = table.number(_TENSOR_BUFFER, 4)
        if number >= len(buffers):
            raise FormatError(
                ErrorCode.BAD_OFFSET, f"tensor {index}: buffer {number} of {len(buffers)}"
            )
        if not buffers[number][1]:
            continue
        tensor = _tensor(table, buffers[number], uses[index])
        if number in found:
            tensor = _shared(found[number], tensor)
        found[number] = tensor
    return len(tensors)


def _shared(known: Tensor | None, other: Tensor | None) -> Tensor | None:
    """A buffer that two tensors read is a hole only if they agree on what it holds."""
    if known is None or other is None:
        return None
    same = known.dtype is other.dtype and known.length == other.length
    return known if same else None


def _tensor(table: Table, place: tuple[int, int], use: _Use) -> Tensor | None:
    """The hole that a tensor is, or None where it is topology."""
    dtype = _DTYPES.get(table.number(_TENSOR_TYPE, 1))
    shape = table.numbers(_TENSOR_SHAPE, LIMITS.dimensions)
    if dtype is None or table.number(_TENSOR_VARIABLE, 1):
        return None
    if any(dimension < 1 for dimension in shape):
        return None
    row, column = _axes(shape, use)
    if table.has(_TENSOR_SPARSITY):
        # it holds weights without their places: one row of them, which is no vector
        shape, row, column = (1, place[1] * 8 // dtype.bits), None, None
    tensor = Tensor(
        name=table.text(_TENSOR_NAME, 1 << 16)[: LIMITS.tensor_name],
        dtype=dtype,
        shape=shape,
        offset=place[0],
        row_axis=row,
        column_axis=column,
    )
    fits = tensor.length == place[1]
    return tensor if fits and is_worth(tensor, may_be_index=not use.is_bias) else None


def _axes(shape: tuple[int, ...], use: _Use) -> tuple[int | None, int | None]:
    """Output and input channels, by the operators that read the tensor."""
    rank = len(shape)
    if rank < 2:
        return None, None
    if rank == 4 and _DEPTHWISE in use.operators:
        return 3, None  # 1HWC
    if rank == 4 and shape[0] == 1 and not use.operators & _CONVOLUTIONS:
        return 3, None  # a picture or a row of channels, not a kernel
    if rank == 5 and _CONV_3D in use.operators:
        return 4, 3  # DHWIO
    if rank == 5 and _TRANSPOSE_CONV_3D in use.operators:
        return 3, 4  # DHWOI
    return 0, rank - 1  # OHWI, or outputs by inputs


def _uses(graph: Table, codes: list[int], count: int) -> list[_Use]:
    """For each tensor who reads it; dequantised weights are read by who reads the result."""
    uses = [_Use() for _ in range(count)]
    forwards: list[tuple[int, int]] = []
    for operator in graph.tables(_GRAPH_OPERATORS, _VECTOR):
        code = _member(codes, operator.number(_OPERATOR_CODE, 4))
        inputs = operator.numbers(_OPERATOR_INPUTS, _VECTOR)
        for place, index in enumerate(inputs):
            if 0 <= index < count:
                uses[index].operators.add(code)
                uses[index].is_bias |= _WITH_BIAS.get(code) == place
        if code == _DEQUANTIZE:
            forwards += zip(inputs, operator.numbers(_OPERATOR_OUTPUTS, _VECTOR), strict=False)
    for source, result in forwards:
        if 0 <= source < count and 0 <= result < count:
            uses[source].operators |= uses[result].operators
    return uses


def _member(codes: list[int], index: int) -> int:
    if index >= len(codes):
        raise FormatError(ErrorCode.BAD_OFFSET, f"operator code {index} of {len(codes)}")
    return codes[index]
