"""codec.fitting in C and step by step: the same scales and predictors of the same levels."""

import numpy as np
import pytest

from midstream import kernels
from midstream.codec import TensorCode, fitting
from midstream.types import DType, Tensor

SHAPES = [
    ((40, 3, 3, 17), 0, 3),
    ((90,), None, None),
    ((7, 2), 0, 1),
    ((210, 190), 0, 1),
    ((1, 5, 5, 120), 3, None),
    ((64, 32, 3), 0, 1),
]
needs_c = pytest.mark.skipif(kernels.NAME != "native", reason="no compiler")


def tensor(shape, row, column):
    return Tensor(
        name="t", dtype=DType.FLOAT32, shape=shape, offset=0, row_axis=row, column_axis=column
    )


def levels(shape, seed):
    """Rows spread differently; where the seed is odd, neighbours resemble each other."""
    rng = np.random.default_rng(seed)
    values = rng.laplace(0, 10 ** rng.uniform(-1, 3), shape)
    values *= np.exp2(rng.normal(0, 1, (shape[0],) + (1,) * (len(shape) - 1)))
    if seed % 2:
        values = np.cumsum(values, axis=int(rng.integers(0, len(shape))))
    return np.rint(values.ravel()).astype(np.int32)


def facts(code):
    vectors = [None if own is None else own.tolist() for own in code.axes]
    return code.shape, code.width, code.predictor, vectors


@pytest.fixture
def step_by_step(monkeypatch):
    def switch():
        monkeypatch.setattr(fitting, "ways_in_c", None)
        monkeypatch.setattr(fitting, "refit_in_c", None)

    return switch


@needs_c
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_rough", [False, True])
def test_one_call_finds_what_steps_find(shape, seed, is_rough, step_by_step):
    own, known = levels(shape[0], seed), tensor(*shape)
    ways = fitting.fit_ways(own, known, TensorCode(step=3), is_rough=is_rough)
    again = fitting.refit(own // 2, known, ways.code)
    step_by_step()
    steps = fitting.fit_ways(own, known, TensorCode(step=3), is_rough=is_rough)
    assert facts(ways.code) == facts(steps.code)
    assert facts(ways.unpredicted) == facts(steps.unpredicted)
    assert ways.bits == steps.bits
    assert facts(again) == facts(fitting.refit(own // 2, known, steps.code))


def test_some_weights_tell_about_what_all_do():
    for shape in SHAPES:
        own, known = levels(shape[0], 2), tensor(*shape)
        whole, some = (
            fitting.fit_ways(own, known, TensorCode(), is_rough=r) for r in (False, True)
        )
        assert abs(some.bits / whole.bits - 1) < 0.02
        assert (facts(some.code) == facts(whole.code)) == (known.weights < 8000)


@needs_c
def test_a_predictor_is_among_what_is_compared():
    found = fitting.fit_ways(levels((210, 190), 1), tensor(*SHAPES[3]), TensorCode())
    assert found.code.predictor
    assert not found.unpredicted.predictor


@needs_c
def test_a_predictor_that_would_not_be_chosen_is_kept():
    """It is found step by step: C knows only what may be chosen."""
    own, known = levels((90,), 0), tensor(*SHAPES[1])
    code = fitting.refit(own, known, TensorCode(shape=1, width=20, predictor=((7, 16),)))
    assert code.predictor == ((7, 16),)


def arguments():
    """Of twelve levels in four rows and three columns, with one neighbour."""
    prices = fitting._prices()
    return {
        "levels": np.zeros(12, np.int32),
        "dims": np.array([[4, 0, 1], [3, 1, 1]], np.int64),
        "tried": b"\x00\x01",
        "neighbours": np.array([[1, 3, 4]], np.int64),
        "scales": np.ones(256, np.float32),
        "costs": prices.costs,
        "sent": prices.sent,
        "deltas": np.zeros(24, np.int8),
        "best": np.array([0, 0, 0, -1, -1, -1], np.int64),
        "unpredicted": np.zeros(6, np.int64),
        "predictor": np.zeros(12, np.int64),
        "memory": np.zeros(4 * 206 + 4 * 289 * 128, np.uint8),
        "room": np.zeros(8 * 4096 + 2 * 32768 + 12, np.uint8),
        "axis cost": 8192,
        "term cost": 12288,
        "terms": 0,
        "thin": 0,
    }


@needs_c
@pytest.mark.parametrize(
    "changed",
    [
        {"levels": np.zeros(0, np.int32)},
        {"levels": np.zeros(13, np.int32)},
        {"dims": np.array([[4, 3, 1], [3, 1, 1]], np.int64)},
        {"tried": b"\x03"},
        {"neighbours": np.array([1, 3], np.int64)},
        {"neighbours": np.array([[0, 3, 4]], np.int64)},
        {"neighbours": np.array([[1, 0, 4]], np.int64)},
        {"neighbours": np.array([[1, 3, 4], [1, 4, 4]], np.int64)},
        {"neighbours": np.array([[1, 3, 4]] * 11, np.int64)},
        {"scales": np.ones(255, np.float32)},
        {"costs": np.zeros(7, np.uint16)},
        {"sent": np.zeros(7, np.uint16)},
        {"deltas": np.zeros(23, np.int8)},
        {"deltas": np.full(24, 49, np.int8)},
        {"best": np.array([3, 0, 0, -1, -1, -1], np.int64)},
        {"best": np.zeros(5, np.int64)},
        {"unpredicted": np.zeros(5, np.int64)},
        {"predictor": np.zeros(11, np.int64)},
        {"memory": np.zeros(100, np.uint8)},
        {"room": np.zeros(100, np.uint8)},
        {"terms": -1},
        {"terms": 7},
        {"thin": -1},
        {"thin": 4},
        {"terms": 1, "predictor": np.array([1, 5] + [0] * 10, np.int64)},
        {"terms": 1, "predictor": np.array([0, 65] + [0] * 10, np.int64)},
    ],
)
def test_nothing_is_fitted_outside(changed):
    from midstream.kernels import _native

    assert _native.fit_ways(*arguments().values()) == 0
    with pytest.raises(ValueError, match=r"."):
        _native.fit_ways(*(arguments() | changed).values())
