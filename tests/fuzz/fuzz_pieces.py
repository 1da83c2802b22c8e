"""Units in pieces: who takes pieces refuses what the one that takes all refuses, and no more."""

from choices import Choices
from midstream.bitstream import UnitReader, read_unit
from midstream.errors import DataError
from mutations import damage
from seeds import stacks

UNITS = [unit for stack in stacks() for unit in stack if len(unit) < 4000]


def read_in_pieces(data: bytes, size: int) -> None:
    """The same records, or both refuse."""
    reader = UnitReader()
    records = []
    try:
        for start in range(0, len(data), size):
            records += reader.feed(data[start : start + size])
        reader.close()
    except DataError:
        try:
            read_unit(data)
        except DataError:
            return
        raise
    assert records == list(read_unit(data).records)


def test_one(choices: Choices) -> None:
    """A damaged unit, in pieces of one size."""
    size = choices.integer(1, 400)
    unit = UNITS[choices.integer(0, len(UNITS) - 1)]
    read_in_pieces(damage(unit, choices), size)
