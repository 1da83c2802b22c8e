"""Nearest levels and their errors, each implementation against plain Python."""

from importlib.util import find_spec

import numpy as np
import pytest

from midstream.kernels import numpy_nearest

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_nearest

    IMPLEMENTATIONS = [numpy_nearest, native_nearest]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_nearest]

MOST = 1 << 30
COUNTS = [0, 1, 7, 8, 9, 1000]
KINDS = [np.float32, np.float64]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request):
    return request.param


def weights(count: int, kind: type) -> np.ndarray:
    rng = np.random.default_rng(count)
    return (rng.normal(size=count) * 2.0 ** rng.integers(-6, 12, count)).astype(kind)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offset", [0.0, -3.0])
def test_levels_are_the_nearest_ones(kernel, count, kind, offset):
    numbers = weights(count, kind)
    sizes = 2.0 ** np.random.default_rng(9).integers(-5, 3, count) * 1.1
    for given in (sizes, np.array([0.37])):
        found = kernel.nearest_levels(numbers, given, offset)
        each = np.broadcast_to(given, count).tolist()
        expected = [round((n - offset) / s) for n, s in zip(numbers.tolist(), each, strict=True)]
        assert found.dtype == np.int32
        assert found.tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_ties_go_to_even_and_zeros_have_no_sign(kernel, kind):
    numbers = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.0, -0.0, 1e-30], kind)
    found = kernel.nearest_levels(numbers, np.ones(1))
    assert found.tolist() == [0, 2, 2, 0, -2, -2, 0, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_levels_are_never_far_from_zero(kernel, kind):
    numbers = np.array([MOST, -MOST, 1.5 * MOST, 1e38, -1e38, np.inf, -np.inf, np.nan], kind)
    found = kernel.nearest_levels(numbers, np.ones(1))
    assert found.tolist() == [MOST, -MOST, MOST, MOST, -MOST, MOST, -MOST, -MOST]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offset", [0.0, 11.0])
def test_squares_are_added_in_eight_sums(kernel, count, kind, offset):
    numbers = weights(count, kind)
    sizes = 2.0 ** np.random.default_rng(9).integers(-5, 3, count) * 1.1
    nearest = kernel.nearest_levels(numbers, sizes, offset)
    for levels in (None, nearest, nearest + np.int32(2)):
        sums = [0.0] * 8
        used = (nearest if levels is None else levels).tolist()
        for at, (n, s, level) in enumerate(
            zip(numbers.tolist(), sizes.tolist(), used, strict=True)
        ):
            sums[at % 8] += (n - offset - level * s) ** 2
        total = 0.0
        for each in sums:
            total += each
        assert kernel.squared_error(numbers, sizes, offset, levels) == total


@pytest.mark.parametrize("kind", KINDS)
def test_one_size_is_that_of_all_weights(kernel, kind):
    numbers, levels = weights(1000, kind), np.arange(1000, dtype=np.int32)
    for known in (None, levels):
        one = kernel.squared_error(numbers, np.array([0.3]), 0.0, known)
        assert one == kernel.squared_error(numbers, np.full(1000, 0.3), 0.0, known)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[], [0], [1000], [3, 0, 7, 16, 9, 1, 900]])
def test_errors_of_tensors_are_those_of_each(kernel, kind, sizes):
    count = sum(sizes)
    numbers, size = weights(count, kind), np.array([0.37])
    levels = numpy_nearest.nearest_levels(numbers, size) + np.arange(count, dtype=np.int32) % 3
    stops = np.cumsum(sizes, dtype=np.int64)
    found = kernel.squared_errors(numbers, size, levels, stops)
    each = zip(np.split(numbers, stops)[: len(sizes)], np.split(levels, stops), strict=False)
    assert found == [numpy_nearest.squared_error(own, size, 0.0, near) for own, near in each]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1003])
def test_distances_are_added_up_as_errors_are(kernel, count):
    one, other = weights(count, np.float32), weights(count + 1, np.float32)[:count]
    found = kernel.squared_distance(one, other)
    assert found == numpy_nearest.squared_distance(one, other)
    errors = one.astype(np.float64) - other
    assert found == numpy_nearest.squared_error(errors, np.array([2.0**1000]))
    assert found == pytest.approx(float(errors @ errors))


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler here")
@pytest.mark.parametrize("others", [np.zeros(3, np.float32), np.zeros(5, np.float32)])
def test_no_distance_is_read_outside(others):
    with pytest.raises(ValueError, match=r"."):
        native_nearest.squared_distance(np.zeros(4, np.float32), others)


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler here")
@pytest.mark.parametrize("stops", [[], [7], [9], [5, 4, 8], [-1, 8], [8, 1 << 62, 8]])
def test_tensors_that_do_not_fill_the_weights_are_refused(stops):
    numbers, levels = np.ones(8, np.float32), np.ones(8, np.int32)
    with pytest.raises(ValueError, match="tensor"):
        native_nearest.squared_errors(numbers, np.ones(1), levels, np.array(stops, np.int64))


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize("name", ["nearest_levels", "squared_error"])
@pytest.mark.parametrize(
    "changed",
    [
        {"item": 2},
        {"item": 8},
        {"numbers": np.zeros(5, np.float32)},
        {"numbers": np.zeros(17, np.uint8)[1:]},
        {"sizes": np.ones(3)},
        {"sizes": np.ones(0)},
        {"levels": np.zeros(3, np.int32)},
        {"levels": np.zeros(4, np.int64)},
    ],
)
def test_no_size_is_believed(name, changed):
    from midstream.kernels import _native

    good = {
        "numbers": np.zeros(4, np.float32),
        "item": 4,
        "sizes": np.ones(1),
        "offset": 0.0,
        "levels": np.zeros(4, np.int32),
    }
    getattr(_native, name)(*good.values())
    with pytest.raises(ValueError, match=r"."):
        getattr(_native, name)(*(good | changed).values())


def test_halves_are_widened_exactly(kernel):
    """All of them: denormals, infinities, zeros of both signs, and what is not a number."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    found = kernel.widen_halves(halves)
    assert found.dtype == np.float32
    is_none = np.isnan(halves)
    assert np.array_equal(np.isnan(found), is_none)
    expected = halves[~is_none].astype(np.float32)
    assert found[~is_none].tobytes() == expected.tobytes()


@pytest.mark.parametrize("count", COUNTS)
def test_halves_of_any_number_are_widened(kernel, count):
    halves = weights(count, np.float32).astype(np.float16)
    assert kernel.widen_halves(halves).tolist() == halves.tolist()
