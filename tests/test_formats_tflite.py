"""Holes of TFLite files: which buffers are weights, and which way their axes run."""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from midstream.errors import DataError, ErrorCode, FormatError, LimitError
from midstream.formats import tflite
from midstream.formats.flatbuffer import Buffer
from midstream.formats.flatbuffer import Table as Fields
from midstream.limits import LIMITS
from midstream.types import DType, Tensor
from models import (
    CONV_2D,
    DEQUANTIZE,
    FULLY_CONNECTED,
    RESHAPE,
    Data,
    Scalar,
    Table,
    Tflite,
    mlp,
    picture_network,
    write,
)

DEPTHWISE, TRANSPOSE_CONV, CONV_3D, TRANSPOSE_CONV_3D, MUL = 4, 67, 132, 141, 18
BUFFER, VARIABLE, SPARSITY = 2, 5, 6


def floats(*shape: int) -> NDArray[np.float32]:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def only(data: bytes) -> Tensor:
    (tensor,) = tflite.locate(data)
    return tensor


def names(data: bytes) -> list[str]:
    return [tensor.name for tensor in tflite.locate(data)]


def read_by(
    operator: int, values: NDArray[Any], *, place: int = 1, stored: int | None = None
) -> bytes:
    """A file with one constant tensor, `weight`, that an operator reads at a place."""
    net = Tflite()
    data, out = net.tensor("data", (1, 8)), net.tensor("out", (1, 8))
    weight = net.weights("weight", values)
    if stored is not None:
        net.tensors[weight][1] = Scalar("b", stored)
    net.operator(operator, [data] * place + [weight], [out])
    return several_graphs([net])


def several_graphs(nets: Sequence[Tflite]) -> bytes:
    """A file with a graph of each, on the buffers and operator codes of the first."""
    graphs = [
        Table({0: net.tensors, 3: net.operators, 4: f"graph{i}"}) for i, net in enumerate(nets)
    ]
    codes = [
        Table({0: Scalar("b", min(code, 127)), 3: Scalar("i", code)}) for code in nets[0].codes
    ]
    return write(Table({1: codes, 2: graphs, 4: nets[0].buffers}), b"TFL3")


def test_weights_and_biases_are_holes_in_order_of_their_offsets() -> None:
    data = mlp((8, 32, 16))
    tensors = tflite.locate(data)
    assert {t.name for t in tensors} == {"matrix0", "bias0", "matrix1", "bias1"}
    assert [t.offset for t in tensors] == sorted(t.offset for t in tensors)
    assert all(a.end <= b.offset for a, b in pairwise(tensors))


def test_a_hole_is_where_the_weights_are() -> None:
    values = np.random.default_rng(1).standard_normal((5, 7)).astype("<f4")
    data = read_by(FULLY_CONNECTED, values)
    tensor = only(data)
    assert (tensor.dtype, tensor.shape) == (DType.FLOAT32, (5, 7))
    assert data[tensor.offset : tensor.end] == values.tobytes()


@pytest.mark.parametrize(
    ("operator", "shape", "axes"),
    [
        (FULLY_CONNECTED, (6, 8), (0, 1)),
        (CONV_2D, (6, 3, 3, 8), (0, 3)),
        (CONV_2D, (1, 3, 3, 8), (0, 3)),
        (TRANSPOSE_CONV, (1, 3, 3, 8), (0, 3)),
        (DEPTHWISE, (1, 3, 3, 8), (3, None)),
        (CONV_3D, (2, 2, 2, 3, 8), (4, 3)),
        (TRANSPOSE_CONV_3D, (2, 2, 2, 8, 3), (3, 4)),
        (MUL, (1, 3, 3, 8), (3, None)),
        (MUL, (6, 8), (0, 1)),
        (MUL, (2, 3, 8), (0, 2)),
        (MUL, (48,), (None, None)),
    ],
)
def test_axes_follow_from_the_operator_that_reads(
    operator: int, shape: tuple[int, ...], axes: tuple[int | None, int | None]
) -> None:
    tensor = only(read_by(operator, floats(*shape)))
    assert (tensor.row_axis, tensor.column_axis) == axes


