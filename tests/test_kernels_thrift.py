"""Thrifty levels and points: what they minimise, and each implementation against the other."""

from importlib.util import find_spec

import numpy as np
import pytest

from midstream.kernels import numpy_thrift
from midstream.kernels.codewords import CODEWORDS, codewords_of

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_thrift

    IMPLEMENTATIONS = [numpy_thrift, native_thrift]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_thrift]

REACH, ROWS = 4, 5
COUNTS = [0, 1, 15, 16, 17, 803]
KINDS = [np.float32, np.float64]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request):
    return request.param


def weights(count: int, kind: type) -> np.ndarray:
    rng = np.random.default_rng(count)
    return (rng.normal(size=count) * 2.0 ** rng.integers(-2, 4, count)).astype(kind)


def table(numbers: int, phases: int = 2) -> np.ndarray:
    return (
        np.random.default_rng(numbers).uniform(0, 0.5, (phases, ROWS, numbers)).astype(np.float32)
    )


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_expected", [False, True])
@pytest.mark.parametrize("sizes", ["one", "each"])
def test_levels_move_where_that_saves_more_than_it_costs(kernel, count, kind, is_expected, sizes):
    numbers, savings = weights(count, kind), table(2 * REACH + 1)
    rng = np.random.default_rng(3)
    size = np.array([0.7]) if sizes == "one" else rng.uniform(0.5, 1, count)
    places = numbers.astype(np.float64) / size
    levels = np.rint(places).astype(np.int32)
    halves = 2 * levels.astype(np.int64) + rng.integers(-12, 13, count) if is_expected else None
    rows = rng.integers(0, ROWS + 2, count).astype(np.uint8)
    expected = levels.copy()
    for i, level in enumerate(levels.tolist()):
        half = 0 if halves is None else int(halves[i])
        residual, phase = level - half // 2, half % 2
        if abs(residual) > REACH or rows[i] >= ROWS:
            continue
        outward = int(np.sign(2 * residual - phase))
        if outward * (level - places[i]) > 0.5 - savings[phase, rows[i], residual + REACH]:
            expected[i] -= outward
    found = kernel.thrifty_levels(levels, halves, numbers, size, rows, savings)
    assert found.dtype == np.int32
    assert found.tolist() == expected.tolist()
    assert count < 100 or (expected != levels).any()


def price(quarter: int, row: int, number: int, prices: np.ndarray) -> float:
    """Of a number where so many quarters are expected."""
    return float(prices[quarter & 3, row, number - (quarter >> 2) + REACH])


def price_of(
    levels: list[int], places: list[float], rows: list[int], halves: list[int], prices: np.ndarray
) -> float:
    """Squared error and prices of a point."""
    total = 0.0
    for level, place, row, half in zip(levels, places, rows, halves, strict=True):
        odd = level & 1
        total += (level / 2 - place) ** 2 + price(half + 2 * odd, row, (level + odd) // 2, prices)
    return total


def least_price(
    word: np.ndarray, places: list[float], rows: list[int], halves: list[int], prices: np.ndarray
) -> float:
    """Of all points of a codeword whose levels are next to the weights."""
    total, odd = np.zeros(1), np.zeros(1, bool)
    for place, row, half, phase in zip(places, rows, halves, word.tolist(), strict=True):
        low = int(np.floor(place - phase / 2))
        each = [
            (place - phase / 2 - number) ** 2 + price(half + 2 * phase, row, number + phase, prices)
            for number in (low, low + 1)
        ]
        total = np.concatenate([total + each[0], total + each[1]])
        odd = np.concatenate([odd ^ bool(low & 1), odd ^ bool(~low & 1)])
    return float(total[~odd].min())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [0, 4])
