"""Ladders of networks of which weights repeat others."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream import kernels, rebuild
from midstream.bitstream import Operation
from midstream.codec import Folding, repeats
from midstream.decoder import apply_lossy_update, read_stack
from midstream.encoder import economy, encode, uniform
from midstream.encoder.lossy import encode_lossy_update
from midstream.encoder.ratio import noise_factors
from midstream.encoder.single import Common, Search, find_single
from midstream.encoder.steps import uniform_steps
from midstream.encoder.weights import load
from midstream.formats import open_model
from reference import decode
from tensorfiles import normal, safetensors

ROOT = Path(__file__).parent.parent
TABLES = (ROOT / "sdk/midstream/codec/tables.bin").read_bytes()
WAVES = normal(40, 256).astype(float) * np.hanning(257)[:256]
WAVES[:, 129:] = -WAVES[:, 127:0:-1]
LADDER = ("2b", "4b", "exact")


def model(scale: float = 1.0) -> bytes:
    return safetensors({"waves": (scale * WAVES).astype("<f4"), "others": normal(70, 70)})


@cache
def units_of(ladder: Sequence[str] = LADDER) -> tuple[bytes, ...]:
    return tuple(unit.data for unit in encode(model(), ladder=ladder).units)


def test_weights_that_repeat_others_are_left_out_of_a_ladder() -> None:
    units = units_of()
    waves, others = read_stack(units).records
    assert waves[0].operation is Operation.REPEATS
    assert others[0].operation is Operation.LEVELS
    assert len(waves[1].payload) < 0.6 * len(others[0].payload) * WAVES.size / 4900
    assert bytes(rebuild(units)) == model()


def test_what_repeats_is_left_out_of_a_ladder_where_it_could_be_predicted() -> None:
    halves = [normal(1, 129, seed=9).astype(float)]
    for row in range(39):  # each much like the one before
        halves.append(0.9 * halves[-1] + 0.3 * normal(1, 129, seed=row))
    rows = np.concatenate(halves)
    waves = np.concatenate([rows, rows[:, 127:0:-1]], axis=1) * np.hanning(257)[:256]
    data = safetensors({"waves": waves.astype("<f4")})
    units = [unit.data for unit in encode(data, ladder=("12dB", "20dB", "28dB")).units]
    stack = read_stack(units)
    assert stack.records[0][0].operation is Operation.REPEATS
    assert not stack.head.codes[0].predictor
    assert decode(units, TABLES) == bytes(rebuild(units))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_both_decoders_give_each_rung_the_same(count: int) -> None:
    units = units_of()[:count]
    assert decode(units, TABLES) == bytes(rebuild(units))


def test_one_rung_leaves_them_out_too_on_the_lattice() -> None:
    units = units_of(("30dB",))
    stack = read_stack(units)
    waves, others = stack.records
    assert stack.head.codes[0].lattice
    assert [record.operation for record in waves] == [Operation.REPEATS, Operation.LEVELS]
    assert len(waves[1].payload) < 0.6 * len(others[0].payload) * WAVES.size / 4900
    assert decode(units, TABLES) == bytes(rebuild(units))


def test_one_rung_of_what_repeats_reaches_its_target() -> None:
    unit = encode(model(), ladder="30dB").units[0]
    assert 30 <= unit.fidelity.weight_snr < 30.1


@pytest.mark.parametrize("folded_first", [False, True])
def test_what_both_ways_have_in_common_is_looked_for_once(folded_first: bool, monkeypatch) -> None:
    """And what each finds is what it finds by itself."""
    weights = [load(model(), tensor) for tensor in open_model(model()).tensors]
    factors = noise_factors(weights)
    relative = uniform_steps(weights, factors)
    bits = weights[0].stored.view(np.uint32)
    folding = {0: {0: Folding.of(repeats.find(bits), len(bits))}}
    tried: list[object] = []
    fit = economy.fit_ways

    def counted(*args: Any, **named: Any) -> Any:
        tried.append(args)
        return fit(*args, **named)

    monkeypatch.setattr(economy, "fit_ways", counted)

    common = Common()
    for foldings in sorted([{}, folding], key=bool, reverse=folded_first):
        here = find_single(Search(weights, factors, relative, foldings, common), 1e-3)
        assert len(tried) == len(weights)
        known = tried.copy()
        alone = find_single(Search(weights, factors, relative, foldings), 1e-3)
        tried[:] = known
        assert here is not None
        assert alone is not None
        assert [code.step for code in here.codes] == [code.step for code in alone.codes]
        assert all(map(np.array_equal, here.levels, alone.levels))


# runs of eight weights each: to say where takes three bits a weight
BLOCKS = normal(300, 8)
SHORT = np.concatenate([BLOCKS, np.random.default_rng(1).permutation(BLOCKS)])
LONG = np.concatenate([BLOCKS, BLOCKS, BLOCKS])
ZEROS = np.concatenate([SHORT, np.zeros((600, 8), "<f4")])


@pytest.mark.parametrize(
    ("values", "rung", "times"),
    [
        (SHORT, "6dB", 1),
        (SHORT, "32dB", 2),
        (SHORT, "40dB", 1),
        (LONG, "20dB", 1),
        (ZEROS, "32dB", 2),
    ],
)
def test_levels_are_looked_for_again_where_it_is_not_clear_what_pays(
    values: NDArray[np.float32], rung: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = []

    def counted(*arguments: Any) -> Any:
        searches.append(arguments)
        return find_single(*arguments)

    monkeypatch.setattr(uniform, "find_single", counted)
    unit = encode(safetensors({"blocks": values}), ladder=rung).units[0]
    assert len(searches) == times
    assert decode([unit.data], TABLES) == bytes(rebuild([unit.data]))


def test_rungs_keep_what_repeats() -> None:
    for count in (1, 2):
        data = bytes(rebuild(units_of()[:count]))
        rebuilt = np.frombuffer(data, "<f4", WAVES.size, data.index(b"}}") + 2)
        rows = rebuilt.reshape(WAVES.shape)
        assert rows.any()
        assert np.array_equal(rows[:, 129:], -rows[:, 127:0:-1])


def test_a_ladder_to_exact_takes_little_more_than_exact() -> None:
    sizes = [sum(map(len, units_of(ladder))) for ladder in (LADDER, ("exact",))]
    assert sizes[0] < 1.02 * sizes[1]


def test_a_lossy_update_leads_from_and_to_such_a_ladder() -> None:
    old = units_of()[:2]
    new = [unit.data for unit in encode(model(scale=1.01), ladder=LADDER[:2]).units]
    update = encode_lossy_update(old, new)
    assert apply_lossy_update(old, update) == tuple(new)
    assert len(update) < sum(map(len, new))


@pytest.mark.parametrize("bits", [np.uint16, np.uint32])
def test_a_quick_look_tells_what_may_repeat(bits: type) -> None:
    drawn = np.random.default_rng(1).integers(0, np.iinfo(bits).max, 20_000).astype(bits)
    assert not repeats.may_be(drawn)
    for other in (drawn, drawn[::-1], drawn ^ bits(1 << 8 * drawn.itemsize - 1)):
        assert repeats.may_be(np.concatenate([drawn, other]))


@pytest.mark.skipif(kernels.NAME != "native", reason="no compiler")
@pytest.mark.parametrize("bits", [np.uint16, np.uint32])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 64, 255, 511, 700, 16_383, 33_000, 70_001])
@pytest.mark.parametrize("values", [3, 40, 500, 20_000, 60_000])
def test_a_quick_look_in_c_tells_what_one_in_numpy_does(
    bits: type, count: int, values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [np.random.default_rng(seed).integers(0, values, count) for seed in range(4)]
    found = [repeats.may_be(look.astype(bits)) for look in looks]
    monkeypatch.setattr(repeats, "look_in_c", None)
    assert found == [repeats.may_be(look.astype(bits)) for look in looks]


@pytest.mark.skipif(kernels.NAME != "native", reason="no compiler")
def test_a_quick_look_is_at_whole_values() -> None:
    from midstream.kernels import _native

    for size, data in ((3, np.zeros(12, np.uint8)), (4, np.zeros(10, np.uint8))):
        with pytest.raises(ValueError, match=r"."):
            _native.may_repeat(data, size)
