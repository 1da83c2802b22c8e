"""Rungs in weight SNR above a base: no slice more than it takes, and the last a small one."""

import numpy as np
import pytest

from midstream import decoder
from midstream.encoder import climb, encode
from midstream.encoder.climb import Refinement, ended
from midstream.encoder.rungs import Found, RungSearch
from midstream.encoder.units import EncodedUnit
from tensorfiles import normal, safetensors

LARGE = {f"l{at}": normal(160, 150, seed=at) for at in range(5)}
SMALL = {f"s{at}": normal(80, 60, seed=at) for at in range(5)}
MODEL = safetensors(LARGE | SMALL)
TARGETS = (22.0, 24.0, 25.0, 27.0, 28.5)


def rung(target: float) -> EncodedUnit:
    return encode(MODEL, ladder=f"20dB,{target}dB,36dB,exact").units[1]


@pytest.fixture
def with_the_last(monkeypatch: pytest.MonkeyPatch) -> list[EncodedUnit]:
    """Rungs whose last slice is the next by gain and bytes, however large it is."""

    def kept(search: RungSearch, start: object, count: int, found: Found) -> Found:
        return found

    with monkeypatch.context() as patched:
        patched.setattr(RungSearch, "_shorter", kept)
        return [rung(target) for target in TARGETS]


def test_a_smaller_slice_takes_the_place_of_the_last_where_it_is_enough(
    with_the_last: list[EncodedUnit],
) -> None:
    found = [rung(target) for target in TARGETS]
    pairs = list(zip(found, with_the_last, strict=True))
    for target, (own, other) in zip(TARGETS, pairs, strict=True):
        assert target <= own.fidelity.weight_snr <= other.fidelity.weight_snr
        assert len(own.data) <= len(other.data)
    assert sum(len(own.data) < 0.95 * len(other.data) for own, other in pairs) >= 3


def test_units_so_made_decode_with_those_below_and_above() -> None:
    units = [unit.data for unit in encode(MODEL, ladder="20dB,24dB,28dB,exact").units]
    assert len(units) == 4
    assert bytes(decoder.rebuild(units)) == MODEL


def refinement(index: int, bits: float, gain: float) -> Refinement:
    return Refinement(slice=index, bits=bits, gain=gain)


LAST = refinement(0, 100, 10)


def test_the_shortest_that_is_enough_ends_a_rung() -> None:
    others = [refinement(1, 80, 8), refinement(2, 60, 6), refinement(3, 40, 3)]
    assert ended([LAST, *others], 7) == [others[0]]
    assert ended([LAST, *others], 6) == [others[1]]
    assert ended([LAST, *others], 2) == [others[2]]


def test_several_small_ones_end_a_rung_where_they_are_shorter() -> None:
    others = [refinement(1, 90, 8), refinement(2, 30, 3), refinement(3, 30, 3)]
    assert ended([LAST, *others], 5) == others[1:]


def test_nothing_ends_a_rung_in_more_bits() -> None:
    others = [refinement(1, 60, 5), refinement(2, 60, 5), refinement(3, 110, 10)]
    assert ended([LAST, *others], 8) is None
    assert ended([LAST], 8) is None


def test_a_slice_is_not_refined_twice_before_once() -> None:
    others = [refinement(1, 99, 8), refinement(1, 40, 8), refinement(0, 20, 8)]
    assert ended([LAST, *others], 8) == [others[0]]


def last_rung(monkeypatch: pytest.MonkeyPatch, model: bytes, *, is_thrifty: bool) -> EncodedUnit:
    with monkeypatch.context() as patched:
        if not is_thrifty:
            patched.setattr(climb, "thriftily", lambda plan, more: plan.refined(more))
        return encode(model, ladder="16dB,25dB").units[1]


@pytest.mark.parametrize("kind", ["<f4", "<f2"])
def test_the_last_rung_gives_up_what_costs_more_than_it_is_worth(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # a tensor twice in a file is coded once and a half, whose weights repeat others
    halves = {"twice": np.concatenate([LARGE["l0"], LARGE["l0"], LARGE["l1"]])}
    model = safetensors({name: a.astype(kind) for name, a in (LARGE | halves).items()})
    own, nearest = (last_rung(monkeypatch, model, is_thrifty=thrifty) for thrifty in (True, False))
    assert len(own.data) < len(nearest.data)
    assert 25 <= own.fidelity.weight_snr < nearest.fidelity.weight_snr


def test_levels_stay_as_near_as_they_can_where_exact_bytes_follow() -> None:
    first, second = (
        encode(MODEL, ladder=f"16dB,25dB{more}").units[1].data for more in (",exact", "")
    )
    assert first != second


@pytest.mark.parametrize("kind", ["<f4", "<f2"])
def test_a_rung_far_above_the_one_below_meets_its_target(kind: str) -> None:
    model = safetensors({name: array.astype(kind) for name, array in LARGE.items()})
    units = encode(model, ladder="10dB,60dB,exact").units
    assert 60 <= units[1].fidelity.weight_snr < 61
    assert bytes(decoder.rebuild([unit.data for unit in units])) == model


def test_weights_that_stay_zero_by_one_trit_are_refined_by_several() -> None:
    """What they lack counts at the last rung; to refine others further does not help."""
    model = safetensors({"wide": normal(60, 50), "small": normal(300, 80, seed=1) / 80})
    base, top = encode(model, ladder="20dB,30dB").units
    assert 30 <= top.fidelity.weight_snr < 31
    assert len(top.data) < 2 * len(base.data)


@pytest.mark.parametrize("scale", [2e-4, 1e-3])
@pytest.mark.parametrize("target", [45, 60])
def test_refinements_are_looked_for_until_they_gain_enough(scale: float, target: int) -> None:
    """The first trits of the small tensor gain nothing, and those of the wide one do not help."""
    model = safetensors({"wide": normal(4, 4, scale=1.0), "small": normal(120, 120, scale=scale)})
    _, top = encode(model, ladder=f"12dB,{target}dB").units
    assert top.fidelity.weight_snr >= target
