"""Streams whose tables depend on what was decoded: both implementations, on anything."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from midstream.codec import Context, TensorCode, digits, levels, predicted, prediction, tables
from midstream.kernels import numpy_prediction
from midstream.kernels.terms import CLASS_EDGES, ESCAPED, Escapes, Stream, Terms
from midstream.types import DType, Tensor

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_prediction

    IMPLEMENTATIONS = [numpy_prediction, native_prediction]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_prediction]

built = pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
KERNEL = Tensor(
    name="t", dtype=DType.FLOAT32, shape=(40, 3, 3, 40), offset=0, row_axis=0, column_axis=3
)
CODE = TensorCode(predictor=((0, 20), (1, -64), (7, 9), (8, 33), (9, 3)))


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request):
    return request.param


def found_terms(stop: int) -> Terms:
    return prediction.terms(KERNEL, CODE, 0, stop)


def drawn(count: int, seed: int, spread: float) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).laplace(0, spread, count)).astype(np.int32)


def context(count: int, width: int) -> Context:
    return Context(
        shape=np.zeros(count, np.int8),
        width=np.full(count, width, np.int16),
        terms=found_terms(count),
    )


def level_batch(payload: bytes, count: int, width: int) -> tuple[predicted.Batch, np.ndarray]:
    """A batch of one slice without low bits or escapes, and the values of its slots."""
    where = context(count, width)
    table, _ = levels.table_and_shift(where)
    family, numbers = tables.level_family(), np.array([int(table[0]), int(table[0]) + 123])
    slots = predicted.Slots.of(family, numbers[:1], [0, 123])
    rows = np.zeros(count, np.uint16)
    batch = predicted.Batch.of(slots, [memoryview(payload[1:])], [rows], [where.terms])
    values = (slots.symbols + tables.lowest_symbols()[numbers][:, None]).astype(np.int8)
    values[slots.symbols == family.sizes[numbers][:, None] - 1] = ESCAPED
    return batch, values


def escapes(numbers: list[int]) -> Escapes:
    return Escapes(
        values=np.array([*numbers, 5]), starts=np.array([0]), ends=np.array([len(numbers)])
    )


def run_levels(module, batch: predicted.Batch, values: np.ndarray, some: Escapes):
    count = len(batch.stream.rows)
    low, shifts = np.zeros(count, np.int32), np.zeros(count, np.uint8)
    return *module.decode_levels(batch.stream, batch.terms, values, low, shifts, some), some.starts


@pytest.mark.parametrize("count", [1, 100, 5000, 14400])
def test_what_is_expected_is_the_same_in_both(kernel, count):
    values = drawn(count, count, 1e5) * 20
    expected = numpy_prediction.predict(values, found_terms(count))
    assert np.array_equal(kernel.predict(values, found_terms(count)), expected)


@pytest.mark.parametrize("flipped", [None, 3, 40, 700])
def test_damaged_levels_are_the_same_in_both(kernel, flipped):
    values = drawn(9000, 1, 1.2)
    payload = bytearray(levels.encode(values, context(9000, 24)))
    assert payload[0] == 0, "no escapes"
    if flipped is not None:
        payload[flipped] ^= 0x55
    batch, slots = level_batch(bytes(payload), 9000, 24)
    numbers = [1 << 32, -(1 << 32), 77]
    expected = run_levels(numpy_prediction, batch, slots, escapes(numbers))
    found = run_levels(kernel, batch, slots, escapes(numbers))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert np.array_equal(found[0], values) == (flipped is None)


@pytest.mark.parametrize("flipped", [None, 5, 90, 700])
def test_damaged_digits_are_the_same_in_both(kernel, flipped):
    children = drawn(9000, 2, 4)
    parents = ((children + 1) // 3).astype(np.int32)
    where = context(9000, 8)
    payload = bytearray(digits.encode(parents, children, where, 0))
    if flipped is not None:
        payload[flipped] ^= 0x55
    base = np.array([(payload[0] & 15) * tables.DIGIT_TABLES + 8 * len(CLASS_EDGES)])
    slots = predicted.Slots.of(tables.digit_family(), base, range(16))
    rows = np.zeros(9000, np.uint16)
    batch = predicted.Batch.of(slots, [memoryview(payload[2:])], [rows], [where.terms])
    results = []
    for module in (numpy_prediction, kernel):
        some = escapes([])
        levels_found = module.decode_digits(batch.stream, batch.terms, slots.symbols, parents, some)
        results.append((*levels_found, some.starts))
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))
    assert np.array_equal(results[1][0], children) == (flipped is None)


def good() -> tuple[Stream, Terms, np.ndarray]:
    batch, values = level_batch(levels.encode(drawn(400, 3, 1), context(400, 20)), 400, 20)
    return batch.stream, batch.terms, values


@built
@pytest.mark.parametrize(
    "changed",
    [
        {"lengths": np.array([401], np.int32), "counts": np.zeros(1, np.int32)},
        {"lengths": np.array([399], np.int32), "counts": np.zeros(1, np.int32)},
        {"lengths": np.array([0, 400], np.int32), "counts": np.zeros(2, np.int32)},
        {"lengths": np.array([400], np.int32), "counts": np.ones(1, np.int32)},
        {"lengths": np.array([400], np.int32), "counts": np.full(1, -1, np.int32)},
        {"counts": np.zeros(1, np.int32)},
        {"distances": np.zeros(0, np.int32)},
        {"distances": "zero"},
        {"distances": "far"},
        {"gains": "large"},
        {"gains": np.zeros(0, np.int64)},
    ],
)
def test_terms_that_do_not_fit_are_refused_in_c(changed):
    stream, terms, values = good()
    named = {
        "zero": np.zeros_like(terms.distances),
        "far": np.full_like(terms.distances, 500),
        "large": np.full_like(terms.gains, 1 << 28),
    }
    changed = {k: named[v] if isinstance(v, str) else v for k, v in changed.items()}
    batch = predicted.Batch(
        stream=stream,
        terms=replace(terms, **changed),
        firsts=np.zeros(0, np.int64),
    )
    with pytest.raises(ValueError, match=r"."):
        run_levels(native_prediction, batch, values, escapes([]))


@built
@pytest.mark.parametrize(
    "changed",
    [
        {"rows": "above"},
        {"starts": np.array([-1])},
        {"words": np.zeros(0, np.uint16)},
        {"lanes": np.array([2])},
        {"counts": np.array([399])},
    ],
)
def test_streams_that_do_not_fit_are_refused_in_c(changed):
    stream, terms, values = good()
    named = {"above": stream.rows + np.uint16(1)}
    changed = {k: named[v] if isinstance(v, str) else v for k, v in changed.items()}
    low, shifts = np.zeros(400, np.int32), np.zeros(400, np.uint8)
    with pytest.raises(ValueError, match=r"."):
        native_prediction.decode_levels(
            replace(stream, **changed), terms, values, low, shifts, escapes([])
        )


@built
def test_low_bits_and_escapes_out_of_range_are_refused_in_c():
    stream, terms, values = good()
    low, shifts = np.zeros(400, np.int32), np.zeros(400, np.uint8)
    with pytest.raises(ValueError, match="low bits"):
        native_prediction.decode_levels(stream, terms, values, low, shifts + 29, escapes([]))
    with pytest.raises(ValueError, match="escape"):
        native_prediction.decode_levels(stream, terms, values, low, shifts, escapes([1 << 40]))
    with pytest.raises(ValueError, match="items"):
        native_prediction.decode_levels(stream, terms, values, low[1:], shifts, escapes([]))
    with pytest.raises(ValueError, match="segments"):
        native_prediction.predict(np.zeros(9, np.int32), terms)
