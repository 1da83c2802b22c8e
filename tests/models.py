"""Tiny real TFLite networks, built without any schema library.

`write` lays out a FlatBuffer front to back: a table, then its vtable's values, then what it
refers to, so that every offset points forward as the format wants.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[Any]

# operators and their options, as the schema numbers them
ADD, CONV_2D, DEQUANTIZE, FULLY_CONNECTED, RESHAPE, GATHER, WHERE = 0, 3, 6, 9, 22, 36, 109
DEPTHWISE_CONV_2D, TRANSPOSE_CONV = 4, 67
CONV_OPTIONS, FULLY_CONNECTED_OPTIONS, ADD_OPTIONS, GATHER_OPTIONS = 1, 8, 11, 23
DEPTHWISE_OPTIONS, TRANSPOSE_CONV_OPTIONS = 2, 49

VERSIONS = {130: 2}
"""Of operators whose first version no runtime has."""

TYPES = {
    "float32": 0,
    "float16": 1,
    "int32": 2,
    "uint8": 3,
    "int64": 4,
    "str": 5,
    "bool": 6,
    "int16": 7,
    "int8": 9,
}
"""Numbers of the data types in a TFLite file."""


class Table(dict[int, Any]):
    """A FlatBuffer table: values by the number of their field."""


@dataclass(frozen=True)
class Scalar:
    """A number with its format for `struct`."""

    format: str
    value: float


@dataclass(frozen=True)
class Data:
    """A vector of numbers, as its bytes, aligned."""

    array: Weights
    align: int = 4


def write(root: Table, identifier: bytes) -> bytes:
    """A FlatBuffer with this root and file identifier."""
    out = bytearray(4) + identifier
    _put(out, 0, root)
    return bytes(out)


def _put(out: bytearray, at: int, value: Any) -> None:
    """Append a value and point the offset at `at` to it."""
    if isinstance(value, Table):
        _put_table(out, at, value)
    elif isinstance(value, str):
        _put_vector(out, at, value.encode() + b"\0", len(value.encode()), 4)
    elif isinstance(value, Data):
        _put_vector(out, at, value.array.tobytes(), value.array.size, value.align)
    else:
        start = _put_vector(out, at, bytes(4 * len(value)), len(value), 4)
        for index, item in enumerate(value):
            _put(out, start + 4 * index, item)


def _put_vector(out: bytearray, at: int, data: bytes, count: int, align: int) -> int:
    while (len(out) + 4) % align:
        out.append(0)
    struct.pack_into("<I", out, at, len(out) - at)
    out += struct.pack("<I", count)
    start = len(out)
    out += data
    return start


def _put_table(out: bytearray, at: int, table: Table) -> None:
    fields = 1 + max(table, default=-1)
    while len(out) % 8:
        out.append(0)
    vtable = len(out)
    out += bytes(4 + 2 * fields)
    while len(out) % 8:
        out.append(0)
    start = len(out)
    struct.pack_into("<I", out, at, start - at)
    out += struct.pack("<i", start - vtable)
    places = {}
    for number, value in table.items():
        layout = value.format if isinstance(value, Scalar) else "I"
        size = struct.calcsize(layout)
        while len(out) % size:
            out.append(0)
        places[number] = len(out)
        struct.pack_into("<H", out, vtable + 4 + 2 * number, len(out) - start)
        out += struct.pack("<" + layout, value.value if isinstance(value, Scalar) else 0)
    struct.pack_into("<HH", out, vtable, 4 + 2 * fields, len(out) - start)
    for number, place in places.items():
        if not isinstance(table[number], Scalar):
            _put(out, place, table[number])


@dataclass
class Tflite:
    """A TFLite file in the making: tensors first, then operators on their numbers."""

    tensors: list[Table] = field(default_factory=list)
    buffers: list[Table] = field(default_factory=lambda: [Table()])
    codes: list[int] = field(default_factory=list)
    operators: list[Table] = field(default_factory=list)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        signature: Sequence[int] | None = None,
        scales: Sequence[float] | None = None,
    ) -> int:
        """Add a tensor without values; returns its number."""
        table = Table({0: _ints(shape), 1: Scalar("b", TYPES[dtype]), 2: Scalar("I", 0), 3: name})
        if scales is not None:
            zeros = Data(np.zeros(len(scales), "<i8"), 8)
            table[4] = Table({2: Data(np.array(scales, "<f4")), 3: zeros})
        if signature is not None:
            table[7] = _ints(signature)
        self.tensors.append(table)
        return len(self.tensors) - 1

    def weights(self, name: str, values: Weights, *, scales: Sequence[float] | None = None) -> int:
        """Add a tensor with values; returns its number."""
        number = self.tensor(name, values.shape, values.dtype.name, scales=scales)
        self.tensors[number][2] = Scalar("I", len(self.buffers))
        little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"))
        self.buffers.append(Table({0: Data(little.reshape(-1).view(np.uint8), 16)}))
        return number

    def operator(
        self,
        code: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: tuple[int, Mapping[int, Any]] | None = None,
    ) -> None:
        """Add an operator; options are the number of their type and their fields."""
        if code not in self.codes:
            self.codes.append(code)
        index = Scalar("I", self.codes.index(code))
        table = Table({0: index, 1: _ints(inputs), 2: _ints(outputs)})
        if options is not None:
            table[3] = Scalar("B", options[0])
            table[4] = Table(options[1])
        self.operators.append(table)

    def file(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The bytes of the file."""
        graph = Table(
            {0: self.tensors, 1: _ints(inputs), 2: _ints(outputs), 3: self.operators, 4: "main"}
        )
        codes = [
            Table(
                {
                    0: Scalar("b", min(code, 127)),
                    2: Scalar("i", VERSIONS.get(code, 1)),
                    3: Scalar("i", code),
                }
            )
            for code in self.codes
        ]
        model = {0: Scalar("I", 3), 1: codes, 2: [graph], 3: "midstream tests", 4: self.buffers}
        return write(Table(model), b"TFL3")


