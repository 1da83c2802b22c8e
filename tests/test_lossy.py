"""Lossy updates from units to units: whatever changed, byte for byte, or a clear error."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from histories import changed_somewhere, moved
from midstream.bitstream import Operation, Record, UnitReader, read_unit, write_unit
from midstream.bitstream.lossy import LossyHead, Outline, Place, Way, stack_id
from midstream.decoder import (
    Exact,
    apply_lossy_update,
    apply_update,
    lossy_memory,
    lossy_work,
    read_stack,
    rebuild,
)
from midstream.encoder import encode
from midstream.encoder.lossy import encode_lossy_update
from midstream.errors import BitstreamError, DataError, ErrorCode, LimitError, UsageError
from midstream.limits import LIMITS
from midstream.types import UnitKind
from tensorfiles import normal, safetensors
from test_memory import peak_of

quick = settings(
    deadline=timedelta(seconds=20), max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
INTEGERS = np.random.default_rng(2).integers(-100, 100, (40, 30))
ARRAYS: Mapping[str, Any] = {
    "a": normal(90, 60),
    "b": normal(30, 40).astype("<f2"),
    "c": INTEGERS.astype("|i1"),
    "d": normal(70, seed=4),
    "e": np.arange(50, dtype="<i4"),
}
LADDER = ("2b", "4b", "exact")


@cache
def _lower(model: bytes, ladder: Sequence[str]) -> tuple[bytes, ...]:
    units = encode(model, ladder=ladder).units
    return tuple(unit.data for unit in units if unit.kind is not UnitKind.EXACT)


def lower(arrays: Mapping[str, Any], ladder: Sequence[str] = LADDER) -> tuple[bytes, ...]:
    """The units of a model below the exact one."""
    return _lower(safetensors(arrays), ladder)


def share(old: Sequence[bytes], new: Sequence[bytes]) -> float:
    """Bytes of an update that gives these units, over theirs."""
    update = encode_lossy_update(old, new)
    assert apply_lossy_update(old, update) == tuple(new)
    return len(update) / sum(map(len, new))


# --- work ------------------------------------------------------------------------------------


def test_the_work_of_an_update_is_the_weights_that_move_once_for_each_record() -> None:
    """[TRU-19]: one tensor moved, in the base and in one enhancement or none."""
    old = lower(ARRAYS)
    new = lower({**ARRAYS, "a": moved(ARRAYS["a"], 0.02)})
    most = max(len(records) for records in read_stack(new).records)
    works = [
        lossy_work(read_stack(new[:rungs]), encode_lossy_update(old[:rungs], new[:rungs]))
        for rungs in (1, 2)
    ]
    assert lossy_work(read_stack(old), encode_lossy_update(old, old)) == 0
    assert 0 < works[0] < works[1] <= most * sum(ARRAYS[name].size for name in ARRAYS)
    assert works[1] >= 90 * 60 * 2


# --- what each kind of change costs ----------------------------------------------------------

BEFORE = lower(ARRAYS)


def test_nothing_new_costs_next_to_nothing() -> None:
    assert len(encode_lossy_update(BEFORE, BEFORE)) < 70


@pytest.mark.parametrize("rungs", [1, 2])
def test_moves_far_below_a_step_cost_a_few_percent(rungs: int) -> None:
    new = lower({**ARRAYS, "a": moved(ARRAYS["a"], 0.0005)})
    assert share(BEFORE[:rungs], new[:rungs]) < 0.1


def test_moves_of_a_step_cost_less_than_fresh_units() -> None:
    new = lower({**ARRAYS, "a": moved(ARRAYS["a"], 0.02)})
    assert share(BEFORE, new) < 0.8


def test_a_weight_of_its_own_type_that_nobody_moved_costs_nothing() -> None:
    new = lower({**ARRAYS, "c": np.roll(ARRAYS["c"], 1)})
    records = read_unit(encode_lossy_update(BEFORE, new)).records
    slices = read_stack(new).head.slices
    assert {slices[record.slice].dtype.name for record in records} == {"INT8"}


def test_rows_that_were_added_leave_the_others_cheap() -> None:
    grown = np.concatenate([ARRAYS["a"], normal(6, 60, seed=5)])
    assert share(BEFORE, lower({**ARRAYS, "a": grown})) < 0.35


def test_tensors_are_found_by_their_names() -> None:
    new = lower({"0": normal(30, 30, seed=8), **ARRAYS})
    assert share(BEFORE, new) < 0.35


@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 1)])
def test_rungs_of_other_numbers_are_reached(old: int, new: int) -> None:
    other = lower({**ARRAYS, "a": moved(ARRAYS["a"], 0.0005)})
    assert share(BEFORE[:old], other[:new]) < 0.8


def test_an_unrelated_network_costs_no_more_than_its_units_and_little_else() -> None:
    other = lower({"z": normal(77, 60, seed=9), "y": normal(5, 5)})
    assert share(BEFORE, other) < 1.1


def test_a_tflite_network_is_updated() -> None:
    old, new = (models.mlp((30, 40, 20), seed=seed) for seed in (1, 2))
    share(_lower(old, LADDER), _lower(new, LADDER))


def test_points_of_the_lattice_are_sent_as_they_are() -> None:
    old, new = (lower({"a": moved(normal(90, 60), scale)}, ("15dB",)) for scale in (0.0, 1e-4))
    assert share(old, new) < 1.05


def test_what_is_above_applies_to_what_an_update_gives() -> None:
    new = safetensors({**ARRAYS, "a": moved(ARRAYS["a"], 0.001)})
    units = [unit.data for unit in encode(new, ladder=LADDER).units]
    made = apply_lossy_update(BEFORE[:1], encode_lossy_update(BEFORE[:1], units[:1]))
    assert bytes(rebuild([*made, *units[1:]])) == new


# --- paths -----------------------------------------------------------------------------------


@st.composite
def releases(draw: st.DrawFn) -> list[tuple[bytes, ...]]:
    """The lower units of releases of one network, each with something else changed."""
    arrays: dict[str, Any] = dict(ARRAYS)
    found = [BEFORE]
    for _ in range(draw(st.integers(2, 4))):
        arrays = changed_somewhere(draw, arrays)
        rate = draw(st.sampled_from(["1.5b", "2b", "3b"]))
        found.append(lower(arrays, (rate, "4b", "exact")))
    return found


@quick
@given(data=st.data(), history=releases())
def test_any_path_ends_in_the_bytes_of_the_fresh_units(
    data: st.DataObject, history: list[tuple[bytes, ...]]
) -> None:
    at, units = 0, history[0][: data.draw(st.integers(1, len(history[0])))]
    while at < len(history) - 1:
        to = data.draw(st.integers(at + 1, len(history) - 1))
        wanted = history[to][: data.draw(st.integers(1, len(history[to])))]
        made = apply_lossy_update(units, encode_lossy_update(units, wanted))
        assert made == wanted
        at, units = to, made


# --- what is refused -------------------------------------------------------------------------

FIRST, SECOND, THIRD = (
    lower({"a": moved(normal(9, 90), 0.01 * i, i), "b": normal(9)}) for i in range(3)
)


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        pytest.param(SECOND, (FIRST, SECOND), id="applied twice"),
        pytest.param(FIRST, (SECOND, THIRD), id="out of order"),
        pytest.param(FIRST[:1], (FIRST, SECOND), id="of another rung"),
        pytest.param(BEFORE, (FIRST, SECOND), id="of another network"),
    ],
)
def test_an_update_for_other_units_is_refused(
    held: tuple[bytes, ...], wanted: tuple[tuple[bytes, ...], tuple[bytes, ...]]
) -> None:
    """[LOS-1]"""
    with pytest.raises(BitstreamError, match="lossy update: for the units") as caught:
        apply_lossy_update(held, encode_lossy_update(*wanted))
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_an_update_of_the_other_kind_is_refused() -> None:
    model = rebuild(FIRST)
    known = Exact(topology=read_stack(FIRST).head.topology, model=model)
    with pytest.raises(BitstreamError) as caught:
        apply_update(known, encode_lossy_update(FIRST, SECOND))
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_a_lossy_update_is_no_unit_of_a_stack() -> None:
    """[BIT-5]"""
    with pytest.raises(BitstreamError) as caught:
        read_stack([FIRST[0], encode_lossy_update(FIRST, SECOND)])
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_no_units_are_an_error_of_the_caller() -> None:
    unit = read_unit(encode_lossy_update(FIRST, SECOND))
    head = stack_id([]) + bytes(unit.head[16:])
    with pytest.raises(UsageError):
        apply_lossy_update([], write_unit(unit.kind, 0, head, unit.records))


def test_every_truncation_is_refused() -> None:
    unit = encode_lossy_update(FIRST, SECOND)
    for size in range(len(unit)):
        with pytest.raises(DataError):
            apply_lossy_update(FIRST, unit[:size])


@pytest.mark.once
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_flip_is_survived(mask: int) -> None:
    """[LOS-2]"""
    unit, held = encode_lossy_update(FIRST, SECOND), list(FIRST)
    for place, byte in enumerate(unit):
        with suppress(DataError):
            apply_lossy_update(held, unit[:place] + bytes([byte ^ mask]) + unit[place + 1 :])
    assert tuple(held) == FIRST


@quick
@given(data=st.data())
def test_any_bytes_in_a_payload_are_survived(data: st.DataObject) -> None:
    unit = read_unit(encode_lossy_update(FIRST, SECOND))
    records = list(unit.records)
    at = data.draw(st.integers(0, len(records) - 1))
    kept = data.draw(st.integers(0, len(records[at].payload)))
    payload = bytes(records[at].payload[:kept]) + data.draw(st.binary(max_size=40))
    records[at] = type(records[at])(
        slice=records[at].slice, operation=records[at].operation, payload=payload
    )
    with suppress(DataError):
        apply_lossy_update(FIRST, write_unit(unit.kind, 0, bytes(unit.head), records))


def claiming(places: Sequence[Place]) -> bytes:
    """An update on FIRST to a base with such records, and with none of its own."""
    before = [Outline.of(read_unit(unit)) for unit in FIRST]
    tensors = len(read_stack(FIRST).head.topology.tensors)
    base = replace(before[0], places=tuple(places))
    head = LossyHead(parent=stack_id(FIRST), units=(base,), sources=tuple(range(tensors)))
    return write_unit(UnitKind.LOSSY_UPDATE, 0, head.write(before, tensors), [])


def test_few_bytes_that_claim_many_records_take_little_memory() -> None:
    """[LOS-3]"""
    update = claiming([Place(slice=0, operation=Operation.LEVELS, way=Way.KEPT)] * 1_000_000)
    assert len(update) < 1000

    def apply() -> None:
        with pytest.raises(LimitError) as caught:
            apply_lossy_update(FIRST, update)
        assert caught.value.code is ErrorCode.OVER_LIMIT

    assert peak_of(apply) < 16 << 20


def test_a_slice_takes_no_more_refinements_than_in_a_unit() -> None:
    """[LOS-5]"""
    (piece,) = read_stack(FIRST).head.slices
    assert piece.dtype.is_float
    digit = Place(slice=0, operation=Operation.DIGITS, way=Way.MOVED)
    for trits in (LIMITS.trits + 1, 700):
        update = claiming([replace(digit, operation=Operation.LEVELS), *[digit] * trits])
        unit = read_unit(update)
        moves = Record(slice=0, operation=Operation.MOVES, payload=bytes(2 * trits + 1))
        with pytest.raises(DataError) as caught:
            apply_lossy_update(FIRST, write_unit(unit.kind, 0, bytes(unit.head), [moves]))
        assert caught.value.code in (ErrorCode.BAD_FIELD, ErrorCode.OVER_LIMIT)


def test_an_update_arrives_byte_by_byte() -> None:
    unit = encode_lossy_update(FIRST, SECOND)
    reader = UnitReader()
    records = [record for byte in unit for record in reader.feed(bytes([byte]))]
    reader.close()
    assert tuple(records) == read_unit(unit).records
    assert Operation.MOVES in {record.operation for record in records}


# --- memory ----------------------------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize("rows", [300, 309])
def test_applying_takes_what_is_announced(rows: int) -> None:
    large = np.resize(moved(normal(300, 500), 0.001), (rows, 500)).astype("<f4")
    old, new = lower({"a": normal(300, 500)}), lower({"a": large})
    update = encode_lossy_update(old, new)
    apply_lossy_update(old, update)  # the tables of the codec are made once
    announced = lossy_memory(read_stack(old), read_stack(new), len(update))
    held = sum(map(len, old)) + len(update)
    taken = held + peak_of(lambda: apply_lossy_update(old, update))
    assert taken <= announced
    assert announced <= 5 * taken + (24 << 20)
