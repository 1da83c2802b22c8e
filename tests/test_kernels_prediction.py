"""Streams whose tables depend on what was decoded: both implementations, on anything."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from midstream import kernels
from midstream.codec import Context, TensorCode, digits, levels, predicted, prediction, tables
from midstream.kernels import numpy_prediction
from midstream.kernels.slots import Slots
from midstream.kernels.terms import CLASS_EDGES, ESCAPED, Escapes, LowBits, Stream, Terms
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


def level_batch(payload: bytes, count: int, width: int) -> predicted.Batch:
    """A batch of one slice without low bits or escapes, in the first table."""
    where = context(count, width)
    return predicted.Batch.of(
        [memoryview(payload[1:])], [np.zeros(count, np.uint16)], [where.terms]
    )


def two_phases(width: int) -> Slots:
    """The tables of whole and half steps of a width."""
    family, first = tables.level_family(), int(levels.table_and_shift(context(1, width))[0][0])
    both = (first, first + 123)
    entries = np.concatenate([family.firsts[t] + np.arange(family.sizes[t]) for t in both])
    values = [tables.lowest_symbols()[t] + np.arange(family.sizes[t]) for t in both]
    for own in values:
        own[-1] = ESCAPED
    return Slots(
        frequencies=family.frequencies[entries],
        starts=family.starts[entries],
        values=np.concatenate(values).astype(np.int8),
    )


def escapes(numbers: list[int]) -> Escapes:
    return Escapes(
        values=np.array([*numbers, 5]), starts=np.array([0]), ends=np.array([len(numbers)])
    )


def no_low_bits(count: int) -> LowBits:
    return LowBits(
        data=np.zeros(0, np.uint8), sizes=np.zeros(1, np.int64), shifts=np.zeros(count, np.uint8)
    )


def run_levels(module, batch: predicted.Batch, slots: Slots, some: Escapes):
    low = no_low_bits(len(batch.stream.rows))
    found = module.decode_levels(batch.stream, slots, batch.terms, low, some, next_phase=1)
    return *found, some.starts


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
    batch, slots = level_batch(bytes(payload), 9000, 24), two_phases(24)
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
    first = (payload[0] & 15) * tables.DIGIT_TABLES + 8 * len(CLASS_EDGES)
    rows = np.full(9000, first, np.uint16)
    batch = predicted.Batch.of([memoryview(payload[2:])], [rows], [where.terms])
    results = []
    for module in (numpy_prediction, kernel):
        some = escapes([])
        found = module.decode_digits(batch.stream, digit_starts(), batch.terms, parents, some)
        results.append((*found, some.starts))
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))
    assert np.array_equal(results[1][0], children) == (flipped is None)


def digit_starts() -> np.ndarray:
    return tables.digit_family().starts.astype(np.uint16).reshape(-1, 4)


@pytest.mark.parametrize("count", [1, 7, 3000])
@pytest.mark.parametrize("has_phases", [False, True])
def test_rows_are_the_same_in_both(kernel, count, has_phases):
    rng = np.random.default_rng(count)
    shapes, phases = rng.integers(0, 3, (2, count), np.int8)
    widths = rng.integers(-200, 300, count, np.int16)
    expected = np.clip(widths, 0, 40) + 41 * shapes.astype(int)
    expected += 123 * phases.astype(int) * has_phases
    own = phases if has_phases else None
    found = kernel.table_rows(
        shapes, widths, own, last_width=40, each_width=1, each_shape=41, each_phase=123
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("shift", [1, 7, 28])
def test_low_bits_are_the_same_in_both(kernel, shift):
    values = drawn(400, 4, 1)
    batch = level_batch(levels.encode(values, context(400, 20)), 400, 20)
    shifts = np.zeros(400, np.uint8)
    shifts[::3] = shift
    fields = np.random.default_rng(shift).integers(0, 1 << shift, 400).astype(np.uint64)
    data = np.frombuffer(kernels.pack_bits(fields, shifts.astype(np.int64)), np.uint8)
    low = LowBits(data=data, sizes=np.array([len(data)]), shifts=shifts)
    results = [
        module.decode_levels(
            batch.stream, two_phases(20), batch.terms, low, escapes([]), next_phase=1
        )
        for module in (numpy_prediction, kernel)
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def good() -> tuple[Stream, Terms, Slots]:
    batch = level_batch(levels.encode(drawn(4000, 3, 1), context(4000, 20)), 4000, 20)
    return batch.stream, batch.terms, two_phases(20)


def with_run(**changed: int) -> np.ndarray:
    """The run of `good`, with other fields."""
    fields = {"first": 0, "weights": 4000, "stride": 40, "terms": 5} | changed
    return np.array([list(fields.values())])


def with_term(column: int, value: int) -> np.ndarray:
    """The terms of `good`, the first with another field."""
    terms = good()[1].terms.copy()
    terms[0, column] = value
    return terms


REFUSED_TERMS = {
    "no run": {"runs": np.zeros((0, 4), np.int64)},
    "too long": {"runs": with_run(weights=4001)},
    "too short": {"runs": with_run(weights=3999)},
    "of nothing": {"runs": with_run(weights=0)},
    "before the tensor": {"runs": with_run(first=-1)},
    "beyond all tensors": {"runs": with_run(first=1 << 41)},
    "no stride": {"runs": with_run(stride=0)},
    "more terms than there are": {"runs": with_run(terms=6)},
    "less than no terms": {"runs": with_run(terms=-1)},
    "none back": {"terms": with_term(0, 0)},
    "far back": {"terms": with_term(0, 65)},
    "a stride in a segment": {"terms": with_term(1, 39)},
    "a huge stride": {"terms": with_term(1, 1 << 41)},
    "an axis of nothing": {"terms": with_term(2, 0)},
    "a large coefficient": {"terms": with_term(3, 65)},
    "steps that are not there": {"terms": with_term(4, 0)},
    "steps before the first": {"terms": with_term(4, -2)},
    "nearer than lanes": {
        "terms": np.array([[1, 1, 9000, 5, -1]]),
        "runs": with_run(stride=1, terms=1),
    },
}


@built
@pytest.mark.parametrize("changed", REFUSED_TERMS.values(), ids=REFUSED_TERMS)
def test_terms_that_do_not_fit_are_refused_in_c(changed):
    stream, terms, slots = good()
    if "runs" in changed and changed["runs"].size and changed["runs"][0, 2] == 1:
        stream = replace(stream, lanes=np.array([2]), states=np.repeat(stream.states, 2))
    batch = predicted.Batch(
        stream=stream, terms=replace(terms, **changed), firsts=np.zeros(0, np.int64)
    )
    with pytest.raises(ValueError, match="runs"):
        run_levels(native_prediction, batch, slots, escapes([]))


@built
@pytest.mark.parametrize(
    "changed",
    [
        {"rows": "above"},
        {"starts": np.array([-1])},
        {"words": np.zeros(0, np.uint16)},
        {"lanes": np.array([2])},
        {"counts": np.array([3999])},
    ],
)
def test_streams_that_do_not_fit_are_refused_in_c(changed):
    stream, terms, slots = good()
    named = {"above": stream.rows + np.uint16(1)}
    changed = {k: named[v] if isinstance(v, str) else v for k, v in changed.items()}
    with pytest.raises(ValueError, match=r"."):
        native_prediction.decode_levels(
            replace(stream, **changed), slots, terms, no_low_bits(4000), escapes([]), next_phase=1
        )


@built
def test_low_bits_and_escapes_out_of_range_are_refused_in_c():
    stream, terms, slots = good()
    low = no_low_bits(4000)

    def decode(low: LowBits, some: Escapes) -> None:
        native_prediction.decode_levels(stream, slots, terms, low, some, next_phase=1)

    with pytest.raises(ValueError, match="low bits"):
        decode(replace(low, shifts=low.shifts + np.uint8(29)), escapes([]))
    with pytest.raises(ValueError, match="low bits"):
        decode(replace(low, shifts=low.shifts + np.uint8(1)), escapes([]))
    with pytest.raises(ValueError, match="low bits"):
        decode(replace(low, sizes=np.array([1])), escapes([]))
    with pytest.raises(ValueError, match="escape"):
        decode(low, escapes([1 << 40]))
    with pytest.raises(ValueError, match="items"):
        decode(replace(low, shifts=low.shifts[1:]), escapes([]))
    with pytest.raises(ValueError, match="runs"):
        native_prediction.predict(np.zeros(9, np.int32), terms)


@built
def test_digits_of_no_table_are_refused_in_c():
    stream, terms, _ = good()
    rows = np.full(4000, len(digit_starts()) - 15, np.uint16)
    with pytest.raises(ValueError, match="table"):
        native_prediction.decode_digits(
            replace(stream, rows=rows), digit_starts(), terms, np.zeros(4000, np.int32), escapes([])
        )


@built
def test_arrays_of_several_sizes_are_refused_in_c():
    shapes, widths = np.zeros(4, np.int8), np.zeros(5, np.int16)
    with pytest.raises(ValueError, match="items"):
        native_prediction.table_rows(
            shapes, widths, None, last_width=1, each_width=1, each_shape=1, each_phase=1
        )
