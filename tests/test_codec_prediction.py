"""codec.prediction: neighbours, and levels and digits coded with what they say."""

import numpy as np
import pytest

from midstream.codec import Context, TensorCode, digits, levels, prediction
from midstream.errors import BitstreamError, DataError
from midstream.types import DType, Tensor

KERNEL = Tensor(
    name="t", dtype=DType.FLOAT32, shape=(24, 3, 3, 40), offset=0, row_axis=0, column_axis=3
)
EVERYWHERE = ((0, 20), (2, -5), (7, 9), (9, 3))


def terms(code: TensorCode, start: int = 0, stop: int = KERNEL.weights) -> prediction.Terms:
    found = prediction.terms([(KERNEL, code, start, stop)])
    return prediction.Terms.none(stop - start) if found is None else found


def smooth(weights: int, seed: int = 0) -> np.ndarray:
    """Levels that resemble those a row and a tap before."""
    rng = np.random.default_rng(seed)
    shape = (24, 3, 3, 40)
    walk = rng.normal(0, 1, shape).cumsum(axis=0) + rng.normal(0, 1, shape).cumsum(axis=2)
    return np.rint(walk).astype(np.int32).ravel()[:weights]


def context(count: int, found: prediction.Terms | None, width: int = 14) -> Context:
    return Context(
        shape=np.ones(count, np.int8), width=np.full(count, width, np.int16), terms=found
    )


def expected(values: np.ndarray, code: TensorCode, start: int) -> np.ndarray:
    """What spec/coding.md says, weight by weight."""
    shape, strides = (24, 3, 3, 40), (360, 120, 40, 1)
    axes = {0: (0, 1), 1: (0, 2), 2: (0, 3), 3: (0, 4), 4: (0, 6), 5: (3, 1), 6: (3, 2)}
    axes |= {7: (2, 1), 8: (2, 2), 9: (1, 1)}
    halves = []
    for weight in range(start, start + len(values)):
        total = 0
        for neighbour, coefficient in code.predictor:
            axis, back = axes[neighbour]
            before = weight - back * strides[axis]
            if weight // strides[axis] % shape[axis] >= back and before >= start:
                near = min(max(int(values[before - start]), -(1 << 20)), 1 << 20)
                total += 256 * coefficient * near
        halves.append((total + 2048) >> 12)
    return np.array(halves)


@pytest.mark.parametrize("start", [0, 720])
def test_the_mean_is_that_of_the_neighbours(start):
    code = TensorCode(predictor=EVERYWHERE)
    values = smooth(KERNEL.weights)[start:]
    found = context(len(values), terms(code, start)).halves(values)
    assert np.array_equal(found, expected(values, code, start))


def test_neighbours_of_another_step_count_by_it():
    steps = np.zeros(24, np.int8)
    steps[0] = 2
    code = TensorCode(predictor=((0, 32),), row_steps=steps)
    distances, gains = terms(code).dense()
    assert set(distances[360:, 0].tolist()) == {360}
    assert not gains[:360].any()
    assert set(gains[360:720, 0].tolist()) == {32 * 256 * 2}
    assert set(gains[720:, 0].tolist()) == {32 * 256}


@pytest.mark.parametrize("start", [0, 40, 720, 8600])
@pytest.mark.parametrize("stop", [100, 900, 8640])
@pytest.mark.parametrize("predictor", [EVERYWHERE, ((4, 3),), ((7, 64), (8, -32)), ()])
def test_the_nearest_is_the_least_distance_that_a_weight_has(start, stop, predictor):
    if start >= stop:
        return
    found = terms(TensorCode(predictor=predictor), start, stop)
    distances, _ = found.dense()
    assert found.nearest == min(distances[distances > 0].tolist(), default=None)


def test_neighbours_that_no_weight_has_are_none():
    flat = Tensor(
        name="t", dtype=DType.FLOAT32, shape=(2, 1, 5), offset=0, row_axis=0, column_axis=None
    )
    found = prediction.places(flat)
    assert [at for at, place in enumerate(found) if place is not None] == [0, 7, 8]


@pytest.mark.parametrize("predictor", [EVERYWHERE, ((0, 32),), ((7, 64), (8, -32))])
def test_predicted_levels_come_back(predictor):
    code = TensorCode(predictor=predictor)
    values = smooth(KERNEL.weights)
    values[[5, 4000, 8639]] = 100_000, -100_000, 1 << 29
    for width in (14, 30):
        where = context(len(values), terms(code), width)
        payload = levels.encode(values, where)
        decoded = levels.decode([memoryview(payload)], [where])
        assert np.array_equal(decoded[0], values)


