"""Source blocks of a unit, and what their repair symbols give back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.errors import ErrorCode, RecoveryError
from midstream.session import Protection
from releases import content

PACKET = 64


def protection(size: int, *, head: int = 0, repair: int = 250) -> Protection:
    return Protection(size, head, PACKET, 2 * repair, repair)


def test_packets_are_counted_with_the_shorter_last_one() -> None:
    assert protection(PACKET * 3).packets == 3
    assert protection(PACKET * 3 + 1).packets == 4


def test_the_head_has_blocks_of_its_own_with_more_repair() -> None:
    head, body = protection(PACKET * 12, head=PACKET * 4).blocks
    assert (head.first, head.source, head.repair, head.first_repair) == (0, 4, 2, 0)
    assert (body.first, body.source, body.repair, body.first_repair) == (4, 8, 2, 2)


def test_a_packet_that_is_head_in_part_counts_as_head() -> None:
    head, body = protection(PACKET * 8, head=PACKET + 1).blocks
    assert (head.source, body.source) == (2, 6)


def test_a_unit_may_be_head_alone() -> None:
    (head,) = protection(PACKET * 4, head=PACKET * 4).blocks
    assert (head.source, head.repair) == (4, 2)


def test_blocks_follow_each_other_without_gaps() -> None:
    blocks = protection(PACKET * 1000, head=PACKET * 300).blocks
    packet = symbol = 0
    for block in blocks:
        assert (block.first, block.first_repair) == (packet, symbol)
        assert block.source + block.repair <= 255
        packet += block.source
        symbol += block.repair
    assert packet == 1000
    assert symbol == protection(PACKET * 1000, head=PACKET * 300).repair_symbols


def test_without_repair_there_are_no_symbols() -> None:
    cut = protection(PACKET * 300, repair=0)
    assert cut.repair_symbols == 0
    assert cut.encode(bytes(PACKET * 300)) == b""


def test_whole_units_stay_as_they_are() -> None:
    cut = protection(1000)
    data = content(1000, 1)
    symbols = cut.encode(data)
    buffer = bytearray(data)
    cut.repair(buffer, [True] * cut.packets, symbols, [True] * cut.repair_symbols)
    assert buffer == data


def test_more_erasures_than_symbols_are_refused() -> None:
    cut = protection(PACKET * 8)
    symbols = cut.encode(bytes(PACKET * 8))
    good = [False] * 3 + [True] * 5
    with pytest.raises(RecoveryError) as caught:
        cut.repair(bytearray(PACKET * 8), good, symbols, [True, True])
    assert caught.value.code is ErrorCode.TOO_MANY_ERASURES


def test_damage_without_symbols_is_refused() -> None:
    cut = protection(PACKET * 2, repair=0)
    with pytest.raises(RecoveryError):
        cut.repair(bytearray(PACKET * 2), [True, False], b"", [])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_as_many_erasures_as_symbols_are_repaired_in_each_block(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 4000))
    head = data.draw(st.integers(0, size))
    cut = Protection(size, head, PACKET, 600, 300)
    unit = content(size, size)
    symbols = bytearray(cut.encode(unit))
    good, good_repair = [True] * cut.packets, [True] * cut.repair_symbols
    damaged = bytearray(unit)
    for block in cut.blocks:
        indices = st.integers(0, block.source + block.repair - 1)
        for index in data.draw(st.sets(indices, max_size=block.repair)):
            if index < block.source:
                packet = block.first + index
                good[packet] = False
                damaged[packet * PACKET : (packet + 1) * PACKET] = bytes(
                    len(damaged[packet * PACKET : (packet + 1) * PACKET])
                )
            else:
                symbol = block.first_repair + index - block.source
                good_repair[symbol] = False
                symbols[symbol * PACKET : (symbol + 1) * PACKET] = bytes(PACKET)
    cut.repair(damaged, good, bytes(symbols), good_repair)
    assert damaged == unit
