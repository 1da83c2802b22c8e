"""One unit on its way in: its states, its damage, and when it is given up."""

import pytest

from midstream.errors import ErrorCode, MidstreamError, TransportError
from midstream.limits import LIMITS
from midstream.session.assembly import TRANSITIONS, Assembly, Input, State, protection_of
from midstream.session.events import Choice, Counters, Purpose, Request
from midstream.trust.manifest import UnitEntry
from releases import (
    Answer,
    Body,
    Made,
    content,
    damaging,
    honest,
    make,
    make_of,
    short,
    silent,
    whole,
    without,
)

SIZE = 6000
PACKET = 512


@pytest.fixture(scope="module")
def made() -> Made:
    return make([SIZE])


def assemble(entry: UnitEntry, counters: Counters | None = None) -> Assembly:
    choice = Choice(release=1, unit=0, size=entry.size, reason="test")
    return Assembly(entry, choice, counters or Counters())


def drive(assembly: Assembly, made: Made, answer: Answer = honest) -> list[Purpose]:
    """Fetch until it is through; what each request was for."""
    if assembly.state is State.WANTED:
        assembly.start()
    purposes = []
    while (request := assembly.request()) is not None:
        assert len(purposes) < 60, "it must come to an end"
        purposes.append(request.purpose)
        offset, body, error = answer(request, made.files[request.path])
        if body:
            assembly.receive(request.purpose, offset, body)
        assembly.finish(error)
    return purposes


def test_an_undamaged_unit_costs_one_request(made: Made) -> None:
    assembly = assemble(made.base)
    assert drive(assembly, made) == [Purpose.BODY]
    assert assembly.state is State.VERIFIED
    assert assembly.data == made.units[0]
    assert assembly.repaired == 0


def test_nothing_is_wanted_before_the_start(made: Made) -> None:
    assert assemble(made.base).request() is None


