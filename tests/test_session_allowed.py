"""What a player allows and aims at, and what a session makes of it."""

from dataclasses import replace

from midstream.session import (
    Choice,
    Link,
    Policy,
    Purpose,
    SessionState,
    UnitChosen,
)
from releases import (
    SIZES,
    Drive,
    Made,
    damaging,
    drive_with,
    follow,
    honest,
    make,
    short,
    verified,
    whole,
)


def test_below_the_low_water_mark_nothing_but_the_base_is_fetched() -> None:
    drive = follow(make(SIZES))
    drive.session.report(Link(buffer=2.0), drive.now)
    drive.run()
    assert drive.session.state is SessionState.REFINING
    assert drive.session.wait is not None
    assert drive.session.next_timeout() is None
    drive.session.report(Link(buffer=20.0), drive.now)
    drive.run()
    assert drive.session.state is SessionState.COMPLETE


def under_way() -> Drive:
    """The base is there, and 500 bytes of the unit on it."""
    drive = follow(make(SIZES))
    drive.step()
    drive.answer = short(500)
    drive.step()
    assert drive.session.assembly is not None
    assert drive.session.assembly.received.total == 500
    drive.now += 1
    return drive


def test_a_low_buffer_rests_the_unit_under_way() -> None:
    drive = under_way()
    drive.session.report(Link(buffer=1.0), drive.now)
    assert drive.session.is_held
    assert drive.session.choose(drive.now) is None
    assert drive.session.next_request(drive.now) is None
    assert drive.session.wait is not None
    assert drive.session.wait.reason == "buffer 1.0 s is below 8.0 s"
    assert drive.session.next_timeout() is None
    drive.session.report(Link(buffer=20.0), drive.now)
    drive.answer = honest
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert drive.session.counters.received[Purpose.BODY] == sum(SIZES)


def test_a_unit_that_is_worth_too_little_rests_while_media_play() -> None:
    drive = drive_with(Policy(least_worth=1e6))
    drive.open(make(SIZES))
    drive.step()
    drive.answer = short(500)
    drive.step()
    drive.now += 1
    drive.session.report(Link(buffer=30.0), drive.now)
    assert drive.session.is_held
    assert drive.session.next_request(drive.now) is None
    assert drive.session.wait is not None
    assert drive.session.wait.reason.endswith("while media play")
    drive.session.report(Link(), drive.now)
    drive.answer = honest
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert drive.session.counters.received[Purpose.BODY] == sum(SIZES)


def test_a_low_buffer_does_not_rest_the_first_base() -> None:
    drive = follow(make(SIZES), short(500))
    drive.session.report(Link(buffer=0.0, budget=0), drive.now)
    drive.run()
    assert drive.session.state is SessionState.REFINING


def test_requests_that_end_because_they_are_held_are_no_attempts() -> None:
    drive = under_way()
    for _ in range(20):
        drive.session.report(Link(buffer=20.0), drive.now)
        request = drive.session.next_request(drive.now)
        assert request is not None
        drive.session.report(Link(buffer=1.0), drive.now)
        drive.session.finish_request(request, drive.now)
    assert drive.session.assembly is not None
    assert drive.session.assembly.attempts == 0


def test_a_budget_holds_for_all_units_until_the_next_report() -> None:
    drive = follow(make(SIZES))
    drive.step()
    drive.session.report(Link(buffer=20.0, budget=2500), drive.now)
    drive.run()
    assert drive.session.counters.received[Purpose.BODY] == 3000 + 2500
    assert drive.session.wait is not None
    assert drive.session.wait.reason == "the budget of 2500 bytes is spent"
    drive.session.report(Link(buffer=20.0, budget=2500), drive.now)
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert drive.session.counters.received[Purpose.BODY] == sum(SIZES)


def test_a_unit_over_every_budget_comes_by_ranges() -> None:
    drive = follow(make((1000, 5000)))
    drive.step()
    reports = 0
    while drive.session.state is not SessionState.COMPLETE:
        reports += 1
        drive.session.report(Link(buffer=20.0, budget=700), drive.now)
        drive.run()
    assert reports == 8
    assert {r.stop - r.start for r in drive.requests[1:-1]} == {700}
    assert sum(r.stop - r.start for r in drive.requests) == 6000


def test_repair_keeps_to_the_budget_too() -> None:
    made = make((1000, 8000))
    drive = follow(made, damaging(0, 3000, 6000, path=made.manifest.units[1].path))
    drive.step()
    for _ in range(60):
        before = drive.session.counters.total
        drive.session.report(Link(buffer=20.0, budget=400), drive.now)
        drive.run()
        assert drive.session.counters.total - before <= 400
        if drive.session.state is SessionState.COMPLETE:
            break
    assert drive.session.state is SessionState.COMPLETE
    assert drive.session.counters.repaired_packets == 3
    assert drive.session.counters.units_failed == 0


