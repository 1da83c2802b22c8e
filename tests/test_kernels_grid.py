"""Levels to weights, each implementation against NumPy's own arithmetic."""

from importlib.util import find_spec

import numpy as np
import pytest

from midstream.kernels import numpy_grid

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_grid

    IMPLEMENTATIONS = [numpy_grid, native_grid]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_grid]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request):
    return request.param


@pytest.mark.parametrize(
    ("size", "stride", "start", "count"),
    [
        (1, 1, 0, 9),
        (5, 1, 3, 40),
        (7, 3, 0, 21),
        (7, 3, 20, 50),
        (7, 3, 8, 41),
        (2, 63, 190, 260),
        (65, 63, 9, 8200),
        (66, 63, 9, 8400),
        (4, 100, 399, 3),
        (3, 2, 1, 0),
    ],
)
def test_each_weight_gets_what_is_said_of_its_place(kernel, size, stride, start, count):
    deltas = np.random.default_rng(size).integers(-128, 128, size).astype(np.int8)
    totals = np.arange(count, dtype=np.int16)
    kernel.add_along(totals, deltas, stride=stride, start=start, factor=8)
    expected = [i + 8 * int(deltas[(start + i) // stride % size]) for i in range(count)]
    assert totals.tolist() == expected


def random_grid(seed: int, weights: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, their steps, one by one and in runs, and sizes of the steps from -40 on."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(-(1 << 30), (1 << 30) + 1, weights) >> rng.integers(0, 31, weights)
    steps = np.where(np.arange(weights) % 100 < 50, 3, rng.integers(-40, 41, weights))
    # with levels of 1 to 2**30: subnormal, normal and infinite numbers of each type
    sizes = 2.0 ** (np.arange(-40, 41) * 4.5) * rng.uniform(1, 2, 81)
    return levels.astype(np.int32), steps.astype(np.int32), sizes


def scaled(kernel, levels: np.ndarray, *args, precision: int, **options) -> np.ndarray:
    """What `scale_floats` writes, here where no float would be aligned."""
    kind = {24: "<f4", 11: "<f2", 8: "<u2"}[precision]
    room = bytearray(1 + len(levels) * np.dtype(kind).itemsize)
    kernel.scale_floats(levels, *args, memoryview(room)[1:], precision=precision, **options)
    return np.frombuffer(room[1:], kind)


@pytest.mark.parametrize(("precision", "kind"), [(24, "<f4"), (11, "<f2"), (8, "<u2")])
def test_one_step_may_be_said_once(kernel, precision, kind):
    levels, _, sizes = random_grid(1)
    levels %= 300  # some beyond the levels that are looked up
    once = scaled(kernel, levels, np.array([2], np.int32), sizes, first=-40, precision=precision)
    each = np.full(len(levels), 2, np.int32)
    for part in (slice(0, 900), slice(None)):
        again = scaled(numpy_grid, levels[part], each[part], sizes, first=-40, precision=precision)
        assert once[part].tobytes() == again.tobytes()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("precision", "kind"), [(24, "<f4"), (11, "<f2")])
def test_floats_are_rounded_once(kernel, seed, precision, kind):
    levels, steps, sizes = random_grid(seed)
    found = scaled(kernel, levels, steps, sizes, first=-40, precision=precision)
    with np.errstate(over="ignore", under="ignore"):
        assert found.tobytes() == (levels * sizes[steps + 40]).astype(kind).tobytes()


@pytest.mark.parametrize("octave", [-150, -40, -30, -25, -24, -20, -9, 0, 5, 12, 125])
def test_many_levels_of_one_step_are_the_same_float16(kernel, octave):
    rng = np.random.default_rng(octave + 200)
    levels = rng.integers(-2048, 2049, 5003).astype(np.int32)
    levels[::7] = rng.integers(-(1 << 30), 1 << 30, len(levels[::7]))
    for significand in (1.0, 1.0 + 2**-11, 1.5, *rng.uniform(1, 2, 5)):
        sizes, steps = np.array([significand * 2.0**octave]), np.zeros(1, np.int32)
        expected = scaled(numpy_grid, levels, steps, sizes, first=0, precision=11)
        found = scaled(kernel, levels, steps, sizes, first=0, precision=11)
        assert found.tobytes() == expected.tobytes()


def test_every_tie_of_float16_goes_to_even(kernel):
    # half way between all float16 numbers, and all subnormal ones
    levels = np.concatenate([np.arange(1 << 13), -np.arange(1 << 13)]).astype(np.int32)
    sizes = 2.0 ** np.arange(-27, 6)
    for step in range(len(sizes)):
        steps = np.full(len(levels), step, np.int32)
        found = scaled(kernel, levels, steps, sizes, first=0, precision=11)
        with np.errstate(over="ignore"):
            expected = (levels * sizes[step]).astype("<f2")
        # level 0 has no sign, whatever the sign of its step
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_bfloat16_is_rounded_twice(kernel, seed):
    levels, steps, sizes = random_grid(seed)
    found = scaled(kernel, levels, steps, sizes, first=-40, precision=8)
    with np.errstate(over="ignore", under="ignore"):
        bits = (levels * sizes[steps + 40]).astype(np.float32).view(np.uint32).astype(np.int64)
    even = bits >> 16
    rest = bits & 0xFFFF
    assert (
        found.tolist() == (even + ((rest > 0x8000) | ((rest == 0x8000) & (even & 1 == 1)))).tolist()
    )


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [("i1", (-128, 127)), ("u1", (0, 255)), ("i1", (-8, 7)), ("<i4", (-(1 << 31), (1 << 31) - 1))],
)
def test_integers_are_clipped(kernel, kind, bounds):
    rng = np.random.default_rng(0)
    levels = np.append(rng.integers(-300, 300, 500), [-(1 << 31), (1 << 31) - 1] * 20)
    steps = rng.integers(0, 21, len(levels))
    offsets = np.append(rng.integers(-10, 10, 500), [-(1 << 31), (1 << 31) - 1] * 20)
    found = kernel.scale_integers(
        levels.astype(np.int32),
        steps.astype(np.int32),
        3 ** np.arange(21, dtype=np.int64),
        offsets.astype(np.int32),
        bounds=bounds,
        kind=kind,
    )
    exact = [
        min(max(int(level) * 3 ** int(step) + int(offset), bounds[0]), bounds[1])
        for level, step, offset in zip(levels, steps, offsets, strict=True)
    ]
    assert found.dtype == np.dtype(kind)
    assert found.tolist() == exact


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    "changed",
    [
        {"steps": np.array([0, 0, 2], np.int32)},
        {"steps": np.array([-1, 0, 0], np.int32)},
        {"steps": np.array([0, 0], np.int32)},
        {"sizes": np.zeros(0)},
        {"precision": 12},
        {"first": 1},
        {"out": np.zeros(11, np.uint8)},
    ],
)
def test_c_refuses_steps_that_have_no_size(changed):
    given = {
        "levels": np.ones(3, np.int32),
        "steps": np.array([0, 1, 0], np.int32),
        "sizes": np.ones(2),
        "out": np.zeros(12, np.uint8),
        "first": 0,
        "precision": 24,
    }
    native_grid.scale_floats(**given)
    assert given["out"].view("<f4").tolist() == [1, 1, 1]
    with pytest.raises((ValueError, KeyError)):
        native_grid.scale_floats(**given | changed)


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    "changed",
    [
        {"powers": np.array([1, 3**20 + 1])},
        {"powers": np.array([1, -1])},
        {"powers": np.array([1])},
        {"offsets": np.zeros(1, np.int32)},
        {"steps": np.array([-1, 0], np.int32)},
        {"kind": "<i2"},
    ],
)
def test_c_refuses_powers_that_overflow(changed):
    given = {
        "levels": np.ones(2, np.int32),
        "steps": np.array([0, 1], np.int32),
        "powers": np.array([1, 3]),
        "offsets": np.zeros(2, np.int32),
        "bounds": (-128, 127),
        "kind": "i1",
    }
    assert native_grid.scale_integers(**given).tolist() == [1, 3]
    with pytest.raises(ValueError, match=r"."):
        native_grid.scale_integers(**given | changed)


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    ("size", "stride", "start"), [(0, 1, 0), (2, 0, 0), (2, -1, 0), (2, 1, -1)]
)
def test_c_refuses_an_axis_of_nothing(size, stride, start):
    with pytest.raises(ValueError, match="an axis of nothing"):
        native_grid.add_along(
            np.zeros(3, np.int16), np.zeros(size, np.int8), stride=stride, start=start
        )
