"""One unit that holds a model file bit for bit, each slice in the shortest way."""

from typing import Any

import numpy as np
import pytest

from midstream import decoder
from midstream.bitstream import Operation, read_unit
from midstream.encoder import encode
from tensorfiles import normal, safetensors

RNG = np.random.default_rng(9)
PATTERN = np.tile(np.float32([0.1, 0.7, -0.4, 0.03]), 4096).reshape(128, 128)
WHOLE = np.clip(np.rint(normal(64, 80) * 300), -128, 127).astype("i1")


def encoded(**tensors: np.ndarray) -> tuple[bytes, list[Any]]:
    """The one unit of a file of these tensors, which was decoded, and its operations."""
    model = safetensors(tensors)
    (unit,) = encode(model, ladder="exact").units
    assert decoder.rebuild([unit.data]) == model
    return unit.data, [record.operation for record in read_unit(unit.data).records]


@pytest.mark.parametrize(
    ("tensor", "operation"),
    [
        (normal(80, 80), Operation.VALUES),
        (normal(80, 80).astype("<f2"), Operation.VALUES),
        (PATTERN, Operation.RAW),
        (WHOLE, Operation.LEVELS),
    ],
    ids=["float32", "float16", "pattern", "int8"],
)
def test_each_slice_is_coded_in_the_shortest_way(tensor: np.ndarray, operation: Operation) -> None:
    assert encoded(a=tensor)[1] == [operation]


def test_weights_that_their_neighbours_tell_are_coded_as_levels() -> None:
    walk = np.cumsum(normal(200, 40), axis=0).astype("<f4")
    assert encoded(a=walk)[1] == [Operation.LEVELS, Operation.EXACT]


def test_all_slices_of_a_tensor_are_coded_alike() -> None:
    operations = encoded(a=normal(400, 400))[1]
    assert operations == [Operation.VALUES] * 3


def test_rows_of_different_scales_take_no_more_than_rows_of_one() -> None:
    rows = normal(64, 100)
    scaled = rows * np.float32(2) ** RNG.integers(-8, 8, (64, 1)).astype("<f4")
    same, other = (len(encoded(a=tensor)[0]) for tensor in (rows, scaled))
    assert other < same + 100


def test_halves_in_a_wider_dtype_take_what_halves_take() -> None:
    halves = normal(100, 100).astype("<f2")
    narrow, wide = (len(encoded(a=tensor)[0]) for tensor in (halves, halves.astype("<f4")))
    assert wide < 1.02 * narrow


def test_a_tensor_that_is_not_finite_is_compressed_all_the_same() -> None:
    sound = normal(90, 90)
    broken = sound.copy()
    broken[3, 4] = np.nan
    assert len(encoded(a=broken)[0]) < 1.01 * len(encoded(a=sound)[0])


def test_odd_numbers_come_back() -> None:
    odd = np.float32([0.0, -0.0, 1e-45, -1e-40, 3e38, 1e-30, 1, -1] * 4)
    encoded(
        odd=odd,
        zeros=np.zeros(100, "<f4"),
        constant=np.full(5000, 0.7, "<f4"),
        one=np.float32([3.25]),
        tiny=normal(90, 90) * np.float32(1e-42),
        huge=normal(90, 90) * np.float32(1e38),
        far=np.exp(normal(5000) * 30).astype("<f4"),
    )


def test_tensors_of_the_same_bytes_are_sent_once() -> None:
    model, small = normal(90, 90), normal(40, seed=2)
    alone, once = encoded(a=model, c=small)
    data, operations = encoded(a=model, b=model.reshape(45, 180), c=small, d=small)
    assert operations == once
    assert len(data) < len(alone) + 150  # their names are in the topology


def test_a_tied_tensor_is_as_good_as_the_one_it_is_tied_to() -> None:
    matrix, ones = normal(60, 60), np.ones(60, "<f4")
    model = safetensors({"a": matrix, "b": ones, "c": matrix, "d": ones})
    units = [unit.data for unit in encode(model, ladder="2b,4b,exact").units]
    assert decoder.rebuild(units) == model
    for count in (1, 2):
        rebuilt = decoder.rebuild(units[:count])
        places = [model.index(matrix.tobytes()), model.rindex(matrix.tobytes())]
        first, second = (rebuilt[place : place + matrix.nbytes] for place in places)
        assert first == second != matrix.tobytes()


def test_vectors_that_may_be_corrected_are_not_tied() -> None:
    ones = np.ones(60, "<f4")
    model = safetensors({"a": normal(60, 60), "b": ones, "d": ones})
    codes = decoder.read_stack([encode(model, ladder="2b").units[0].data]).head.codes
    assert [code.same_as for code in codes] == [None] * 3
