"""What is asked for beside symbols that came: enough, little more, and in few ranges."""

import random
from itertools import pairwise

import pytest

from midstream.fec import grids
from midstream.fec.grids import Grid
from midstream.session.datagrams import ObjectKey, ObjectKind
from midstream.session.gathering import Gathered
from midstream.session.remainder import MOST_RANGES, SHORTEST_SKIP, remainder
from midstream.session.rotation import places

LARGE = 6_000_000
SMALL = random.Random(1).randbytes(40_000)


def key(size: int, symbol_size: int) -> ObjectKey:
    return ObjectKey(kind=ObjectKind.UNIT, id=bytes(8), size=size, symbol_size=symbol_size)


def cut(
    size: int, *, loss: float, share: float = 0.7, seed: int = 1, late: bool = True
) -> Gathered:
    """What came until a carousel fell silent: symbols without their contents."""
    grid = Grid.fitting(size, 1379)
    gathered, rng = Gathered(key(size, grid.symbol_size)), random.Random(seed)
    order = list(places(grid))
    first = rng.randrange(len(order)) if late else 0
    sent = int(share * grid.blocks * grid.source / (1 - loss))
    for row, column in (order * 2)[first : first + sent]:
        if rng.random() >= loss:
            gathered.add(row, column, b"")
    return gathered


def total(ranges: list[tuple[int, int]]) -> int:
    return sum(stop - start for start, stop in ranges)


@pytest.mark.parametrize(
    ("loss", "late", "mean", "requests"),
    [
        (0.0, False, 0.305, 31),
        (0.01, False, 0.305, 31),
        (0.1, False, 0.325, MOST_RANGES),
        (0.3, False, 0.59, MOST_RANGES),
        (0.0, True, 0.305, 32),
        (0.1, True, 0.31, MOST_RANGES),
        (0.3, True, 0.4, MOST_RANGES),
    ],
)
def test_after_a_cut_at_70_percent_little_more_than_30_is_asked_for(
    loss: float, late: bool, mean: float, requests: int
) -> None:
    asked = [remainder(cut(LARGE, loss=loss, seed=seed, late=late), 0, LARGE) for seed in range(10)]
    assert sum(map(total, asked)) / len(asked) <= mean * LARGE
    assert max(map(len, asked)) <= requests


def fill(gathered: Gathered, ranges: list[tuple[int, int]], data: bytes) -> None:
    """Add all source symbols of ranges."""
    size, source = gathered.key.symbol_size, gathered.key.grid.source
    for start, stop in ranges:
        for at in range(start, stop, size):
            row, column = divmod(at // size, source)
            gathered.add(row, column, data[at : at + size].ljust(size, b"\0"))


@pytest.mark.parametrize("seed", range(12))
def test_what_is_asked_for_completes_the_object(seed: int) -> None:
    rng = random.Random(seed)
    gathered = Gathered(key(len(SMALL), rng.choice([40, 100, 1000])))
    table = grids.encode(SMALL, gathered.key.grid)
    share = rng.random()
    for row, column in places(gathered.key.grid):
        if rng.random() < share:
            gathered.add(row, column, table[row, column].tobytes())
    ranges = remainder(gathered, 0, len(SMALL))
    fill(gathered, ranges, SMALL)
    data = gathered.snapshot().decode()
    if data is None:  # joint symbols that do not suffice, rarely
        fill(gathered, remainder(gathered, 0, len(SMALL), joint=False), SMALL)
        data = gathered.snapshot().decode()
    assert data == SMALL
    assert remainder(gathered, 0, len(SMALL)) == []


def test_ranges_are_sorted_begin_with_a_symbol_and_are_worth_a_request() -> None:
    gathered = cut(LARGE, loss=0.2)
    ranges = remainder(gathered, 0, LARGE)
    assert all(start < stop <= LARGE for start, stop in ranges)
    assert all(start % gathered.key.symbol_size == 0 for start, _ in ranges)
    assert all(after[0] - before[1] >= SHORTEST_SKIP for before, after in pairwise(ranges))


def test_gaps_that_somebody_chose_are_asked_for_in_few_ranges() -> None:
    """[DEL-25]"""
    gathered = Gathered(key(LARGE, SHORTEST_SKIP))
    for row in range(gathered.key.grid.blocks):
        for column in range(0, gathered.key.grid.source, 2):
            gathered.add(row, column, b"")
    ranges = remainder(gathered, 0, LARGE)
    assert len(ranges) == MOST_RANGES


def test_only_what_is_wanted_is_asked_for() -> None:
    gathered = Gathered(key(len(SMALL), 100))
    gathered.add(0, 3, bytes(100))
    assert remainder(gathered, 250, 350) == [(200, 300)]
    assert remainder(gathered, 300, 400) == []


def test_where_nearly_all_repair_symbols_came_a_source_symbol_elsewhere_may_do() -> None:
    grid = key(len(SMALL), 1000).grid
    gathered = Gathered(key(len(SMALL), 1000))
    for column in range(grid.source, 2 * grid.source - 1):
        gathered.add(0, column, b"")
    assert remainder(gathered, 5_000, 40_000) == [(0, 1000)]


def test_an_object_of_which_nothing_came_is_one_range() -> None:
    assert remainder(Gathered(key(LARGE, 1379)), 0, LARGE) == [(0, LARGE)]
