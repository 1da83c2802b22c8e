"""The operators of a TFLite file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import DataError, ErrorCode, FormatError
from midstream.formats.graph import Options, read_graph
from models import (
    CONV_2D,
    DEQUANTIZE,
    FULLY_CONNECTED,
    Scalar,
    Table,
    Tflite,
    mlp,
    picture_network,
    write,
)


def test_operators_come_in_order_with_what_they_read_and_write() -> None:
    graph = read_graph(mlp((8, 16, 4)))
    first, second = graph.operators
    assert first.code == second.code == FULLY_CONNECTED
    assert (first.inputs[0], second.outputs) == (graph.inputs[0], graph.outputs)
    assert second.inputs[0] == first.outputs[0]


def test_options_are_read_by_their_field() -> None:
    first, second = read_graph(picture_network()).operators
    assert first.code == CONV_2D
    assert [operator.options.byte(3) for operator in (first, second)] == [1, 0]
    assert (first.options.integer(1), first.options.integer(4, 7)) == (1, 7)


def test_options_that_are_left_out_have_their_defaults() -> None:
    options = Options()
    assert options.integer(0, 3) == 3
    assert options.byte(0, 1) == 1
    assert options.flag(0) is False
    assert options.real(0, 0.1) == np.float32(0.1)


def test_a_real_option_is_a_float32() -> None:
    net = Tflite()
    here, there = net.tensor("here", (1, 4)), net.tensor("there", (1, 4))
    net.operator(25, [here], [there], (9, {0: Scalar("f", 0.5)}))
    assert read_graph(net.file([here], [there])).operators[0].options.real(0) == 0.5


def test_constants_say_where_they_are() -> None:
    data = mlp((8, 16))
    matrix = np.random.default_rng(0).standard_normal((16, 8)) / np.sqrt(8)
    offsets = [variable.offset for variable in read_graph(data).variables]
    assert data[offsets[2] : offsets[2] + 512] == matrix.astype("<f4").tobytes()
    assert offsets[0] == 0


def test_widened_weights_are_behind_an_operator() -> None:
    codes = [operator.code for operator in read_graph(mlp(dtype="float16")).operators]
    assert codes == [DEQUANTIZE, FULLY_CONNECTED, DEQUANTIZE, FULLY_CONNECTED]


def test_integers_with_scales_stand_for_real_numbers() -> None:
    net = Tflite()
    values = np.arange(6, dtype=np.int8).reshape(2, 3)
    table = net.weights("w", values, scales=[2.0, 0.5])
    variable = read_graph(net.file([table], [])).variables[table]
    assert variable.is_real
    assert not variable.is_float
    assert variable.real(values).tolist() == [[0, 2, 4], [1.5, 2, 2.5]]


def test_integers_without_scales_stay_as_they_are() -> None:
    net = Tflite()
    values = np.arange(6, dtype=np.int32)
    table = net.weights("w", values)
    variable = read_graph(net.file([table], [])).variables[table]
    assert not variable.is_real
    assert variable.real(values) is values


def _net(*, reads: int = 0, writes: int = 1, code: int = 0, buffer: int = 0) -> bytes:
    net = Tflite()
    here, there = net.tensor("here", (1, 4)), net.tensor("there", (1, 4))
    net.operator(FULLY_CONNECTED, [reads], [writes])
    net.operators[0][0] = Scalar("I", code)
    net.tensors[here][2] = Scalar("I", buffer)
    return net.file([here], [there])


@pytest.mark.parametrize(
    "data",
    [
        _net(reads=2),
        _net(reads=-2),
        _net(writes=2),
        _net(writes=-1),
        _net(code=1),
        _net(buffer=9),
    ],
    ids=["input", "negative input", "output", "negative output", "code", "buffer"],
)
def test_a_number_of_nothing_is_damage(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        read_graph(data)
    assert caught.value.code is ErrorCode.BAD_OFFSET


def test_zero_points_belong_to_scales() -> None:
    net = Tflite()
    table = net.weights("w", np.zeros(4, np.int8), scales=[1.0, 2.0])
    net.tensors[table][4][3] = net.tensors[net.weights("v", np.zeros(1, "i1"), scales=[1.0])][4][3]
    with pytest.raises(FormatError, match="1 zero points for 2 scales"):
        read_graph(net.file([table], []))


def test_an_input_may_be_left_out() -> None:
    assert read_graph(_net(reads=-1)).operators[0].inputs == (-1,)


def test_a_model_without_a_graph_is_damaged() -> None:
    with pytest.raises(FormatError, match="without a graph"):
        read_graph(write(Table({0: Scalar("I", 3)}), b"TFL3"))


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_a_damaged_file_is_an_error_or_a_graph(at: int, change: bytes) -> None:
    data = bytearray(picture_network())
    at %= len(data) - 4
    data[at : at + len(change)] = change
    try:
        graph = read_graph(bytes(data))
    except DataError:
        return
    for operator in graph.operators:
        assert all(-1 <= number < len(graph.variables) for number in operator.inputs)


@pytest.mark.parametrize("size", range(0, 200, 7))
def test_a_cut_file_is_an_error(size: int) -> None:
    with pytest.raises(DataError):
        read_graph(picture_network()[:size])
