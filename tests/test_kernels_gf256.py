"""Arithmetic of GF(2^8), against multiplication bit by bit."""

import numpy as np
import pytest
import reedsolo
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from midstream.fec.blocks import _parity_matrix
from midstream.kernels import gf256

Matrix = NDArray[np.uint8]
bytes_of_field = st.integers(0, 255)


def product(a: int, b: int) -> int:
    """Shift and add, reduced by x^8 + x^4 + x^3 + x^2 + 1."""
    result = 0
    for bit in range(8):
        if b >> bit & 1:
            result ^= a << bit
    for bit in reversed(range(8, 16)):
        if result >> bit & 1:
            result ^= 0x11D << (bit - 8)
    return result


def slow_combine(matrix: Matrix, rows: Matrix) -> Matrix:
    result = np.zeros((len(matrix), rows.shape[1]), np.uint8)
    for i, j, k in np.ndindex(len(matrix), rows.shape[1], len(rows)):
        result[i, j] ^= product(int(matrix[i, k]), int(rows[k, j]))
    return result


def test_every_product_is_that_of_polynomials() -> None:
    expected = [[product(a, b) for b in range(256)] for a in range(256)]
    assert gf256.PRODUCTS.tolist() == expected


def test_the_table_of_products_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        gf256.PRODUCTS[1, 1] = 0


def test_powers_and_logarithms_undo_each_other() -> None:
    assert sorted(gf256.EXP[:255]) == list(range(1, 256))
    assert [gf256.LOG[power] for power in gf256.EXP[:255]] == list(range(255))
    assert gf256.EXP[255:] == gf256.EXP[:255]


def test_powers_are_those_of_reedsolo() -> None:
    logarithms, powers, _ = reedsolo.init_tables(prim=0x11D, generator=2, c_exp=8)
    assert gf256.EXP[:255] == list(powers[:255])
    assert gf256.LOG[1:] == list(logarithms[1:])


@given(bytes_of_field, bytes_of_field, bytes_of_field)
def test_multiplication_distributes_over_addition(a: int, b: int, c: int) -> None:
    products = gf256.PRODUCTS
    assert products[a, b ^ c] == products[a, b] ^ products[a, c]


@given(st.data())
def test_a_matrix_product_is_the_sum_of_products(data: st.DataObject) -> None:
    rows = data.draw(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=5)))
    count = data.draw(st.integers(0, 4))
    matrix = data.draw(arrays(np.uint8, (count, len(rows))))
    assert np.array_equal(gf256.combine(matrix, rows), slow_combine(matrix, rows))


def test_rows_need_not_lie_together_in_memory() -> None:
    rows = np.arange(60, dtype=np.uint8).reshape(6, 10)[::2, ::3]
    matrix = np.arange(9, dtype=np.uint8).reshape(3, 3).T
    assert np.array_equal(gf256.combine(matrix, rows), slow_combine(matrix, rows))


@pytest.mark.parametrize("size", [0, 1, 2, 7, 60])
def test_an_inverse_undoes_its_matrix(size: int) -> None:
    matrix = _parity_matrix(size + 20, max(size, 1))[:size, 3 : size + 3]
    identity = np.eye(size, dtype=np.uint8)
    assert np.array_equal(gf256.combine(gf256.invert(matrix), matrix), identity)


def test_an_inverse_is_found_where_rows_have_to_change_places() -> None:
    matrix = np.array([[0, 0, 3], [0, 5, 0], [7, 0, 0]], np.uint8)
    inverse = gf256.invert(matrix)
    assert np.array_equal(gf256.combine(matrix, inverse), np.eye(3, dtype=np.uint8))


def test_inverting_leaves_the_matrix_as_it_was() -> None:
    matrix = np.array([[1, 2], [3, 4]], np.uint8)
    gf256.invert(matrix)
    assert matrix.tolist() == [[1, 2], [3, 4]]
