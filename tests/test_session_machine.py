"""A session from its first release to its last byte, without I/O."""

from dataclasses import replace

import pytest

from midstream.errors import ErrorCode, MidstreamError, TransportError, UsageError
from midstream.limits import Limits
from midstream.session import (
    Choice,
    Link,
    Policy,
    Purpose,
    ReleaseOpened,
    Request,
    Session,
    SessionState,
    UnitChosen,
    UnitDamaged,
    UnitFailed,
    UnitVerified,
)
from midstream.session.states import TRANSITIONS
from releases import (
    Body,
    Drive,
    Made,
    damaging,
    follow,
    honest,
    make,
    short,
    silent,
    whole,
    without,
)

SIZES = (3000, 2000, 1000)


def drive_with(policy: Policy) -> Drive:
    return Drive(Session(policy=policy), {})


def failing(path: str):  # type: ignore[no-untyped-def]
    """Damage an object beyond repair."""
    return damaging(*range(0, 100_000, 50), path=path)


def test_it_is_idle_without_a_release() -> None:
    session = Session()
    assert session.state is SessionState.IDLE
    assert session.manifest is None
    assert session.next_request(0.0) is None
    assert session.next_timeout() is None
    assert not session.has_events
    assert session.next_event() is None
    assert not session.has_failed


def test_a_release_comes_whole_base_first() -> None:
    made = make(SIZES)
    drive = follow(made)
    assert drive.session.state is SessionState.STARTING
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    verified = [e for e in drive.events if isinstance(e, UnitVerified)]
    assert [e.data for e in verified] == made.units
    assert [(e.release, e.unit, e.repaired) for e in verified] == [(1, 0, 0), (1, 1, 0), (1, 2, 0)]
    assert drive.session.counters.units_verified == 3
    assert drive.session.counters.requests == 3


def test_events_tell_it_in_order() -> None:
    drive = follow(make(SIZES[:1]), damaging(1000, path=make(SIZES[:1]).base.path))
    drive.run()
    kinds = [type(event) for event in drive.events]
    assert kinds == [ReleaseOpened, UnitChosen, UnitDamaged, UnitVerified]
    damaged = drive.events[2]
    assert isinstance(damaged, UnitDamaged)
    assert damaged.erasures == 1


def test_it_refines_once_the_base_is_there() -> None:
    drive = follow(make(SIZES))
    drive.step()
    assert drive.session.state is SessionState.REFINING


def test_a_cut_pauses_longer_each_time_and_goes_on() -> None:
    drive = follow(make(SIZES[:1]), silent)
    drive.step()
    first = drive.session.next_timeout()
    assert first is not None
    assert drive.session.next_request(drive.now) is None
    drive.now = first
    drive.step()
    second = drive.session.next_timeout()
    assert second is not None
    assert second - drive.now > first - 0.01
    drive.answer = honest
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert drive.session.counters.cuts == 2


def test_the_longest_pause_is_bounded() -> None:
    drive = Drive(Session(limits=Limits(attempts=30)), {}, silent)
    drive.open(make(SIZES[:1]))
    longest = 0.0
    for _ in range(25):
        drive.step()
        due = drive.session.next_timeout()
        assert due is not None
        longest = max(longest, due - drive.now)
        drive.now = due
    assert longest == pytest.approx(5.0)


def test_a_link_that_cuts_everything_still_delivers() -> None:
    made = make(SIZES)
    drive = follow(made, short(400))
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert drive.asked[made.base.path] > 3000
    assert drive.session.counters.received[Purpose.BODY] == sum(SIZES)


def test_a_base_that_cannot_be_had_fails_the_session() -> None:
    made = make(SIZES)
    drive = follow(made, failing(made.base.path))
    drive.run(until=20)
    assert drive.session.state is SessionState.FAILED
    assert drive.session.has_failed
    (failed,) = (e for e in drive.events if isinstance(e, UnitFailed))
    assert (failed.release, failed.unit) == (1, 0)
    assert failed.error.code is ErrorCode.TOO_MANY_ERASURES
    assert drive.session.counters.units_failed == 1
    assert drive.session.wait is not None


def test_a_base_that_was_given_up_is_tried_again_later() -> None:
    made = make(SIZES)
    drive = follow(made, failing(made.base.path))
    drive.run(until=20)
    due = drive.session.next_timeout()
    assert due is not None
    assert due - drive.now > 20
    drive.answer = honest
    drive.now = due
    drive.run(until=100)
    assert drive.session.state is SessionState.COMPLETE
    assert not drive.session.has_failed


