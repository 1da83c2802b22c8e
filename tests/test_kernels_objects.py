"""Objects back to their places: each implementation, against golden bytes and damage."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.bitstream import Topology
from midstream.bitstream.objects import columns_of
from midstream.formats import open_model
from midstream.kernels import numpy_objects, objects

if find_spec("midstream.kernels._native"):
    from midstream.kernels import _native, native_objects

    IMPLEMENTATIONS = [numpy_objects, native_objects]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_objects]

ROOT = Path(__file__).parent.parent
BOTH = pytest.mark.parametrize("module", IMPLEMENTATIONS, ids=lambda m: m.__name__.split(".")[-1])
NETWORK = (ROOT / "examples/abr_client/models/abr-1.tflite").read_bytes()
GOLDEN = bytes.fromhex(
    "0a00 01022701282901282600 00 050100 000000"
    "0c0000000000000008000400 08000400 0400 0100 00 686900 02 0102 00"
)
HOLE = np.array([[68, 12]])
CASES = json.loads((ROOT / "spec/vectors/valid/units.json").read_text())
FILE = bytes.fromhex(next(c["model"] for c in CASES if c["name"] == "objects of a flatbuffer"))


def between(model: bytes, holes: np.ndarray) -> bytes:
    """What lies between the holes of a file."""
    kept = np.ones(len(model), np.bool_)
    for start, size in holes:
        kept[start : start + size] = False
    return np.frombuffer(model, np.uint8)[kept].tobytes()


def network() -> tuple[bytes, np.ndarray]:
    """The columns of a network, and its holes."""
    cut = Topology.cut(NETWORK, open_model(NETWORK).tensors)
    holes = np.array([(t.offset, t.length) for t in cut.tensors])
    columns = columns_of(memoryview(NETWORK), holes)
    assert columns is not None
    return columns, holes


COLUMNS, HOLES = network()


def restore(module, columns: bytes, holes: np.ndarray, size: int) -> bytes | None:
    out = bytearray(size - int(holes[:, 1].sum()))
    done = module.restore_objects(memoryview(columns), holes, size, memoryview(out))
    return bytes(out) if done else None


@BOTH
def test_the_example_of_the_specification_comes_back(module) -> None:
    assert restore(module, GOLDEN, HOLE, 96) == between(FILE, HOLE)


@BOTH
def test_a_network_comes_back(module) -> None:
    assert restore(module, COLUMNS, HOLES, len(NETWORK)) == between(NETWORK, HOLES)


@BOTH
def test_no_objects_are_a_file_of_its_first_reference(module) -> None:
    """A reference that is given leads to where no object is."""
    found = restore(module, bytes.fromhex("00 00 01 00 07"), np.zeros((0, 2), np.int64), 8)
    assert found == b"\x07\0\0\0TFL3"


@BOTH
@pytest.mark.parametrize("size", [0, 7, 95, 97, 1 << 40])
def test_a_file_of_another_size_does_not(module, size: int) -> None:
    assert not module.restore_objects(memoryview(GOLDEN), HOLE, size, memoryview(bytearray(84)))


@BOTH
def test_columns_that_end_early_do_not(module) -> None:
    for size in range(len(GOLDEN)):
        assert restore(module, GOLDEN[:size], HOLE, 96) is None


@BOTH
def test_a_list_that_claims_the_world_reserves_nothing(module) -> None:
    """[OBJ-3]"""
    huge = GOLDEN[:-4] + bytes.fromhex("ffffffff7f") + GOLDEN[-3:]
    assert restore(module, huge, HOLE, 96) is None


def damages() -> st.SearchStrategy[Callable[[bytes], bytes]]:
    places = st.floats(0, 1, exclude_max=True)

    def replace(place: float, byte: int) -> Callable[[bytes], bytes]:
        def change(data: bytes) -> bytes:
            at = int(place * len(data))
            return data[:at] + bytes([byte]) + data[at + 1 :]

        return change

    def insert(place: float, piece: bytes) -> Callable[[bytes], bytes]:
        return lambda data: data[: int(place * len(data))] + piece + data[int(place * len(data)) :]

    def remove(place: float, size: int) -> Callable[[bytes], bytes]:
        return lambda data: data[: int(place * len(data))] + data[int(place * len(data)) + size :]

    return st.one_of(
        st.builds(replace, places, st.integers(0, 255)),
        st.builds(insert, places, st.binary(min_size=1, max_size=3)),
        st.builds(remove, places, st.integers(1, 9)),
    )


@settings(max_examples=300)
@given(changes=st.lists(damages(), min_size=1, max_size=3), is_network=st.booleans())
def test_all_implementations_make_the_same_of_damage(changes, is_network: bool) -> None:
    data, holes, size = (COLUMNS, HOLES, len(NETWORK)) if is_network else (GOLDEN, HOLE, len(FILE))
    for change in changes:
        data = change(data)
    found = [restore(module, data, holes, size) for module in IMPLEMENTATIONS]
    assert all(other == found[0] for other in found)
    assert found[0] is None or len(found[0]) == len(between(bytes(size), holes))


def test_kinds_come_after_what_refers_to_them() -> None:
    for at, kind in enumerate(objects.KINDS[1:], 1):
        parent = objects.KINDS[kind.parent - objects.ROOT]
        assert kind.parent - objects.ROOT < at
        expected = objects.Form.LIST if kind.field == objects.ITEMS else objects.Form.TABLE
        assert parent.form is expected


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler here")
@pytest.mark.parametrize("kinds", [bytes(4 * 63), bytes([0, 0, 0, 4, 9, 0, 0, 4])])
def test_a_kernel_is_given_a_tree_of_kinds(kinds: bytes) -> None:
    table = np.frombuffer(kinds, np.uint8)
    with pytest.raises(ValueError, match="kinds that do not form a tree"):
        _native.restore_objects(memoryview(GOLDEN), table, HOLE, memoryview(bytearray(84)), 96)