def _ints(values: Sequence[int]) -> Data:
    return Data(np.array(values, "<i4"))


def mlp(
    sizes: Sequence[int] = (8, 16, 4),
    *,
    seed: int = 0,
    dtype: str = "float32",
    open_batch: bool = False,
    scale: float = 1.0,
) -> bytes:
    """Fully connected layers with ReLU between them; input (1, sizes[0]).

    Args:
        sizes: Of the input and of each layer's output.
        seed: Of the weights, normal numbers over the root of the fan-in.
        dtype: Of the matrices: float32, or float16 with an operator that widens them, or int8
            with a scale, which makes the layers hybrid.
        open_batch: Leave the number of rows open.
        scale: Factor on all weights; nan makes the outputs nan.
    """
    rng = np.random.default_rng(seed)
    matrices = [
        rng.standard_normal((high, low)) / np.sqrt(low) * scale for low, high in pairwise(sizes)
    ]
    parameters = [(matrix.astype("f4"), np.zeros(len(matrix), "f4")) for matrix in matrices]
    return layers(parameters, dtype=dtype, open_batch=open_batch)


def layers(
    parameters: Sequence[tuple[Weights, Weights]],
    *,
    dtype: str = "float32",
    open_batch: bool = False,
) -> bytes:
    """Fully connected layers of these matrices (outputs, inputs) and biases."""
    net = Tflite()
    batch = -1 if open_batch else 1

    def activation(name: str, size: int) -> int:
        return net.tensor(name, (1, size), signature=(batch, size) if open_batch else None)

    first = here = activation("input", parameters[0][0].shape[1])
    for at, (matrix, bias) in enumerate(parameters):
        is_last = at == len(parameters) - 1
        there = activation("output" if is_last else f"hidden{at}", len(matrix))
        inputs = [here, _matrix(net, f"matrix{at}", matrix, dtype), net.weights(f"bias{at}", bias)]
        options = {0: Scalar("b", 0 if is_last else 1)}  # ReLU
        net.operator(FULLY_CONNECTED, inputs, [there], (FULLY_CONNECTED_OPTIONS, options))
        here = there
    return net.file([first], [here])


