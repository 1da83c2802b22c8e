"""Scales fitted to levels: what they minimise, and each implementation against the other."""

from importlib.util import find_spec

import numpy as np
import pytest

from midstream.kernels import numpy_fitting
from midstream.kernels.fits import DELTAS, MARGIN, PADDING, Fit, Prices, seen

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_fitting

    IMPLEMENTATIONS = [numpy_fitting, native_fitting]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_fitting]

SHAPES, CLASSES, WIDTHS, SPREADS = 3, 128, 73, 41
ROWS, COLUMNS, TAPS = range(3)


def prices(seed: int = 1) -> Prices:
    """Of a class at each width: least where they fit, and not smooth."""
    rng = np.random.default_rng(seed)
    level = np.arange(CLASSES)[:, None]
    far = np.arange(WIDTHS) - 8 * np.log2(1 + level)
    costs = 300 * np.arange(1, SHAPES + 1)[:, None, None] + np.where(
        far < 0, 12 * far * far, 40 * far
    )
    costs += rng.uniform(0, 20, costs.shape)
    spread = 0.5 + np.arange(SPREADS)[:, None]
    sent = 2000 * np.log2(2 + spread) + 700 * np.abs(np.arange(DELTAS) - MARGIN) / spread
    padded = np.pad(np.minimum(costs, 65535), ((0, 0), (0, 0), (PADDING, PADDING)), mode="edge")
    return Prices(
        costs=padded.astype(np.uint16), sent=np.minimum(sent, 65535).astype(np.uint16), axis=8192
    )


def classes_of(shape: tuple[int, ...], seed: int, wide: float) -> np.ndarray:
    """Classes that spread otherwise at each place of each dimension."""
    rng = np.random.default_rng(seed)
    scale = np.full(shape, 3.0)
    for at, size in enumerate(shape):
        own = [1] * len(shape)
        own[at] = size
        scale = scale * 2.0 ** (wide * rng.normal(size=own))
    levels = np.abs(rng.normal(size=shape) * scale)
    return np.minimum(levels, CLASSES - 1).astype(np.uint8).ravel()


def dims_of(shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    steps, dims = [1, 1, 1], []
    for size, axis in zip(reversed(shape), reversed(axes), strict=True):
        dims.append((size, axis, steps[axis]))
        steps[axis] *= size
    return np.array(dims[::-1], np.int64)


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request):
    return request.param


def same(one: Fit, other: Fit) -> bool:
    return (
        (one.shape, one.width, one.bits) == (other.shape, other.width, other.bits)
        and dict(one.spreads) == dict(other.spreads)
        and one.deltas.keys() == other.deltas.keys()
        and all(np.array_equal(d, other.deltas[axis]) for axis, d in one.deltas.items())
    )


