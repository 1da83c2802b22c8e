"""What is said of rungs that did not come out as they were asked for."""

import math

import pytest

from midstream.encoder import EncodedUnit, encode
from midstream.encoder.ladder import parse_ladder
from midstream.encoder.remarks import remarks
from midstream.types import Fidelity, UnitKind
from tensorfiles import normal, safetensors

MODEL = safetensors({f"w{at}": normal(40, 40, seed=at) for at in range(6)})


def unit(rung: str, *, weights: float = 10.0, outputs: float | None = None, size: int = 100):
    return EncodedUnit(
        kind=UnitKind.BASE,
        layer=0,
        rung=rung,
        data=bytes(size),
        head_size=0,
        fidelity=Fidelity(weight_snr=weights, output_snr=outputs),
    )


def said(ladder: str, *units: EncodedUnit) -> tuple[str, ...]:
    return remarks(parse_ladder(ladder), units)


def test_nothing_is_said_of_rungs_that_are_what_was_asked_for() -> None:
    units = [
        unit("2b"),
        unit("12dBo", outputs=12.0),
        unit("20dB", weights=20.1),
        unit("0.4kB"),
        unit("90dB", weights=math.inf),
        unit("exact"),
    ]
    assert said("2b,12dBo,20dB,0.4kB,90dB,exact", *units) == ()


def test_a_base_that_misses_is_remarked_as_a_rung_above_it_is() -> None:
    assert said("12dBo,30dBo", unit("12dBo", outputs=11.5), unit("30dBo", outputs=27.314)) == (
        "12dBo is missed: 11.50 dB is the most that was found",
        "30dBo is missed: 27.31 dB is the most that was found",
    )
    assert said("20dB", unit("20dB", weights=19.0)) != ()


def test_bytes_count_up_to_a_rung() -> None:
    assert said("0.1kB,0.15kB", unit("0.1kB"), unit("0.15kB")) == (
        "0.15kB is missed: 0.20 kB is the least that was found",
    )


@pytest.mark.parametrize(
    ("reached", "why"),
    [(15.2, "12dBo reaches it"), (12.2, "nothing better than the rung below was found for it")],
)
def test_a_rung_that_is_left_out_is_remarked(reached: float, why: str) -> None:
    assert said("12dBo,15dBo", unit("12dBo", outputs=reached)) == (f"15dBo is left out: {why}",)


def falling_short(most: float):
    """An evaluation that no stack brings above so many decibels: more bytes help ever less."""

    def evaluate(units) -> float:
        return most * (1 - 100 / sum(map(len, units)))

    return evaluate


def test_a_base_out_of_reach_comes_as_near_as_it_can() -> None:
    encoded = encode(MODEL, ladder="60dBo,exact", evaluate=falling_short(40.0))
    base = encoded.units[0]
    assert base.fidelity.output_snr is not None
    assert 35 < base.fidelity.output_snr < 40
    assert encoded.remarks == (
        f"60dBo is missed: {base.fidelity.output_snr:.2f} dB is the most that was found",
    )


def test_a_rung_out_of_reach_comes_as_near_as_it_can() -> None:
    encoded = encode(MODEL, ladder="20dBo,60dBo", evaluate=falling_short(40.0))
    assert [unit.rung for unit in encoded.units] == ["20dBo", "60dBo"]
    reached = encoded.units[1].fidelity.output_snr
    assert reached is not None
    assert reached < 60
    assert encoded.remarks == (f"60dBo is missed: {reached:.2f} dB is the most that was found",)


def test_a_rung_that_is_reached_without_it_is_left_out() -> None:
    encoded = encode(MODEL, ladder="4b,5dB,40dB")
    assert [unit.rung for unit in encoded.units] == ["4b", "40dB"]
    assert encoded.remarks == ("5dB is left out: 4b reaches it",)