def test_a_new_release_gets_a_failed_session_going() -> None:
    made = make(SIZES)
    drive = follow(made, failing(made.base.path))
    drive.run(until=20)
    drive.open(make(SIZES, number=2))
    assert drive.session.state is SessionState.STARTING
    drive.run(until=25)
    assert drive.session.state is SessionState.COMPLETE


def test_a_base_from_elsewhere_gets_a_failed_session_going() -> None:
    made = make(SIZES)
    drive = follow(made, failing(made.base.path))
    drive.run(until=20)
    assert drive.session.offer(1, 0, made.units[0])
    assert drive.session.state is SessionState.REFINING


def test_a_unit_that_cannot_be_had_leaves_the_rest_in_use() -> None:
    made = make(SIZES)
    drive = follow(made, failing(made.manifest.units[1].path))
    drive.run(until=20)
    assert drive.session.state is SessionState.REFINING
    assert drive.session.has_failed
    assert [e.unit for e in drive.events if isinstance(e, UnitVerified)] == [0]


def test_a_unit_that_was_given_up_is_tried_again_later() -> None:
    made = make(SIZES)
    drive = follow(made, failing(made.manifest.units[1].path))
    drive.run(until=20)
    drive.answer = honest
    drive.run(until=100)
    assert drive.session.state is SessionState.COMPLETE


def test_no_layer_above_the_highest_that_is_wanted_is_fetched() -> None:
    made = make(SIZES)
    drive = drive_with(Policy(max_layer=1))
    drive.open(made)
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert set(drive.asked) == {made.manifest.units[0].path, made.manifest.units[1].path}


def test_a_base_alone_may_be_all_that_is_wanted() -> None:
    drive = drive_with(Policy(max_layer=0))
    drive.open(make(SIZES))
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert len(drive.requests) == 1


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


def verified(drive: Drive) -> list[tuple[int, int]]:
    return [(e.release, e.unit) for e in drive.events if isinstance(e, UnitVerified)]


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


def test_the_choice_is_the_unit_under_way() -> None:
    drive = follow(make(SIZES), short(500))
    before = drive.session.choose(drive.now)
    drive.step()
    assert drive.session.choose(drive.now) == before
    assert drive.session.assembly is not None
    assert drive.session.assembly.choice == before


def test_an_answer_to_another_choice_is_ignored() -> None:
    made = make(SIZES)
    drive = follow(made)
    request = drive.session.next_request(0.0)
    assert request is not None
    other = Request(
        path=request.path,
        start=0,
        stop=10,
        total=10,
        purpose=Purpose.BODY,
        choice=Choice(release=1, unit=2, size=10, reason="another"),
    )
    assert not drive.session.receive_data(other, 0, b"0123456789")
    drive.session.finish_request(other, 1.0)
    assert drive.session.counters.received[Purpose.BODY] == 0


def test_an_answer_that_comes_when_all_is_there_is_ignored() -> None:
    drive = follow(make(SIZES[:1]))
    request = drive.session.next_request(0.0)
    assert request is not None
    drive.run()
    assert not drive.session.receive_data(request, 0, b"late")
    drive.session.finish_request(request, 9.0, TransportError(ErrorCode.TIMEOUT, "late"))


def test_a_release_that_is_not_newer_changes_nothing() -> None:
    drive = follow(make(SIZES, number=3))
    drive.run()
    drive.open(make(SIZES, number=3, seed=9))
    drive.open(make(SIZES, number=2))
    assert drive.session.state is SessionState.COMPLETE
    assert drive.session.manifest is not None
    assert drive.session.manifest.release == 3
    assert len(drive.of(ReleaseOpened)) == 1


def test_a_newer_release_is_fetched_after_a_complete_one() -> None:
    drive = follow(make(SIZES))
    drive.run()
    drive.open(make(SIZES, number=2))
    assert drive.session.state is SessionState.REFINING
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert [e.release for e in drive.events if isinstance(e, UnitVerified)] == [1] * 3 + [2] * 3


def test_a_newer_release_comes_before_what_is_left_of_the_older() -> None:
    older, newer = make(SIZES), make(SIZES, number=2)
    drive = follow(older)
    drive.step()
    drive.open(newer)
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert [e.release for e in drive.events if isinstance(e, UnitVerified)] == [1, 2, 2, 2]


def refining(first: int) -> Drive:
    """The base is there, and so many bytes of the 2,000 of the unit on it."""
    drive = follow(make(SIZES))
    drive.step()
    drive.answer = short(first)
    drive.step()
    drive.now += 1
    return drive


def test_a_unit_under_way_is_dropped_for_the_base_of_a_newer_release() -> None:
    drive = refining(500)
    drive.open(make(SIZES, number=2))
    drive.answer = honest
    drive.run()
    assert verified(drive) == [(1, 0), (2, 0), (2, 1), (2, 2)]


