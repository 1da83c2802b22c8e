"""What spec/recovery.md asks of a client."""

from dataclasses import replace

import pytest

from midstream.errors import ErrorCode
from midstream.session.assembly import Assembly, State
from midstream.session.events import Choice, Counters, Purpose
from midstream.trust.manifest import UnitEntry
from releases import Made, damaging, make


@pytest.fixture(scope="module")
def made() -> Made:
    return make([6000])


def fetched(
    entry: UnitEntry, files: dict[str, bytes], damaged: dict[Purpose, tuple[int, ...]]
) -> Assembly:
    """A unit that came from an origin which damages these places of its objects."""
    choice = Choice(release=1, unit=0, size=entry.size, reason="test")
    assembly = Assembly(entry, choice, Counters())
    assembly.start()
    while (request := assembly.request()) is not None:
        answer = damaging(*damaged.get(request.purpose, ()))
        start, body, error = answer(request, files[request.path])
        assembly.receive(request.purpose, start, body)
        assembly.finish(error)
    return assembly


def test_a_symbol_that_is_not_as_signed_is_an_erasure_and_not_used(made: Made) -> None:
    """[REC-3]"""
    damaged = {Purpose.BODY: (3000,), Purpose.REPAIR: (0, 700)}
    assembly = fetched(made.base, made.files, damaged)
    assert assembly.state is State.VERIFIED
    assert assembly.data == made.units[0]


def test_what_is_repaired_is_checked_against_the_signed_root(made: Made) -> None:
    """[REC-4] Here the signed repair symbols are of other bytes, by a publisher's mistake."""
    good, other = made.base, make([6000], seed=7)
    entry = replace(good, repair_root=other.base.repair_root)
    leaves = 32 * good.packets
    page = made.files[good.hashes_path][:leaves]
    page += other.files[other.base.hashes_path][leaves : good.page_size]
    files = {
        entry.path: made.units[0],
        entry.hashes_path: page + bytes(entry.parity_size),
        entry.repair_path: other.files[other.base.repair_path],
    }
    assembly = fetched(entry, files, {Purpose.BODY: (2000,)})
    assert assembly.state is State.FAILED
    assert assembly.error is not None
    assert assembly.error.code is ErrorCode.BAD_HASH
