"""Damaged journals of the store: only what was written is told to be there, or nothing is."""

from choices import Choices
from midstream.store import PartialUnit
from midstream.store.partial import JOURNAL
from midstream.store.partial import PartialUnit as OnDisk
from mutations import damage
from scratch import folder

SIZE = 4000
FOLDER = folder()
PATH = FOLDER / "unit"
JOURNAL_PATH = FOLDER / ("unit" + JOURNAL)
CONTENT = bytes(at * 7 & 0xFF for at in range(SIZE))


def written() -> bytes:
    """The journal of a unit of which some ranges came."""
    partial = OnDisk(PATH, SIZE)
    for start, stop in ((0, 500), (900, 1000), (1000, 2000), (3900, 4000)):
        partial.write(start, CONTENT[start:stop])
    journal = JOURNAL_PATH.read_bytes()
    partial.discard()
    return journal


WRITTEN = written()


def test_one(choices: Choices) -> None:
    """A journal that was damaged, of a unit that was cut short; then it goes on."""
    is_raw = choices.integer(0, 7) == 0
    JOURNAL_PATH.write_bytes(choices.raw(1 << 9) if is_raw else damage(WRITTEN, choices))
    there = choices.integer(0, SIZE) if choices.integer(0, 1) else SIZE
    PATH.write_bytes(CONTENT[:there])
    partial = PartialUnit(PATH, SIZE)
    received = sum(len(data) for _, data in partial.received())
    missing = sum(stop - start for start, stop in partial.missing())
    assert received + missing == SIZE
    assert received <= there, "nothing is told of that is not in the file"
    for start, stop in partial.missing():
        partial.write(start, CONTENT[start:stop])
    assert PartialUnit(PATH, SIZE).received() == [(0, CONTENT)], "it can always be completed"