def test_slices_of_all_kinds_are_decoded_together():
    code = TensorCode(predictor=EVERYWHERE)
    parts = [(0, 8640), (0, 2000), (720, 8000), (100, 101)]
    values = [smooth(KERNEL.weights, 3)[first:last] for first, last in parts]
    where = [context(last - first, terms(code, first, last)) for first, last in parts]
    where[1] = context(2000, None)
    payloads = levels.encode_many(values, where)
    assert payloads == [levels.encode(v, w) for v, w in zip(values, where, strict=True)]
    decoded = levels.decode([memoryview(p) for p in payloads], where)
    assert all(np.array_equal(d, v) for d, v in zip(decoded, values, strict=True))


def drifting(scale: float) -> np.ndarray:
    """Levels that go on from the row before."""
    steps = np.random.default_rng(5).normal(0, 1, (24, 360))
    return np.rint(np.cumsum(steps, axis=0) * scale).astype(np.int32).ravel()


def test_what_is_expected_saves_bytes():
    values = drifting(2.0)
    plain = min(levels.cost(values, context(8640, None, width)) for width in range(12, 40))
    found = terms(TensorCode(predictor=((0, 32),)))
    assert min(levels.cost(values, context(8640, found, w)) for w in range(8, 40)) < 0.75 * plain


@pytest.mark.parametrize("predictor", [EVERYWHERE, ((0, 24), (7, 8))])
def test_predicted_digits_come_back(predictor):
    found = terms(TensorCode(predictor=predictor))
    children = 3 * smooth(KERNEL.weights) + np.random.default_rng(1).integers(-1, 2, 8640)
    children = children.astype(np.int32)
    parents = ((children + 1) // 3).astype(np.int32)
    parents[::97] += 2
    where = context(8640, found)
    payload = digits.encode(parents, children, where, 0)
    decoded = digits.decode([memoryview(payload)], [where], [parents], [0])
    assert np.array_equal(decoded[0], children)


def test_digits_cost_less_where_children_are_expected():
    children = drifting(1.0)
    parents = ((children + 1) // 3).astype(np.int32)
    found = terms(TensorCode(predictor=((0, 32),)))
    predicted = min(digits.cost(parents, children, context(8640, found, w), 0) for w in range(20))
    plain = min(digits.cost(parents, children, context(8640, None, w), 0) for w in range(20))
    assert predicted < 0.95 * plain


@pytest.mark.parametrize("coder", [levels, digits])
def test_damaged_streams_are_refused_or_are_others(coder):
    code = TensorCode(predictor=EVERYWHERE)
    values = smooth(KERNEL.weights)
    parents = ((values + 1) // 3).astype(np.int32)
    where = context(len(values), terms(code))
    more = ([where], [parents], [0]) if coder is digits else ([where],)
    payload = (
        digits.encode(parents, values, where, 0)
        if coder is digits
        else levels.encode(values, where)
    )
    for place in range(2, len(payload), 331):
        damaged = bytearray(payload)
        damaged[place] ^= 16
        try:
            decoded = coder.decode([memoryview(damaged)], *more)
        except DataError:
            continue
        assert not np.array_equal(decoded[0], values)
    for size in range(0, len(payload), 401):
        with pytest.raises(BitstreamError):
            coder.decode([memoryview(payload[:size])], *more)


@pytest.mark.parametrize("found", [None, terms(TensorCode(predictor=((0, 32),)), 0, 720)])
@pytest.mark.parametrize("said", [0, 2])
def test_escapes_of_another_number_are_refused(found, said):  # COD-11
    values = np.zeros(720, np.int32)
    values[400] = 5000
    where = context(720, found)
    payload = levels.encode(values, where)
    assert payload[:3] == b"\x01" + bytes([5000 * 2 & 127 | 128, 5000 * 2 >> 7])
    changed = bytes([said]) + payload[1 : 1 + 2 * (said > 0)] * said + payload[3:]
    with pytest.raises(BitstreamError):
        levels.decode([memoryview(changed)], [where])


@pytest.mark.parametrize("found", [None, terms(TensorCode(predictor=((0, 32),)), 0, 720)])
def test_escaped_digits_of_another_number_are_refused(found):  # COD-11
    parents, where = np.zeros(720, np.int32), context(720, found)
    children = np.zeros(720, np.int32)
    payload = digits.encode(parents, children, where, 0)
    assert payload[1] == 0
    children[:1] = 7
    one_moved = digits.encode(parents, children, where, 0)
    assert one_moved[1] == 1
    grafted = one_moved[: len(one_moved) - len(payload) + 2] + payload[2:]
    with pytest.raises(BitstreamError):
        digits.decode([memoryview(grafted)], [where], [parents], [0])
