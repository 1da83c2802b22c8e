"""A session from its first release to its last byte, without I/O."""

import pytest

from midstream.errors import ErrorCode, MidstreamError, TransportError, UsageError
from midstream.limits import Limits
from midstream.session import (
    Choice,
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
    SIZES,
    Body,
    Drive,
    damaging,
    drive_with,
    failing,
    follow,
    honest,
    make,
    short,
    silent,
    without,
)


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
