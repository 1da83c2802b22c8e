"""Holes of ONNX files. Knows nothing of running them.

A hole is what an initializer or a Constant holds as raw data, as packed floats, or in a file
of its own. Numbers are those of the public schema, onnx.proto3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from midstream.errors import ErrorCode, FormatError, LimitError
from midstream.formats.axes import channel_axes
from midstream.formats.protobuf import Field, Message, Source
from midstream.formats.worth import apart, is_worth
from midstream.limits import LIMITS
from midstream.types import DType, Tensor

__all__ = ["is_onnx", "locate", "locations"]

_DEPTH = 16
_IR_VERSION, _GRAPH = 1, 7
_NODE, _INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_TENSOR = 1, 3, 5
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 6, 11
_DIMS, _DATA_TYPE, _FLOATS, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 4, 8, 9, 13, 14
_KEY, _VALUE = 1, 2
_IS_EXTERNAL = 1
_VALUES = {4, 5, 6, 7, 9, 10, 11}
"""Fields of a tensor that hold values; only one of them may be there."""
_DTYPES = {
    1: DType.FLOAT32,
    2: DType.UINT8,
    3: DType.INT8,
    6: DType.INT32,
    10: DType.FLOAT16,
    16: DType.BFLOAT16,
    22: DType.INT4,
}
_PASSES_ON = {"DequantizeLinear", "Cast", "Identity"}
"""Operators whose first input is read by whoever reads their output."""


def is_onnx(data: bytes | memoryview) -> bool:
    """Whether it is a message that begins with a version and has a graph."""
    if bytes(data[:1]) != bytes([_IR_VERSION << 3]):
        return False
    try:
        return any(f.number == _GRAPH and f.is_span for f in Source(data).message())
    except (FormatError, LimitError):
        return False


@dataclass(slots=True)
class _Found:
    """What was seen of a tensor."""

    name: str = ""
    dims: list[int] = field(default_factory=list)
    dtype: int = 0
    values: list[Field] = field(default_factory=list)
    is_external: bool = False
    external: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Network:
    """All tensors and who reads them, graphs inside of graphs included."""

    tensors: list[_Found] = field(default_factory=list)
    uses: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    passed_on: dict[str, str] = field(default_factory=dict)


def locations(data: bytes | memoryview) -> tuple[str, ...]:
    """The files of their own that its tensors are in, in order.

    Raises:
        FormatError: The file is damaged.
        LimitError: A count in it is over its limit.
    """
    found = _read(data).tensors
    names = (t.external.get("location", "") for t in found if t.is_external)
    return tuple(dict.fromkeys(names))


def locate(
    data: bytes | memoryview, parts: Mapping[str, tuple[int, int]] | None = None
) -> tuple[Tensor, ...]:
    """Find the weights.

    Args:
        data: The model file.
        parts: Where the files that its tensors are in start and stop, by name; tensors in
            others stay where they are.

    Returns:
        Holes in order of their offsets; what is shared or small is one hole or topology.

    Raises:
        FormatError: The file is damaged.
        LimitError: A count in it is over its limit.
    """
    network = _read(data)
    return apart(_hole(tensor, network, parts or {}) for tensor in network.tensors)


def _read(data: bytes | memoryview) -> _Network:
    network = _Network()
    model = Source(data).message()
    graphs = [(graph, 1) for graph in model.messages(_GRAPH)]
    while graphs:
        graph, depth = graphs.pop()
        if depth > _DEPTH:
            raise LimitError(ErrorCode.OVER_LIMIT, f"onnx: graphs nested over {_DEPTH} deep")
        for entry in graph:
            if entry.number == _INITIALIZER and entry.is_span:
                _add(network, _read_tensor(graph.inside(entry)))
            elif entry.number == _NODE and entry.is_span:
                inner = _read_node(graph.inside(entry), network)
                graphs += [(message, depth + 1) for message in inner]
    return network


def _add(network: _Network, tensor: _Found) -> None:
    network.tensors.append(tensor)
    if len(network.tensors) > LIMITS.tensors:
        raise LimitError(ErrorCode.OVER_LIMIT, f"onnx: over {LIMITS.tensors} tensors")


def _read_tensor(message: Message) -> _Found:
    found = _Found()
    for entry in message:
        if entry.number == _DIMS:
            found.dims += message.numbers(entry, LIMITS.dimensions)
            if len(found.dims) > LIMITS.dimensions:
                raise LimitError(ErrorCode.OVER_LIMIT, f"onnx: over {LIMITS.dimensions} axes")
        elif entry.number == _DATA_TYPE:
            found.dtype = entry.value
        elif entry.number == _NAME and entry.is_span:
            found.name = message.text(entry, LIMITS.tensor_name)
        elif entry.number == _LOCATION:
            found.is_external = entry.value == _IS_EXTERNAL
        elif entry.number == _EXTERNAL and entry.is_span:
            _read_external(message.inside(entry), found.external)
        elif entry.number in _VALUES:
            found.values = [*found.values[:1], entry]  # two are as bad as more
    return found


def _read_external(message: Message, into: dict[str, str]) -> None:
    pair = {entry.number: message.text(entry, 4096) for entry in message if entry.is_span}
    into[pair.get(_KEY, "")] = pair.get(_VALUE, "")


def _read_node(message: Message, network: _Network) -> list[Message]:
    """Note what a node reads; give the graphs inside of it."""
    inputs: list[str] = []
    output, kind, is_transposed = "", "", False
    graphs: list[Message] = []
    constants: list[_Found] = []
    for entry in message:
        if entry.number == _NODE_INPUT:
            inputs.append(message.text(entry, LIMITS.tensor_name))
        elif entry.number == _NODE_OUTPUT:
            output = output or message.text(entry, LIMITS.tensor_name)
        elif entry.number == _NODE_TYPE:
            kind = message.text(entry, 64)
        elif entry.number == _NODE_ATTRIBUTE and entry.is_span:
            is_transposed |= _read_attribute(message.inside(entry), graphs, constants)
    for constant in constants:
        _add(network, replace(constant, name=output))
    if kind in _PASSES_ON and inputs:
        network.passed_on.setdefault(inputs[0], output)
    for place, name in enumerate(inputs):
        network.uses.setdefault(name, (kind, place, is_transposed))
    return graphs


def _read_attribute(message: Message, graphs: list[Message], constants: list[_Found]) -> bool:
    """Collect graphs and tensors; whether it is a `transB` that is set."""
    name, number = "", 0
    for entry in message:
        if entry.number == _ATTRIBUTE_NAME:
            name = message.text(entry, 64)
        elif entry.number == _ATTRIBUTE_INT:
            number = entry.value
        elif entry.number == _ATTRIBUTE_TENSOR and entry.is_span:
            constants.append(_read_tensor(message.inside(entry)))
        elif entry.number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS) and entry.is_span:
            graphs.append(message.inside(entry))
    return name == "transB" and number != 0


def _hole(found: _Found, network: _Network, parts: Mapping[str, tuple[int, int]]) -> Tensor | None:
    """The hole that a tensor is, or None where it is topology."""
    dtype = _DTYPES.get(found.dtype)
    place = _external_place(found, parts) if found.is_external else _place(found, dtype)
    sizes = found.dims
    if dtype is None or place is None or any(d < 1 or d > LIMITS.model_size for d in sizes):
        return None
    row, column = channel_axes(tuple(sizes), *_use(found.name, network))
    tensor = Tensor(
        name=found.name,
        dtype=dtype,
        shape=tuple(sizes),
        offset=place[0],
        row_axis=row,
        column_axis=column,
    )
    return tensor if is_worth(tensor) and tensor.end == place[1] else None


def _place(found: _Found, dtype: DType | None) -> tuple[int, int] | None:
    """Where the values are in the model file, if they are bytes in a row."""
    if len(found.values) != 1 or not found.values[0].is_span:
        return None
    values = found.values[0]
    if values.number == _RAW or (values.number == _FLOATS and dtype is DType.FLOAT32):
        return values.start, values.stop
    return None


def _external_place(found: _Found, parts: Mapping[str, tuple[int, int]]) -> tuple[int, int] | None:
    start, stop = parts.get(found.external.get("location", ""), (0, 0))
    first = _number(found.external.get("offset", "0"))
    size = _number(found.external.get("length", str(stop - start)))
    if first is None or size is None or not stop:
        return None
    if start + first + size > stop:
        raise FormatError(
            ErrorCode.BAD_OFFSET,
            f"onnx: {size} bytes at {first} in a data file of {stop - start}",
        )
    return start + first, start + first + size


def _number(text: str) -> int | None:
    """A size in decimal digits; None where it is none that a model may have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _use(name: str, network: _Network) -> tuple[str, int, bool]:
    """Who reads a tensor, through operators that only pass it on: kind, which input, transB."""
    for _ in range(4):
        if name not in network.passed_on:
            break
        name = network.passed_on[name]
    return network.uses.get(name, ("", 0, False))