def test_unverified_bytes_do_not_leave(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.start()
    with pytest.raises(AssertionError):
        _ = assembly.data


def test_a_cut_body_goes_on_where_it_stopped(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.start()
    assembly.receive(Purpose.BODY, 0, made.units[0][:1000])
    assembly.finish(TransportError(ErrorCode.SHORT_BODY, "cut"))
    request = assembly.request()
    assert request is not None
    assert (request.start, request.stop, request.total) == (1000, SIZE, SIZE)
    assert request.path == made.base.path


def test_a_body_of_many_cuts_comes_whole(made: Made) -> None:
    counters = Counters()
    assembly = assemble(made.base, counters)
    purposes = drive(assembly, made, short(500))
    assert assembly.state is State.VERIFIED
    assert purposes == [Purpose.BODY] * 12
    assert counters.cuts == 11
    assert counters.received[Purpose.BODY] == SIZE


def test_bytes_come_in_any_order_and_more_than_once(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.start()
    data = made.units[0]
    assert assembly.receive(Purpose.BODY, 3000, data[3000:])
    assert not assembly.receive(Purpose.BODY, 4000, data[4000:5000])
    assert assembly.receive(Purpose.BODY, 0, data[:3500])
    assembly.finish()
    assert assembly.data == data


def test_a_server_without_ranges_may_send_the_whole_again(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.start()
    assembly.receive(Purpose.BODY, 0, made.units[0][:1000])
    assembly.finish(TransportError(ErrorCode.SHORT_BODY, "cut"))
    assert drive(assembly, made, whole) == [Purpose.BODY]
    assert assembly.data == made.units[0]


def test_bytes_that_came_first_are_not_replaced(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.start()
    assembly.receive(Purpose.BODY, 0, made.units[0])
    assembly.receive(Purpose.BODY, 0, bytes(SIZE))
    assembly.finish()
    assert assembly.data == made.units[0]


def test_bytes_behind_the_end_are_left_out(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.start()
    assembly.receive(Purpose.BODY, 0, made.units[0] + b"more")
    assert not assembly.receive(Purpose.BODY, SIZE + 10, b"more")
    assembly.finish()
    assert assembly.data == made.units[0]


def test_bytes_for_another_purpose_are_only_counted(made: Made) -> None:
    counters = Counters()
    assembly = assemble(made.base, counters)
    assembly.start()
    assert not assembly.receive(Purpose.HASHES, 0, b"12345")
    assert counters.received[Purpose.HASHES] == 5
    assert assembly.received.total == 0


def test_a_damaged_packet_is_repaired_with_one_symbol(made: Made) -> None:
    counters = Counters()
    assembly = assemble(made.base, counters)
    purposes = drive(assembly, made, damaging(2000, path=made.base.path))
    assert purposes == [Purpose.BODY, Purpose.HASHES, Purpose.REPAIR]
    assert assembly.data == made.units[0]
    assert assembly.repaired == 1
    assert (counters.damaged_packets, counters.repaired_packets) == (1, 1)
    assert counters.received[Purpose.REPAIR] == PACKET


def test_the_last_packet_which_is_shorter_is_repaired_too(made: Made) -> None:
    assembly = assemble(made.base)
    drive(assembly, made, damaging(SIZE - 1, path=made.base.path))
    assert assembly.data == made.units[0]


def test_packets_of_several_blocks_are_repaired(made: Made) -> None:
    assembly = assemble(made.base)
    drive(assembly, made, damaging(10, 700, 2000, 5000, path=made.base.path))
    assert assembly.data == made.units[0]
    assert assembly.repaired == 4


def test_a_damaged_symbol_is_replaced_by_another(made: Made) -> None:
    counters = Counters()
    assembly = assemble(made.base, counters)
    first = protection_of(made.base).blocks[-1].first_repair * PACKET

    def answer(request: Request, data: bytes) -> Body:
        if request.purpose is Purpose.HASHES:
            return honest(request, data)
        place = 5000 if request.purpose is Purpose.BODY else first
        return damaging(place)(request, data)

    purposes = drive(assembly, made, answer)
    assert purposes.count(Purpose.REPAIR) == 2
    assert assembly.data == made.units[0]
    assert counters.damaged_packets == 2


def test_a_damaged_hash_page_is_corrected_by_its_parity(made: Made) -> None:
    assembly = assemble(made.base)

    def answer(request: Request, data: bytes) -> Body:
        return (
            damaging(3, 100, 333)(request, data)
            if request.purpose is not Purpose.REPAIR
            else (honest(request, data))
        )

    purposes = drive(assembly, made, answer)
    assert purposes.count(Purpose.HASHES) == 2
    assert assembly.data == made.units[0]


def test_parity_of_a_hash_page_that_is_as_signed_is_not_asked_for(made: Made) -> None:
    counters = Counters()
    assembly = assemble(made.base, counters)
    purposes = drive(assembly, made, damaging(5000, path=made.base.path))
    assert purposes.count(Purpose.HASHES) == 1
    assert counters.received[Purpose.HASHES] == made.base.page_size < made.base.hashes_size
    assert assembly.data == made.units[0]


def test_a_hash_page_that_is_beyond_repair_is_asked_for_again(made: Made) -> None:
    assembly = assemble(made.base)
    pages = []

    def answer(request: Request, data: bytes) -> Body:
        if request.purpose is Purpose.HASHES:
            pages.append(request)
            return (0, bytes(len(data)), None) if len(pages) == 1 else honest(request, data)
        places = (2000,) if request.purpose is Purpose.BODY else ()
        return damaging(*places)(request, data)

    drive(assembly, made, answer)
    assert len(pages) == 2
    assert assembly.data == made.units[0]


def test_a_hash_page_that_is_always_wrong_ends_the_unit(made: Made) -> None:
    assembly = assemble(made.base)

    def answer(request: Request, data: bytes) -> Body:
        if request.purpose is Purpose.HASHES:
            return 0, bytes(len(data)), None
        return damaging(2000)(request, data)

    purposes = drive(assembly, made, answer)
    assert assembly.state is State.FAILED
    assert assembly.error is not None
    assert assembly.error.code is ErrorCode.BAD_HASH
    assert purposes.count(Purpose.HASHES) == LIMITS.attempts


def test_damage_beyond_the_symbols_asks_for_those_packets_again(made: Made) -> None:
    assembly = assemble(made.base)
    bodies = []

    def answer(request: Request, data: bytes) -> Body:
        if request.purpose is Purpose.BODY:
            bodies.append(request)
            if len(bodies) == 1:
                return damaging(*range(3000, 6000, 200))(request, data)
        return honest(request, data)

    drive(assembly, made, answer)
    assert assembly.data == made.units[0]
    again = sum(request.stop - request.start for request in bodies[1:])
    assert 3000 <= again <= 3000 + 2 * PACKET


def test_damage_that_stays_beyond_the_symbols_ends_the_unit(made: Made) -> None:
    assembly = assemble(made.base)
    drive(assembly, made, damaging(*range(0, 6000, 100), path=made.base.path))
    assert assembly.state is State.FAILED
    assert assembly.error is not None
    assert assembly.error.code is ErrorCode.TOO_MANY_ERASURES


def test_a_unit_without_repair_symbols_asks_for_damaged_packets_again() -> None:
    made = make([SIZE], repair=0)
    assembly = assemble(made.base)
    bodies = []

    def answer(request: Request, data: bytes) -> Body:
        bodies.append(request)
        return damaging(2000)(request, data) if len(bodies) == 1 else honest(request, data)

    assert drive(assembly, made, answer) == [Purpose.BODY, Purpose.HASHES, Purpose.BODY]
    assert assembly.data == made.units[0]


def test_a_unit_without_repair_symbols_that_stays_damaged_fails() -> None:
    made = make([SIZE], repair=0)
    assembly = assemble(made.base)
    drive(assembly, made, damaging(2000, path=made.base.path))
    assert assembly.state is State.FAILED


def test_no_answer_at_all_ends_the_unit_with_the_reason(made: Made) -> None:
    assembly = assemble(made.base)
    purposes = drive(assembly, made, silent)
    assert assembly.state is State.FAILED
    assert assembly.error is not None
    assert assembly.error.code is ErrorCode.TIMEOUT
    assert purposes == [Purpose.BODY] * LIMITS.attempts + [Purpose.HASHES] * LIMITS.attempts


@pytest.mark.parametrize("repair", [0.0, 0.3])
def test_answers_that_are_empty_end_the_unit(repair: float) -> None:
    made = make([SIZE], repair=repair)
    assembly = assemble(made.base)
    drive(assembly, made, lambda request, data: (request.start, b"", None))
    assert assembly.state is State.FAILED
    assert isinstance(assembly.error, MidstreamError)


def test_a_body_that_stops_short_for_good_is_completed_by_repair_symbols(made: Made) -> None:
    assembly = assemble(made.base)

    def answer(request: Request, data: bytes) -> Body:
        if request.purpose is Purpose.BODY:
            return request.start, data[request.start : 5400], None
        return honest(request, data)

    drive(assembly, made, answer)
    assert assembly.data == made.units[0]
    assert assembly.repaired == 2


def test_missing_repair_symbols_end_a_damaged_unit(made: Made) -> None:
    assembly = assemble(made.base)
    drive(assembly, made, without(".repair", damaging(2000)))
    assert assembly.state is State.FAILED
    assert assembly.error is not None
    assert assembly.error.code is ErrorCode.NOT_FOUND


def test_restored_bytes_are_not_asked_for_again(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.restore(0, made.units[0][:2500])
    assembly.start()
    request = assembly.request()
    assert request is not None
    assert request.start == 2500


def test_a_unit_that_is_restored_whole_asks_for_nothing(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.restore(0, made.units[0])
    assembly.start()
    assert assembly.state is State.VERIFIED


def test_restored_bytes_that_rotted_are_repaired(made: Made) -> None:
    assembly = assemble(made.base)
    assembly.restore(0, bytes(300) + made.units[0][300:])
    assert drive(assembly, made) == [Purpose.HASHES, Purpose.REPAIR]
    assert assembly.data == made.units[0]


def test_damage_in_the_same_packet_twice_is_one_erasure(made: Made) -> None:
    assembly = assemble(made.base)
    drive(assembly, made, damaging(2000, 2001, path=made.base.path))
    assert assembly.repaired == 1


def test_a_unit_signed_for_another_number_of_symbols_is_refused(made: Made) -> None:
    changed = make([SIZE]).base
    object.__setattr__(changed, "repair_symbols", changed.repair_symbols - 1)
    assembly = assemble(changed)

    def answer(request: Request, data: bytes) -> Body:
        places = (2000,) if request.purpose is Purpose.BODY else ()
        offset, body, error = damaging(*places)(request, data)
        return offset, body, error

    files = {changed.path: made.units[0], changed.hashes_path: made.files[made.base.hashes_path]}
    drive(assembly, Made(manifest=made.manifest, units=made.units, files=files), answer)
    assert assembly.state is State.FAILED


def test_repaired_packets_that_are_not_as_signed_are_refused(made: Made) -> None:
    """A publisher whose repair symbols are of other bytes: the root over them is his own."""
    other = make([SIZE], seed=7)
    entry = make([SIZE]).base
    object.__setattr__(entry, "repair_root", other.base.repair_root)
    packets = made.base.packets * 32
    page = (
        made.files[made.base.hashes_path][:packets]
        + other.files[other.base.hashes_path][packets : other.base.page_size]
    )
    files = {
        entry.path: made.units[0],
        entry.hashes_path: page + bytes(entry.parity_size),
        entry.repair_path: other.files[other.base.repair_path],
    }
    assembly = assemble(entry)
    drive(
        assembly,
        Made(manifest=made.manifest, units=made.units, files=files),
        damaging(2000, path=entry.path),
    )
    assert assembly.state is State.FAILED
    assert assembly.error is not None
    assert assembly.error.code is ErrorCode.BAD_HASH


def test_what_comes_after_the_end_is_ignored(made: Made) -> None:
    assembly = assemble(made.base)
    drive(assembly, made)
    assert not assembly.receive(Purpose.BODY, 0, b"late")
    assembly.finish()
    assert assembly.state is State.VERIFIED


def test_the_table_leads_out_of_no_final_state() -> None:
    assert not {state for state, _ in TRANSITIONS} & {State.VERIFIED, State.FAILED}
    assert set(TRANSITIONS.values()) == set(State) - {State.WANTED}
    assert {happened for _, happened in TRANSITIONS} == set(Input)


def test_missing_bytes_that_happen_to_be_zero_are_no_erasures() -> None:
    """A body that stops for good before zeros is whole without a repair symbol."""
    made = make_of([content(4000, 1) + bytes(2048)])
    assembly = assemble(made.base)

    def answer(request: Request, data: bytes) -> Body:
        if request.purpose is Purpose.BODY:
            return request.start, data[request.start : 4096], None
        return honest(request, data)

    assert Purpose.REPAIR not in drive(assembly, made, answer)
    assert assembly.data == made.units[0]
