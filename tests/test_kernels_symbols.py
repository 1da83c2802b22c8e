"""Symbols of levels and digits, each implementation against plain Python."""

from importlib.util import find_spec

import numpy as np
import pytest

from midstream.kernels import Alphabets, numpy_symbols
from midstream.kernels.terms import CLASS_EDGES

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_symbols

    IMPLEMENTATIONS = [numpy_symbols, native_symbols]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_symbols]

# tables of one to nine numbers and the escape, in two phases of three
ALPHABETS = Alphabets(
    lowest=np.array([0, -1, -4, 1, 0, -3], np.int32),
    sizes=np.array([2, 4, 10, 2, 4, 10], np.int32),
    firsts=np.array([0, 2, 6, 16, 18, 22], np.int32),
    next_phase=3,
    entries=32,
)
MOST = 1 << 30


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda module: module.__name__.split(".")[-1])
def kernel(request):
    return request.param


def slow(level: int, half: int, table: int, shift: int) -> tuple[int, int, int | None]:
    """spec/coding.md, "Levels": symbol, low bits, and what an escape stands for."""
    table += 3 * (half % 2)
    value = level - half // 2 + (1 << shift) // 2
    low, value = value % (1 << shift), value // (1 << shift)
    last = int(ALPHABETS.sizes[table]) - 1
    symbol = value - int(ALPHABETS.lowest[table])
    escape = None if 0 <= symbol < last else value
    return int(ALPHABETS.firsts[table]) + (symbol if escape is None else last), low, escape


def check(kernel, levels, halves, tables, shifts):
    arguments = (
        np.array(levels, np.int32),
        None if halves is None else np.array(halves, np.int64),
        np.array(tables, np.uint16),
        np.array(shifts, np.uint8),
        ALPHABETS,
    )
    found = kernel.level_symbols(*arguments)
    none = [0] * len(levels)
    rows = zip(levels, halves or none, tables, shifts or none, strict=True)
    expected = [slow(*row) for row in rows]
    escapes = [(at, escape) for at, (_, _, escape) in enumerate(expected) if escape is not None]
    assert found.symbols.tolist() == [symbol for symbol, _, _ in expected]
    assert found.low.tolist() == ([low for _, low, _ in expected] if shifts else [])
    assert found.counts.tolist() == np.bincount(found.symbols, minlength=32).tolist()
    assert list(zip(found.places.tolist(), found.escapes.tolist(), strict=True)) == escapes
    kinds = [found.symbols.dtype, found.low.dtype, found.places.dtype, found.escapes.dtype]
    assert kinds == [np.int32, np.int32, np.int64, np.int64]
    counted = kernel.level_symbols(*arguments, counts_only=True)
    assert not len(counted.symbols)
    for name in ("low", "counts", "places", "escapes"):
        assert getattr(counted, name).tolist() == getattr(found, name).tolist()


@pytest.mark.parametrize("count", [0, 1, 2000])
@pytest.mark.parametrize("is_expected", [False, True])
def test_symbols_are_those_of_the_spec(kernel, count, is_expected):
    rng = np.random.default_rng(count)
    levels = np.rint(rng.normal(size=count) * 2.0 ** rng.integers(0, 9, count)).astype(int)
    halves = (2 * levels + rng.integers(-12, 13, count)).tolist() if is_expected else None
    tables, shifts = rng.integers(0, 3, count), rng.integers(0, 8, count)
    check(kernel, levels.tolist(), halves, tables.tolist(), shifts.tolist())
    check(kernel, levels.tolist(), halves, tables.tolist(), [])


@pytest.mark.parametrize("level", [-MOST, MOST, 0])
@pytest.mark.parametrize("half", [-(1 << 32), -1, 0, 1, 1 << 32])
@pytest.mark.parametrize("shift", [0, 1, 28])
def test_levels_may_be_as_far_as_they_can_from_what_is_expected(kernel, level, half, shift):
    check(kernel, [level] * 3, [half] * 3, [0, 1, 2], [shift] * 3)


