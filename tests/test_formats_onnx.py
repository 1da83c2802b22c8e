"""Holes of ONNX files: where weights are, which axes are channels, and what is refused."""

import numpy as np
import pytest

import onnxfiles
from midstream import decoder, formats
from midstream.encoder import encode
from midstream.errors import DataError, ErrorCode, FormatError, LimitError
from midstream.formats import onnx, parts
from midstream.types import DType, Tensor
from onnxfiles import attribute, external, model, node, number, packed, raw, span
from tensorfiles import normal

WEIGHT = normal(6, 5, 3, 3)


def only(data: bytes) -> Tensor:
    (tensor,) = formats.open_model(data).tensors
    return tensor


def test_raw_data_is_a_hole() -> None:
    data = model([raw("w", WEIGHT)])
    tensor = only(data)
    assert (tensor.name, tensor.dtype, tensor.shape) == ("w", DType.FLOAT32, (6, 5, 3, 3))
    assert data[tensor.offset : tensor.end] == WEIGHT.tobytes()


def test_packed_floats_are_a_hole() -> None:
    data = model([packed("w", WEIGHT)])
    tensor = only(data)
    assert data[tensor.offset : tensor.end] == WEIGHT.tobytes()


def test_floats_with_a_field_each_are_topology() -> None:
    data = model([onnxfiles.single_floats("w", WEIGHT)])
    assert formats.open_model(data).tensors == ()
    assert decoder.rebuild([encode(data, ladder="exact").units[0].data]) == data


@pytest.mark.parametrize("dtype", ["<f4", "<f2", "|i1", "|u1", "<i4"])
def test_each_data_type_is_known(dtype: str) -> None:
    array = np.arange(2048).astype(dtype)
    data = model([raw("w", array)])
    tensor = only(data)
    assert data[tensor.offset : tensor.end] == array.tobytes()


def test_shapes_and_tiny_tensors_are_topology() -> None:
    tensors = [
        raw("shape", np.arange(64)),
        raw("tiny", normal(3)),
        raw("ints", np.arange(99, dtype="<i4")),
    ]
    assert formats.open_model(model(tensors)).tensors == ()


GEMM = normal(20, 30)
AXES = {
    "Conv": (WEIGHT, node("Conv", ["x", "w"]), (0, 1)),
    "depthwise Conv": (normal(8, 1, 3, 3), node("Conv", ["x", "w"]), (0, None)),
    "ConvTranspose": (WEIGHT, node("ConvTranspose", ["x", "w"]), (1, 0)),
    "Gemm": (GEMM, node("Gemm", ["x", "w"]), (1, 0)),
    "Gemm, transB": (GEMM, node("Gemm", ["x", "w"], "out", [attribute("transB", 1)]), (0, 1)),
    "MatMul": (GEMM, node("MatMul", ["x", "w"]), (1, 0)),
    "MatMul, first input": (GEMM, node("MatMul", ["w", "x"]), (0, 1)),
    "LSTM": (normal(1, 32, 8), node("LSTM", ["x", "w"]), (1, 2)),
    "Gather": (GEMM, node("Gather", ["w", "i"]), (0, 1)),
    "nothing": (GEMM, node("Relu", ["x"]), (0, 1)),
    "one axis": (normal(40), node("Add", ["x", "w"]), (None, None)),
}


@pytest.mark.parametrize("name", AXES)
def test_axes_follow_from_the_operator(name: str) -> None:
    array, reader, axes = AXES[name]
    tensor = only(model([raw("w", array)], [reader]))
    assert (tensor.row_axis, tensor.column_axis) == axes


def test_a_cast_weight_is_read_by_who_reads_the_result() -> None:
    nodes = [node("Cast", ["w"], "wide"), node("MatMul", ["x", "wide"])]
    tensor = only(model([raw("w", GEMM.astype("<f2"))], nodes))
    assert (tensor.row_axis, tensor.column_axis) == (1, 0)


def test_constants_and_graphs_inside_of_graphs_are_looked_into() -> None:
    value = span(1, "value") + span(5, raw("", GEMM))
    inner = span(1, node("Constant", [], "w", [value])) + span(1, node("MatMul", ["x", "w"]))
    branch = span(1, "then_branch") + span(6, inner)
    tensor = only(model([], [node("If", ["c"], "out", [branch])]))
    assert (tensor.name, tensor.shape, tensor.row_axis) == ("w", (20, 30), 1)


