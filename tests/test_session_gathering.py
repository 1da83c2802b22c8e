"""Gathering: symbols to objects, in bounded memory, at nearly the bound of bytes."""

import random
from dataclasses import replace

import pytest

from delivery_parts.carousel import simulate
from midstream.fec import grids
from midstream.limits import Limits
from midstream.session.datagrams import Datagram, ObjectKey, ObjectKind
from midstream.session.gathering import Gathering
from midstream.session.rotation import places

DATA = random.Random(1).randbytes(40_000)
KEY = ObjectKey(kind=ObjectKind.UNIT, id=b"12345678", size=len(DATA), symbol_size=100)
TABLE = grids.encode(DATA, KEY.grid)
SENT = [
    Datagram(key=KEY, row=row, column=column, symbol=TABLE[row, column].tobytes())
    for row, column in places(KEY.grid)
]


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.3])
def test_a_base_costs_nearly_what_it_must(loss: float) -> None:
    cost = simulate(45_000, loss, 300, seed=1)
    assert cost.own < 1.04
    assert cost.all < 1.1


@pytest.mark.parametrize(("loss", "most"), [(0.01, 1.05), (0.1, 1.05), (0.3, 1.09)])
def test_a_large_unit_costs_nearly_what_it_must(loss: float, most: float) -> None:
    cost = simulate(6_000_000, loss, 4, seed=2)
    assert cost.own < most
    assert cost.all < most


@pytest.mark.parametrize("seed", range(4))
def test_symbols_in_any_order_and_twice_give_the_object(seed: int) -> None:
    rng = random.Random(seed)
    gathering = Gathering()
    arriving = rng.sample(SENT, 500) * 2
    rng.shuffle(arriving)
    assert gather(gathering, arriving) == DATA


def gather(gathering: Gathering, arriving: list[Datagram]) -> bytes | None:
    """The first object that is complete."""
    for datagram in arriving:
        gathered = gathering.receive(datagram)
        if gathered is not None and gathered.is_ready:
            data = gathered.snapshot().decode()
            if data is not None:
                gathering.finish(gathered.key)
                return data
            gathered.postpone()
    return None


def test_what_is_complete_is_not_gathered_again_unless_asked() -> None:
    gathering = Gathering()
    assert gather(gathering, SENT) == DATA
    assert gathering.size == 0
    assert gather(gathering, SENT) is None
    gathering.again(ObjectKind.UNIT, KEY.id)
    assert gather(gathering, SENT) == DATA


def test_symbols_of_objects_that_differ_in_anything_are_kept_apart() -> None:
    """[DEL-21]"""
    others = [
        replace(KEY, id=b"other..."),
        replace(KEY, size=KEY.size - 1),
        replace(KEY, kind=ObjectKind.BUNDLE),
    ]
    wrong = [replace(one, key=key, symbol=bytes(100)) for key in others for one in SENT[:600:2]]
    mixed = [one for pair in zip(wrong, SENT, strict=False) for one in pair]
    found = Gathering()
    for datagram in mixed:
        found.receive(datagram)
    gathered = found.ready(ObjectKind.UNIT, KEY.id)
    while gathered is not None and gathered.key != KEY:
        found.finish(gathered.key)
        gathered = found.ready(ObjectKind.UNIT, KEY.id)
    assert gathered is not None
    assert gathered.snapshot().decode() == DATA


def flood(count: int, symbol_size: int, seed: int) -> list[Datagram]:
    """Datagrams whose check is right and whose objects are endless."""
    rng = random.Random(seed)
    return [
        Datagram(
            key=ObjectKey(
                kind=rng.choice(list(ObjectKind)),
                id=rng.randbytes(8),
                size=1 << 26,
                symbol_size=symbol_size,
            ),
            row=rng.randrange(100),
            column=rng.randrange(200),
            symbol=bytes(symbol_size),
        )
        for _ in range(count)
    ]


def test_endless_garbage_takes_no_more_memory_than_the_limit() -> None:
    """[DEL-21]"""
    limits = Limits(carousel_memory=50_000)
    gathering = Gathering(limits=limits)
    for datagram in flood(3000, 1000, 1):
        gathering.receive(datagram)
        assert gathering.size <= limits.carousel_memory


def test_one_endless_object_takes_no_more_memory_than_the_limit() -> None:
    """[DEL-21]"""
    limits = Limits(carousel_memory=50_000)
    gathering = Gathering(limits=limits)
    key = replace(KEY, size=1 << 26, symbol_size=1000)
    for place in range(2000):
        row, column = divmod(place, 20)
        gathering.receive(Datagram(key=key, row=row, column=column, symbol=bytes(1000)))
        assert gathering.size <= limits.carousel_memory


def test_a_flood_of_new_names_drives_out_itself_and_not_what_has_grown() -> None:
    gathering = Gathering()
    garbage = iter(flood(3000, 100, 2))
    mixed = [one for datagram in SENT for one in (*(next(garbage) for _ in range(4)), datagram)]
    assert gather(gathering, mixed) == DATA


def test_a_pinned_unit_is_gathered_though_others_fill_the_memory() -> None:
    gathering = Gathering(limits=Limits(carousel_memory=300_000))
    big = replace(KEY, id=b"big one.", size=1 << 26)
    for place in range(2000):
        row, column = divmod(place, 20)
        gathering.receive(Datagram(key=big, row=row, column=column, symbol=bytes(100)))
    gathering.pin(KEY.id, KEY.size)
    assert gather(gathering, SENT) == DATA


def test_a_pinned_unit_is_of_its_size_alone() -> None:
    gathering = Gathering()
    gathering.prefer([])
    gathering.pin(KEY.id, KEY.size)
    assert gathering.receive(replace(SENT[0], key=replace(KEY, size=KEY.size + 1))) is None
    assert gathering.receive(SENT[0]) is not None


def test_units_that_no_manifest_names_are_not_gathered() -> None:
    gathering = Gathering()
    gathering.receive(SENT[0])
    gathering.prefer([b"other..."])
    assert gathering.size == 0
    assert gathering.receive(SENT[1]) is None


def test_what_was_finished_long_ago_is_forgotten() -> None:
    gathering = Gathering()
    for number in range(3000):
        gathering.finish(replace(KEY, id=number.to_bytes(8, "big")))
    assert len(gathering._finished) <= 1024
