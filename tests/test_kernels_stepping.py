"""Symbols: side by side and one by one, on anything."""

import numpy as np
import pytest

from midstream.kernels import slots
from midstream.kernels.lanes import spread
from midstream.kernels.slots import Slots
from midstream.kernels.stepping import OneByOne, SideBySide, make_stepper, split

COUNTS = np.array([100, 1, 37, 64, 5])
LANES = np.array([4, 1, 8, 8, 8])
LOOKUP = Slots(
    frequencies=np.array([4000, 96]), starts=np.array([0, 4000]), values=np.zeros(2, np.int8)
).lookup
FILLER = 1


def drawn(lowest_state: int, words: int):
    """Words, their first ones and states as damage may leave them."""
    rng = np.random.default_rng(words)
    states = rng.integers(lowest_state, 1 << 32, LANES.sum()).astype(np.uint32)
    firsts = np.minimum(np.arange(len(COUNTS)) * 20, words)
    return rng.integers(0, 1 << 16, words).astype(np.uint16), firsts, states


def run(kind, words, firsts, states, chosen):
    """The entries of some slices, their ends and the states left."""
    held = np.isin(np.repeat(np.arange(len(LANES)), LANES), chosen)
    stepper = kind(words, firsts[chosen], states[held], COUNTS[chosen], LANES[chosen], LOOKUP)
    plan = stepper.plan
    entries = spread(plan, np.zeros(COUNTS[chosen].sum(), np.int64), FILLER)
    for first, last, active in zip(plan.places, plan.places[1:], plan.active, strict=False):
        stepper.advance(entries[first:last].reshape(1, active))
    return [entries[plan.index], *stepper.finish()]


@pytest.mark.parametrize("words", [1, 50, 500])
@pytest.mark.parametrize("lowest_state", [0, 1 << 16])
def test_slices_come_out_the_same_side_by_side_and_one_by_one(lowest_state, words):
    streams = drawn(lowest_state, words)
    together = run(SideBySide, *streams, np.arange(len(COUNTS)))
    alone = [run(OneByOne, *streams, np.array([at])) for at in range(len(COUNTS))]
    for found, parts in zip(together, zip(*alone, strict=True), strict=True):
        assert np.array_equal(found, np.concatenate(parts))


def test_slices_that_are_soon_done_are_put_side_by_side_and_long_ones_are_not():
    parts = split(np.array([2000, 120_000, 9000, 128_000]), np.array([1, 32, 1, 32]))
    assert [part.tolist() for part in parts] == [[0, 1, 3], [2]]
    assert [part.tolist() for part in split(np.array([100]), np.array([1]))] == [[0]]
    assert [part.tolist() for part in split(np.array([99_000]), np.array([32]))] == [[0]]


@pytest.mark.parametrize(("lanes", "kind"), [(4, OneByOne), (64, SideBySide)])
def test_a_slice_of_many_lanes_steps_with_all_of_them(lanes, kind):
    states = np.full(lanes, 1 << 16, np.uint32)
    one = np.zeros(1, np.int64)
    stepper = make_stepper(np.zeros(1, np.uint16), one, states, one + 64, one + lanes, LOOKUP)
    assert isinstance(stepper, kind)


def test_more_tables_than_have_room_are_stepped_a_part_at_a_time(monkeypatch):
    monkeypatch.setattr(slots, "_MOST_TABLES", 2)
    monkeypatch.setattr(slots, "_FIRST_TABLES", 1)
    tables, steps, lanes = 5, 12, 3
    first = np.arange(1, tables + 1) * 700
    many = Slots(
        frequencies=np.stack([first, 4096 - first], axis=1).ravel(),
        starts=np.stack([0 * first, first], axis=1).ravel(),
        values=np.zeros(2 * tables, np.int8),
    )
    rng = np.random.default_rng(4)
    words = rng.integers(0, 1 << 16, 50).astype(np.uint16)
    states = rng.integers(1 << 16, 1 << 32, lanes).astype(np.uint32)
    chosen = rng.integers(0, tables, (steps, lanes))
    one = np.zeros(1, np.int64)
    given = words, one, states, one + steps * lanes, one + lanes, many.lookup
    together, alone = SideBySide(*given), OneByOne(*given)
    entries, expected = chosen.copy(), chosen.reshape(-1, 1).copy()
    together.advance(entries)
    alone.advance(expected)
    assert np.array_equal(entries.ravel(), expected.ravel())
    for found, other in zip(together.finish(), alone.finish(), strict=True):
        assert np.array_equal(found, other)
