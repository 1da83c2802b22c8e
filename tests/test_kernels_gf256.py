"""Arithmetic of GF(2^8), each implementation against multiplication bit by bit."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
import reedsolo
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from midstream.kernels import gf256, numpy_gf256

Matrix = NDArray[np.uint8]
Combine = Callable[..., Matrix]
IMPLEMENTATIONS: dict[str, Combine] = {"numpy": numpy_gf256.combine_rows}
if find_spec("midstream.kernels._native"):
    from midstream.kernels import _native, native_gf256

    IMPLEMENTATIONS |= {
        # where the processor has no such way, the next best one is tested once more
        way.name.lower(): partial(native_gf256.combine_rows_by, way)
        for way in native_gf256.Way
    }
built = pytest.mark.skipif(len(IMPLEMENTATIONS) == 1, reason="no compiler")
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


@pytest.fixture(params=IMPLEMENTATIONS)
def combine(request: pytest.FixtureRequest) -> Combine:
    return IMPLEMENTATIONS[request.param]


def random(*shape: int) -> Matrix:
    return np.random.default_rng(shape).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@given(st.data())
def test_a_matrix_product_is_the_sum_of_products(name: str, data: st.DataObject) -> None:
    rows = data.draw(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=5)))
    count = data.draw(st.integers(0, 4))
    matrix = data.draw(arrays(np.uint8, (count, len(rows))))
    assert np.array_equal(IMPLEMENTATIONS[name](matrix, rows), slow_combine(matrix, rows))


def test_every_product_of_two_is_right(combine: Combine) -> None:
    everything = np.arange(256, dtype=np.uint8)
    for factors in (everything[:128, None], everything[128:, None]):
        found = combine(factors, everything[None, :])
        assert np.array_equal(found, gf256.PRODUCTS[factors[:, 0]])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 63, 64, 65, 127, 128, 129, 191, 1200])
@pytest.mark.parametrize(
    ("count", "terms"), [(0, 3), (1, 1), (2, 0), (3, 7), (4, 5), (5, 4), (8, 32), (11, 2), (17, 3)]
)
def test_all_shapes_are_as_with_tables(combine: Combine, count: int, terms: int, size: int) -> None:
    matrix, rows = random(count, terms), random(terms, size)
    expected = np.bitwise_xor.reduce(gf256.PRODUCTS[matrix[:, :, None], rows], axis=1)
    assert np.array_equal(combine(matrix, rows), expected)


def test_the_largest_matrix_is_multiplied(combine: Combine) -> None:
    matrix, rows = random(255, 255), random(255, 70)
    assert np.array_equal(combine(matrix, rows), numpy_gf256.combine_rows(matrix, rows))
    assert np.array_equal(combine(np.eye(255, dtype=np.uint8), rows), rows)


def test_rows_are_taken_in_any_order_and_more_than_once(combine: Combine) -> None:
    matrix, rows = random(3, 4), random(6, 100)
    picks = np.array([5, 0, 5, 2])
    assert np.array_equal(combine(matrix, rows, picks), combine(matrix, rows[picks]))


def test_rows_need_not_lie_together_in_memory(combine: Combine) -> None:
    rows = np.arange(60, dtype=np.uint8).reshape(6, 10)[::2, ::3]
    matrix = np.arange(9, dtype=np.uint8).reshape(3, 3).T
    assert np.array_equal(combine(matrix, rows), slow_combine(matrix, rows))


@pytest.mark.parametrize(
    ("matrix", "rows", "picks"),
    [
        ((2, 3), (4, 8), None),
        ((2, 3), (4, 8), [0, 1]),
        ((2, 3), (4, 8), [0, 1, 4]),
        ((2, 3), (4, 8), [-1, 0, 1]),
        ((256, 1), (1, 8), None),
        ((1, 256), (256, 8), None),
    ],
)
def test_what_is_no_product_is_refused(
    combine: Combine,
    matrix: tuple[int, int],
    rows: tuple[int, int],
    picks: list[int] | None,
) -> None:
    chosen = None if picks is None else np.array(picks)
    with pytest.raises(ValueError, match=r"row|matrix"):
        combine(random(*matrix), random(*rows), chosen)


def native_arguments(**changed: object) -> list[object]:
    arguments = {
        "matrix": np.ones((2, 3), np.uint8),
        "rows": np.ones((4, 8), np.uint8),
        "picks": np.array([0, 3, 1]),
        "count": 2,
        "size": 8,
        "out": np.zeros((2, 8), np.uint8),
        "way": 0,
    }
    return list((arguments | changed).values())


@built
def test_the_arguments_of_the_next_test_are_good_but_for_one() -> None:
    arguments = native_arguments()
    _native.combine_rows(*arguments)
    assert (arguments[5] == np.ones((2, 8))).all()


@built
@pytest.mark.parametrize(
    "changed",
    [
        {"matrix": np.ones(5, np.uint8)},
        {"matrix": np.ones(7, np.uint8)},
        {"rows": np.ones(31, np.uint8)},
        {"rows": np.ones(24, np.uint8)},
        {"picks": np.array([0, 1])},
        {"picks": np.array([0, 1, 4])},
        {"picks": np.array([0, -1, 1])},
        {"picks": np.array([0, 1 << 62, 1])},
        {"picks": np.zeros(25, np.uint8)},
        {"picks": np.zeros(256, np.int64), "matrix": np.ones(512, np.uint8)},
        {"count": 1},
        {"count": -1},
        {"count": 256, "matrix": np.ones(768, np.uint8), "out": np.zeros(2048, np.uint8)},
        {"size": 0},
        {"size": -8},
        {"size": 7},
        {"size": 1 << 62},
        {"out": np.zeros(15, np.uint8)},
        {"out": np.zeros(24, np.uint8)},
        {"way": -1},
        {"way": 99},
    ],
    ids=str,
)
def test_sizes_that_do_not_fit_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        _native.combine_rows(*native_arguments(**changed))


@built
def test_results_are_not_written_into_what_is_read_only() -> None:
    with pytest.raises(TypeError, match="read-write"):
        _native.combine_rows(*native_arguments(out=bytes(16)))
