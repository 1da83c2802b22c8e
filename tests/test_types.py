"""Values that cross floors: sizes of tensors, and numbers that are in the bitstream."""

import pytest

from midstream.types import DType, Tensor, UnitKind


def tensor(dtype: DType, *shape: int) -> Tensor:
    return Tensor(name="w", dtype=dtype, shape=shape, offset=100)


def test_numbers_of_data_types_are_those_of_the_bitstream() -> None:
    names = ["FLOAT32", "FLOAT16", "BFLOAT16", "INT32", "INT8", "UINT8", "INT4"]
    assert {kind.name: kind.value for kind in DType} == {n: i for i, n in enumerate(names, 1)}


def test_numbers_of_kinds_are_those_of_the_bitstream() -> None:
    names = ["BASE", "ENHANCEMENT", "EXACT", "UPDATE", "CONTRIBUTION", "LOSSY_UPDATE"]
    assert {kind.name: kind.value for kind in UnitKind} == {n: i for i, n in enumerate(names)}


@pytest.mark.parametrize(
    ("dtype", "bits", "is_float"),
    [
        (DType.FLOAT32, 32, True),
        (DType.FLOAT16, 16, True),
        (DType.BFLOAT16, 16, True),
        (DType.INT32, 32, False),
        (DType.INT8, 8, False),
        (DType.UINT8, 8, False),
        (DType.INT4, 4, False),
    ],
)
def test_a_data_type_has_its_width(dtype: DType, bits: int, is_float: bool) -> None:
    assert (dtype.bits, dtype.is_float) == (bits, is_float)


@pytest.mark.parametrize(
    ("dtype", "shape", "weights", "length"),
    [
        (DType.FLOAT32, (3, 4), 12, 48),
        (DType.BFLOAT16, (5,), 5, 10),
        (DType.INT4, (6,), 6, 3),
        (DType.INT4, (7,), 7, 4),
        (DType.INT8, (), 1, 1),
        (DType.INT8, (4, 0), 0, 0),
    ],
)
def test_a_tensor_takes_so_many_bytes(
    dtype: DType, shape: tuple[int, ...], weights: int, length: int
) -> None:
    hole = tensor(dtype, *shape)
    assert (hole.weights, hole.length, hole.end) == (weights, length, 100 + length)


def test_a_numbered_tensor_is_as_the_constructor_gives_it() -> None:
    made = Tensor.numbered(7, DType.INT4, (3, 5), 40, (1, None))
    named = Tensor(name="tensor 7", dtype=DType.INT4, shape=(3, 5), offset=40, row_axis=1)
    assert made == named
    assert (made.weights, made.length, made.end) == (named.weights, named.length, named.end)
