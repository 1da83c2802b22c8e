"""Model files to ladders of units: every kind of weights, every kind of rung."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import models
from midstream import decoder
from midstream.bitstream import Operation, read_unit
from midstream.encoder import Encoded, encode
from midstream.errors import ErrorCode, FormatError, LimitError, UsageError
from midstream.limits import LIMITS
from midstream.types import UnitKind
from tensorfiles import bfloat16, normal, safetensors

RNG = np.random.default_rng(7)
WITH_NAN = normal(40, 30)
WITH_NAN[3, 3] = np.nan
WITH_INFINITY = normal(40, 30).astype("<f2")
WITH_INFINITY[3, 3] = -np.inf
OUTLIER = normal(40, 40)
OUTLIER[0, 0] = 1e30
SIGNED_ZEROS = normal(40, 30)
SIGNED_ZEROS[::2] = -0.0

NETWORKS: dict[str, bytes] = {
    "float32": safetensors({"a": normal(40, 40), "b": normal(64)}),
    "float16": safetensors({"a": normal(40, 40).astype("<f2")}),
    "bfloat16": safetensors({"a": bfloat16(normal(40, 40))}),
    "int8": safetensors({"a": RNG.integers(-128, 128, (40, 40)).astype("i1")}),
    "uint8": safetensors({"a": np.clip(RNG.normal(128, 20, (40, 40)), 0, 255).astype("u1")}),
    "int32": safetensors({"a": RNG.integers(-(2**31), 2**31, (9, 9)).astype("<i4")}),
    "float64, which is topology": safetensors({"a": normal(9, 9).astype("<f8")}),
    "NaN": safetensors({"a": WITH_NAN, "b": normal(64)}),
    "nothing but NaN": safetensors({"a": np.full(64, np.nan, "<f4")}),
    "infinity": safetensors({"a": WITH_INFINITY, "b": normal(64)}),
    "one value": safetensors({"a": np.full((40, 40), 0.3, "<f4")}),
    "one value of each type": safetensors(
        {"a": np.full(17, -1.5, "<f4"), "b": np.full(20, 2, "i1"), "c": np.full(20, 7, "u1")}
    ),
    "zeros": safetensors({"a": np.zeros((40, 40), "<f4")}),
    "zeros and others": safetensors({"a": np.zeros((40, 40), "<f4"), "b": normal(40, 40)}),
    "int8 zeros": safetensors({"a": np.zeros((40, 40), "i1")}),
    "negative zeros": safetensors({"a": np.full((40, 40), -0.0, "<f4")}),
    "some negative zeros": safetensors({"a": SIGNED_ZEROS}),
    "an outlier": safetensors({"a": OUTLIER}),
    "huge": safetensors(
        {"a": np.clip(normal(20, 20) * np.float64(1e39), -3e38, 3e38).astype("<f4")}
    ),
    "subnormal": safetensors({"a": (normal(20, 20) * np.float32(1e-43)).astype("<f4")}),
    "all types": safetensors(
        {
            "a": bfloat16(normal(20, 20)),
            "b": normal(20, 20).astype("<f2"),
            "c": RNG.integers(-9, 9, (20, 20)).astype("i1"),
            "d": RNG.integers(-9, 9, 64).astype("<i4"),
            "e": WITH_NAN,
            "f": normal(5000),
            "g": normal(2),
        },
        made_by="tests",
    ),
    "TFLite": models.mlp(),
    "TFLite float16": models.mlp(dtype="float16"),
    "TFLite int8": models.mlp((40, 50, 60), dtype="int8"),
    "no weights at all": models.sum_network(),
}
LADDERS = [
    "exact",
    "20dB,30dB,exact",
    "0.5b,4b,24b,exact",
    "0.1kB,3kB,exact",
]


def stacks(encoded: Encoded) -> list[bytearray]:
    """The model file after each unit."""
    units = [unit.data for unit in encoded.units]
    return [decoder.rebuild(units[:count]) for count in range(1, len(units) + 1)]


@pytest.mark.parametrize("ladder", LADDERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_unit_gives_the_very_bytes(name: str, ladder: str) -> None:
    """[BIT-10]"""
    encoded = encode(NETWORKS[name], ladder=ladder)
    rebuilt = stacks(encoded)
    assert rebuilt[-1] == NETWORKS[name]
    assert {len(model) for model in rebuilt} == {len(NETWORKS[name])}


@pytest.mark.parametrize("name", NETWORKS)
def test_infinite_snr_is_said_of_the_very_bytes_alone(name: str) -> None:
    encoded = encode(NETWORKS[name], ladder="0.5b,4b,24b,exact")
    for unit, model in zip(encoded.units, stacks(encoded), strict=True):
        assert math.isinf(unit.fidelity.weight_snr) == (model == NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_units_rise_and_only_the_first_is_a_base(name: str) -> None:
    encoded = encode(NETWORKS[name], ladder="2.5b,4b,6b,exact")
    assert [unit.layer for unit in encoded.units] == list(range(len(encoded.units)))
    kinds = [unit.kind for unit in encoded.units]
    assert kinds[0] is UnitKind.BASE
    assert kinds[-1] is UnitKind.EXACT
    assert set(kinds[1:-1]) <= {UnitKind.ENHANCEMENT}
    snrs = [unit.fidelity.weight_snr for unit in encoded.units[:-1]]
    assert snrs == sorted(set(snrs))


def values(model: bytes | bytearray, count: int) -> "np.ndarray[Any, Any]":
    return np.frombuffer(bytes(model[-4 * count :]), "<f4").astype(np.float64)


def test_snr_is_that_of_the_weights() -> None:
    model = safetensors({"a": normal(64, 64)})
    encoded = encode(model, ladder="10dB,25dB,exact")
    truth = values(model, 4096)
    for unit, rebuilt in list(zip(encoded.units, stacks(encoded), strict=True))[:-1]:
        error = values(rebuilt, 4096) - truth
        measured = 10 * np.log10((truth @ truth) / (error @ error))
        assert unit.fidelity.weight_snr == pytest.approx(measured, abs=0.01)


def test_targets_in_decibels_are_reached() -> None:
    encoded = encode(safetensors({"a": normal(300, 300)}), ladder="12dB,20dB,35dB")
    snrs = [unit.fidelity.weight_snr for unit in encoded.units]
    assert all(snr >= goal for snr, goal in zip(snrs, (12, 20, 35), strict=True))
    assert snrs[0] < 13


def test_targets_in_bits_are_reached_and_not_much_passed() -> None:
    model = safetensors({f"t{i}": normal(100, 100, seed=i) for i in range(20)})
    encoded = encode(model, ladder="2b,3b,5b")
    sizes = np.cumsum([len(unit.data) for unit in encoded.units]) * 8 / 200_000
    assert sizes == pytest.approx([2, 3, 5], abs=0.3)


def test_targets_in_kilobytes_are_reached_and_not_much_passed() -> None:
    model = safetensors({f"t{i}": normal(100, 100, seed=i) for i in range(20)})
    encoded = encode(model, ladder="50kB,80kB")
    sizes = np.cumsum([len(unit.data) for unit in encoded.units]) / 1000
    assert sizes == pytest.approx([50, 80], rel=0.1)


def test_zero_biases_do_not_make_int8_look_exact() -> None:
    encoded = encode(NETWORKS["TFLite int8"], ladder="2b,exact")
    assert encoded.units[0].fidelity.weight_snr < 60


def test_the_whole_head_of_a_base_deserves_more_repair() -> None:
    encoded = encode(NETWORKS["float32"], ladder="2b,exact")
    head = read_unit(encoded.units[0].data).head
    start = encoded.units[0].data.index(bytes(head))
    assert [unit.head_size for unit in encoded.units] == [start + len(head), 0]


def test_what_was_encoded_is_said() -> None:
    encoded = encode(NETWORKS["float32"], ladder="2.5b,exact")
    assert (encoded.format, encoded.weights) == ("safetensors", 40 * 40 + 64)
    assert [unit.rung for unit in encoded.units] == ["2.5b", "exact"]


def test_a_rung_that_adds_nothing_is_left_out() -> None:
    encoded = encode(NETWORKS["zeros"], ladder="2.5b,4b,6b")
    assert [unit.rung for unit in encoded.units] == ["2.5b"]


def test_a_ladder_of_one_rung_is_one_base() -> None:
    (unit,) = encode(NETWORKS["float32"], ladder="exact").units
    assert (unit.kind, unit.layer, unit.fidelity.weight_snr) == (UnitKind.BASE, 0, math.inf)


def test_encoding_twice_gives_the_same_bytes() -> None:
    first, second = (encode(NETWORKS["all types"], ladder="2.5b,exact") for _ in range(2))
    assert first == second


def test_a_slice_that_is_shorter_as_it_is_stays_as_it_is() -> None:
    pattern = np.random.default_rng(4).choice(normal(30), (128, 128)).astype("<f4")
    exact = read_unit(encode(safetensors({"a": pattern}), ladder="2b,exact").units[1].data)
    assert [record.operation for record in exact.records] == [Operation.RAW]


def scores(*values: float | None) -> Any:
    """An evaluation that gives these, one for each stack it is asked about."""
    left = list(values)

    def evaluate(units: Sequence[bytes]) -> float | None:
        decoder.rebuild(units)
        return left.pop(0)

    return evaluate


LADDER = "2b,3b,5b,exact"


def test_rungs_that_do_not_help_the_outputs_are_merged_into_the_next() -> None:
    evaluate = scores(10, 9, 15, math.inf)
    encoded = encode(NETWORKS["float32"], ladder=LADDER, evaluate=evaluate, probes=8)
    assert [unit.rung for unit in encoded.units] == ["2b", "5b", "exact"]
    assert [unit.fidelity.output_snr for unit in encoded.units] == [10, 15, math.inf]
    assert {unit.fidelity.probes for unit in encoded.units} == {8}
    assert stacks(encoded)[-1] == NETWORKS["float32"]


def test_exact_is_kept_even_where_the_outputs_were_right_before() -> None:
    evaluate = scores(math.inf, math.inf, math.inf, math.inf)
    encoded = encode(NETWORKS["float32"], ladder=LADDER, evaluate=evaluate)
    assert [unit.rung for unit in encoded.units] == ["2b", "exact"]
    assert stacks(encoded)[-1] == NETWORKS["float32"]


def test_weights_decide_where_the_network_cannot_be_run() -> None:
    evaluate = scores(None, None, None, None)
    encoded = encode(NETWORKS["float32"], ladder=LADDER, evaluate=evaluate, probes=8)
    assert [unit.rung for unit in encoded.units] == ["2b", "3b", "5b", "exact"]
    assert {(u.fidelity.output_snr, u.fidelity.probes) for u in encoded.units} == {(None, 0)}


def test_int4_of_odd_length_is_topology() -> None:
    net = models.Tflite()
    for name, size in (("even", 40), ("odd", 41)):
        packed = RNG.integers(0, 256, (size + 1) // 2).astype("u1")
        number = net.weights(name, packed)
        net.tensors[number][0] = models.Data(np.array([size], "<i4"))
        net.tensors[number][1] = models.Scalar("b", 17)
    model = net.file([], [])
    encoded = encode(model, ladder="2b,exact")
    assert encoded.weights == 40
    assert stacks(encoded)[-1] == model


def test_a_bad_ladder_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        encode(NETWORKS["float32"], ladder="fine")
    assert caught.value.code is ErrorCode.BAD_LADDER


def test_a_file_of_another_format_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        encode(b"MZ" + bytes(100), ladder="exact")
    assert caught.value.code is ErrorCode.UNKNOWN_FORMAT


def test_a_model_over_the_limit_is_refused() -> None:
    with pytest.raises(LimitError, match="at most 1000"):
        encode(NETWORKS["float32"], ladder="exact", limits=replace(LIMITS, model_size=1000))
