"""Source blocks of packets and their repair symbols, checked by `reedsolo`."""

from itertools import combinations
from random import Random

import numpy as np
import pytest
import reedsolo
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from midstream import fec
from midstream.errors import ErrorCode, RecoveryError

Symbols = NDArray[np.uint8]


def packets(count: int, size: int = 16, *, seed: int = 0) -> Symbols:
    return np.random.default_rng(seed).integers(0, 256, (count, size), dtype=np.uint8)


def coded(source: Symbols, repair: int) -> Symbols:
    return np.concatenate([source, fec.encode(source, repair)])


def without(symbols: Symbols, lost: list[int]) -> tuple[Symbols, NDArray[np.bool_]]:
    """Symbols with wrong bytes where they are lost, and which of them are there."""
    present = np.ones(len(symbols), np.bool_)
    present[lost] = False
    damaged = symbols.copy()
    damaged[lost] ^= 0x5A
    return damaged, present


def test_no_packets_make_no_blocks() -> None:
    assert fec.partition(0, 0.25) == ()


def test_one_packet_gets_one_repair_symbol_at_least() -> None:
    assert fec.partition(1, 0.001) == (fec.Block(first=0, source=1, repair=1),)


def test_without_repair_blocks_are_as_long_as_the_field_lets_them_be() -> None:
    assert fec.partition(256, 0) == (
        fec.Block(first=0, source=128, repair=0),
        fec.Block(first=128, source=128, repair=0),
    )


def test_the_example_of_rfc_5052_is_cut_as_it_says() -> None:
    # 9.1: 1000 symbols in blocks of at most 204 are 5 of 200
    blocks = fec.partition(1000, 0.25)
    assert [block.source for block in blocks] == [200] * 5
    assert [block.repair for block in blocks] == [50] * 5
    assert [block.first for block in blocks] == [0, 200, 400, 600, 800]


def test_larger_blocks_come_first_where_packets_do_not_divide() -> None:
    assert [block.source for block in fec.partition(500, 0.2)] == [167, 167, 166]


def test_the_longest_block_fills_the_field() -> None:
    (block,) = fec.partition(204, 0.25)
    assert block.source + block.repair == 255
    assert len(fec.partition(205, 0.25)) == 2


@pytest.mark.parametrize("permille", [1, 7, 150, 333, 1000, 1999, 60_000, 254_000])
def test_a_ratio_is_exact_in_thousandths(permille: int) -> None:
    for block in fec.partition(300, permille / 1000):
        assert block.repair == -(-block.source * permille // 1000)


@given(st.integers(1, 20_000), st.integers(0, 254_000))
def test_blocks_cover_all_packets_within_the_field(count: int, permille: int) -> None:
    first = 0
    blocks = fec.partition(count, permille / 1000)
    for block in blocks:
        assert block.first == first
        assert block.source >= 1
        assert block.source + block.repair <= 255
        assert 1000 * block.repair >= block.source * permille
        first += block.source
    assert first == count
    assert max(b.source for b in blocks) - min(b.source for b in blocks) <= 1


@pytest.mark.parametrize(
    ("source", "repair"), [(1, 1), (3, 2), (32, 8), (160, 95), (254, 1), (1, 254)]
)
def test_every_column_is_a_codeword_of_reedsolo(source: int, repair: int) -> None:
    """[REC-1] [REC-2]"""
    symbols = coded(packets(source, 3), repair)
    assert symbols.shape == (source + repair, 3)
    coder = reedsolo.RSCodec(repair)
    for column in symbols.T:
        assert bytes(coder.encode(column[:source].tobytes())) == column.tobytes()


def test_no_repair_symbols_are_none() -> None:
    assert fec.encode(packets(5, 8), 0).shape == (0, 8)


def test_the_highest_ratio_repairs_a_packet_with_all_that_the_field_has() -> None:
    assert fec.partition(2, 254) == (
        fec.Block(first=0, source=1, repair=254),
        fec.Block(first=1, source=1, repair=254),
    )
    with pytest.raises(AssertionError):
        fec.partition(2, 255)


def test_a_block_longer_than_the_field_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        fec.encode(packets(200), 56)


def test_any_as_many_symbols_as_packets_are_enough() -> None:
    source = packets(4, 5)
    symbols = coded(source, 3)
    for lost in combinations(range(7), 3):
        damaged, present = without(symbols, list(lost))
        assert np.array_equal(fec.repair(damaged, 4, present), source)


@given(st.integers(1, 60), st.integers(1, 20), st.randoms(use_true_random=False))
def test_random_losses_up_to_the_repair_symbols_come_back(
    source: int, repair: int, random: Random
) -> None:
    data = packets(source, 7, seed=source)
    lost = random.sample(range(source + repair), random.randint(0, repair))
    damaged, present = without(coded(data, repair), lost)
    assert np.array_equal(fec.repair(damaged, source, present), data)


@pytest.mark.parametrize(("source", "repair"), [(160, 95), (128, 127), (255 - 64, 64)])
def test_large_blocks_that_lose_all_they_can_come_back(source: int, repair: int) -> None:
    data = packets(source, 4)
    damaged, present = without(coded(data, repair), list(range(repair)))
    assert np.array_equal(fec.repair(damaged, source, present), data)


def test_a_block_without_losses_is_its_packets() -> None:
    data = packets(5)
    present = np.ones(5, np.bool_)
    assert np.array_equal(fec.repair(data, 5, present), data)


def test_lost_repair_symbols_are_not_missed_where_no_packet_is_lost() -> None:
    data = packets(5)
    damaged, present = without(coded(data, 2), [5, 6])
    assert np.array_equal(fec.repair(damaged, 5, present), data)


def test_repairing_leaves_what_came_as_it_was() -> None:
    damaged, present = without(coded(packets(5), 2), [1])
    before = damaged.copy()
    fec.repair(damaged, 5, present)
    assert np.array_equal(damaged, before)


def test_one_loss_more_than_repair_symbols_is_refused_with_both_counts() -> None:
    damaged, present = without(coded(packets(6), 3), [0, 2, 4, 7])
    with pytest.raises(RecoveryError, match="3 of 6 packets lost, only 2 repair") as caught:
        fec.repair(damaged, 6, present)
    assert caught.value.code is ErrorCode.TOO_MANY_ERASURES
