"""How a publisher's wishes become packets and repair symbols."""

from pathlib import Path

import numpy as np
import pytest

from midstream import Publisher, Use, fec
from midstream.errors import ErrorCode, RecoveryError, UsageError
from midstream.publisher.audit import audit
from midstream.publisher.recovery import Recovery
from midstream.trust import layout
from models import mlp
from published import NAME, signer
from releases import content

MODEL = mlp((16, 32, 4), seed=3)


@pytest.mark.parametrize(
    ("size", "packet"),
    [(1, 256), (5000, 512), (45_000, 2048), (1 << 20, 8192), (1 << 28, 16384)],
)
def test_packets_are_as_long_as_what_it_takes_to_tell_them_apart(size: int, packet: int) -> None:
    assert Recovery().protection(size, 0).packet_size == packet


@pytest.mark.parametrize("size", [1, 45_000, 6_000_000])
def test_a_packet_of_a_carousel_is_one_datagram(size: int) -> None:
    assert Recovery(use=Use.CAROUSEL).protection(size, 0).packet_size == 1200


def test_without_wishes_a_head_gets_twice_the_repair() -> None:
    cut = Recovery().protection(100_000, 10_000)
    assert (cut.repair_head, cut.repair_body) == (300, 150)


def test_a_loss_gives_the_least_repair_and_a_safer_head() -> None:
    cut = Recovery(loss=0.1).protection(100_000, 50_000)
    head, body = -(-50_000 // cut.packet_size), cut.packets - -(-50_000 // cut.packet_size)
    assert cut.repair_head == fec.choose_repair(head, loss=0.1, failure=1e-5)
    assert cut.repair_body == fec.choose_repair(body, loss=0.1, failure=1e-3)
    assert cut.repair_head > cut.repair_body


def test_a_large_unit_of_a_carousel_has_blocks_as_long_as_the_field() -> None:
    cut = Recovery(loss=0.3, use=Use.CAROUSEL).protection(6_000_000, 0)
    assert min(block.source + block.repair for block in cut.blocks) >= 250
    assert 140 <= cut.blocks[0].source <= 160


def test_where_nothing_is_lost_nothing_is_repaired() -> None:
    assert Recovery(loss=0).protection(100_000, 5000).repair_symbols == 0


def survivors(loss: float, receivers: int) -> int:
    """Receivers that rebuild a unit from what a link that loses so much lets through."""
    rng = np.random.default_rng(1)
    cut = Recovery(loss=0.1).protection(200_000, 30_000)
    unit = content(200_000, 1)
    symbols = cut.encode(unit)
    complete = 0
    for _ in range(receivers):
        good = rng.random(cut.packets) >= loss
        damaged = bytearray(unit)
        for index in np.flatnonzero(~good):
            damaged[index * cut.packet_size : (index + 1) * cut.packet_size] = bytes(
                len(damaged[index * cut.packet_size : (index + 1) * cut.packet_size])
            )
        good_repair = rng.random(cut.repair_symbols) >= loss
        try:
            cut.repair(damaged, good.tolist(), symbols, good_repair.tolist())
        except RecoveryError:
            continue
        assert damaged == unit
        complete += 1
    return complete


def test_receivers_on_a_link_as_bad_as_was_named_come_through() -> None:
    assert survivors(0.1, 300) >= 298


def test_receivers_on_a_much_worse_link_do_not() -> None:
    assert survivors(0.3, 50) < 25


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ({"repair": -0.1}, "repair -0.1: expected 0 to 2"),
        ({"repair": 2.1}, "repair 2.1: expected 0 to 2"),
        ({"repair": float("nan")}, "repair nan: expected 0 to 2"),
        ({"loss": -0.01}, "loss -0.01: expected 0 to 0.5"),
        ({"loss": 0.51}, "loss 0.51: expected 0 to 0.5"),
        ({"loss": float("inf")}, "loss inf: expected 0 to 0.5"),
        ({"repair": 0.1, "loss": 0.1}, "repair and loss: expected one of them"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(wishes: dict[str, float], problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        Recovery(**wishes)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.5])
def test_a_release_is_published_for_a_lossy_carousel(tmp_path: Path, loss: float) -> None:
    repo = tmp_path / "repo"
    publisher = Publisher(repo, signer=signer())
    base = publisher.publish(MODEL, name=NAME, loss=loss, use=Use.CAROUSEL).manifest.base
    assert base.packet_size == 1200
    assert (base.repair_symbols > 0) == (loss > 0)
    assert audit(repo, (repo / layout.PINNED_ROOT).read_bytes())
