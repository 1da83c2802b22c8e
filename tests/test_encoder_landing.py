"""Where slices of a ladder in weight SNR end, and that all their levels follow from there."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from midstream.bitstream import Operation, read_unit
from midstream.bitstream.climbs import records_of
from midstream.codec import grid, refined_points
from midstream.decoder import read_stack, rebuild
from midstream.decoder.steps import rebuild_slices
from midstream.encoder import build, encode, uniform
from midstream.encoder.choice import rank
from midstream.encoder.ladder import parse_ladder
from midstream.encoder.narrow import narrow
from midstream.encoder.stagger import Climb, staggered
from midstream.encoder.summits import Summit
from midstream.encoder.units import Encoded
from midstream.encoder.weights import Weights
from tensorfiles import normal, safetensors

MODEL = safetensors({f"w{at}": normal(90, 70, seed=at) for at in range(8)} | {"bias": normal(90)})
HALVES = safetensors({f"h{at}": normal(90, 70, seed=at).astype("<f2") for at in range(4)})
WALK = safetensors({"walk": np.cumsum(normal(100, 60), axis=0).astype("<f4")})
ROWS = normal(60, 80)
MIRRORED = safetensors({"m": np.concatenate([ROWS, -ROWS[::-1, ::-1]])})


def operations(encoded: Encoded, units: int | None = None) -> list[list[Operation]]:
    """What is done to each slice."""
    parsed = [read_unit(unit.data) for unit in encoded.units[:units]]
    slices = read_stack([unit.data for unit in encoded.units]).head.slices
    return [[r.operation for r in own] for own in records_of(parsed, len(slices))]


def size_of(encoded: Encoded) -> int:
    return sum(len(unit.data) for unit in encoded.units)


def both_ways(units: Sequence[bytes]) -> bytes:
    """The model, by whatever there is at once, and step by step."""
    made = rebuild(units)
    alone = bytearray(made)
    rebuild_slices(read_stack(units), memoryview(alone))
    assert alone == made
    return bytes(made)


@pytest.mark.parametrize("ratio", refined_points.RATIOS)
@pytest.mark.parametrize("trits", [0, 1, 3])
def test_levels_below_points_are_the_nearest_to_these(trits: int, ratio: int) -> None:
    points = np.arange(-700, 700, dtype=np.int32)
    summit = Summit(points=narrow(points), trits=trits, ratio=ratio)
    assert summit.below(trits + 1).tolist() == points.tolist()
    climb = [summit.below(trit) for trit in range(trits + 1)]
    for below, above in pairwise(climb):
        assert below.tolist() == grid.coarsen(above).tolist()
    for trit, levels in enumerate(climb):
        step = ratio * 3 ** (trits - trit)
        assert levels.tolist() == np.rint(points / step).astype(int).tolist()


@pytest.mark.parametrize(
    ("model", "ladder"),
    [
        (MODEL, "14dB,22dB,30dB"),
        (MODEL, "20dB,31dB"),
        (HALVES, "14dB,22dB,30dB"),
        (HALVES, "11dB,35dB"),
        (WALK, "18dB,33dB"),
        (MIRRORED, "20dB,31dB"),
        (MIRRORED, "11dB,35dB"),
    ],
)
def test_rungs_meet_their_targets_by_points(model: bytes, ladder: str) -> None:
    encoded = encode(model, ladder=ladder)
    for unit, target in zip(encoded.units, ladder.split(","), strict=True):
        assert unit.fidelity.weight_snr >= float(target.removesuffix("dB"))
    large = [own for own in operations(encoded) if Operation.POINTS in own]
    assert large
    assert all(own[-1] is Operation.POINTS for own in large)
    units = [unit.data for unit in encoded.units]
    assert len({both_ways(units[:count]) for count in range(1, len(units) + 1)}) == len(units)


@pytest.mark.parametrize("ladder", ["14dB,22dB,30dB", "20dB,31dB", "15dB,31dB", "20dB,40dB"])
def test_points_take_fewer_bytes_than_digits(monkeypatch: pytest.MonkeyPatch, ladder: str) -> None:
    found = encode(MODEL, ladder=ladder)
    monkeypatch.setattr(uniform, "landed", lambda plans, factors, noise: plans)
    monkeypatch.setattr(uniform, "staggered", _as_for_digits)
    other = encode(MODEL, ladder=ladder)
    assert size_of(found) < 0.985 * size_of(other)
    assert len(found.units[0].data) < 1.01 * len(other.units[0].data)
    assert not any(Operation.POINTS in own for own in operations(other))


def _as_for_digits(
    weights: Sequence[Weights], factors: Sequence[float], relative: Sequence[float], climb: Climb
) -> list[float]:
    return staggered(weights, factors, relative, Climb(bottom=climb.bottom, top=climb.top))


def test_nothing_ends_at_points_below_an_exact_unit() -> None:
    encoded = encode(MODEL, ladder="14dB,22dB,exact")
    assert not any(Operation.POINTS in own for own in operations(encoded))
    assert rebuild([unit.data for unit in encoded.units]) == MODEL


def test_nothing_ends_at_points_below_rungs_in_bits() -> None:
    encoded = encode(MODEL, ladder="14dB,5b")
    assert not any(Operation.POINTS in own for own in operations(encoded))


def test_small_slices_and_integers_are_refined_by_digits() -> None:
    whole = np.clip(np.rint(normal(80, 80) * 30), -128, 127).astype("i1")
    encoded = encode(safetensors({"f": normal(30, 40), "b": whole}), ladder="10dB,25dB")
    assert not any(Operation.POINTS in own for own in operations(encoded))
    assert any(Operation.DIGITS in own for own in operations(encoded))


def test_slices_where_points_do_not_pay_are_refined_by_digits() -> None:
    few = np.zeros((80, 80), np.float32)
    few[np.arange(80), np.arange(80)] = normal(80)
    encoded = encode(safetensors({"few": few, "many": normal(80, 80)}), ladder="20dB,40dB")
    ends = [own[-1] for own in operations(encoded)]
    assert sorted(ends) == [Operation.DIGITS, Operation.POINTS]


def test_a_second_rung_goes_no_further_than_points() -> None:
    encoded = encode(MODEL, ladder="14dB,22dB,30dB")
    for lower, all_of in zip(operations(encoded, 2), operations(encoded), strict=True):
        assert all_of[: len(lower)] == lower
        assert Operation.POINTS not in all_of[:-1]


def test_a_slice_that_ends_after_digits_is_refined_no_further() -> None:
    few = np.zeros((80, 80), np.float32)
    few[np.arange(80), np.arange(80)] = normal(80)
    many = {f"w{at}": normal(90, 70, seed=at) for at in range(8)}
    encoded = encode(safetensors(many | {"few": few}), ladder="14dB,22dB,30dB")
    others = [own for own in operations(encoded) if own[-1] is not Operation.POINTS]
    assert sorted(own.count(Operation.DIGITS) for own in others) == [0, 2]
    assert 30 <= encoded.units[-1].fidelity.weight_snr < 30.5


def test_small_networks_take_the_better_of_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    model = safetensors({"a": normal(97, 88, seed=3), "b": normal(20, 9, seed=3)})
    kinds = set()
    for top in (22, 24, 26, 28, 30, 32):
        ladder = f"15dB,{top}dB"
        with monkeypatch.context() as patched:
            patched.setattr(build, "_SMALL", 0)
            pointed = encode(model, ladder=ladder)
        found = encode(model, ladder=ladder)
        kinds.add(any(Operation.POINTS in own for own in operations(found)))
        ranks = [rank(parse_ladder(ladder), one.units) for one in (found, pointed)]
        assert ranks[0] <= ranks[1]
    assert kinds == {True, False}
