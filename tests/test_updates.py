"""Updates from one exact model to another: whatever changed, bit for bit, or a clear error."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from histories import changed_somewhere, moved
from midstream.bitstream import Operation, Topology, UnitReader, read_unit, write_unit
from midstream.codec import differences
from midstream.codec.sigmas import Sigmas
from midstream.decoder import Exact, apply_update, read_update, rebuild, update_into
from midstream.encoder import encode, expecting
from midstream.encoder.update import encode_update, holes_of
from midstream.errors import BitstreamError, DataError, ErrorCode, UsageError
from midstream.types import DType
from tensorfiles import bfloat16, normal, safetensors
from test_memory import peak_of

quick = settings(
    deadline=timedelta(seconds=20), max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
INTEGERS = np.random.default_rng(2).integers(-100, 100, (40, 30))
ARRAYS: Mapping[str, Any] = {
    "a": normal(60, 50),
    "b": normal(30, 40).astype("<f2"),
    "c": INTEGERS.astype("|i1"),
    "d": (INTEGERS + 100).astype("|u1"),
    "e": normal(70, seed=4),
    "f": np.arange(50, dtype="<i4"),
}


def exact(model: bytes) -> Exact:
    return Exact(topology=Topology.cut(model, holes_of(model)), model=model)


def update_of(old: bytes, new: bytes) -> bytes:
    return encode_update(exact(old).topology, old, new)


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    """The bytes of an update that was found to be exact."""
    before, after = safetensors(old), safetensors(new)
    unit = update_of(before, after)
    assert bytes(apply_update(exact(before), unit).model) == after
    return len(unit)


# --- work ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "weights"), [((), 0), (("a",), 3000), (("b", "e"), 1270), (("a", "b"), 4200)]
)
def test_the_work_of_an_update_is_the_weights_that_it_decodes(
    names: Sequence[str], weights: int
) -> None:
    """[TRU-19]: those of the tensors that moved, whatever the others weigh."""
    before = exact(safetensors(ARRAYS))
    after = safetensors(ARRAYS | {name: moved(ARRAYS[name], 0.01) for name in names})
    assert read_update(update_of(before.model, after), before).work == weights


def test_weights_that_only_decay_are_work_though_they_have_no_record() -> None:
    before, after = safetensors(ARRAYS), safetensors(ARRAYS | {"a": ARRAYS["a"] * np.float32(0.5)})
    update = read_update(update_of(before, after), exact(before))
    assert update.work == 3000
    assert sum(map(len, update.records)) <= 1


# --- what each kind of change costs ----------------------------------------------------------


def test_nothing_new_costs_next_to_nothing() -> None:
    assert changed(ARRAYS, ARRAYS) < 45


def test_all_weights_by_a_little_cost_about_what_their_differences_say() -> None:
    weights = normal(200, 100)
    size = changed({"a": weights}, {"a": moved(weights, 1e-5)})
    bits = np.log2(1e-5 / np.spacing(np.abs(weights)) * np.sqrt(2 * np.pi * np.e))
    assert size < 1.02 * np.maximum(bits, 0).sum() / 8 + 150


def test_rows_that_hardly_move_beside_others_cost_what_they_say() -> None:
    weights = normal(96, 400)
    scales = np.where(np.arange(96) % 3 == 0, 1e-3, 1e-7)[:, None]
    other = (weights + normal(96, 400, seed=5, scale=1.0) * scales).astype("<f4")
    size = changed({"a": weights}, {"a": other})
    bits = np.log2(scales / np.spacing(np.abs(weights)) * np.sqrt(2 * np.pi * np.e))
    assert size < 1.1 * np.maximum(bits, 1).sum() / 8


def test_what_was_pruned_before_stays_cheap() -> None:
    weights = normal(200, 100)
    weights[np.abs(weights) < 0.07] = 0
    other = np.where(weights == 0, weights, moved(weights, 1e-5))
    left = int((weights != 0).sum())
    assert changed({"a": weights}, {"a": other}) < 1.03 * 2 * left + 150


def test_a_few_weights_cost_a_few_bytes() -> None:
    weights = normal(200, 100)
    other = weights.copy()
    other.ravel()[77::2000] *= 1.25
    assert changed({"a": weights}, {"a": other}) < 145


def test_a_change_of_low_rank_costs_its_factors() -> None:
    weights = normal(200, 100)
    product = normal(200, 2, seed=1) @ normal(2, 100, seed=2) * np.float32(0.1)
    size = changed({"a": weights}, {"a": (weights + product).astype("<f4")})
    assert size < 0.25 * changed({"a": weights}, {"a": moved(weights, float(product.std()))})


def test_a_product_in_a_large_tensor_is_found_by_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = normal(200, 100)
    product = normal(200, 2, seed=1) @ normal(2, 100, seed=2) * np.float32(0.1)
    other = {"a": (weights + product).astype("<f4")}
    whole = changed({"a": weights}, other)
    monkeypatch.setattr(expecting, "_MOST_WHOLE", 1000)
    assert changed({"a": weights}, other) < 1.1 * whole


@pytest.mark.parametrize("has_signs", [True, False])
def test_pruning_costs_a_threshold(has_signs: bool) -> None:
    weights = normal(200, 100)
    product = weights * (np.abs(weights) >= 0.07)
    other = product if has_signs else np.where(product == 0, np.float32(0), weights)
    assert changed({"a": weights}, {"a": other}) < 70


@pytest.mark.parametrize(("steps", "decay"), [(60, 1e-6), (60, 1e-7), (1, 1e-3), (255, 1e-5)])
def test_weights_that_decay_alone_cost_next_to_nothing(steps: int, decay: float) -> None:
    weights, live = normal(200, 100), np.arange(200) % 4 == 0
    other = weights.copy()
    for _ in range(steps):
        other *= np.float32(1 - decay)
    other[live] += normal(200, 100, seed=3, scale=1e-3)[live]
    alone = changed({"a": weights[live]}, {"a": other[live]})
    assert changed({"a": weights}, {"a": other}) < 1.03 * alone + 250


def test_decay_is_found_beside_pruning() -> None:
    weights = normal(200, 100)
    other = weights * (np.abs(weights) >= 0.07)
    for _ in range(60):
        other *= np.float32(1 - 1e-6)
    assert changed({"a": weights}, {"a": other}) < 80


def test_weights_that_an_optimiser_moved_do_not_pass_for_decayed() -> None:
    weights = normal(200, 100)
    head = read_update(
        update_of(safetensors({"a": weights}), safetensors({"a": moved(weights, 1e-4)})),
        exact(safetensors({"a": weights})),
    ).head
    assert not head.references


def test_new_scales_of_integers_cost_a_number_a_row() -> None:
    integers = np.random.default_rng(1).integers(-127, 128, (100, 200)).astype("|i1")
    other = np.rint(integers * np.linspace(0.6, 0.98, 100)[:, None]).astype("|i1")
    assert changed({"a": integers}, {"a": other}) < 1500


def test_integers_that_move_by_the_same_step_send_tables_of_their_own() -> None:
    integers = INTEGERS.astype("|i1")
    other = (integers + 3 * np.random.default_rng(3).choice([-1, 1], INTEGERS.shape)).astype("|i1")
    assert changed({"a": integers}, {"a": other}) < 0.16 * integers.size + 120


def test_added_rows_cost_themselves() -> None:
    weights = normal(100, 64)
    grown = np.concatenate([weights, normal(3, 64, seed=9)])
    assert changed({"a": weights}, {"a": grown}) < 4 * 3 * 64 + 150


@pytest.mark.parametrize(
    ("old", "new"),
    [((4, 6), (6, 4)), ((8, 3, 2), (5, 3, 4)), ((7,), (3,)), ((5, 5), (5, 5, 1))],
)
def test_any_shape_becomes_any_other(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    changed({"a": normal(*old), "k": normal(9)}, {"a": normal(*new, seed=1), "k": normal(9)})


def test_tensors_come_go_and_change_their_names() -> None:
    new = {"x": ARRAYS["a"], "b": ARRAYS["c"], "new": normal(5000), "c": ARRAYS["b"]}
    changed(ARRAYS, new)


def test_every_dtype_moves() -> None:
    new = {
        "a": moved(ARRAYS["a"], 0.3),
        "b": moved(ARRAYS["b"], 0.01),
        "c": np.clip(INTEGERS + 1, -128, 127).astype("|i1"),
        "d": (255 - INTEGERS).clip(0, 255).astype("|u1"),
        "e": -ARRAYS["e"],
        "f": ARRAYS["f"] * -70_000_000,
        "g": normal(9),
    }
    changed(ARRAYS, new)


def test_numbers_that_are_none_and_the_greatest_ones_come_back() -> None:
    numbers = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, 1.0]
    every = np.array(list(itertools.product(numbers, numbers)), "<f4")
    for kind in ("<f4", "<f2"):
        with np.errstate(over="ignore"):
            pairs = np.tile(every, (4, 1)).astype(kind)
        changed({"a": pairs[:, 0].copy()}, {"a": pairs[:, 1].copy()})


def test_tables_that_take_as_many_bytes_as_the_fixed_ones_are_not_mistaken_for_them() -> None:
    rng = np.random.default_rng(5)
    for count in range(40, 120, 2):
        old = rng.integers(-90, 90, count).astype("<i4")
        new = old + np.rint(rng.standard_normal(count)).astype("<i4")
        sigmas = Sigmas.uniform(count, shape=1, quarters=4)
        payload = differences.encode(new, old, sigmas, DType.INT32)
        assert (differences.decode(memoryview(payload), old, sigmas, DType.INT32) == new).all()


def test_bfloat16_moves() -> None:
    weights = normal(60, 50)
    changed({"a": bfloat16(weights)}, {"a": bfloat16(moved(weights, 0.01))})


def test_a_tflite_network_is_updated() -> None:
    old, new = (models.mlp((30, 40, 20), seed=seed) for seed in (1, 2))
    assert bytes(apply_update(exact(old), update_of(old, new)).model) == new


def test_what_was_decoded_from_units_is_updated_as_the_file_is() -> None:
    old, new = safetensors(ARRAYS), safetensors({**ARRAYS, "a": moved(ARRAYS["a"], 0.01)})
    model = rebuild([unit.data for unit in encode(old, ladder="2b,exact").units])
    known = Exact(topology=exact(old).topology, model=model)
    assert bytes(apply_update(known, update_of(old, new)).model) == new


# --- paths -----------------------------------------------------------------------------------


@st.composite
def releases(draw: st.DrawFn) -> list[bytes]:
    """Models of one network, each with something else changed."""
    arrays: dict[str, Any] = dict(ARRAYS)
    found = [safetensors(arrays)]
    for _ in range(draw(st.integers(2, 5))):
        arrays = changed_somewhere(draw, arrays)
        found.append(safetensors(arrays))
    return found


@quick
@given(data=st.data(), files=releases())
def test_any_two_paths_end_in_the_same_bits(data: st.DataObject, files: list[bytes]) -> None:
    last = len(files) - 1
    state, at = exact(files[0]), 0
    while at < last:
        to = data.draw(st.integers(at + 1, last))
        state, at = apply_update(state, update_of(files[at], files[to])), to
    assert bytes(state.model) == files[last]
    assert state.id == exact(files[last]).id


# --- what is refused -------------------------------------------------------------------------


FIRST, SECOND, THIRD = (
    safetensors({**ARRAYS, "a": moved(ARRAYS["a"], 0.01 * i, i)}) for i in range(3)
)


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        pytest.param(SECOND, (FIRST, SECOND), id="applied twice"),
        pytest.param(FIRST, (SECOND, THIRD), id="out of order"),
        pytest.param(safetensors({"a": normal(4)}), (FIRST, SECOND), id="of another network"),
    ],
)
def test_an_update_for_another_model_is_refused(held: bytes, wanted: tuple[bytes, bytes]) -> None:
    """[UPD-1]"""
    known = exact(held)
    with pytest.raises(BitstreamError, match="update: for the model") as caught:
        apply_update(known, update_of(*wanted))
    assert caught.value.code is ErrorCode.WRONG_PARENT
    assert known.model == held


def test_a_buffer_of_another_size_is_an_error_of_the_caller() -> None:
    known = exact(FIRST)
    update = read_update(update_of(FIRST, SECOND), known)
    with pytest.raises(UsageError):
        update_into(update, known, bytearray(3))


def test_a_model_that_runs_is_not_touched_by_an_update_that_fails() -> None:
    """[UPD-2]"""
    unit = bytearray(update_of(FIRST, SECOND))
    unit[-1] ^= 0x55
    known = exact(FIRST)
    with suppress(DataError):
        apply_update(known, bytes(unit))
    assert known.model == FIRST


SMALL = {
    "a": normal(9, 8),
    "b": normal(20).astype("<f2"),
    "c": INTEGERS[:6, :5].astype("|i1"),
    "p": normal(16, 20),
}
CASES: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    "moved": lambda: (
        safetensors(SMALL),
        safetensors({**SMALL, "a": moved(SMALL["a"], 0.01), "c": SMALL["c"] + 1}),
    ),
    "resized": lambda: (safetensors(SMALL), safetensors({"c": normal(9), "a": normal(7, 9)})),
    "expected": lambda: (
        safetensors(SMALL),
        safetensors({**SMALL, "p": np.where(np.abs(SMALL["p"]) < 0.1, 0, SMALL["p"])}),
    ),
}


@pytest.fixture(scope="module", params=CASES)
def pair(request: pytest.FixtureRequest) -> tuple[Exact, bytes]:
    old, new = CASES[request.param]()
    return exact(old), update_of(old, new)


def test_every_truncation_is_refused(pair: tuple[Exact, bytes]) -> None:
    known, unit = pair
    for size in range(len(unit)):
        with pytest.raises(DataError):
            apply_update(known, unit[:size])


@pytest.mark.once
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_flip_is_survived(pair: tuple[Exact, bytes], mask: int) -> None:
    known, unit = pair
    for place, byte in enumerate(unit):
        with suppress(DataError):
            apply_update(known, unit[:place] + bytes([byte ^ mask]) + unit[place + 1 :])


@quick
@given(data=st.data())
def test_any_bytes_in_a_head_or_a_payload_are_survived(data: st.DataObject) -> None:
    old, new = CASES[data.draw(st.sampled_from(sorted(CASES)))]()
    unit = read_unit(update_of(old, new))
    kept = data.draw(st.integers(17, len(unit.head)))
    head = bytes(unit.head[:kept]) + data.draw(st.binary(max_size=40))
    with suppress(DataError):
        apply_update(exact(old), write_unit(unit.kind, 0, head, unit.records))


def test_an_update_arrives_byte_by_byte() -> None:
    unit = update_of(*CASES["moved"]())
    reader = UnitReader()
    records = [record for byte in unit for record in reader.feed(bytes([byte]))]
    reader.close()
    assert tuple(records) == read_unit(unit).records
    assert {record.operation for record in records} == {Operation.DIFFERENCES}


# --- memory ----------------------------------------------------------------------------------


LARGE = normal(300, 500)
GROWING: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    "moved": lambda: (safetensors({"a": LARGE}), safetensors({"a": moved(LARGE, 0.01)})),
    "far": lambda: (safetensors({"a": LARGE}), safetensors({"a": LARGE[::-1] * np.float32(2)})),
    "decayed": lambda: (
        safetensors({"a": LARGE}),
        safetensors({"a": LARGE * np.float32(1 - 2**-14)}),
    ),
    "integers": lambda: (
        safetensors({"a": (LARGE * 300).clip(-100, 100).astype("|i1")}),
        safetensors({"a": (moved(LARGE, 0.02) * 300).clip(-100, 100).astype("|i1")}),
    ),
    "resized": lambda: (
        safetensors({"a": LARGE}),
        safetensors({"a": np.concatenate([moved(LARGE, 0.01), normal(9, 500)])}),
    ),
    "low rank": lambda: (
        safetensors({"a": LARGE}),
        safetensors({"a": (LARGE + normal(300, 3, seed=1) @ normal(3, 500)).astype("<f4")}),
    ),
}


@pytest.mark.once
@pytest.mark.parametrize("name", GROWING)
def test_applying_takes_what_is_announced(name: str) -> None:
    old, new = GROWING[name]()
    known, unit = exact(old), update_of(old, new)
    assert known.id
    out = bytearray(len(new))
    update_into(read_update(unit, known), known, out)  # the tables of the codec are made once
    announced = read_update(unit, known).working_memory
    taken = peak_of(lambda: update_into(read_update(unit, known), known, out))
    assert out == new
    assert taken <= announced
    assert announced <= 4 * taken + (24 << 20)
