"""Payloads of levels by one call in C: the same bytes as step by step."""

import numpy as np
import pytest

from midstream import kernels
from midstream.codec import Context, TensorCode, lattice, levels, points
from midstream.codec.prediction import terms
from midstream.types import DType, Tensor

pytestmark = pytest.mark.skipif(kernels.NAME != "native", reason="no compiler")

COUNTS = [0, 1, 15, 16, 17, 500, 5000, 40_003]


def context(count, *, on_lattice, last_width=110, predictor=()):
    rng = np.random.default_rng(count)
    tensor = Tensor(
        name="t", dtype=DType.FLOAT32, shape=(count, 1), offset=0, row_axis=0, column_axis=1
    )
    code = TensorCode(predictor=predictor)
    return Context(
        shape=rng.integers(0, 3, count).astype(np.int8),
        width=rng.integers(-60, last_width, count).astype(np.int16),
        terms=terms([(tensor, code, 0, count)]) if count else None,
        lattice=on_lattice,
    )


def spread(known, times):
    """Levels about as wide as the context says, some of them far wider."""
    rng = np.random.default_rng(len(known.width))
    sigma = np.exp2(np.minimum(known.width, 100) / 4 - 3)
    return times * rng.standard_t(2, len(sigma)) * sigma


@pytest.fixture
def step_by_step(monkeypatch):
    def switch():
        monkeypatch.setattr(levels, "pack_in_c", None)
        monkeypatch.setattr(points, "pack_in_c", None)
        monkeypatch.setattr(levels, "count_in_c", None)
        monkeypatch.setattr(points, "count_in_c", None)

    return switch


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("predictor", [(), ((0, 30),), ((1, -17), (2, 40))])
@pytest.mark.parametrize("last_width", [20, 30, 110])
def test_levels_have_the_payload_that_steps_give(count, predictor, last_width, step_by_step):
    known = context(count, on_lattice=False, last_width=last_width, predictor=predictor)
    own = np.clip(np.rint(spread(known, 1)), -(1 << 30), 1 << 30).astype(np.int32)
    found = points.encode_many([own], [known]), levels.encode_many([own], [known])
    bits = points.cost(own, known)
    step_by_step()
    assert found == (points.encode_many([own], [known]), levels.encode_many([own], [known]))
    assert bits == points.cost(own, known)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("predictor", [(), ((0, 30),), ((1, -17), (2, 40))])
@pytest.mark.parametrize("last_width", [20, 60])
def test_points_have_the_payload_that_steps_give(count, predictor, last_width, step_by_step):
    known = context(count, on_lattice=True, last_width=last_width, predictor=predictor)
    own = lattice.quantise(np.clip(spread(known, 1 / 2), -(1 << 27), 1 << 27))
    found = points.encode_many([own], [known])
    assert [own.tolist()] == [
        level.tolist() for level in points.decode([memoryview(found[0])], [known])
    ]
    bits = points.cost(own, known)
    step_by_step()
    assert found == points.encode_many([own], [known])
    assert bits == points.cost(own, known)


def arguments():
    """Those of C, for twenty weights, one table of two symbols for each of three phases."""
    tables = 9
    return {
        "levels": np.zeros(20, np.int32),
        "shapes": np.zeros(20, np.int8),
        "widths": np.zeros(20, np.int16),
        "runs": np.array([[0, 20, 4, 1]], np.int64),
        "terms": np.array([[1, 4, 5, 8, -1]], np.int64),
        "steps": np.zeros(0, np.int8),
        "is lattice": False,
        "lanes": 1,
        "last lanes": 0,
        "lowest": np.zeros(tables, np.int32),
        "sizes": np.full(tables, 2, np.int32),
        "firsts": 2 * np.arange(tables, dtype=np.int32),
        "frequencies": np.full(2 * tables, 2048, np.uint16),
        "starts": np.array([0, 2048] * tables, np.uint16),
        "next phase": 3,
        "widest": 0,
        "unshifted": 0,
        "most": 100,
    }


FREE = {"is lattice": True, "runs": np.zeros(0, np.int64), "last lanes": 1}


def test_twenty_zeros_are_packed():
    from midstream.kernels import _native

    assert len(_native.pack_levels(*arguments().values())) >= 5
    assert len(_native.pack_levels(*(arguments() | {"is lattice": True}).values())) >= 6
    assert len(_native.pack_levels(*(arguments() | FREE).values())) >= 11


@pytest.mark.parametrize(
    "changed",
    [
        {"levels": np.zeros(19, np.int32)},
        {"shapes": np.zeros(19, np.int8)},
        {"shapes": np.full(20, 9, np.int8)},
        {"shapes": np.full(20, -1, np.int8)},
        {"widths": np.zeros(19, np.int16)},
        {"runs": np.zeros(3, np.int64)},
        {"runs": np.array([[0, 19, 4, 1]], np.int64)},
        {"runs": np.array([[0, 20, 4, 2]], np.int64)},
        {"terms": np.zeros(4, np.int64)},
        {"terms": np.array([[1, 0, 5, 8, -1]], np.int64)},
        {"terms": np.array([[1, 4, 5, 8, 0]], np.int64)},
        {"lanes": 0},
        {"lanes": 33},
        {"last lanes": 33},
        FREE | {"last lanes": 0},
        {"lowest": np.zeros(8, np.int32)},
        {"sizes": np.zeros(9, np.int32)},
        {"firsts": np.arange(9, dtype=np.int32) + 10},
        {"frequencies": np.zeros(18, np.uint16)},
        {"starts": np.full(18, 2049, np.uint16)},
        {"next phase": -1},
        {"next phase": 9},
        {"widths": np.full(20, 100, np.int16), "most": 32_000, "unshifted": -20},
    ],
)
def test_nothing_is_packed_outside(changed):
    from midstream.kernels import _native

    with pytest.raises(ValueError, match=r"."):
        _native.pack_levels(*(arguments() | changed).values())


def counted():
    """Arguments of C, as those above."""
    own = arguments()
    halves = {"halves": np.zeros(20, np.int64), "counts": np.zeros(18, np.int64)}
    names = ("levels", "shapes", "widths", "halves", "is lattice", "lowest", "sizes", "firsts")
    others = ("counts", "next phase", "widest", "unshifted", "most")
    return {name: (own | halves)[name] for name in names + others}


@pytest.mark.parametrize("is_lattice", [False, True])
def test_twenty_zeros_are_counted(is_lattice):
    from midstream.kernels import _native

    own = counted() | {"is lattice": is_lattice}
    assert _native.count_levels(*own.values()) >= 0
    assert own["counts"].sum() == 20


@pytest.mark.parametrize(
    "changed",
    [
        {"levels": np.zeros(19, np.int32)},
        {"shapes": np.full(20, -1, np.int8)},
        {"widths": np.zeros(19, np.int16)},
        {"halves": np.zeros(19, np.int64)},
        {"lowest": np.zeros(8, np.int32)},
        {"sizes": np.zeros(9, np.int32)},
        {"firsts": np.arange(9, dtype=np.int32) + 10},
        {"counts": np.zeros(17, np.int64)},
        {"next phase": -1},
    ],
)
def test_nothing_is_counted_outside(changed):
    from midstream.kernels import _native

    with pytest.raises(ValueError, match=r"."):
        _native.count_levels(*(counted() | changed).values())
