"""Objects of a TFLite file, kind by kind: C and NumPy make the same of any bytes."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.bitstream.objects import columns_of_found
from midstream.formats import open_model
from midstream.kernels.objects import KIND_TABLE
from models import Data, Table, Tflite, mlp, picture_network

if find_spec("midstream.kernels._native"):
    from midstream.kernels import _native, native_objects
else:  # no compiler here
    pytest.skip("there is but one implementation here", allow_module_level=True)

MODELS = Path(__file__).parent.parent / "examples/abr_client/models"


def holes_of(model: bytes) -> np.ndarray:
    places = [(t.offset, t.length) for t in open_model(model).tensors]
    return np.array(places, np.int64).reshape(-1, 2)


def odd_network() -> bytes:
    """Tables of many kinds, in the order of a writer that puts them down as it meets them."""
    net = Tflite()
    data, out = net.tensor("data", (1, 8)), net.tensor("out", (1, 4))
    weight = net.weights("weight", np.ones((4, 8), np.float32))
    net.tensors[weight][4] = Table({0: Data(np.ones(4, "<f4")), 3: Data(np.ones(4, "<i8"), 8)})
    net.operator(9, [data, weight], [out])
    return net.file([data], [out])


FILES = [(MODELS / name).read_bytes() for name in ("abr-1.tflite", "abr-2.tflite")]
FILES += [mlp((8, 32, 16)), odd_network(), picture_network()]
HOLES = [holes_of(model) for model in FILES]
PLACES = st.floats(0, 1, exclude_max=True)


def both(model: bytes, holes: np.ndarray) -> tuple[bytes | None, bytes | None]:
    view = memoryview(model)
    return native_objects.list_objects(view, holes), columns_of_found(view, holes)


@pytest.mark.parametrize("at", range(len(FILES)))
def test_both_list_the_same_objects(at: int) -> None:
    in_c, in_numpy = both(FILES[at], HOLES[at])
    assert in_c == in_numpy


def test_there_are_objects_to_list() -> None:
    assert all(both(FILES[at], HOLES[at])[0] for at in range(2))


@settings(max_examples=600)
@given(
    at=st.integers(0, len(FILES) - 1),
    changes=st.lists(st.tuples(PLACES, st.binary(min_size=1, max_size=4)), max_size=4),
    size=st.one_of(st.none(), PLACES),
    more=st.binary(max_size=9),
)
def test_both_make_the_same_of_damage(
    at: int, changes: list[tuple[float, bytes]], size: float | None, more: bytes
) -> None:
    """Holes stay where they were: they may be beyond the end, and where an object is."""
    whole = FILES[at]
    damaged = bytearray(whole if size is None else whole[: 8 + int(size * len(whole))])
    for place, piece in changes:
        start = int(place * len(damaged))
        damaged[start : start + len(piece)] = piece
    model = bytes(damaged + more)
    in_c, in_numpy = both(model, HOLES[at])
    assert in_c == in_numpy


@settings(max_examples=300)
@given(words=st.lists(st.integers(0, 48), min_size=1, max_size=40), first=st.integers(0, 8))
def test_both_make_the_same_of_small_numbers(words: list[int], first: int) -> None:
    """References and vtables among each other, by chance."""
    model = np.array([4 * first, 0, *words], "<u4").tobytes()
    in_c, in_numpy = both(model, np.zeros((0, 2), np.int64))
    assert in_c == in_numpy


def test_a_file_of_more_references_than_there_may_be_is_not_listed() -> None:
    """A list of tensors as long as the file has room for."""
    data = bytearray(FILES[0]) + bytes(4 * ((1 << 16) + 8))
    root = int.from_bytes(data[:4], "little")
    vtable = root - int.from_bytes(data[root : root + 4], "little", signed=True)
    codes = root + int.from_bytes(data[vtable + 6 : vtable + 8], "little")
    start = (len(FILES[0]) + 3) // 4 * 4
    data[codes : codes + 4] = (start - codes).to_bytes(4, "little")
    data[start : start + 4] = ((1 << 16) + 1).to_bytes(4, "little")
    assert both(bytes(data), HOLES[0]) == (None, None)


@pytest.mark.parametrize("size", [0, 7])
def test_the_kernel_is_given_a_header(size: int) -> None:
    with pytest.raises(ValueError, match="too short"):
        _native.list_objects(memoryview(bytes(size)), KIND_TABLE, np.zeros((0, 2), np.int64))