def test_all_symbols_may_be_escapes(kernel):
    check(kernel, [99] * 50, None, [2] * 50, [0] * 50)


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    "changed",
    [
        {"levels": np.zeros(3, np.int32)},
        {"halves": np.zeros(3, np.int64)},
        {"tables": np.array([0, 6], np.uint16)},
        {"tables": np.array([0, 3], np.uint16), "halves": np.zeros(2, np.int64)},
        {"shifts": np.array([0, 29], np.uint8)},
        {"shifts": np.zeros(1, np.uint8)},
        {"sizes": np.zeros(5, np.int32)},
        {"sizes": np.array([2, 4, 10, 2, 4, 11], np.int32)},
        {"sizes": np.array([0, 4, 10, 2, 4, 10], np.int32)},
        {"firsts": np.array([-1, 2, 6, 16, 18, 22], np.int32)},
        {"counts": np.zeros(31, np.int64)},
        {"firsts": np.zeros(5, np.int32)},
        {"symbols": np.zeros(1, np.int32)},
        {"low": np.zeros(1, np.int32)},
        {"places": np.zeros(1, np.int64)},
        {"escapes": np.zeros(1, np.int64)},
        {"next_phase": -1, "halves": np.zeros(2, np.int64)},
        {"next_phase": 1 << 62, "halves": np.zeros(2, np.int64)},
    ],
)
def test_no_symbol_is_read_or_written_outside(changed):
    from midstream.kernels import _native

    good = {
        "levels": np.zeros(2, np.int32),
        "halves": np.zeros(0, np.int64),
        "tables": np.zeros(2, np.uint16),
        "shifts": np.zeros(2, np.uint8),
        "lowest": ALPHABETS.lowest,
        "sizes": ALPHABETS.sizes,
        "firsts": ALPHABETS.firsts,
        "next_phase": 3,
        "symbols": np.zeros(2, np.int32),
        "low": np.zeros(2, np.int32),
        "counts": np.zeros(32, np.int64),
        "places": np.zeros(2, np.int64),
        "escapes": np.zeros(2, np.int64),
    }
    assert _native.level_symbols(*good.values()) == 0
    with pytest.raises(ValueError, match=r"."):
        _native.level_symbols(*(good | changed).values())


def slow_digit(parent: int, child: int, half: int, table: int) -> tuple[int, int | None]:
    """spec/coding.md, "Digits": symbol among all, and the digit where it is escaped."""
    distance = 6 * parent - half
    table += sum(edge <= abs(distance) for edge in CLASS_EDGES) - 1
    digit = child - 3 * parent
    if abs(digit) > 1:
        return 4 * table + 3, digit
    return 4 * table + 1 + (digit if distance >= 0 else -digit), None


def check_digits(kernel, parents, children, halves, tables, of):
    expected = [
        slow_digit(*row)
        for row in zip(parents, children, halves or [0] * len(parents), tables, strict=True)
    ]
    for counts_only in (False, True):
        found = kernel.digit_symbols(
            np.array(parents, np.int32),
            np.array(children, np.int32),
            None if halves is None else np.array(halves, np.int64),
            np.array(tables, np.uint16),
            of=of,
            counts_only=counts_only,
        )
        symbols = [symbol for symbol, _ in expected]
        assert found.symbols.tolist() == ([] if counts_only else symbols)
        assert found.moved.tolist() == [digit for _, digit in expected if digit is not None]
        assert np.array_equal(found.counts.ravel(), np.bincount(symbols, minlength=4 * of))
        kinds = [found.symbols.dtype, found.counts.dtype, found.moved.dtype]
        assert kinds == [np.int32, np.int64, np.int64]


@pytest.mark.parametrize("count", [0, 1, 3000])
@pytest.mark.parametrize("is_expected", [False, True])
def test_symbols_of_digits_are_those_of_the_spec(kernel, count, is_expected):
    rng = np.random.default_rng(count)
    parents = np.rint(rng.normal(size=count) * 2.0 ** rng.integers(0, 6, count)).astype(int)
    children = (3 * parents + rng.integers(-2, 3, count)).tolist()
    halves = (6 * parents + rng.integers(-99, 99, count)).tolist() if is_expected else None
    tables = rng.integers(0, 9, count).tolist()
    check_digits(kernel, parents.tolist(), children, halves, tables, 24)


@pytest.mark.parametrize("parent", [-MOST, MOST, 0])
@pytest.mark.parametrize("child", [-MOST, MOST, 0])
@pytest.mark.parametrize("half", [-(1 << 33), 0, 1 << 33])
def test_digits_may_be_as_far_as_they_can_from_what_is_expected(kernel, parent, child, half):
    check_digits(kernel, [parent] * 2, [child] * 2, [half] * 2, [0, 5], 21)


@pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
@pytest.mark.parametrize(
    "changed",
    [
        {"parents": np.zeros(3, np.int32)},
        {"children": np.zeros(3, np.int32)},
        {"halves": np.zeros(3, np.int64)},
        {"tables": np.zeros(3, np.uint16)},
        {"tables": np.array([0, 3], np.uint16)},
        {"classes": np.zeros(0, np.uint8)},
        {"classes": np.array([0, 4], np.uint8)},
        {"symbols": np.zeros(1, np.int32)},
        {"counts": np.zeros(11, np.int64)},
        {"moved": np.zeros(1, np.int64)},
    ],
)
def test_no_digit_is_read_or_written_outside(changed):
    from midstream.kernels import _native

    good = {
        "parents": np.zeros(2, np.int32),
        "children": np.zeros(2, np.int32),
        "halves": np.zeros(0, np.int64),
        "tables": np.array([0, 2], np.uint16),
        "classes": np.array([0, 1], np.uint8),
        "symbols": np.zeros(2, np.int32),
        "counts": np.zeros(16, np.int64),
        "moved": np.zeros(2, np.int64),
    }
    assert _native.digit_symbols(*good.values()) == 0
    with pytest.raises(ValueError, match=r"."):
        _native.digit_symbols(*(good | changed).values())
