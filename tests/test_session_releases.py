"""Newer releases, and units that come from elsewhere."""

from midstream.session import (
    Link,
    Purpose,
    ReleaseOpened,
    SessionState,
    UnitVerified,
)
from releases import (
    SIZES,
    Drive,
    failing,
    follow,
    honest,
    make,
    short,
    verified,
)


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