def test_a_unit_that_was_dropped_goes_on_where_the_newer_base_cannot_be_had() -> None:
    drive = refining(500)
    newer = make(SIZES, number=2)
    drive.open(newer)
    drive.answer = failing(newer.base.path)
    drive.run(until=20)
    assert verified(drive) == [(1, 0), (1, 1), (1, 2)]
    bodies = drive.session.counters.received[Purpose.BODY]
    assert bodies - drive.asked[newer.base.path] == sum(SIZES)  # no byte of it came twice


def test_a_unit_of_a_release_that_runs_is_finished_first_where_it_is_nearly_there() -> None:
    drive = refining(1800)
    drive.open(make(SIZES, number=2))
    drive.answer = honest
    drive.run()
    assert verified(drive) == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]


def test_the_base_of_a_release_that_is_replaced_before_it_runs_is_left() -> None:
    drive = follow(make(SIZES), short(500))
    drive.step()
    drive.open(make(SIZES, number=2))
    assert drive.session.assembly is None
    drive.run()
    assert {e.release for e in drive.events if isinstance(e, UnitVerified)} == {2}


def test_releases_may_come_faster_than_their_bases() -> None:
    drive = follow(make(SIZES))
    drive.run()
    drive.answer = short(500)
    for number in range(2, 6):
        drive.open(make(SIZES, number=number))
        drive.step()
        drive.now += 1
    drive.session.report(Link(buffer=100.0), drive.now)
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert [e.release for e in drive.events if isinstance(e, UnitVerified)] == [1] * 3 + [5] * 3


def test_the_running_release_counts_however_many_follow_it() -> None:
    drive = follow(make(SIZES))
    drive.run()
    drive.session.report(Link(buffer=0.0), drive.now)
    for number in (2, 3, 4):
        drive.open(make(SIZES, number=number))
        drive.run()
    assert len(drive.requests) == 3


def test_the_older_release_goes_on_where_the_newer_base_cannot_be_had() -> None:
    older, newer = make(SIZES), make(SIZES, number=2)
    drive = follow(older)
    drive.step()
    drive.open(newer)
    drive.answer = failing(newer.base.path)
    drive.run(until=20)
    assert drive.session.state is SessionState.REFINING
    assert [(e.release, e.unit) for e in drive.events if isinstance(e, UnitVerified)] == [
        (1, 0),
        (1, 1),
        (1, 2),
    ]
    drive.answer = honest
    drive.run(until=100)
    assert drive.session.state is SessionState.COMPLETE


def test_a_failed_unit_of_a_release_that_is_replaced_is_forgotten() -> None:
    made = make(SIZES)
    drive = follow(made, failing(made.manifest.units[1].path))
    drive.run(until=20)
    drive.answer = honest
    drive.open(make(SIZES, number=2))
    assert not drive.session.has_failed
    drive.run(until=100)
    assert drive.session.state is SessionState.COMPLETE
    assert drive.session.next_timeout() is None


def test_a_unit_from_elsewhere_is_taken_if_it_is_as_signed() -> None:
    made = make(SIZES)
    drive = follow(made)
    assert drive.session.offer(1, 0, made.units[0])
    assert not drive.session.offer(1, 0, made.units[0])
    assert drive.session.state is SessionState.REFINING
    drive.run()
    assert made.base.path not in drive.asked


def test_a_unit_from_elsewhere_that_is_not_as_signed_is_refused() -> None:
    made = make(SIZES)
    drive = follow(made)
    assert not drive.session.offer(1, 0, bytes(len(made.units[0])))
    assert not drive.session.offer(1, 0, made.units[0][:-1])
    assert not drive.session.offer(1, 0, made.units[0] + b"x")
    assert drive.session.state is SessionState.STARTING


def test_a_unit_from_elsewhere_replaces_the_one_under_way() -> None:
    made = make(SIZES)
    drive = follow(made, short(500))
    drive.step()
    assert drive.session.offer(1, 0, made.units[0])
    assert drive.session.assembly is None


def test_a_unit_from_elsewhere_leaves_another_one_under_way() -> None:
    made = make(SIZES)
    drive = follow(made, short(500))
    drive.step()
    assert drive.session.offer(1, 2, made.units[2])
    assert drive.session.assembly is not None


def test_a_unit_without_its_base_does_not_start_the_session() -> None:
    made = make(SIZES)
    drive = follow(made)
    drive.session.offer(1, 1, made.units[1])
    assert drive.session.state is SessionState.STARTING
    drive.session.report(Link(buffer=0.0), drive.now)
    drive.step()
    assert drive.session.state is SessionState.REFINING


