"""Opening a model file by its content, and its skeleton."""

import json
import mmap
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream import formats
from midstream.errors import DataError, ErrorCode, FormatError, LimitError
from midstream.limits import LIMITS
from models import mlp, picture_network

FOLDER = os.environ.get("MIDSTREAM_NETWORKS", "")
NETWORKS = (
    sorted(
        path for ending in ("tflite", "safetensors") for path in Path(FOLDER).rglob(f"*.{ending}")
    )
    if FOLDER
    else []
)


def safetensors_file(shape: tuple[int, ...] = (5, 7)) -> bytes:
    size = 4 * shape[0] * shape[1]
    entry = {"dtype": "F32", "shape": list(shape), "data_offsets": [0, size]}
    header = json.dumps({"weight": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(range(1, 256))[:size]


def check_rebuilding(data: bytes) -> None:
    """Holes are disjoint, inside the file, zero in the skeleton, and all that is missing in it."""
    tensors = formats.open_model(data).tensors
    rebuilt = bytearray(formats.skeleton(data, tensors))
    end = 0
    for tensor in tensors:
        assert end <= tensor.offset
        end = tensor.end
        assert not any(rebuilt[tensor.offset : tensor.end])
        rebuilt[tensor.offset : tensor.end] = data[tensor.offset : tensor.end]
    assert end <= len(data)
    assert rebuilt == data


@pytest.mark.parametrize(
    ("data", "name"),
    [(mlp(), "tflite"), (picture_network(), "tflite"), (safetensors_file(), "safetensors")],
)
def test_a_file_is_known_by_its_content(data: bytes, name: str) -> None:
    model = formats.open_model(data)
    assert model.format == name
    assert model.tensors


@pytest.mark.parametrize(
    "data", [mlp(), mlp(dtype="float16"), mlp(dtype="int8"), picture_network(), safetensors_file()]
)
def test_skeleton_and_holes_are_the_file(data: bytes) -> None:
    check_rebuilding(data)


def test_a_view_of_a_file_serves_as_well_as_its_bytes() -> None:
    data = mlp()
    model = formats.open_model(memoryview(data))
    assert model == formats.open_model(data)
    assert formats.skeleton(memoryview(data), model.tensors) == formats.skeleton(
        data, model.tensors
    )


def test_a_skeleton_without_holes_is_the_file() -> None:
    assert formats.skeleton(b"topology", ()) == b"topology"


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"\x08\x07onnx", bytes(100), b"TFL3", b"\x1c\0\0\0TFL2"]
)
def test_what_is_no_model_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(FormatError, match=f"{len(data)} bytes that are neither") as caught:
        formats.open_model(data)
    assert caught.value.code is ErrorCode.UNKNOWN_FORMAT


def test_a_file_over_the_limit_is_refused_before_it_is_read() -> None:
    with (
        mmap.mmap(-1, LIMITS.model_size + 1) as sparse,
        memoryview(sparse) as data,
        pytest.raises(LimitError) as caught,
    ):
        formats.open_model(data)
    assert caught.value.code is ErrorCode.OVER_LIMIT


@given(st.sampled_from([b"\x1c\0\0\0TFL3", b"\x20\0\0\0\0\0\0\0{", b""]), st.binary(max_size=300))
def test_any_bytes_give_a_model_or_a_data_error(start: bytes, rest: bytes) -> None:
    try:
        model = formats.open_model(start + rest)
    except DataError:
        return
    assert all(tensor.end <= len(start + rest) for tensor in model.tensors)


@pytest.mark.network_models
@pytest.mark.skipif(not NETWORKS, reason="MIDSTREAM_NETWORKS names no folder of networks")
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: getattr(path, "stem", "none"))
def test_real_networks_come_back_from_skeleton_and_holes(path: Path) -> None:
    check_rebuilding(path.read_bytes())
