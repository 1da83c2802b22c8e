"""Fields that are floats, each implementation against bits taken one by one."""

from importlib.util import find_spec

import numpy as np
import pytest

from midstream.kernels import numpy_ranges, pack_bits

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_ranges

    IMPLEMENTATIONS = [numpy_ranges, native_ranges]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_ranges]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request):
    return request.param


def random_ranges(seed: int, weights: int, bits: int) -> dict[str, np.ndarray]:
    """Ranges of five symbols in three octaves from -2 on, and weights in them."""
    rng = np.random.default_rng(seed)
    return {
        "symbols": rng.integers(0, 5, weights).astype(np.uint8),
        "octaves": rng.integers(-2, 1, weights).astype(np.int16),
        "lows": rng.integers(0, 1 << bits - 2, (3, 5)),
        "widths": rng.integers(0, bits + 1, (3, 5)),
    }


def packed(found: dict[str, np.ndarray], seed: int) -> tuple[np.ndarray, np.ndarray]:
    widths = found["widths"][found["octaves"] + 2, found["symbols"]]
    fields = np.random.default_rng(seed).integers(0, 1 << 62, len(widths)) & (1 << widths) - 1
    return fields, np.frombuffer(pack_bits(fields.astype(np.uint64), widths), np.uint8)


@pytest.mark.parametrize("weights", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("trailing", [0, 3])
@pytest.mark.parametrize("bits", [16, 32])
def test_a_field_is_a_sign_and_a_place_in_a_range(kernel, bits, trailing, weights):
    ranges = random_ranges(weights, weights, bits)
    fields, data = packed(ranges, weights)
    read = kernel.read_ranges(data, **ranges, first=-2, trailing=trailing, bits=bits)
    assert read is not None
    lows = ranges["lows"][ranges["octaves"] + 2, ranges["symbols"]].tolist()
    expected = [
        (low + (field >> 1 << trailing) | (field & 1) << bits - 1) % (1 << bits)
        for low, field in zip(lows, fields.tolist(), strict=True)
    ]
    assert read[0].tolist() == expected
    assert read[0].dtype.itemsize == bits // 8
    assert read[1] == len(data)


def test_what_follows_the_fields_is_not_theirs(kernel):
    ranges = random_ranges(3, 100, 32)
    _, data = packed(ranges, 3)
    longer = np.append(data, np.arange(20, dtype=np.uint8))
    alone = kernel.read_ranges(data, **ranges, first=-2, trailing=0, bits=32)
    followed = kernel.read_ranges(longer, **ranges, first=-2, trailing=0, bits=32)
    assert np.array_equal(alone[0], followed[0])
    assert alone[1] == followed[1] == len(data)


def test_fields_of_57_bits_are_read_whole(kernel):
    widths = np.full((1, 1), 57)
    fields = np.random.default_rng(0).integers(0, 1 << 57, 50)
    data = np.frombuffer(pack_bits(fields.astype(np.uint64), np.full(50, 57)), np.uint8)
    symbols, octaves = np.zeros(50, np.uint8), np.zeros(50, np.int16)
    lows = np.zeros((1, 1), np.int64)
    read = kernel.read_ranges(data, symbols, octaves, lows, widths, first=0, trailing=0, bits=32)
    assert read[0].tolist() == [(f >> 1 | f << 31) % (1 << 32) for f in fields.tolist()]
    assert read[1] == len(data)


@pytest.mark.parametrize("missing", [1, 9, 60])
def test_fields_that_end_early_are_none(kernel, missing):
    ranges = random_ranges(4, 100, 32)
    _, data = packed(ranges, 4)
    assert kernel.read_ranges(data[:-missing], **ranges, first=-2, trailing=0, bits=32) is None


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler here")
@pytest.mark.parametrize(
    "changed",
    [
        {"symbols": np.full(9, 5, np.uint8)},
        {"octaves": np.full(9, 1, np.int16)},
        {"octaves": np.full(9, -3, np.int16)},
        {"octaves": np.full(8, -2, np.int16)},
        {"widths": np.full((3, 5), 58)},
        {"widths": np.full((3, 5), -1)},
        {"widths": np.full((2, 5), 1)},
        {"trailing": 64},
        {"first": 1 << 40},
    ],
)
def test_ranges_that_are_not_there_are_refused(changed):
    arguments = random_ranges(5, 9, 32) | {"first": -2, "trailing": 0, "bits": 32} | changed
    with pytest.raises(ValueError, match=r"."):
        native_ranges.read_ranges(np.zeros(1000, np.uint8), **arguments)
