"""Sets of byte ranges, against plain sets of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from midstream.session.ranges import Ranges

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12)


def test_nothing_is_in_at_first() -> None:
    ranges = Ranges(10)
    assert list(ranges) == []
    assert ranges.total == 0
    assert not ranges.is_full
    assert ranges.missing() == [(0, 10)]


def test_a_range_of_nothing_is_full_from_the_start() -> None:
    assert Ranges(0).is_full
    assert Ranges(0).missing() == []


def test_neighbours_become_one_range() -> None:
    ranges = Ranges(10)
    ranges.add(0, 3)
    ranges.add(6, 8)
    ranges.add(3, 6)
    assert list(ranges) == [(0, 8)]


def test_what_overlaps_becomes_one_range() -> None:
    ranges = Ranges(20)
    for start, stop in [(2, 5), (8, 12), (4, 9)]:
        ranges.add(start, stop)
    assert list(ranges) == [(2, 12)]


def test_a_range_that_is_empty_or_backwards_adds_nothing() -> None:
    ranges = Ranges(10)
    ranges.add(4, 4)
    ranges.add(7, 3)
    assert list(ranges) == []


def test_nothing_is_kept_behind_the_end() -> None:
    ranges = Ranges(10)
    ranges.add(8, 99)
    assert list(ranges) == [(8, 10)]
    ranges.add(12, 15)
    assert list(ranges) == [(8, 10)]
    assert ranges.total == 2


def test_missing_looks_at_the_span_that_is_asked_for() -> None:
    ranges = Ranges(20)
    ranges.add(5, 10)
    assert ranges.missing(0, 5) == [(0, 5)]
    assert ranges.missing(5, 10) == []
    assert ranges.missing(7, 12) == [(10, 12)]
    assert ranges.missing(3, 20) == [(3, 5), (10, 20)]


def test_holds_is_true_of_whole_spans_only() -> None:
    ranges = Ranges(20)
    ranges.add(5, 10)
    assert ranges.holds(5, 10)
    assert ranges.holds(6, 7)
    assert not ranges.holds(4, 10)


@given(SPANS, st.integers(0, 40), st.integers(0, 40))
def test_ranges_are_what_sets_of_numbers_are(
    spans: list[tuple[int, int]], start: int, stop: int
) -> None:
    ranges, numbers = Ranges(32), set[int]()
    for low, high in spans:
        ranges.add(low, high)
        numbers |= set(range(low, min(high, 32)))
    assert {n for low, high in ranges for n in range(low, high)} == numbers
    assert ranges.total == len(numbers)
    assert ranges.is_full == (len(numbers) == 32)
    gaps = {n for low, high in ranges.missing(start, min(stop, 32)) for n in range(low, high)}
    assert gaps == set(range(start, min(stop, 32))) - numbers
    found = list(ranges)
    assert all(low < high for low, high in found)
    assert all(found[i][1] < found[i + 1][0] for i in range(len(found) - 1))
