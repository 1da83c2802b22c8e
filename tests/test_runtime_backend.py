"""Shapes, types and the order of inputs."""

import numpy as np
import pytest

from midstream.errors import ErrorCode, UsageError
from midstream.runtime import TensorInfo, in_order

LEFT = TensorInfo(name="left", shape=(1, 2), dtype=np.dtype("float32"))
RIGHT = TensorInfo(name="right", shape=(1, 3), dtype=np.dtype("int32"))
left = np.zeros((1, 2), np.float32)
right = np.zeros((1, 3), np.int32)


@pytest.mark.parametrize(
    ("shape", "array", "taken"),
    [
        ((1, 2), left, True),
        ((-1, 2), left, True),
        ((-1, 3), left, False),
        ((2,), left, False),
        ((1, 2), left.astype(np.float64), False),
        ((), np.float32(1)[...], True),
    ],
)
def test_an_array_is_taken_by_its_shape_and_type(
    shape: tuple[int, ...], array: np.ndarray, taken: bool
) -> None:
    info = TensorInfo(name="x", shape=shape, dtype=np.dtype("float32"))
    assert info.takes(array) is taken


def test_one_array_is_enough_for_one_input() -> None:
    assert in_order(left, (LEFT,))[0] is left


def test_inputs_may_come_in_order_or_by_name() -> None:
    by_order = in_order((left, right), (LEFT, RIGHT))
    by_name = in_order({"right": right, "left": left}, (LEFT, RIGHT))
    assert [array is other for array, other in zip(by_order, by_name, strict=True)] == [True] * 2


def test_a_nested_list_is_taken_where_its_numbers_are_of_the_type() -> None:
    info = TensorInfo(name="mask", shape=(1, 2), dtype=np.dtype("bool"))
    assert in_order([[[True, False]]], (info,))[0].tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (left, "got 1 inputs, expected 2"),
        ([left], "got 1 inputs, expected 2"),
        ([left, right, right], "got 3 inputs, expected 2"),
        ({"left": left}, "got inputs ['left'], expected ['left', 'right']"),
        ({"left": left, "wrong": right}, "got inputs ['left', 'wrong']"),
        ([left, right.astype(np.int64)], "got right: int64 (1, 3), expected int32 (1, 3)"),
        ([left.ravel(), right], "got left: float32 (2,), expected float32 (1, 2)"),
        ([left.astype(">f4"), right], "got left: >f4 (1, 2), expected float32 (1, 2)"),
    ],
)
def test_wrong_inputs_are_refused_with_what_was_expected(inputs: object, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        in_order(inputs, (LEFT, RIGHT))
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
    assert words in str(caught.value)