def test_all_units_from_elsewhere_complete_it() -> None:
    made = make(SIZES)
    drive = follow(made)
    for unit, data in enumerate(made.units):
        drive.session.offer(1, unit, data)
    assert drive.session.state is SessionState.COMPLETE
    drive.run()
    assert not drive.requests


def test_a_base_from_elsewhere_ends_what_is_under_way_of_the_older_release() -> None:
    older, newer = make(SIZES), make(SIZES, number=2)
    drive = follow(older, short(500))
    while drive.session.state is SessionState.STARTING or not drive.session.assembly:
        drive.step()
        drive.now += 1
    drive.open(newer)
    request = drive.requests[-1]
    assert request.choice.release == 1
    assert drive.session.offer(2, 0, newer.units[0])
    assert drive.session.assembly is None
    assert not drive.session.receive_data(request, request.start, b"late")
    drive.session.finish_request(request, drive.now + 2)
    drive.run()
    assert drive.session.state is SessionState.COMPLETE


def test_a_release_that_is_not_open_is_refused() -> None:
    drive = follow(make(SIZES))
    with pytest.raises(UsageError) as caught:
        drive.session.offer(7, 0, b"")
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_bytes_of_an_earlier_run_are_not_asked_for_again() -> None:
    made = make(SIZES)
    drive = follow(made)
    choice = drive.session.choose(0.0)
    assert choice is not None
    drive.session.begin(choice)
    drive.session.restore(0, made.units[0][:1111])
    drive.run()
    assert drive.asked[made.base.path] == 3000 - 1111
    assert drive.session.state is SessionState.COMPLETE


def test_a_unit_that_an_earlier_run_has_whole_costs_no_request() -> None:
    made = make(SIZES[:1])
    drive = follow(made)
    choice = drive.session.choose(0.0)
    assert choice is not None
    drive.session.begin(choice)
    drive.session.restore(0, made.units[0])
    assert drive.session.next_request(0.0) is None
    assert drive.session.state is SessionState.COMPLETE


def test_bytes_of_an_earlier_run_without_a_unit_under_way_are_dropped() -> None:
    drive = follow(make(SIZES))
    drive.session.restore(0, b"1234")
    assert drive.session.assembly is None


def test_two_units_are_not_under_way_at_once() -> None:
    drive = follow(make(SIZES), short(500))
    choice = drive.session.choose(0.0)
    assert choice is not None
    drive.session.begin(choice)
    with pytest.raises(AssertionError):
        drive.session.begin(choice)


def test_the_origin_may_have_no_hash_page() -> None:
    made = make(SIZES)
    drive = follow(made, without(".hashes", damaging(500, path=made.base.path)))
    drive.run(until=20)
    assert drive.session.state is SessionState.FAILED
    (failed,) = (e for e in drive.events if isinstance(e, UnitFailed))
    assert failed.error.code is ErrorCode.NOT_FOUND


def test_damage_is_repaired_while_the_next_unit_waits() -> None:
    made = make(SIZES)
    drive = follow(made, damaging(100, 900, path=made.base.path))
    drive.run()
    assert drive.session.state is SessionState.COMPLETE
    assert drive.session.counters.repaired_packets == 2
    assert [e.data for e in drive.events if isinstance(e, UnitVerified)] == made.units


def test_after_the_end_only_events_are_given() -> None:
    made = make(SIZES)
    drive = follow(made)
    request = drive.session.next_request(0.0)
    assert request is not None
    drive.session.close()
    assert drive.session.state is SessionState.CLOSED
    for refused in (
        lambda: drive.session.next_request(0.0),
        lambda: drive.session.choose(0.0),
        lambda: drive.session.open_release(made.manifest, 0.0),
        lambda: drive.session.offer(1, 0, made.units[0]),
    ):
        with pytest.raises(UsageError) as caught:
            refused()
        assert caught.value.code is ErrorCode.BAD_STATE
    assert not drive.session.receive_data(request, 0, b"late")
    drive.session.finish_request(request, 1.0)
    drive.session.close()
    assert isinstance(drive.session.next_event(), ReleaseOpened)


def test_an_owner_that_answers_late_is_no_error() -> None:
    made = make(SIZES)
    drive = follow(made)

    def answer(request: Request, data: bytes) -> Body:
        error: MidstreamError = TransportError(ErrorCode.TIMEOUT, "late")
        return request.start, data[request.start : request.stop], error

    drive.answer = answer
    drive.run()
    assert drive.session.state is SessionState.COMPLETE


def test_the_table_knows_no_way_out_of_the_end() -> None:
    assert SessionState.CLOSED not in {state for state, _ in TRANSITIONS}
    assert set(TRANSITIONS.values()) == set(SessionState) - {
        SessionState.IDLE,
        SessionState.CLOSED,
    }
