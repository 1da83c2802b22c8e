"""What a bad link does: how often, how much, and the same each time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import ErrorCode, UsageError
from midstream.origin import Impairments
from midstream.origin.impairments import BURST, STRETCH, Link
from midstream.testing import FakeClock


def link(clock: FakeClock | None = None, **values: float) -> Link:
    clock = clock or FakeClock()
    return Link(Impairments(**values), clock=clock, sleep=clock.sleep)  # type: ignore[arg-type]


async def carried(one: Link, path: str, size: int, *, offset: int = 0, step: int = 5000) -> bytes:
    """An object of zeros, over a link in pieces."""
    parts = []
    for place in range(offset, size, step):
        piece = bytes(min(step, size - place))
        parts.append(await one.carry(path, place, piece, size=size))
    return b"".join(parts)


@pytest.mark.parametrize(
    "values",
    [
        {"loss": -0.1},
        {"loss": 1.1},
        {"loss": math.nan},
        {"corrupt": 2},
        {"corrupt": math.nan},
        {"delay": -1},
        {"delay": math.inf},
        {"rate": 0},
        {"rate": -5},
        {"rate": math.nan},
        {"rate": math.inf},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(UsageError) as caught:
        Impairments(**values)  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


async def test_a_perfect_link_changes_nothing_and_takes_no_time() -> None:
    clock = FakeClock()
    one = link(clock)
    await one.wait()
    assert one.cut("units/a", 1000) == 1000
    assert await carried(one, "units/a", 1000) == bytes(1000)
    assert (clock.now, one.counters.requests, one.counters.bytes_sent) == (0, 1, 1000)
    assert one.counters.damaged_bytes == one.counters.cut_responses == 0


async def test_damage_is_the_same_at_every_request_and_in_any_pieces() -> None:
    size = 10 * STRETCH + 77
    first = await carried(link(corrupt=0.5, seed=7), "units/a", size)
    one = link(corrupt=0.5, seed=7)
    assert await carried(one, "units/a", size, step=333) == first
    assert await carried(one, "units/a", size, step=size) == first
    assert await carried(one, "units/a", size, offset=40_000) == first[40_000:]


async def test_damage_depends_on_the_path_and_on_the_seed() -> None:
    size = 20 * STRETCH
    first = await carried(link(corrupt=0.5, seed=1), "units/a", size)
    assert await carried(link(corrupt=0.5, seed=1), "units/b", size) != first
    assert await carried(link(corrupt=0.5, seed=2), "units/a", size) != first


async def test_each_damaged_stretch_carries_one_burst() -> None:
    size = 50 * STRETCH
    one = link(corrupt=1)
    got = await carried(one, "units/a", size)
    for start in range(0, size, STRETCH):
        wrong = [at for at in range(start, start + STRETCH) if got[at]]
        assert 1 <= len(wrong) <= BURST
        assert wrong == list(range(wrong[0], wrong[-1] + 1))
    assert one.counters.damaged_bytes == sum(map(bool, got))


async def test_as_many_stretches_are_damaged_as_was_asked_for() -> None:
    size = 2000 * STRETCH
    one = link(corrupt=0.02)
    damaged = 0
    for start in range(0, size, STRETCH):
        got = await one.carry("units/a", start, bytes(STRETCH), size=size)
        damaged += any(got)
    assert 20 <= damaged <= 65


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 300, STRETCH, STRETCH + 1])
async def test_small_objects_are_damaged_too(size: int) -> None:
    got = await carried(link(corrupt=1), "metadata/timestamp.json", size)
    assert len(got) == size
    assert any(got)


def test_as_many_bodies_are_cut_as_was_asked_for() -> None:
    one = link(loss=0.05)
    kept = [one.cut("units/a", 1000) for _ in range(2000)]
    cut = [length for length in kept if length < 1000]
    assert 60 <= len(cut) == one.counters.cut_responses <= 145
    assert one.counters.lost_bytes == sum(1000 - length for length in cut)
    assert min(cut) < 200 < 800 < max(cut)


def test_cuts_repeat_with_the_seed_whatever_else_is_asked_for() -> None:
    first, second = link(loss=0.5, seed=3), link(loss=0.5, seed=3)
    alone = [first.cut("units/a", 1000) for _ in range(20)]
    mixed = []
    for _ in range(20):
        second.cut("units/b", 1000)
        mixed.append(second.cut("units/a", 1000))
    assert mixed == alone


def test_an_empty_body_cannot_be_cut() -> None:
    one = link(loss=1)
    assert one.cut("units/a", 0) == 0
    assert one.counters.cut_responses == 0


async def test_a_delay_comes_before_each_response() -> None:
    clock = FakeClock()
    one = link(clock, delay=0.08)
    await one.wait()
    await one.wait()
    assert clock.now == pytest.approx(0.16)


async def test_a_rate_is_of_all_bodies_together() -> None:
    clock = FakeClock()
    one = link(clock, rate=1000)
    await carried(one, "units/a", 500, step=100)
    await carried(one, "units/b", 500, step=100)
    assert clock.now == pytest.approx(1.0)


async def test_time_that_was_not_used_is_not_saved_up() -> None:
    clock = FakeClock()
    one = link(clock, rate=1000)
    await carried(one, "units/a", 100)
    clock.advance(100)
    await carried(one, "units/a", 100)
    assert clock.now == pytest.approx(100.2)


@given(
    start=st.integers(0, 1 << 20),
    length=st.integers(0, 1 << 18),
    rate=st.none() | st.floats(1e4, 1e9),
)
def test_pieces_cover_a_body(start: int, length: int, rate: float | None) -> None:
    clock = FakeClock()
    one = Link(Impairments(rate=rate), clock=clock, sleep=clock.sleep)
    pieces = list(one.pieces(start, start + length))
    edges = [start, *(stop for _, stop in pieces)]
    assert edges[-1] == start + length
    assert all(pair == (edges[i], edges[i + 1]) for i, pair in enumerate(pieces))
    assert all(begin < end for begin, end in pieces)