def cost_of(fit: Fit, classes: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """What a fit costs, added up weight by weight."""
    known, widths = prices(), np.full(shape, fit.width)
    for axis, deltas in fit.deltas.items():
        places = np.zeros(shape, np.int64)
        for dim, (size, _, step) in zip(
            (d for d in range(len(shape)) if axes[d] == axis),
            (row for row in dims_of(shape, axes) if row[1] == axis),
            strict=True,
        ):
            own = [1] * len(shape)
            own[dim] = size
            places += (np.arange(size) * step).reshape(own)
        widths = widths + deltas.astype(np.int64)[places]
    inside = np.clip(widths.ravel(), 0, WIDTHS - 1) + PADDING
    bits = int(known.costs[fit.shape, classes, inside].astype(np.int64).sum())
    for axis, deltas in fit.deltas.items():
        row = known.sent[fit.spreads[axis]].astype(np.int64)
        bits += known.axis + int(row[deltas.astype(np.int64) + MARGIN].sum())
    return bits


CASES = [
    ((1,), (TAPS,)),
    ((50,), (ROWS,)),
    ((20, 15), (ROWS, COLUMNS)),
    ((15, 20), (COLUMNS, ROWS)),
    ((6, 9, 10), (ROWS, TAPS, COLUMNS)),
    ((9, 10, 6), (TAPS, COLUMNS, ROWS)),
    ((5, 6, 3, 8), (TAPS, ROWS, TAPS, COLUMNS)),
    ((2, 300), (ROWS, TAPS)),
    ((300, 2), (TAPS, ROWS)),
]


@pytest.mark.parametrize(("shape", "axes"), CASES)
@pytest.mark.parametrize("wide", [0.0, 0.7, 3.0])
def test_the_bits_are_those_of_the_scales_that_were_found(kernel, shape, axes, wide):
    classes = classes_of(shape, 7, wide)
    found = kernel.fit_scales(classes, dims_of(shape, axes), (0, 1, 2), prices())
    assert found.bits == cost_of(found, classes, shape, axes)
    assert all(deltas.dtype == np.int8 for deltas in found.deltas.values())


@pytest.mark.parametrize(("shape", "axes"), CASES)
@pytest.mark.parametrize("wide", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("tried", [(0, 1, 2), (2, 0)])
def test_implementations_find_the_same(kernel, shape, axes, wide, tried):
    classes, dims = classes_of(shape, 7, wide), dims_of(shape, axes)
    expected = numpy_fitting.fit_scales(classes, dims, tried, prices())
    found = kernel.fit_scales(classes, dims, tried, prices())
    assert same(found, expected)
    others = classes_of(shape, 8, wide)
    expected = numpy_fitting.fit_scales(others, dims, (), prices(), expected)
    assert same(kernel.fit_scales(others, dims, (), prices(), found), expected)


@pytest.mark.parametrize(("shape", "axes"), CASES)
@pytest.mark.parametrize("thin", [1, 2, 3])
def test_implementations_find_the_same_by_some_of_the_weights(kernel, shape, axes, thin):
    dims = dims_of(shape, axes)
    some = classes_of(shape, 7, 0.7)[seen(dims, thin)]
    if not len(some):
        pytest.skip("none is looked at")
    expected = numpy_fitting.fit_scales(some, dims, (0, 1, 2), prices(), None, thin)
    found = kernel.fit_scales(some, dims, (0, 1, 2), prices(), None, thin)
    assert same(found, expected)


@pytest.mark.parametrize("thin", [1, 2, 3])
def test_one_of_so_many_weights_is_looked_at_on_each_place(thin):
    for shape, axes in (((16, 9, 40), (ROWS, TAPS, COLUMNS)), ((3, 3, 300), (TAPS, TAPS, ROWS))):
        places = seen(dims_of(shape, axes), thin)
        assert len(np.unique(places)) == len(places)
        is_seen = np.zeros(shape, bool)
        is_seen.ravel()[places] = True
        assert abs(is_seen.mean() * (1 << thin) - 1) < 0.1
        for axis in range(3):
            others = tuple(at for at in range(3) if at != axis)
            assert is_seen.sum(axis=others).all() or shape[axis] == 300


def test_scales_of_all_are_found_by_some(kernel):
    shape, axes = (8, 4000), (ROWS, COLUMNS)
    levels = np.random.default_rng(5).normal(size=shape) * 4 * 2.0 ** np.arange(8)[:, None] / 8
    classes = np.minimum(np.abs(levels), CLASSES - 1).astype(np.uint8).ravel()
    dims = dims_of(shape, axes)
    whole = kernel.fit_scales(classes, dims, (ROWS,), prices())
    some = kernel.fit_scales(classes[seen(dims, 2)], dims, (ROWS,), prices(), None, 2)
    assert abs(some.bits / whole.bits - 1) < 0.02
    assert np.abs(some.deltas[ROWS].astype(int) - whole.deltas[ROWS]).max() <= 1


def test_without_axes_the_cheapest_of_all_tables_is_taken(kernel):
    classes = classes_of((900,), 3, 0.0)
    found = kernel.fit_scales(classes, dims_of((900,), (TAPS,)), (), prices())
    inside = prices().costs[:, :, PADDING:-PADDING].astype(np.int64)
    bits = inside[:, classes].sum(axis=1)
    assert found.bits == bits.min()
    assert (found.shape, found.width) == np.unravel_index(bits.argmin(), bits.shape)


def test_scales_are_found_however_far_they_are(kernel):
    classes = np.repeat(np.array([0, 100, 1, 3, 3, 3, 3, 127], np.uint8), 4000)
    found = kernel.fit_scales(classes, dims_of((8, 4000), (ROWS, TAPS)), (ROWS,), prices())
    inside = prices().costs[found.shape, :, PADDING:-PADDING].astype(np.int64)
    widths = np.clip(found.width + found.deltas[ROWS].astype(np.int64), 0, WIDTHS - 1)
    best = inside[classes[::4000]].argmin(axis=1)
    assert np.abs(widths - best).max() <= 2
    assert np.ptp(found.deltas[ROWS].astype(np.int64)) > 40


def test_more_weights_on_a_place_than_32_bits_hold_the_bits_of(kernel):
    classes = np.full(1 << 18, 127, np.uint8)
    dear = Prices(costs=np.full_like(prices().costs, 65535), sent=prices().sent, axis=0)
    found = kernel.fit_scales(classes, dims_of((2, 1 << 17), (ROWS, TAPS)), (ROWS,), dear)
    assert found.bits == 65535 << 18


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    "changed",
    [
        {"classes": np.zeros(0, np.uint8)},
        {"classes": np.zeros(13, np.uint8)},
        {"classes": np.full(12, 128, np.uint8)},
        {"dims": np.array([[4, 0, 1], [3, 1, 2]], np.int64)},
        {"dims": np.array([[4, 3, 1], [3, 1, 1]], np.int64)},
        {"dims": np.array([[4, 0, 1], [-3, 1, 1]], np.int64)},
        {"dims": np.array([[4, 0, 1], [1 << 62, 1, 1]], np.int64)},
        {"dims": np.zeros(0, np.int64)},
        {"dims": np.array([[1, 0, 1]] * 9, np.int64)},
        {"dims": np.zeros(4, np.int64)},
        {"tried": b"\x03"},
        {"costs": np.zeros(SHAPES * CLASSES * WIDTHS, np.uint16)},
        {"sent": np.zeros(SPREADS * DELTAS - 1, np.uint16)},
        {"deltas": np.zeros(7, np.int8)},
        {"deltas": np.full(8, MARGIN + 1, np.int8)},
        {"state": np.array([3, 0, 0, -1, -1, -1], np.int64)},
        {"state": np.array([0, 1 << 40, 0, -1, -1, -1], np.int64)},
        {"state": np.array([0, 0, 0, SPREADS, -1, -1], np.int64)},
        {"state": np.array([0, 0, 0, -2, -1, -1], np.int64)},
        {"state": np.zeros(5, np.int64)},
        {"memory": np.zeros(100, np.uint8)},
        {"weights": 13},
        {"weights": 0},
        {"weights": -12},
        {"thin": 1},
        {"thin": 4},
        {"thin": -1},
    ],
)
def test_nothing_is_fitted_outside(changed):
    from midstream.kernels import _native

    good = {
        "classes": np.zeros(12, np.uint8),
        "dims": dims_of((4, 3), (ROWS, COLUMNS)),
        "tried": b"\x00\x01",
        "costs": prices().costs,
        "sent": prices().sent,
        "deltas": np.zeros(8, np.int8),
        "state": np.array([0, 0, 0, -1, -1, -1], np.int64),
        "memory": np.zeros(4 * 206 + 4 * 289 * CLASSES, np.uint8),
        "axis cost": 8192,
        "weights": 12,
        "thin": 0,
    }
    assert _native.fit_scales(*good.values()) is None
    good["state"][:] = 0, 0, 0, -1, -1, -1
    with pytest.raises(ValueError, match=r"."):
        _native.fit_scales(*(good | changed).values())
