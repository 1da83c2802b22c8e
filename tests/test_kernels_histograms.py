"""Classes of levels, each implementation against plain Python."""

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


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(("halves", "classes"), [(3, 2), (2, 3), (2, 1)])
def test_no_class_is_written_outside(halves, classes):
    from midstream.kernels import _native

    with pytest.raises(ValueError, match=r"."):
        _native.level_classes(
            np.zeros(2, np.int32), np.zeros(halves, np.int64), np.zeros(classes, np.uint8)
        )
