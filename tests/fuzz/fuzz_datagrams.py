"""Hostile datagrams: left aside, or gathered in bounded memory; objects of the right size come."""

from dataclasses import replace

from choices import Choices
from midstream.errors import DataError
from midstream.fec import grids
from midstream.fec.grids import Grid
from midstream.limits import LIMITS
from midstream.session.datagrams import Datagram, ObjectKey, ObjectKind
from midstream.session.gathering import Gathering
from mutations import damage

INPUTS = 20
"""Datagrams in one run."""
MEMORY = 40_000
SMALL = replace(LIMITS, carousel_memory=MEMORY, unit_size=1 << 16, bundle_size=1 << 16)
CONTENT = bytes(range(251)) * 2
SIZES = (1, 16, 40)


def object_of(symbol_size: int) -> list[Datagram]:
    """All datagrams of an object."""
    grid = Grid(len(CONTENT), symbol_size)
    table = grids.encode(CONTENT, grid)
    key = ObjectKey(kind=ObjectKind.UNIT, id=bytes(8), size=len(CONTENT), symbol_size=symbol_size)
    places = [(row, column) for row in range(len(table)) for column in range(255)]
    return [
        Datagram(key=key, row=row, column=column, symbol=table[row, column].tobytes())
        for row, column in places
        if grid.has(row, column)
    ]


OBJECTS = [object_of(size) for size in SIZES]


def lie(good: Datagram, choices: Choices) -> Datagram:
    """Another place, size, kind or content, with a check that is right."""
    key = good.key
    match choices.integer(0, 4):
        case 0:
            key = replace(key, size=choices.integer(0, 1 << 17))
        case 1:
            key = replace(key, id=choices.raw(8).ljust(8, b"\1"))
        case 2:
            key = replace(key, kind=ObjectKind.BUNDLE)
        case 3:
            return replace(good, row=choices.integer(0, 65535), column=choices.integer(0, 255))
        case _:
            return replace(good, symbol=choices.raw(len(good.symbol)).ljust(len(good.symbol)))
    return replace(good, key=key)


def test_one(choices: Choices) -> None:
    """Good ones, damaged ones and lies, in any order; what is ready is decoded."""
    gathering = Gathering(limits=SMALL)
    if choices.integer(0, 3) == 0:
        gathering.pin(bytes(8), len(CONTENT))
    good = OBJECTS[choices.integer(0, len(OBJECTS) - 1)]
    is_honest = True
    for _ in range(INPUTS):
        datagram = good[choices.integer(0, len(good) - 1)]
        kind = choices.integer(0, 3)
        if kind == 0:
            datagram = lie(datagram, choices)
            is_honest = False
        data = damage(datagram.encode(), choices) if kind == 1 else datagram.encode()
        try:
            taken = Datagram.decode(data, limits=SMALL)
        except DataError:
            continue
        gathering.receive(taken)
        assert gathering.size <= MEMORY
    gathered = gathering.ready(ObjectKind.UNIT) or gathering.ready(ObjectKind.BUNDLE)
    if gathered is not None and (decoded := gathered.snapshot().decode()) is not None:
        assert len(decoded) == gathered.key.size
        assert not is_honest or decoded == CONTENT
