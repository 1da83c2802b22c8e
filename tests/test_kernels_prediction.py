"""Streams whose tables depend on what was decoded: both implementations, on anything."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from midstream import kernels
from midstream.codec import Context, TensorCode, digits, levels, prediction, rans, tables
from midstream.kernels import numpy_groups, numpy_prediction, numpy_walk
from midstream.kernels.slots import Slots
from midstream.kernels.terms import (
    BEYOND,
    BROKEN,
    CLASS_EDGES,
    ESCAPED,
    Decoded,
    LowBits,
    Stream,
    Terms,
)
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
    found = prediction.terms([(KERNEL, CODE, 0, stop)])
    assert found is not None
    return found


def drawn(count: int, seed: int, spread: float) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).laplace(0, spread, count)).astype(np.int32)


def context(count: int, width: int) -> Context:
    return Context(
        shape=np.zeros(count, np.int8),
        width=np.full(count, width, np.int16),
        terms=found_terms(count),
    )


def level_stream(payload: bytes, count: int, some: list[int] | None = None) -> Stream:
    """A slice without low bits, its tables those of `two_phases`."""
    return Stream(
        data=memoryview(payload)[1:],
        lanes=rans.lanes_of(count, found_terms(count)),
        rows=np.zeros(count, np.uint16),
        terms=found_terms(count),
        escapes=np.array(some or [], np.int64),
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


NO_LOW_BITS = LowBits(data=memoryview(b""), shifts=np.zeros(0, np.uint8))


def run_levels(module, stream: Stream, slots: Slots, low: LowBits = NO_LOW_BITS):
    return module.decode_levels([stream], [low], slots, next_phase=1)[0]


def assert_same(found: Decoded, expected: Decoded) -> None:
    assert found.taken == expected.taken
    assert found.taken < 0 or np.array_equal(found.levels, expected.levels)


@pytest.mark.parametrize("count", [1, 100, 5000, 14400])
def test_what_is_expected_is_the_same_in_both(kernel, count):
    values = drawn(count, count, 1e5) * 20
    expected = numpy_prediction.predict(values, found_terms(count))
    assert np.array_equal(kernel.predict(values, found_terms(count)), expected)


def drawn_run(rng: np.random.Generator) -> tuple[Tensor, TensorCode, int, int]:
    """A part of a tensor of any shape, from any weight on, its neighbours and steps by chance."""
    shape = tuple(rng.integers(1, 9, rng.integers(1, 5)).tolist())
    axes = rng.permutation(len(shape)).tolist()
    row, column = axes[0], axes[1] if len(shape) > 1 else None
    tensor = Tensor(
        name="t", dtype=DType.FLOAT32, shape=shape, offset=0, row_axis=row, column_axis=column
    )
    steps = rng.integers(-12, 13, shape[row]).astype(np.int8)
    known = rng.permutation(10)[: rng.integers(0, 6)].tolist()
    code = TensorCode(
        predictor=tuple((at, int(rng.integers(-64, 65))) for at in sorted(known)),
        row_steps=steps if rng.random() < 0.3 else None,
    )
    start = int(rng.integers(0, tensor.weights))
    return tensor, code, start, int(rng.integers(start, tensor.weights)) + 1


@built
@pytest.mark.parametrize("seed", range(400))
def test_parts_of_tensors_are_expected_to_be_the_same_in_both(seed):
    rng = np.random.default_rng(seed)
    runs = [drawn_run(rng) for _ in range(rng.integers(1, 4))]
    found = prediction.terms(runs)
    if found is not None:
        own = drawn(sum(stop - start for _, _, start, stop in runs), seed, 9)
        here = native_prediction.predict(own, found)
        assert np.array_equal(here, numpy_prediction.predict(own, found))


@built
def test_axes_as_long_as_numbers_are_expected_to_be_the_same_in_both():
    """More places than there is memory for, one after the other beyond all levels."""
    last = (1 << 40) - 1
    terms = [(1, 4, last, 20, -1), (64, 4, last, -9, -1), (1, last // 4 * 4, last, 33, -1)]
    for first in (0, 1 << 39):
        found = Terms(
            runs=np.array([(first, 1000, 4, 3)], np.int64),
            terms=np.array(terms, np.int64),
            steps=np.zeros(0, np.int8),
        )
        own = drawn(1000, 3, 9)
        here = native_prediction.predict(own, found)
        assert np.array_equal(here, numpy_prediction.predict(own, found))


@pytest.mark.parametrize("flipped", [None, 3, 40, 700, 2500])
@pytest.mark.parametrize("count", [9000, 30_003, 40_005])  # on 4, 8 and 16 lanes
@pytest.mark.parametrize("widest", [0, 1, 2])
def test_damaged_levels_are_the_same_in_both(monkeypatch, kernel, flipped, count, widest):
    monkeypatch.setattr(native_prediction, "_WIDEST", widest)
    values = drawn(count, 1, 1.2)
    payload = bytearray(levels.encode(values, context(count, 24)))
    assert payload[0] == 0, "no escapes"
    if flipped is not None:
        payload[flipped] ^= 0x55
    for numbers in ([], [1 << 32, -(1 << 32), 77]):
        stream = level_stream(bytes(payload), count, numbers)
        found = run_levels(kernel, stream, two_phases(24))
        assert_same(found, run_levels(numpy_prediction, stream, two_phases(24)))
        is_whole = flipped is None and not numbers
        assert (found.taken == len(stream.data)) == is_whole
        assert not is_whole or np.array_equal(found.levels, values)


@pytest.mark.parametrize("size", [0, 3, 4, 20, -2])
def test_streams_that_end_early_are_broken_in_both(kernel, size):
    payload = levels.encode(drawn(9000, 1, 1.2), context(9000, 24))
    stream = level_stream(payload, 9000)
    cut = replace(stream, data=stream.data[:size])
    assert run_levels(kernel, cut, two_phases(24)).taken == BROKEN


def test_levels_beyond_their_range_are_told_apart_in_both(kernel):
    values = drawn(400, 1, 1.2)
    values[7] = 1 << 30
    payload = levels.encode(values, replace(context(400, 24), terms=None))
    stream = replace(level_stream(payload[5:], 400, [1 << 30]), terms=None)
    assert run_levels(kernel, stream, two_phases(24)).taken == len(stream.data)
    beyond = replace(stream, escapes=np.array([(1 << 30) + 1]))
    assert run_levels(kernel, beyond, two_phases(24)).taken == BEYOND


@pytest.mark.parametrize("flipped", [None, 5, 90, 700])
@pytest.mark.parametrize("is_predicted", [True, False])
@pytest.mark.parametrize("count", [9000, 30_003])  # on 4 and 8 lanes
@pytest.mark.parametrize("shifted", [0, 1 << 28])
def test_damaged_digits_are_the_same_in_both(kernel, flipped, is_predicted, count, shifted):
    stream, parents, children = digit_stream(count, shifted, flipped, is_predicted=is_predicted)
    found = kernel.decode_digits([stream], [parents], digit_starts())[0]
    assert_same(found, numpy_prediction.decode_digits([stream], [parents], digit_starts())[0])
    assert (found.taken > 0 and np.array_equal(found.levels, children)) == (flipped is None)


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


def test_widths_are_folded_by_octaves(kernel):
    widths = np.arange(-300, 300, dtype=np.int16)
    folded, shifts = kernel.fold_widths(widths, widest=40, unshifted=24, most=136)
    for width, there, shift in zip(widths.tolist(), folded.tolist(), shifts.tolist(), strict=True):
        assert shift == max(0, -(-(min(width, 136) - 24) // 4))
        assert there == min(width, 136) - 4 * max(0, -(-(min(width, 136) - 40) // 4))


@pytest.mark.parametrize("shift", [1, 7, 15, 16, 28])
@pytest.mark.parametrize("every", [1, 3, 40])
@pytest.mark.parametrize("is_predicted", [True, False])
@pytest.mark.parametrize("widest", [0, 1, 2])
def test_low_bits_are_the_same_in_both(monkeypatch, kernel, shift, every, is_predicted, widest):
    monkeypatch.setattr(native_prediction, "_WIDEST", widest)
    where = context(40_000, 20) if is_predicted else replace(context(40_000, 20), terms=None)
    values = drawn(40_000, 4, 1)
    lanes = rans.lanes_of(40_000, where.terms)
    stream = replace(
        level_stream(levels.encode(values, where), 40_000), terms=where.terms, lanes=lanes
    )
    shifts = np.zeros(40_000, np.uint8)
    shifts[::every] = shift
    fields = np.random.default_rng(shift).integers(0, 1 << shift, 40_000).astype(np.uint64)
    data = kernels.pack_bits(fields, shifts.astype(np.int64))
    low = LowBits(data=memoryview(data), shifts=shifts)
    found = run_levels(kernel, stream, two_phases(20), low)
    assert_same(found, run_levels(numpy_prediction, stream, two_phases(20), low))
    assert is_predicted or found.taken == (len(stream.data) if shift < 28 else BEYOND)


def all_ways(monkeypatch, decode):
    """What NumPy gives side by side, the same with care, and one by one."""
    monkeypatch.setattr(numpy_groups, "_SHORTEST_STRETCH", 0)
    found = [decode()]
    with monkeypatch.context() as patch:
        patch.setattr(numpy_walk.Walk, "is_wild", property(lambda walk: not walk.is_limited))
        found.append(decode())
    monkeypatch.setattr(numpy_groups, "_SHORTEST_STRETCH", 1 << 30)
    return [*found, decode()]


@pytest.mark.parametrize("flipped", [None, 40, 700])
@pytest.mark.parametrize("numbers", [(), (1 << 32, -(1 << 32), 77)])
@pytest.mark.parametrize("shift", [0, 3, 20, 28])
def test_levels_are_the_same_however_numpy_decodes_them(monkeypatch, flipped, numbers, shift):
    count = 9000
    values = drawn(count, 1, 1.2)
    values[:3] = [5000, -90, 12]
    payload = bytearray(levels.encode(values, context(count, 20)))
    if flipped is not None:
        payload[flipped] ^= 0x55
    stream = level_stream(bytes(payload), count, list(numbers))
    shifts = np.full(count, shift, np.uint8)
    low = LowBits(data=memoryview(bytes(range(256)) * 140), shifts=shifts)
    slots = two_phases(20)
    expected, *others = all_ways(
        monkeypatch, lambda: run_levels(numpy_prediction, stream, slots, low)
    )
    for found in others:
        assert_same(found, expected)
    if len(IMPLEMENTATIONS) > 1:
        assert_same(run_levels(native_prediction, stream, slots, low), expected)


@pytest.mark.parametrize("flipped", [None, 5, 700])
@pytest.mark.parametrize("shifted", [0, 1 << 22, 1 << 28])
def test_digits_are_the_same_however_numpy_decodes_them(monkeypatch, flipped, shifted):
    stream, parents, children = digit_stream(9000, shifted, flipped)
    expected, *others = all_ways(
        monkeypatch,
        lambda: numpy_prediction.decode_digits([stream], [parents], digit_starts())[0],
    )
    for found in others:
        assert_same(found, expected)
    assert (expected.taken > 0 and np.array_equal(expected.levels, children)) == (flipped is None)


def digit_stream(
    count: int, shifted: int, flipped: int | None, *, is_predicted: bool = True
) -> tuple[Stream, np.ndarray, np.ndarray]:
    """Digits, the levels before them and those after them, some of them far out."""
    children = drawn(count, 2, 4)
    children[::50] += 3 * shifted
    parents = ((children + 1) // 3).astype(np.int32)
    where = context(count, 8)
    if not is_predicted:
        where = replace(where, terms=None)
    payload = bytearray(digits.encode(parents, children, where, 0))
    if flipped is not None:
        payload[flipped] ^= 0x55
    first = (payload[0] & 15) * tables.DIGIT_TABLES + 8 * len(CLASS_EDGES)
    stream = Stream(
        data=memoryview(payload)[2:],
        lanes=rans.lanes_of(count, where.terms),
        rows=np.full(count, first, np.uint16),
        terms=where.terms,
        escapes=np.zeros(0, np.int64),
    )
    return stream, parents, children


def good() -> tuple[Stream, Slots]:
    return level_stream(levels.encode(drawn(4000, 3, 1), context(4000, 20)), 4000), two_phases(20)


def with_run(**changed: int) -> np.ndarray:
    """The run of `good`, with other fields."""
    fields = {"first": 0, "weights": 4000, "stride": 40, "terms": 5} | changed
    return np.array([list(fields.values())])


def with_term(column: int, value: int) -> np.ndarray:
    """The terms of `good`, the first with another field."""
    terms = found_terms(4000).terms.copy()
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
    stream, slots = good()
    lanes = 2 if "runs" in changed and changed["runs"].size and changed["runs"][0, 2] == 1 else 1
    terms = replace(found_terms(4000), **changed)
    with pytest.raises(ValueError, match="runs"):
        run_levels(native_prediction, replace(stream, terms=terms, lanes=lanes), slots)


@built
@pytest.mark.parametrize(
    "changed",
    [
        {"rows": np.ones(4000, np.uint16)},
        {"lanes": 0},
        {"lanes": 33},
        {"rows": np.zeros(3999, np.uint16)},
        {"escapes": np.array([1 << 40])},
    ],
)
def test_streams_that_do_not_fit_are_refused_in_c(changed):
    stream, slots = good()
    with pytest.raises(ValueError, match=r"."):
        run_levels(native_prediction, replace(stream, **changed), slots)


@built
@pytest.mark.parametrize(
    ("size", "shifts"), [(4000, np.full(4000, 29)), (499, np.ones(4000)), (4000, np.ones(3999))]
)
def test_low_bits_that_do_not_fit_are_refused_in_c(size, shifts):
    low = LowBits(data=memoryview(bytes(size)), shifts=shifts.astype(np.uint8))
    with pytest.raises(ValueError, match=r"."):
        run_levels(native_prediction, *good(), low)


@built
def test_a_prediction_of_other_levels_is_refused_in_c():
    with pytest.raises(ValueError, match="runs"):
        native_prediction.predict(np.zeros(9, np.int32), found_terms(10))


@built
@pytest.mark.parametrize(("row", "weights"), [(-15, 4000), (0, 3999)])
def test_digits_that_do_not_fit_are_refused_in_c(row, weights):
    stream = replace(good()[0], rows=np.full(4000, row % len(digit_starts()), np.uint16))
    with pytest.raises(ValueError, match=r"."):
        native_prediction.decode_digits([stream], [np.zeros(weights, np.int32)], digit_starts())


@built
def test_arrays_of_several_sizes_are_refused_in_c():
    shapes, widths = np.zeros(4, np.int8), np.zeros(5, np.int16)
    with pytest.raises(ValueError, match="items"):
        native_prediction.table_rows(
            shapes, widths, None, last_width=1, each_width=1, each_shape=1, each_phase=1
        )