def test_weights_that_are_widened_first_are_read_by_who_reads_the_result() -> None:
    net = Tflite()
    data, wide, out = (net.tensor(name, (1, 3, 3, 8)) for name in ("data", "wide", "out"))
    half = net.weights("half", floats(1, 3, 3, 8).astype(np.float16))
    net.operator(DEQUANTIZE, [half], [wide])
    net.operator(DEPTHWISE, [data, wide], [out])
    tensor = only(net.file([data], [out]))
    assert (tensor.name, tensor.dtype) == ("half", DType.FLOAT16)
    assert (tensor.row_axis, tensor.column_axis) == (3, None)


@pytest.mark.parametrize(
    ("stored", "values", "expected"),
    [
        (0, floats(4, 8), DType.FLOAT32),
        (1, floats(4, 8).astype(np.float16), DType.FLOAT16),
        (3, np.zeros((4, 8), np.uint8), DType.UINT8),
        (9, np.zeros((4, 8), np.int8), DType.INT8),
    ],
)
def test_data_types_are_those_of_the_schema(
    stored: int, values: NDArray[Any], expected: DType
) -> None:
    assert only(read_by(FULLY_CONNECTED, values, stored=stored)).dtype is expected


@pytest.mark.parametrize(
    ("stored", "expected", "length"), [(17, DType.INT4, 16), (18, DType.BFLOAT16, 64)]
)
def test_types_that_numpy_lacks_are_found_by_their_length(
    stored: int, expected: DType, length: int
) -> None:
    net = Tflite()
    weight = net.weights("weight", np.zeros(length, np.uint8))
    net.tensors[weight] |= {0: Data(np.array([4, 8], "<i4")), 1: Scalar("b", stored)}
    tensor = only(net.file([], []))
    assert (tensor.dtype, tensor.shape, tensor.length) == (expected, (4, 8), length)


@pytest.mark.parametrize("stored", [4, 6, 7, 10, 77, -1])
def test_other_data_types_are_topology(stored: int) -> None:
    assert names(read_by(FULLY_CONNECTED, floats(4, 8), stored=stored)) == []


def test_tensors_of_few_weights_are_topology() -> None:
    assert names(read_by(MUL, floats(15))) == []
    assert names(read_by(MUL, floats(16))) == ["weight"]


def test_a_shape_vector_is_topology_however_it_is_read() -> None:
    assert names(read_by(RESHAPE, np.arange(40, dtype=np.int32))) == []


@pytest.mark.parametrize(
    ("operator", "place"),
    [(CONV_2D, 2), (DEPTHWISE, 2), (FULLY_CONNECTED, 2), (TRANSPOSE_CONV, 3), (CONV_3D, 2)],
)
def test_whole_numbers_are_weights_where_they_are_an_operators_bias(
    operator: int, place: int
) -> None:
    bias = np.arange(40, dtype=np.int32)
    assert names(read_by(operator, bias, place=place)) == ["weight"]
    assert names(read_by(operator, bias, place=place - 1)) == []


def test_whole_numbers_are_weights_where_there_are_many() -> None:
    assert names(read_by(MUL, np.zeros(1024, np.int32))) == ["weight"]
    assert names(read_by(MUL, np.zeros(1023, np.int32))) == []


def test_a_sparse_tensor_is_one_row_of_the_weights_it_holds() -> None:
    net = Tflite()
    weight = net.weights("weight", floats(20))
    net.tensors[weight][0] = Data(np.array([4, 8], "<i4"))
    net.tensors[weight][SPARSITY] = Table()
    [tensor] = tflite.locate(net.file([], []))
    assert (tensor.shape, tensor.row_axis, tensor.column_axis) == ((1, 20), None, None)


def test_a_sparse_tensor_of_few_weights_is_topology() -> None:
    net = Tflite()
    weight = net.weights("weight", floats(15))
    net.tensors[weight][SPARSITY] = Table()
    assert names(net.file([], [])) == []


def test_a_variable_tensor_is_topology() -> None:
    net = Tflite()
    weight = net.weights("weight", floats(4, 8))
    net.tensors[weight][VARIABLE] = Scalar("B", 1)
    assert names(net.file([], [])) == []


