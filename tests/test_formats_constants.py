"""Constants of TFLite files: the kernel in C and Python make the same of any bytes."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.errors import DataError
from midstream.formats.constants import Constant, Use, read_tables
from midstream.formats.flatbuffer import Buffer
from models import (
    CONV_2D,
    DEQUANTIZE,
    FULLY_CONNECTED,
    Data,
    Scalar,
    Table,
    Tflite,
    mlp,
    write,
)

if find_spec("midstream.kernels._native"):
    from midstream.kernels import _native, native_constants
else:  # no compiler here
    pytest.skip("there is but one implementation here", allow_module_level=True)

ROOT = Path(__file__).parent.parent
NETWORK = (ROOT / "examples/abr_client/models/abr-1.tflite").read_bytes()
TYPES = (0, 1, 2, 3, 9, 17, 18)
DEPTHWISE, CONV_3D, TRANSPOSE_CONV_3D = 4, 132, 141
VARIABLE, SPARSITY = 5, 6


def in_c(data: bytes) -> list[Constant] | None:
    found = native_constants.find_constants(memoryview(data), TYPES)
    return None if found is None else [Constant(*row) for row in found]


def in_python(data: bytes) -> list[Constant] | None:
    try:
        return read_tables(memoryview(data), TYPES)
    except DataError:
        return None


def odd_network() -> bytes:
    """All that a file may say of its tensors, in two graphs."""
    net = Tflite()
    data, out = net.tensor("data", (1, 8)), net.tensor("out", (1, 8))
    halves = net.weights("halves", np.ones((4, 8), np.float16))
    floats = net.tensor("floats", (4, 8))
    net.operator(DEQUANTIZE, [halves], [floats])
    net.operator(
        FULLY_CONNECTED, [data, floats, net.weights("bias", np.ones(32, np.float32))], [out]
    )
    for code in (CONV_2D, DEPTHWISE, CONV_3D, TRANSPOSE_CONV_3D, 18):
        weight = net.weights(f"größe {code}", np.ones((1, 2, 3, 8), np.float32))
        net.operator(code, [data, weight, -1], [out])
    for field in (VARIABLE, SPARSITY):
        weight = net.weights(f"with {field}", np.ones((4, 8), np.int8))
        net.tensors[weight][field] = Scalar("b", 1) if field == VARIABLE else Table({})
    graphs = [Table({0: net.tensors, 3: net.operators}), Table({0: net.tensors[:4]})]
    codes = [Table({0: Scalar("b", min(code, 127)), 3: Scalar("i", code)}) for code in net.codes]
    return write(Table({1: codes, 2: graphs, 4: net.buffers}), b"TFL3")


FILES = [NETWORK, mlp((8, 32, 16)), odd_network()]


@pytest.mark.parametrize("data", FILES, ids=["network", "layers", "odd"])
def test_both_find_the_same_constants(data: bytes) -> None:
    found = in_c(data)
    assert found
    assert found == in_python(data)


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("offset", [0, 1, 2, 64, 2**63, 2**64 - 1])
def test_both_take_buffers_beyond_the_flatbuffer_alike(offset: int, size: int) -> None:
    """No place is said by 0 and 1, whatever the size is then."""
    net = Tflite()
    net.weights("w", np.ones((4, 8), np.float32))
    net.buffers[0] |= {1: Scalar("Q", offset), 2: Scalar("Q", size)}
    data = net.file([], [])
    found = in_c(data)
    assert found == in_python(data)
    assert (found is not None) == (offset < 2)


def test_uses_types_and_names_are_told() -> None:
    """Who reads dequantised weights reads what they were before; their bias is not such a bias."""
    data = odd_network()
    found = {data[c.name : c.name + c.name_size].decode(): c for c in in_c(data) or ()}
    assert found["bias"].uses == Use.BIAS
    assert found["halves"].uses == 0
    assert found[f"größe {DEPTHWISE}"].uses == Use.DEPTHWISE
    assert found[f"größe {CONV_3D}"].uses == Use.CONVOLVED_3D
    assert found[f"größe {TRANSPOSE_CONV_3D}"].uses == Use.TRANSPOSED_3D
    assert found["with 6"].is_sparse
    assert [c.type for c in found.values()].count(-1) == 1  # the one that changes


@settings(max_examples=600)
@given(
    data=st.sampled_from(FILES),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4))
    ),
    size=st.one_of(st.none(), st.floats(0, 1)),
)
def test_both_make_the_same_of_damage(
    data: bytes, changes: list[tuple[float, bytes]], size: float | None
) -> None:
    damaged = bytearray(data if size is None else data[: int(size * len(data))])
    for place, piece in changes:
        at = int(place * len(damaged))
        damaged[at : at + len(piece)] = piece
    assert in_c(bytes(damaged)) == in_python(bytes(damaged))


@given(data=st.binary(max_size=200))
def test_both_make_the_same_of_any_bytes(data: bytes) -> None:
    assert in_c(data) == in_python(data)


def shared(graphs: int) -> bytes:
    """A file of so many graphs that are all the same one."""
    net = Tflite()
    weight = net.weights("w", np.ones((4, 8), np.float32))
    operator = Table({1: Data(np.full(500, weight, "<i4"))})
    first = Table({0: net.tensors, 3: [operator]})
    codes = [Table({0: Scalar("b", 0)})]
    all_graphs = [first] + [Table({})] * (graphs - 1)
    data = bytearray(write(Table({1: codes, 2: all_graphs, 4: net.buffers}), b"TFL3"))
    start, count = Buffer(data).root().vector(2, 4, graphs) or (0, 0)
    target = start + int.from_bytes(data[start : start + 4], "little")
    for place in range(start, start + 4 * count, 4):
        data[place : place + 4] = (target - place).to_bytes(4, "little")
    return bytes(data)


def test_a_file_that_shares_more_than_it_can_hold_is_refused_by_both() -> None:
    found = [graphs for graphs in range(20, 60) if in_c(shared(graphs)) is not None]
    assert found == [graphs for graphs in range(20, 60) if in_python(shared(graphs)) is not None]
    assert 20 in found
    assert 59 not in found


def test_the_kernel_has_room_for_no_more_axes_than_it_says() -> None:
    with pytest.raises(ValueError, match="bounds"):
        _native.find_constants(memoryview(NETWORK), 1 << 30, 1 << 16, 9, 1)
