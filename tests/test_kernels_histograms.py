"""Classes and counts of levels, each implementation against plain Python."""

from collections import Counter
from importlib.util import find_spec

import numpy as np
import pytest

from midstream.kernels import LEVEL_CLASSES, numpy_histograms

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_histograms

    IMPLEMENTATIONS = [numpy_histograms, native_histograms]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_histograms]

LEVELS = [
    *range(-20, 21),
    23,
    24,
    27,
    28,
    31,
    32,
    1 << 15,
    65534,
    65535,
    65536,
    1 << 30,
    -(1 << 30),
]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request):
    return request.param


def class_of(magnitude: int) -> int:
    """Exact up to 15, then quarters of octaves up to 2**16."""
    magnitude = min(magnitude, 65535)
    if magnitude < 16:
        return magnitude
    octave = magnitude.bit_length() - 1
    return 16 + 4 * (octave - 4) + (magnitude >> (octave - 2)) - 4


def test_the_class_of_a_level_is_that_of_its_magnitude(kernel):
    found = kernel.level_classes(np.array(LEVELS, np.int32))
    assert found.dtype == np.uint8
    assert found.tolist() == [class_of(abs(level)) for level in LEVELS]
    assert found.max() == LEVEL_CLASSES - 1


def test_the_class_of_an_expected_level_is_that_of_its_distance(kernel):
    means = [-(1 << 33), -(1 << 31), -41, -3, -2, -1, 0, 1, 2, 3, 40, 1 << 31, 1 << 33]
    pairs = [(level, mean) for level in LEVELS for mean in means]
    levels = np.array([level for level, _ in pairs], np.int32)
    halves = np.array([mean for _, mean in pairs], np.int64)
    distances = [abs(2 * level - mean) for level, mean in pairs]
    expected = [class_of((d + 1) // 2) + LEVEL_CLASSES * (d % 2) for d in distances]
    assert kernel.level_classes(levels, halves).tolist() == expected


@pytest.mark.parametrize("mean", [-(1 << 63), (1 << 63) - 1])
def test_a_mean_that_no_levels_have_has_a_class_too(kernel, mean):
    levels = np.array([-(1 << 31), -1, 0, 1, (1 << 31) - 1], np.int32)
    halves = np.full(len(levels), mean, np.int64)
    expected = numpy_histograms.level_classes(levels, halves)
    assert kernel.level_classes(levels, halves).tolist() == expected.tolist()


@pytest.mark.parametrize("count", [0, 1])
def test_as_few_levels_as_there_are_have_classes(kernel, count):
    levels = np.full(count, 3, np.int32)
    assert kernel.level_classes(levels).tolist() == [3] * count
    assert kernel.level_classes(levels, np.full(count, 1)).tolist() == [3 + LEVEL_CLASSES] * count


@pytest.mark.parametrize(
    ("size", "stride", "count"),
    [(1, 1, 50), (1, 50, 50), (5, 1, 40), (7, 3, 63), (4, 100, 800), (3, 2, 0), (2, 1, 1)],
)
def test_weights_are_counted_by_place_shift_and_class(kernel, size, stride, count):
    rng = np.random.default_rng(size)
    classes = rng.integers(0, 100, count).astype(np.uint8)
    shifts = rng.integers(-9, 4, count).astype(np.int16)
    found = kernel.count_classes(
        classes, shifts, depth=100, low=-9, span=13, stride=stride, size=size
    )
    cells = zip(range(count), shifts.tolist(), classes.tolist(), strict=True)
    expected = Counter((i // stride % size, shift + 9, c) for i, shift, c in cells)
    assert found.shape == (size, 13, 100)
    assert found.dtype == np.int32
    assert {cell: int(found[cell]) for cell in zip(*np.nonzero(found), strict=True)} == expected


def test_shifts_may_be_as_far_from_zero_as_they_can(kernel):
    classes = np.array([0, 255], np.uint8)
    shifts = np.array([-32768, 32767], np.int16)
    found = kernel.count_classes(
        classes, shifts, depth=256, low=-32768, span=65536, stride=1, size=1
    )
    assert found.sum() == found[0, 0, 0] + found[0, 65535, 255] == 2


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    "changed",
    [
        {"depth": 2},
        {"low": 1},
        {"low": -9},
        {"low": 1 << 40},
        {"span": 1},
        {"stride": 0},
        {"size": 3},
        {"size": 0},
        {"depth": 0},
        {"depth": 1 << 40},
        {"span": 1 << 40},
        {"classes": np.zeros(3, np.uint8)},
        {"classes": np.array([3, 0, 0, 0], np.uint8)},
        {"shifts": np.array([0, 0, -1, 0], np.int16)},
        {"shifts": np.zeros(7, np.uint8)},
        {"counts": np.zeros(11, np.int32)},
        {"counts": np.zeros(12, np.int64)},
    ],
)
def test_no_count_is_written_outside(changed):
    from midstream.kernels import _native

    good = {
        "classes": np.array([2, 0, 1, 2], np.uint8),
        "shifts": np.array([0, 1, 1, 0], np.int16),
        "stride": 1,
        "size": 2,
        "low": 0,
        "span": 2,
        "depth": 3,
        "counts": np.zeros(12, np.int32),
    }
    assert _native.count_classes(*good.values()) is None
    with pytest.raises(ValueError, match=r"."):
        _native.count_classes(*(good | changed).values())


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(("halves", "classes"), [(3, 2), (2, 3), (2, 1)])
def test_no_class_is_written_outside(halves, classes):
    from midstream.kernels import _native

    with pytest.raises(ValueError, match=r"."):
        _native.level_classes(
            np.zeros(2, np.int32), np.zeros(halves, np.int64), np.zeros(classes, np.uint8)
        )


@pytest.mark.parametrize(("size", "span", "depth"), [(1, 1, 1), (1, 3, 2), (40, 1, 7), (40, 5, 9)])
def test_counts_of_all_places_are_added_where_they_were_shifted_to(kernel, size, span, depth):
    rng = np.random.default_rng(size)
    counts = rng.integers(0, 1000, (size, span, depth)).astype(np.int32)
    shifts = rng.integers(-48, 49, size).astype(np.int16)
    low, sums = kernel.add_shifted(counts, shifts)
    assert low == shifts.min()
    expected = np.zeros((span + int(shifts.max()) - low, depth), np.int32)
    for place, shift in enumerate(shifts.tolist()):
        for at in range(span):
            expected[shift - low + at] += counts[place, at]
    assert sums.dtype == np.int32
    assert np.array_equal(sums, expected)


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    "changed",
    [
        {"counts": np.zeros(11, np.int32)},
        {"shifts": np.zeros(3, np.int16)},
        {"shifts": np.array([0, 2], np.int16)},
        {"shifts": np.array([-1, 0], np.int16)},
        {"low": 1},
        {"spread": 0},
        {"spread": 1 << 40},
        {"span": 0},
        {"depth": 1 << 40},
        {"sums": np.zeros(8, np.int32)},
        {"sums": np.zeros(10, np.int32)},
    ],
)
def test_no_sum_is_written_outside(changed):
    from midstream.kernels import _native

    good = {
        "counts": np.zeros(12, np.int32),
        "shifts": np.array([0, 1], np.int16),
        "low": 0,
        "spread": 2,
        "span": 2,
        "depth": 3,
        "sums": np.zeros(9, np.int32),
    }
    assert _native.add_shifted(*good.values()) is None
    with pytest.raises(ValueError, match=r"."):
        _native.add_shifted(*(good | changed).values())