@pytest.mark.parametrize("shape", [(4, 7), (4, 9), (0, 8), (-1, 8), ()])
def test_a_buffer_that_does_not_fill_its_shape_is_topology(shape: tuple[int, ...]) -> None:
    net = Tflite()
    weight = net.weights("weight", floats(4, 8))
    net.tensors[weight][0] = Data(np.array(shape, "<i4"))
    assert names(net.file([], [])) == []


def test_a_tensor_of_too_many_axes_is_refused() -> None:
    net = Tflite()
    net.weights("weight", floats(*[1] * LIMITS.dimensions, 32))
    with pytest.raises(LimitError):
        tflite.locate(net.file([], []))


def test_a_buffer_that_two_tensors_share_is_one_hole() -> None:
    net = Tflite()
    first, second = net.weights("first", floats(4, 8)), net.weights("second", floats(8, 4))
    net.tensors[second][BUFFER] = net.tensors[first][BUFFER]
    assert names(net.file([], [])) == ["first"]


def test_a_buffer_that_two_graphs_share_is_one_hole() -> None:
    nets = [Tflite(), Tflite()]
    for net in nets:
        net.weights("weight", floats(4, 8))
    assert names(several_graphs(nets)) == ["weight"]


def test_weights_of_all_graphs_are_found() -> None:
    nets = [Tflite(), Tflite()]
    nets[0].weights("first", floats(4, 8))
    nets[1].buffers = nets[0].buffers
    nets[1].weights("second", floats(4, 8))
    assert sorted(names(several_graphs(nets))) == ["first", "second"]


def test_a_buffer_that_two_tensors_read_differently_is_topology() -> None:
    net = Tflite()
    first = net.weights("first", floats(4, 8))
    for other, shape in (("half", (8, 8)), ("state", (4, 8))):
        again = net.tensor(other, shape, "float16" if other == "half" else "float32")
        net.tensors[again][BUFFER] = net.tensors[first][BUFFER]
    assert names(net.file([], [])) == []


def test_a_buffer_that_is_also_a_variable_is_topology() -> None:
    net = Tflite()
    first, state = net.weights("first", floats(4, 8)), net.tensor("state", (4, 8))
    net.tensors[state] |= {BUFFER: net.tensors[first][BUFFER], VARIABLE: Scalar("B", 1)}
    assert names(net.file([], [])) == []


def large_file(offset: int, size: int, *, shape: tuple[int, ...] = (4, 8)) -> bytes:
    """A file whose weights, 128 bytes, are behind the flatbuffer, as in files over 2 GB."""
    net = Tflite()
    weight = net.tensor("weight", shape)
    net.tensors[weight][BUFFER] = Scalar("I", 1)
    net.buffers.append(Table({1: Scalar("Q", offset), 2: Scalar("Q", size)}))
    return net.file([], []) + floats(4, 8).tobytes()


def test_weights_behind_the_flatbuffer_are_found() -> None:
    start = len(large_file(2, 128)) - 128
    tensor = only(large_file(start, 128))
    assert (tensor.offset, tensor.end) == (start, start + 128)


@pytest.mark.parametrize("offset", [0, 1])
def test_an_offset_of_nought_or_one_means_that_there_is_no_buffer(offset: int) -> None:
    assert names(large_file(offset, 128)) == []


@pytest.mark.parametrize(("offset", "size"), [(1 << 40, 128), (100, 1 << 63), (1 << 63, 1 << 63)])
def test_weights_behind_the_end_of_the_file_are_refused(offset: int, size: int) -> None:
    with pytest.raises(FormatError) as caught:
        tflite.locate(large_file(offset, size))
    assert caught.value.code is ErrorCode.BAD_OFFSET


def test_buffers_that_overlap_are_one_hole() -> None:
    net = Tflite()
    for name in ("first", "second"):
        weight = net.tensor(name, (4, 8))
        net.tensors[weight][BUFFER] = Scalar("I", len(net.buffers))
        net.buffers.append(Table({1: Scalar("Q", 64 + len(net.buffers)), 2: Scalar("Q", 128)}))
    assert names(net.file([], []) + bytes(128)) == ["first"]