def test_no_point_near_by_is_cheaper(kernel, kind, most):
    prices = table(2 * REACH + 3, 4)
    rng = np.random.default_rng(8)
    places = rng.uniform(-2, 2, (16, 12)).astype(kind)
    rows = rng.integers(0, ROWS, (16, 12)).astype(np.uint8)
    halves = rng.integers(-most, most + 1, (16, 12))
    known = halves.ravel() if most else None
    found = kernel.thrifty_points(places.ravel(), np.ones(1), rows.ravel(), prices, known)
    points = found.reshape(16, 12)
    assert np.array_equal(points % 2, CODEWORDS[codewords_of(points.astype(np.int8) & 1)].T)
    assert (points.sum(axis=0) % 4 == 0).all()
    for column in range(12):
        own = (places[:, column].tolist(), rows[:, column].tolist(), halves[:, column].tolist())
        least = min(least_price(word, *own, prices) for word in CODEWORDS)
        assert price_of(points[:, column].tolist(), *own, prices) == pytest.approx(least, abs=1e-9)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e30])
def test_all_find_the_same_points(kernel, count, kind, scale):
    numbers, prices = weights(count, kind) * kind(scale), table(2 * REACH + 3, 4)
    rng = np.random.default_rng(4)
    rows = rng.integers(0, ROWS, count).astype(np.uint8)
    for sizes in (np.array([0.7]), rng.uniform(0.5, 1, count)):
        expected = numpy_thrift.thrifty_points(numbers, sizes, rows, prices)
        found = kernel.thrifty_points(numbers, sizes, rows, prices)
        assert found.dtype == expected.dtype == np.int32
        assert found.tolist() == expected.tolist()
        halves = rng.integers(-9, 10, count) * 2 ** rng.integers(0, 50, count)
        expected = numpy_thrift.thrifty_points(numbers, sizes, rows, prices, halves)
        found = kernel.thrifty_points(numbers, sizes, rows, prices, halves)
        assert found.tolist() == expected.tolist()


def test_points_of_what_is_no_number_are_points(kernel):
    few = [np.nan, np.inf, -np.inf, 0, -0.0, 1e300, -1e300, 0.5]
    numbers = np.array([*few, *few, np.nan])
    rows, prices = np.zeros(17, np.uint8), table(2 * REACH + 3, 4)
    found = kernel.thrifty_points(numbers, np.ones(1), rows, prices)
    assert found.tolist() == numpy_thrift.thrifty_points(numbers, np.ones(1), rows, prices).tolist()
    assert found[:16].sum() % 4 == 0


OF_BOTH = [
    {"numbers": np.zeros(15, np.float32)},
    {"item": 8},
    {"sizes": np.ones(2)},
    {"rows": np.zeros(15, np.uint8)},
    {"prices": np.zeros(13)},
    {"reach": -1},
    {"reach": 65},
    {"levels": np.zeros(15, np.int32)},
    {"levels": np.zeros(16, np.int64)},
]
OF_LEVELS = [{"halves": np.zeros(15, np.int64)}, {"nearest": np.zeros(15, np.int32)}]
OF_POINTS = [{"rows": np.full(16, 1, np.uint8)}, {"halves": np.zeros(15, np.int64)}]


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    ("name", "changed"),
    [
        *(("thrifty_levels", changed) for changed in [*OF_BOTH, *OF_LEVELS]),
        *(("thrifty_points", changed) for changed in [*OF_BOTH, *OF_POINTS]),
    ],
)
def test_no_price_is_read_outside(name, changed):
    from midstream.kernels import _native

    is_levels = name == "thrifty_levels"
    near = {"nearest": np.zeros(16, np.int32), "halves": np.zeros(16, np.int64)}
    halves = {} if is_levels else {"halves": np.zeros(16, np.int64)}
    good = (near if is_levels else {}) | {
        "numbers": np.zeros(16, np.float32),
        "item": 4,
        "sizes": np.ones(1),
        "rows": np.zeros(16, np.uint8),
        "prices": np.zeros(2 * 3 if is_levels else 4 * 5, np.float32),
        "reach": 1,
        **halves,
        "levels": np.zeros(16, np.int32),
    }
    assert getattr(_native, name)(*good.values()) is None
    with pytest.raises(ValueError, match=r"."):
        getattr(_native, name)(*(good | changed).values())
