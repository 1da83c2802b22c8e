"""Holes of safetensors files, good and hostile."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import DataError, ErrorCode, FormatError, LimitError
from midstream.formats import safetensors
from midstream.limits import LIMITS
from midstream.types import DType
from nearlygood import nearly

SIZES = {"F64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def entry(dtype: str, shape: list[int], start: int, end: int | None = None) -> dict[str, Any]:
    length = int(np.prod(shape)) * SIZES[dtype]
    offsets = [start, start + length if end is None else end]
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def file(header: object, body: int | bytes = 64) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    content = bytes(range(256)) * (body // 256 + 1) if isinstance(body, int) else body
    tail = content[:body] if isinstance(body, int) else content
    return struct.pack("<Q", len(text)) + text + tail


def refused(data: bytes) -> ErrorCode:
    with pytest.raises(FormatError, match="safetensors: ") as caught:
        safetensors.locate(data)
    return caught.value.code


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("F32", DType.FLOAT32),
        ("F16", DType.FLOAT16),
        ("BF16", DType.BFLOAT16),
        ("I32", DType.INT32),
        ("I8", DType.INT8),
        ("U8", DType.UINT8),
    ],
)
def test_weights_of_every_known_type_are_holes(dtype: str, expected: DType) -> None:
    data = file({"weight": entry(dtype, [4, 5], 0)}, 20 * SIZES[dtype])
    (tensor,) = safetensors.locate(data)
    assert (tensor.name, tensor.dtype, tensor.shape) == ("weight", expected, (4, 5))
    assert (tensor.offset, tensor.end) == (len(data) - 20 * SIZES[dtype], len(data))


def test_rows_are_outputs_and_columns_inputs() -> None:
    header = {
        "conv": entry("I8", [8, 3, 2, 2], 0),
        "linear": entry("I8", [4, 8], 96),
        "bias": entry("I8", [32], 128),
    }
    axes = [(t.name, t.row_axis, t.column_axis) for t in safetensors.locate(file(header, 160))]
    assert axes == [("conv", 0, 1), ("linear", 0, 1), ("bias", None, None)]


def test_holes_come_in_order_of_their_offsets_whatever_the_header_says() -> None:
    header = {"late": entry("I8", [20], 30), "early": entry("I8", [30], 0)}
    assert [tensor.name for tensor in safetensors.locate(file(header, 50))] == ["early", "late"]


def test_other_types_and_tiny_tensors_are_topology() -> None:
    header = {
        "double": entry("F64", [4, 4], 0),
        "mask": entry("BOOL", [16], 128),
        "tiny": entry("F32", [15], 144),
        "scalar": entry("F32", [], 204),
        "none": entry("F32", [0, 4], 208),
        "__metadata__": {"format": "pt"},
    }
    assert safetensors.locate(file(header, 208)) == ()


def test_a_tensor_of_too_many_axes_is_topology() -> None:
    header = {"deep": entry("F32", [2] * (LIMITS.dimensions + 1), 0)}
    assert safetensors.locate(file(header, 4 << LIMITS.dimensions + 1)) == ()


def test_a_file_without_tensors_has_no_holes() -> None:
    assert safetensors.locate(file({}, 0)) == ()


def test_a_name_that_cannot_be_printed_gets_marks() -> None:
    data = file(b'{"a\\ud800": {"dtype": "I8", "shape": [16], "data_offsets": [0, 16]}}', 16)
    assert safetensors.locate(data)[0].name == "a?"


def test_a_long_name_is_cut() -> None:
    data = file({"x" * 5000: entry("I8", [16], 0)}, 16)
    assert len(safetensors.locate(data)[0].name) == LIMITS.tensor_name


@pytest.mark.parametrize("data", [b"", b"\x02", bytes(9), struct.pack("<Q", 2) + b"["])
def test_what_has_no_header_is_not_one(data: bytes) -> None:
    assert not safetensors.is_safetensors(data)


def test_a_header_that_leaves_the_file_is_refused() -> None:
    assert refused(struct.pack("<Q", 500) + b"{}") is ErrorCode.TRUNCATED


def test_an_enormous_header_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitError) as caught:
        safetensors.locate(struct.pack("<Q", 1 << 62) + b"{}")
    assert caught.value.code is ErrorCode.OVER_LIMIT


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"{]",
        b"[]",
        b"{}" + b"\xff",
        b'"text"',
        b'{"a":' + b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        '{"weight": {}}'.encode("utf-16"),
        b'{"a": {"dtype": "I8", "shape": [16], "data_offsets": [0, 16]}, "a": {}}',
        {"a": []},
        {"a": None},
        {"a": {"dtype": "I8", "shape": [16]}},
        {"a": {"dtype": "I8", "shape": [16], "data_offsets": [0]}},
        {"a": {"dtype": "I8", "shape": [16], "data_offsets": "016"}},
        {"a": {"dtype": "I8", "shape": [16], "data_offsets": [0, 16.0]}},
        {"a": {"dtype": "I8", "shape": [16], "data_offsets": [-1, 16]}},
        {"a": {"dtype": "I8", "shape": [True], "data_offsets": [0, 16]}},
        {"a": {"dtype": "I8", "shape": [-16], "data_offsets": [0, 16]}},
        {"a": {"dtype": "I8", "shape": 16, "data_offsets": [0, 16]}},
        {"a": {"dtype": "I8", "data_offsets": [0, 16]}},
        {"a": {"dtype": 5, "shape": [16], "data_offsets": [0, 16]}},
        {"a": {"shape": [16], "data_offsets": [0, 16]}},
        {"a": {"dtype": "I8", "shape": [16], "data_offsets": [0, 10**4000]}},
        {"a": {"dtype": "I8", "shape": [10**4000, 10**4000], "data_offsets": [0, 16]}},
    ],
)
def test_a_header_that_makes_no_sense_is_refused(header: object) -> None:
    assert refused(file(header, 16)) is ErrorCode.BAD_HEADER


@pytest.mark.parametrize(
    ("entries", "size"),
    [
        ([entry("I8", [16], 0), entry("I8", [16], 8)], 24),
        ([entry("I8", [16], 0), entry("I8", [16], 0)], 16),
        ([entry("I8", [16], 0), entry("I8", [16], 17)], 33),
        ([entry("I8", [16], 1)], 17),
        ([entry("I8", [16], 0)], 17),
        ([entry("I8", [17], 0)], 16),
        ([entry("I8", [16], 0, 15)], 15),
        ([entry("I8", [16], 16, 0)], 16),
        ([entry("I8", [1 << 20] * 8, 0, 16)], 16),
    ],
    ids=["overlap", "same", "gap", "first gap", "tail", "outside", "short", "backward", "huge"],
)
def test_tensors_that_do_not_tile_the_file_are_refused(
    entries: list[dict[str, Any]], size: int
) -> None:
    header = {f"tensor{i}": item for i, item in enumerate(entries)}
    assert refused(file(header, size)) is ErrorCode.BAD_OFFSET


def test_too_many_tensors_are_refused() -> None:
    none = entry("I8", [0], 0)
    with pytest.raises(LimitError, match="65537 tensors"):
        safetensors.locate(file({str(i): none for i in range(LIMITS.tensors + 1)}, 0))


HEADER = json.dumps({"a": entry("I8", [4, 2], 0), "b": entry("F16", [4], 8)}).encode()


@given(st.binary(max_size=300).map(b"{".__add__) | nearly(HEADER))
def test_any_header_gives_holes_or_a_data_error(text: bytes) -> None:
    data = file(text, 16)
    try:
        tensors = safetensors.locate(data)
    except DataError:
        return
    assert all(tensor.end <= len(data) for tensor in tensors)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "a"]), children, max_size=3
        )
    ),
    max_leaves=12,
)


@given(_JSON | st.just({"a": entry("I8", [16], 0)}))
def test_any_json_gives_holes_or_a_data_error(value: object) -> None:
    data = file(value, 16)
    try:
        tensors = safetensors.locate(data)
    except DataError:
        return
    assert all(tensor.end <= len(data) for tensor in tensors)