def test_bytes_that_two_tensors_share_are_one_hole() -> None:
    files = {"d.bin": GEMM.tobytes()}
    tensors = [external("a", GEMM, "d.bin"), external("b", GEMM, "d.bin")]
    assert len(formats.open_model(parts.join(model(tensors), files)).tensors) == 1


def test_an_exact_ladder_gives_every_byte_back() -> None:
    nodes = [node("Conv", ["x", "w"]), node("Gemm", ["y", "g"])]
    data = model([raw("w", WEIGHT), packed("g", GEMM), raw("s", np.arange(4))], nodes)
    units = [unit.data for unit in encode(data, ladder="2b,exact").units]
    assert decoder.rebuild(units) == data


def test_data_files_are_holes_of_the_whole() -> None:
    other = normal(8, 9, seed=3)
    tensors = [
        raw("w", WEIGHT),
        external("g", GEMM, "a.bin", offset=64, length=GEMM.nbytes),
        external("o", other, "b.bin"),
    ]
    single = model(tensors)
    assert onnx.locations(single) == ("a.bin", "b.bin")
    data = parts.join(single, {"a.bin": bytes(64) + GEMM.tobytes(), "b.bin": other.tobytes()})
    opened = formats.open_model(data)
    assert opened.format == "onnx"
    found = {t.name: data[t.offset : t.end] for t in opened.tensors}
    assert found == {"w": WEIGHT.tobytes(), "g": GEMM.tobytes(), "o": other.tobytes()}
    units = [unit.data for unit in encode(data, ladder="2b,exact").units]
    assert decoder.rebuild(units) == data


def test_data_that_is_not_there_is_refused() -> None:
    data = model([external("g", GEMM, "a.bin", offset=1)])
    with pytest.raises(FormatError) as caught:
        formats.open_model(parts.join(data, {"a.bin": GEMM.tobytes()}))
    assert caught.value.code is ErrorCode.BAD_OFFSET


def nested(depth: int) -> bytes:
    graph = span(2, "innermost")
    for _ in range(depth):
        graph = span(1, node("If", [], "out", [span(1, "then_branch") + span(6, graph)]))
    return number(1, 8) + span(7, graph)


BAD = {
    "a field of nothing": model([]) + b"\x02\x00",
    "a group": model([]) + b"\x0b",
    "a length that leaves the file": model([]) + b"\x12\x05abc",
    "a number that does not end": model([]) + b"\x08\x80",
    "a number of eleven bytes": model([]) + b"\x08" + b"\xff" * 10 + b"\x01",
    "a fixed number that is cut": model([]) + b"\x0d\x00\x00",
    "a tensor that is cut inside": model([span(1, b"\x80")]),
    "nine axes": model([raw("w", np.zeros((1,) * 9, "<f4"))]),
    "seventeen graphs in each other": nested(17),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_file_is_refused(name: str) -> None:
    with pytest.raises((FormatError, LimitError)):
        onnx.locate(BAD[name])


def test_depth_has_a_limit_and_not_one_lower() -> None:
    assert onnx.locate(nested(15)) == ()


def test_a_hundred_thousand_graphs_in_each_other_are_no_deep_recursion() -> None:
    graph = b""
    for _ in range(2000):
        graph = span(1, span(5, span(6, graph)))
    with pytest.raises(LimitError):
        onnx.locate(number(1, 8) + span(7, graph))


def test_any_damage_is_survived() -> None:
    data = model([raw("w", normal(4, 5)), packed("g", normal(20))], [node("Conv", ["x", "w"])])
    for place in range(len(data)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            try:
                opened = formats.open_model(data[:place] + bytes([value]) + data[place + 1 :])
            except DataError:
                continue
            assert all(tensor.end <= len(data) for tensor in opened.tensors)


def test_what_the_onnx_package_writes_is_read() -> None:
    package = pytest.importorskip("onnx")
    helper, numpy_helper = package.helper, package.numpy_helper
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 5, 9, 9])],
        [helper.make_tensor_value_info("y", 1, None)],
        [
            numpy_helper.from_array(WEIGHT, "w"),
            helper.make_tensor("typed", 1, [20, 30], GEMM.ravel().tolist()),
        ],
    )
    data = helper.make_model(graph).SerializeToString()
    found = {t.name: data[t.offset : t.end] for t in formats.open_model(data).tensors}
    assert found == {"w": WEIGHT.tobytes(), "typed": GEMM.tobytes()}