def test_a_budget_that_is_spent_rests_the_unit_under_way() -> None:
    drive = under_way()
    drive.session.report(Link(buffer=20.0, budget=700), drive.now)
    drive.run()
    assert drive.session.wait is not None
    assert drive.session.wait.reason == (
        "200 bytes are left of the budget of 700, 256 are worth a request"
    )
    drive.session.report(Link(buffer=20.0), drive.now)
    drive.answer = honest
    drive.run()
    assert drive.session.state is SessionState.COMPLETE


def test_bytes_that_nobody_wants_any_more_are_spent_all_the_same() -> None:
    drive = under_way()
    drive.session.report(Link(buffer=20.0, budget=1000), drive.now)
    request = drive.session.next_request(drive.now)
    assert request is not None
    drive.session.offer(1, 1, make(SIZES).units[1])
    assert not drive.session.receive_data(request, request.start, bytes(1000))
    assert drive.session.choose(drive.now) is None


def test_an_origin_that_sends_units_whole_is_asked_where_the_budget_takes_one() -> None:
    drive = under_way()
    drive.answer = whole
    for _ in range(10):
        drive.session.report(Link(buffer=20.0, budget=1300), drive.now)
        drive.run()
    assert len(drive.requests) == 3  # the second one showed it
    assert drive.session.wait is not None
    assert drive.session.wait.reason.endswith("the budget of 1300, 2000 are worth a request")
    drive.session.report(Link(buffer=20.0, budget=3000), drive.now)
    drive.run()
    assert drive.session.state is SessionState.COMPLETE


FORKED = (1000, 4000, 1000)


def forked(number: int = 1) -> Made:
    """A base, and two units on it, of which the second is worth more a byte."""
    made = make(FORKED, snr=(10.0, 20.0, 18.0), number=number)
    units = (*made.manifest.units[:2], replace(made.manifest.units[2], parent=0))
    return replace(made, manifest=replace(made.manifest, units=units))


def aimed() -> Drive:
    """A base is there, and the player means to swap in 4.5 s, in which 4,500 bytes can come."""
    drive = follow(forked())
    drive.step()
    drive.session.report(Link(buffer=20.0, throughput=1000.0), drive.now)
    drive.session.aim(4.5, drive.now)
    return drive


def chosen(drive: Drive) -> Choice:
    choice = drive.session.choose(drive.now)
    assert choice is not None
    return choice


def test_an_activation_that_is_near_goes_before_gain_per_byte() -> None:
    drive = aimed()
    choice = chosen(drive)
    assert choice.unit == 1
    assert "the best of the 4500 bytes that can come in time" in choice.reason
    drive.session.staging = 1.0  # then only 3,500 bytes can be ready
    drive.session.aim(4.5, drive.now)
    choice = chosen(drive)
    assert choice.unit == 2


def test_an_activation_that_is_over_counts_no_more() -> None:
    drive = aimed()
    drive.now += 4.5
    choice = chosen(drive)
    assert "in time" not in choice.reason
    drive.session.aim(4.5, drive.now)
    drive.session.aim(None, drive.now)
    assert drive.session.choose(drive.now) == choice


def test_the_rate_of_model_bytes_counts_where_the_player_tells_none() -> None:
    drive = follow(forked())
    drive.step()
    drive.session.aim(4.5, drive.now)
    assert chosen(drive).unit == 2
    drive.session.estimator.add(10_000, 10.0)
    assert chosen(drive).unit == 1


def test_a_unit_under_way_is_dropped_for_a_better_one_and_goes_on_later() -> None:
    drive = aimed()
    request = drive.session.next_request(drive.now)
    assert request is not None
    assert request.choice.unit == 1
    data = drive.files[request.path]
    drive.session.receive_data(request, 0, data[:500])
    assert drive.session.wants(request, drive.now)
    drive.session.aim(2.0, drive.now)  # sooner than the whole of it can be there
    assert not drive.session.wants(request, drive.now)
    drive.session.finish_request(request, drive.now)
    drive.run()
    assert verified(drive) == [(1, 0), (1, 2), (1, 1)]
    assert drive.asked[request.path] == 4000 - 500
    assert drive.session.counters.cuts == 0
    chosen = [e.choice.unit for e in drive.of(UnitChosen) if isinstance(e, UnitChosen)]
    assert chosen == [0, 1, 2, 1]


def test_a_unit_that_is_nearly_there_is_not_dropped() -> None:
    drive = aimed()
    request = drive.session.next_request(drive.now)
    assert request is not None
    drive.session.receive_data(request, 0, drive.files[request.path][:3500])
    drive.session.aim(0.1, drive.now)
    assert drive.session.wants(request, drive.now)


def test_a_unit_that_was_dropped_and_comes_from_elsewhere_is_not_asked_for() -> None:
    made = forked()
    drive = follow(made)
    drive.step()
    drive.session.report(Link(buffer=20.0, throughput=1000.0), drive.now)
    drive.session.aim(4.5, drive.now)
    request = drive.session.next_request(drive.now)
    assert request is not None
    drive.session.aim(None, drive.now)
    assert drive.session.choose(drive.now) is not None
    assert drive.session.offer(1, 1, made.units[1])
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert request.path not in drive.asked