def _matrix(net: Tflite, name: str, matrix: Weights, dtype: str) -> int:
    if dtype == "float16":
        narrow = net.weights(f"{name}/half", matrix.astype(np.float16))
        wide = net.tensor(name, matrix.shape)
        net.operator(DEQUANTIZE, [narrow], [wide])
        return wide
    if dtype == "int8":
        scale = float(np.abs(matrix).max()) / 127
        return net.weights(name, np.rint(matrix / scale).astype(np.int8), scales=[scale])
    return net.weights(name, matrix)


def picture_network(*, size: int = 16, channels: int = 3, filters: int = 8, seed: int = 0) -> bytes:
    """A convolution with ReLU and one more of 1x1; input (1, size, size, channels).

    Two outputs: `features` (1, size, size, filters) and `mask` (1, size, size, 1).
    """
    rng = np.random.default_rng(seed)
    net = Tflite()
    kernel = (rng.standard_normal((filters, 3, 3, channels)) / np.sqrt(9 * channels)).astype("f4")
    mix = (rng.standard_normal((1, 1, 1, filters)) / np.sqrt(filters)).astype("f4")
    picture = net.tensor("picture", (1, size, size, channels))
    features = net.tensor("features", (1, size, size, filters))
    mask = net.tensor("mask", (1, size, size, 1))
    _convolution(net, "first", picture, kernel, features, activation=1)
    _convolution(net, "second", features, mix, mask, activation=0)
    return net.file([picture], [features, mask])


def _convolution(
    net: Tflite, name: str, here: int, kernel: Weights, there: int, *, activation: int
) -> None:
    weights = net.weights(f"{name}/kernel", kernel)
    bias = net.weights(f"{name}/bias", np.zeros(len(kernel), "f4"))
    options = {1: Scalar("i", 1), 2: Scalar("i", 1), 3: Scalar("b", activation)}
    net.operator(CONV_2D, [here, weights, bias], [there], (CONV_OPTIONS, options))


def table_network(
    *, rows: int = 16, columns: int = 4, dtype: str = "int32", seed: int = 0
) -> bytes:
    """A table that rows are taken from; input `rows` (1, 3) of whole numbers."""
    rng = np.random.default_rng(seed)
    net = Tflite()
    table = net.weights("table", rng.standard_normal((rows, columns)).astype("f4"))
    wanted = net.tensor("rows", (1, 3), dtype)
    taken = net.tensor("taken", (1, 3, columns))
    net.operator(GATHER, [table, wanted], [taken], (GATHER_OPTIONS, {}))
    return net.file([wanted], [taken])


def sum_network(dtype: str = "float32", shape: Sequence[int] = (1, 4)) -> bytes:
    """Two inputs, `left` and `right`, and their `sum`; no weights at all."""
    net = Tflite()
    inputs = [net.tensor(name, shape, dtype) for name in ("left", "right")]
    total = net.tensor("sum", shape, dtype)
    net.operator(ADD, inputs, [total], (ADD_OPTIONS, {}))
    return net.file(inputs, [total])


def where_network(size: int = 6) -> bytes:
    """The places where the input is true: how many rows come out depends on the data."""
    net = Tflite()
    mask = net.tensor("mask", (size,), "bool")
    places = net.tensor("places", (1, 1), "int64", signature=(-1, 1))
    net.operator(WHERE, [mask], [places])
    return net.file([mask], [places])


def text_network() -> bytes:
    """A network that takes text, which is of no use here."""
    net = Tflite()
    words = net.tensor("words", (1,), "str")
    again = net.tensor("again", (1,), "str")
    net.operator(RESHAPE, [words, net.weights("shape", np.array([1], "<i4"))], [again])
    return net.file([words], [again])