def test_a_tensor_with_a_buffer_that_is_not_there_is_refused() -> None:
    net = Tflite()
    weight = net.weights("weight", floats(4, 8))
    net.tensors[weight][BUFFER] = Scalar("I", 9)
    with pytest.raises(FormatError, match="buffer 9 of 2") as caught:
        tflite.locate(net.file([], []))
    assert caught.value.code is ErrorCode.BAD_OFFSET


def test_an_operator_with_a_code_that_is_not_there_is_refused() -> None:
    net = Tflite()
    net.operator(MUL, [0], [0])
    net.operators[0][0] = Scalar("I", 5)
    with pytest.raises(FormatError, match="operator code 5 of 1"):
        tflite.locate(net.file([], []))


def test_inputs_that_are_no_tensors_are_passed_over() -> None:
    net = Tflite()
    weight = net.weights("weight", floats(4, 8))
    net.operator(DEQUANTIZE, [-1, 99, weight], [weight, -1, 77])
    assert names(net.file([], [])) == ["weight"]


def test_files_from_before_the_new_operator_numbers_are_understood() -> None:
    net = Tflite()
    net.weights("weight", floats(1, 3, 3, 8))
    graph = Table({0: net.tensors, 3: [Table({1: Data(np.array([0], "<i4"))})]})
    codes = [Table({0: Scalar("b", DEPTHWISE)})]
    data = write(Table({1: codes, 2: [graph], 4: net.buffers}), b"TFL3")
    assert only(data).row_axis == 3


def test_a_file_that_holds_nothing_has_no_holes() -> None:
    assert tflite.locate(write(Table(), b"TFL3")) == ()


def test_a_name_is_cut_and_what_is_not_text_gets_marks() -> None:
    net = Tflite()
    net.weights("x" * 5000, floats(4, 8))
    net.weights("y", floats(4, 8))
    net.tensors[1][3] = Data(np.frombuffer(b"\xff\xfe", np.uint8))
    assert sorted(names(net.file([], []))) == ["x" * LIMITS.tensor_name, "��"]


def test_every_cut_of_a_file_is_refused() -> None:
    data = picture_network(size=4, channels=2, filters=4)
    for size in range(len(data)):
        with pytest.raises(DataError):
            tflite.locate(data[:size])


def sharing(data: bytes, table: Fields, field: int) -> bytes:
    """The file with every item of a vector of tables made to be its first."""
    start, count = table.vector(field, 4, 1 << 20) or (0, 0)
    first = start + struct.unpack_from("<I", data, start)[0]
    offsets = first - np.arange(start, start + 4 * count, 4)
    return data[:start] + offsets.astype("<u4").tobytes() + data[start + 4 * count :]


def test_operators_that_share_one_long_list_end_in_an_error_soon() -> None:
    net = Tflite()
    net.operator(MUL, list(range(3000)), [])
    for _ in range(2999):
        net.operator(MUL, [], [])
    data = net.file([], [])
    (graph,) = Buffer(data).root().tables(2, 1)
    with pytest.raises(LimitError, match="more to read than"):
        tflite.locate(sharing(data, graph, 3))


def test_graphs_that_share_their_tensors_end_in_an_error_soon() -> None:
    nets = [Tflite() for _ in range(100)]
    for _ in range(1000):
        nets[0].tensor("", (1,))
    data = several_graphs(nets) + bytes(1 << 20)
    with pytest.raises(LimitError, match=f"at most {LIMITS.tensors}"):
        tflite.locate(sharing(data, Buffer(data).root(), 2))


_FILE = mlp((8, 16, 4))


@given(st.integers(0, len(_FILE) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_refused_or_has_its_holes_inside(place: int, damage: bytes) -> None:
    data = bytearray(_FILE)
    data[place : place + len(damage)] = damage
    try:
        tensors = tflite.locate(bytes(data))
    except DataError:
        return
    assert all(0 <= tensor.offset <= tensor.end <= len(data) for tensor in tensors)
