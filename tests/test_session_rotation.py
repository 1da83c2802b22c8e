"""The order of the carousel, and its pace."""

from collections import Counter
from itertools import islice, pairwise

import pytest

from midstream.errors import UsageError
from midstream.fec.grids import Grid
from midstream.session.rotation import Pacer, places, rotate, shares


@pytest.mark.parametrize("size", [1, 100, 14_500, 14_600, 150_000])
def test_a_round_has_each_symbol_once(size: int) -> None:
    grid = Grid(size, 100)
    found = list(places(grid))
    assert len(set(found)) == len(found)
    assert all(grid.has(*place) for place in found)
    assert len(found) == grid.blocks * grid.columns + grid.joint_rows * grid.joint_columns


def test_blocks_take_turns_and_joint_symbols_come_evenly() -> None:
    grid = Grid(150_000, 100)
    found = list(places(grid))
    own = [place for place in found if place[0] < grid.blocks]
    assert own == [(row, column) for column in range(grid.columns) for row in range(grid.blocks)]
    joint = [at for at, place in enumerate(found) if place[0] >= grid.blocks]
    gaps = [after - before for before, after in pairwise(joint)]
    assert max(gaps) - min(gaps) <= 1


def test_the_bundle_comes_first_and_has_its_share() -> None:
    grids = [Grid(3000, 100), Grid(50_000, 100), Grid(200_000, 100)]
    parts = shares(3000, [50_000, 200_000])
    sent = [index for index, _, _ in islice(rotate(grids, parts), 8030)]
    assert sent[:30] == [0] * 30
    assert 0 not in sent[30:60], "whoever was there has it"
    counts = Counter(sent[30:])
    assert counts[0] == pytest.approx(200, abs=1)
    assert counts[2] == pytest.approx(2 * counts[1], abs=2)
    positions = [at for at, index in enumerate(sent[30:]) if index == 0]
    assert max(b - a for a, b in pairwise(positions)) <= 42


def test_a_bundle_that_is_most_of_the_bytes_has_most_of_the_datagrams() -> None:
    assert shares(3000, [1000])[0] == 0.75
    assert shares(3000, []) == [1.0]


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UsageError):
        shares(3000, [1000], bundle_share=share)


def test_no_more_than_the_rate_is_sent() -> None:
    """[DEL-24]"""
    pacer, now, sent = Pacer(8000.0), 5.0, 0
    while now < 25.0:
        now += pacer.wait(now)
        pacer.sent(100, now)
        sent += 100
    assert sent == pytest.approx(20_000, abs=200)


def test_who_was_late_does_not_make_up_for_it_all_at_once() -> None:
    pacer = Pacer(8000.0, burst=0.5)
    pacer.sent(100, 10.0)
    count = 0
    while not pacer.wait(100.0):
        pacer.sent(100, 100.0)
        count += 1
    assert count <= 6
