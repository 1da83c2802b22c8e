"""Thrifty levels made and fitted by one call in C: the same as step by step."""

import numpy as np
import pytest

from midstream import kernels
from midstream.encoder import making
from midstream.encoder.economy import Trial
from midstream.encoder.weights import load
from midstream.formats import open_model
from tensorfiles import normal, safetensors

needs_c = pytest.mark.skipif(kernels.NAME != "native", reason="no compiler")


def smooth(*shape, axis):
    return np.cumsum(normal(*shape), axis=axis, dtype=np.float32)


TENSORS = {
    "matrix": (normal(120, 90), [(0, 10_800)]),
    "vector": (normal(70), [(0, 70)]),
    "predicted": (smooth(90, 64, axis=0), [(0, 5760)]),
    "large": (smooth(300, 400, axis=0), [(0, 40_000), (40_000, 80_000), (80_000, 120_000)]),
    "small": (smooth(12, 9, axis=0), [(0, 108)]),
    "halves": (smooth(60, 50, axis=0).astype("<f2"), [(0, 3000)]),
    "wide": (1e6 * np.exp(normal(40, 70)), [(0, 2800)]),
}


def trial(name, step):
    model = safetensors({name: TENSORS[name][0]})
    return Trial(load(model, open_model(model).tensors[0]), step)


def facts(made):
    levels, error, code = made
    vectors = [None if own is None else own.tolist() for own in code.axes]
    known = (code.step, code.shape, code.width, code.predictor, code.lattice)
    return levels.tolist(), error, known, vectors


@needs_c
@pytest.mark.parametrize("step", [-64, -33, -5])
@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize("is_lattice", [False, True])
def test_one_call_makes_what_steps_make(name, step, is_lattice, monkeypatch):
    one = trial(name, step)
    one.__dict__["is_lattice"] = is_lattice
    one.__dict__["is_expected"] = bool(one.code(step).predictor) or name in ("predicted", "large")
    cuts = TENSORS[name][1]
    found = [facts(one.made(own, cuts)) for own in (step, step - 3)]
    monkeypatch.setattr(making, "may_make", lambda *_: False)
    assert found == [facts(one.made(own, cuts)) for own in (step, step - 3)]


@needs_c
def test_some_levels_are_predicted_and_some_are_points():
    predictors = {name: trial(name, -64).code(-64).predictor for name in TENSORS}
    assert predictors["predicted"]
    assert predictors["large"]
    assert not predictors["matrix"]
    assert trial("matrix", -64).is_lattice


def arguments():
    """Those of C, for twelve weights."""
    return {
        "levels": np.zeros(12, np.int32),
        "dims": np.array([[4, 0, 1], [3, 1, 1]], np.int64),
        "tried": b"\x00",
        "neighbours": np.array([[1, 3, 4]], np.int64),
        "scales": np.ones(256, np.float32),
        "costs": np.zeros(3 * 128 * 105, np.uint16),
        "sent": np.zeros(41 * 97, np.uint16),
        "deltas": np.zeros(24, np.int8),
        "best": np.array([0, 0, 0, -1, -1, -1], np.int64),
        "unpredicted": np.zeros(0, np.int64),
        "predictor": np.zeros(12, np.int64),
        "memory": np.zeros(4 * 206 + 4 * 289 * 128, np.uint8),
        "room": np.zeros(8 * 4096 + 2 * 32768 + 12, np.uint8),
        "numbers": np.zeros(12, np.float32),
        "item size": 4,
        "size": np.ones(1),
        "parts": np.array([[0, 6], [6, 12]], np.int64),
        "prices": np.zeros((4, 9, 9), np.float32),
        "reach": 3,
        "free": np.zeros((4, 9, 9), np.float32),
        "is lattice": True,
        "axis cost": 8192,
        "term cost": 12288,
        "terms": 0,
    }


@needs_c
@pytest.mark.parametrize(
    "changed",
    [
        {"levels": np.zeros(11, np.int32)},
        {"best": np.zeros(5, np.int64)},
        {"numbers": np.zeros(11, np.float32)},
        {"item size": 2},
        {"size": np.ones(12)},
        {"size": np.ones(0)},
        {"parts": np.zeros(0, np.int64)},
        {"parts": np.array([0, 6, 6], np.int64)},
        {"parts": np.array([[0, 6], [5, 12]], np.int64)},
        {"parts": np.array([[0, 6], [6, 13]], np.int64)},
        {"parts": np.array([[0, 6], [6, 11]], np.int64)},
        {"parts": np.array([[0, 6], [6, 6], [6, 12]], np.int64)},
        {"prices": np.zeros((4, 9, 8), np.float32)},
        {"prices": np.zeros((4, 8, 9), np.float32), "free": np.zeros((4, 8, 9), np.float32)},
        {"prices": np.zeros((4, 0, 9), np.float32), "free": np.zeros((4, 0, 9), np.float32)},
        {"prices": np.zeros((4, 258, 9), np.float32), "free": np.zeros((4, 258, 9), np.float32)},
        {"free": np.zeros((4, 6, 9), np.float32)},
        {"reach": -1},
        {"reach": 65},
        {"is lattice": False},
        {"terms": 7},
    ],
)
def test_nothing_is_made_outside(changed):
    from midstream.kernels import _native

    assert _native.make_way(*arguments().values()) == (0, 0.0)
    with pytest.raises(ValueError, match=r"."):
        _native.make_way(*(arguments() | changed).values())
