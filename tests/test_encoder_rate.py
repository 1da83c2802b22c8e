"""The search for a target, targets in numbers, and how far an encoder says it is."""

from collections.abc import Callable

import pytest

from midstream.encoder.ladder import parse_ladder
from midstream.encoder.progress import Progress, Work
from midstream.encoder.rate import Band, search
from midstream.encoder.targets import DOES_NOT_RUN, Targets
from midstream.errors import UsageError

BUDGET = Band(low=99.0, high=100.0, is_budget=True)
QUALITY = Band(low=100.0, high=101.0, is_budget=False)


def found(
    function: Callable[[int], float], band: Band, *, start: int = 0, rounds: int = 30
) -> tuple[int, int]:
    """Where the search ends, and how many measurements it took."""
    asked: list[int] = []

    def measure(place: int) -> float:
        asked.append(place)
        return function(place)

    place = search(measure, band, start=start, slope=1.0, low=-1000, high=1000, rounds=rounds)
    assert place in asked
    assert len(asked) == len(set(asked)) <= rounds
    return place, len(asked)


@pytest.mark.parametrize("start", [-1000, 0, 100, 1000])
def test_a_rising_function_is_brought_into_the_band(start: int) -> None:
    for function in (lambda x: x + 0.5, lambda x: 3 * x + 0.4, lambda x: x**3 / 10_000 + 0.1):
        place, _ = found(function, Band(low=98, high=101, is_budget=True), start=start)
        assert 98 <= function(place) <= 101


def test_a_budget_is_never_passed_and_a_quality_always_reached() -> None:
    def coarse(place: int) -> float:
        return place // 30 * 30 + 12.0

    assert coarse(found(coarse, BUDGET)[0]) == 72
    assert coarse(found(coarse, QUALITY)[0]) == 102


def test_what_is_missing_is_counted_on_the_side_that_is_refused() -> None:
    assert [BUDGET.missing(value) for value in (50, 100, 103)] == [0, 0, 3]
    assert [QUALITY.missing(value) for value in (97, 100, 150)] == [3, 0, 0]


def test_the_nearest_is_taken_where_nothing_is_allowed() -> None:
    assert found(lambda x: 2000.0 + x, BUDGET)[0] == -1000
    assert found(lambda x: -2000.0 + x, QUALITY)[0] == 1000


def test_noise_ends_the_search_and_still_gives_what_is_allowed() -> None:
    def noisy(place: int) -> float:
        return place + (40 if place % 2 else -40)

    place, _ = found(noisy, QUALITY)
    assert noisy(place) >= 100


def test_the_search_stops_after_its_rounds() -> None:
    assert found(lambda x: x / 1000, QUALITY, rounds=4)[1] <= 4


def test_the_first_place_may_be_right() -> None:
    assert found(lambda x: 99.5, BUDGET) == (0, 1)


def targets(evaluated: float | None = 12.5) -> Targets:
    return Targets(weights=1000, uncounted=200, evaluate=lambda units: evaluated)


def test_bits_leave_the_topology_out_and_kilobytes_do_not() -> None:
    bits, size = parse_ladder("2b,1kB")
    assert targets().band(bits).high == 2000
    assert targets().band(size).high == 8 * 800
    assert targets().bits([bytes(300), bytes(50)]) == 8 * 150


def test_a_target_in_output_snr_is_reached_and_hardly_passed() -> None:
    band = targets().band(parse_ladder("15dBo")[0])
    assert not band.is_budget
    assert (band.low, band.holds(15.1), band.holds(14.99), band.holds(16)) == (
        15,
        True,
        False,
        False,
    )


def test_what_does_not_run_is_worse_than_all_that_does() -> None:
    assert targets().outputs([b""]) == 12.5
    assert targets(None).outputs([b""]) == DOES_NOT_RUN


def test_output_snr_needs_a_network_that_runs() -> None:
    nothing = Targets(weights=1, uncounted=0, evaluate=None)
    nothing.check(parse_ladder("2b,20dB,45kB,exact"))
    with pytest.raises(UsageError, match="15dBo needs a network that can be run here"):
        nothing.check(parse_ladder("2b,15dBo"))


def test_progress_never_goes_back_and_ends_at_its_total() -> None:
    said: list[Progress] = []
    work = Work(10, said.append)
    work.begin("2b", 4)
    for _ in range(6):  # more than planned
        work.part()
    work.begin("4b", 6)
    work.part()
    work.end()
    done = [progress.done for progress in said]
    assert done == sorted(done)
    assert done[-1] == said[-1].total == 10
    assert [progress.doing for progress in said[:7]] == ["2b"] * 7
    assert done[7:9] == [4, 5]


def test_shares_of_a_stage_are_its_parts_and_less_may_be_left_than_was_planned() -> None:
    said: list[Progress] = []
    work = Work(100, said.append)
    work.begin("probes", 8)
    for share in (0.25, 0.1, 1.0):
        work.reach(share)
    work.plan(12)
    work.begin("2b", 4)
    work.reach(0.5)
    work.end()
    assert [(p.done, p.total) for p in said] == [
        *((done, 100) for done in (0, 2, 2, 8)),
        *((done, 12) for done in (8, 10, 12)),
    ]
