"""Stacks of units to model files: what may follow what, and what is refused."""

from dataclasses import replace
from mmap import mmap
from typing import Any

import numpy as np
import pytest

import models
from midstream.bitstream import Operation, Record, read_unit, write_unit
from midstream.decoder import Stack, read_stack, rebuild, rebuild_into
from midstream.encoder import encode
from midstream.errors import BitstreamError, ErrorCode, LimitError, MidstreamError, UsageError
from midstream.limits import LIMITS
from midstream.types import UnitKind
from tensorfiles import normal, safetensors

WITH_NAN = normal(80, 80)
WITH_NAN[0, 0] = np.nan
MODEL = safetensors(
    {
        "floats": normal(80, 80),
        "bytes": np.random.default_rng(1).integers(-100, 100, (80, 80)).astype("i1"),
        "raw": WITH_NAN,
    }
)
UNITS = [unit.data for unit in encode(MODEL, ladder="1.5b,3b,exact").units]


def order() -> dict[str, int]:
    stack = read_stack(UNITS)
    kinds = {(s.dtype.is_float, s.coded): i for i, s in enumerate(stack.head.slices)}
    return {"floats": kinds[True, True], "bytes": kinds[False, True], "raw": kinds[True, False]}


SLICES = order()
BASE = read_unit(UNITS[0])
OPERATIONS = {name: read_stack(UNITS).records[index] for name, index in SLICES.items()}


def base(**operations: list[Record]) -> bytes:
    """The base, with other records for some slices."""
    chosen = {name: [r for r in BASE.records if r.slice == i] for name, i in SLICES.items()}
    chosen |= operations
    records = sorted((r for rs in chosen.values() for r in rs), key=lambda record: record.slice)
    return write_unit(UnitKind.BASE, 0, bytes(BASE.head), records)


def on_top(kind: UnitKind, layer: int, *records: Record) -> bytes:
    return write_unit(kind, layer, b"", sorted(records, key=lambda record: record.slice))


def made(name: str, *operations: Operation) -> list[Record]:
    """Records with empty payloads: what they hold is looked at later than their order."""
    return [Record(slice=SLICES[name], operation=op, payload=b"") for op in operations]


def code_of(*units: bytes) -> ErrorCode:
    with pytest.raises(MidstreamError) as caught:
        rebuild(units)
    return caught.value.code


def test_each_prefix_is_a_model_and_the_last_is_exact() -> None:
    """[BIT-10]"""
    assert rebuild(UNITS) == MODEL
    for count in (1, 2):
        assert len(rebuild(UNITS[:count])) == len(MODEL)
        assert rebuild(UNITS[:count]) != MODEL


def test_units_may_be_any_kind_of_bytes() -> None:
    kinds: list[Any] = [bytes(UNITS[0]), bytearray(UNITS[1]), memoryview(UNITS[2])]
    assert rebuild(kinds) == MODEL


def test_more_weights_than_one_batch_come_back() -> None:
    model = safetensors({"a": normal(600, 500), "b": normal(500, 10), "c": normal(30)})
    units = [unit.data for unit in encode(model, ladder="2b,3b,exact").units]
    assert rebuild(units) == model


def test_no_units_make_no_model() -> None:
    with pytest.raises(UsageError) as caught:
        rebuild([])
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_a_stack_says_what_is_done_to_each_slice() -> None:
    stack = read_stack(UNITS)
    assert isinstance(stack, Stack)
    names = {name: [r.operation.name for r in records] for name, records in OPERATIONS.items()}
    first, *middle, last = names["floats"]
    assert (first, set(middle), last) == ("LEVELS", {"DIGITS"}, "EXACT")
    assert set(names["bytes"][1:]) == {"DIGITS"}
    assert names["raw"] == ["RAW"]


def test_the_first_unit_must_be_a_base() -> None:
    assert code_of(UNITS[1]) is ErrorCode.WRONG_PARENT


def test_a_base_cannot_stand_on_anything() -> None:
    assert code_of(UNITS[0], UNITS[0]) is ErrorCode.WRONG_PARENT


@pytest.mark.parametrize("kind", [UnitKind.UPDATE, UnitKind.CONTRIBUTION])
def test_reserved_kinds_are_refused_on_top_of_a_base(kind: UnitKind) -> None:
    """[BIT-5]"""
    assert code_of(UNITS[0], write_unit(kind, 1, b"x", [])) is ErrorCode.WRONG_PARENT


@pytest.mark.parametrize("layer", [0, 1])
def test_layers_must_rise(layer: int) -> None:
    first = on_top(UnitKind.ENHANCEMENT, 1)
    assert code_of(UNITS[0], first, on_top(UnitKind.ENHANCEMENT, layer)) is ErrorCode.WRONG_PARENT


def test_a_layer_may_be_left_out() -> None:
    assert rebuild([UNITS[0], on_top(UnitKind.ENHANCEMENT, 9)]) == rebuild(UNITS[:1])


def test_a_slice_that_no_record_names_stays_as_it_was() -> None:
    """[BIT-11]"""
    records = [r for r in read_unit(UNITS[1]).records if r.slice == SLICES["floats"]]
    assert records
    some = read_stack([UNITS[0], on_top(UnitKind.ENHANCEMENT, 1, *records)])
    tensor = some.head.topology.tensors[some.head.slices[SLICES["bytes"]].runs[0].tensor]
    before = rebuild(UNITS[:1])
    after = rebuild([UNITS[0], on_top(UnitKind.ENHANCEMENT, 1, *records)])
    assert before != after
    assert before[tensor.offset : tensor.end] == after[tensor.offset : tensor.end]


def test_an_enhancement_of_nothing_changes_nothing() -> None:
    """[BIT-11]"""
    assert rebuild([UNITS[0], on_top(UnitKind.ENHANCEMENT, 1)]) == rebuild(UNITS[:1])


LEVELS, DIGITS, EXACT, AS_IT_IS, VALUES, DIFFERENCES, MOVES, REPEATS, POINTS = Operation
FORBIDDEN: dict[str, tuple[str, list[Operation]]] = {
    "nothing": ("floats", []),
    "digits of nothing": ("floats", [DIGITS]),
    "exact of nothing": ("floats", [EXACT]),
    "digits after nothing but raw": ("floats", [AS_IT_IS, DIGITS]),
    "values after levels": ("floats", [LEVELS, VALUES]),
    "levels after values": ("floats", [VALUES, LEVELS]),
    "digits after values": ("floats", [VALUES, DIGITS]),
    "raw after values": ("floats", [VALUES, AS_IT_IS]),
    "values twice": ("floats", [VALUES, VALUES]),
    "values of integers": ("bytes", [VALUES]),
    "differences of nothing": ("floats", [DIFFERENCES]),
    "differences after levels": ("floats", [LEVELS, DIFFERENCES]),
    "moves of nothing": ("floats", [MOVES]),
    "moves after levels": ("floats", [LEVELS, MOVES]),
    "moves after digits": ("floats", [LEVELS, DIGITS, MOVES]),
    "values where raw is announced": ("raw", [VALUES]),
    "levels twice": ("floats", [LEVELS, LEVELS]),
    "levels after digits": ("floats", [LEVELS, DIGITS, LEVELS]),
    "digits after exact": ("floats", [LEVELS, EXACT, DIGITS]),
    "exact twice": ("floats", [LEVELS, EXACT, EXACT]),
    "raw after exact": ("floats", [LEVELS, EXACT, AS_IT_IS]),
    "digits after raw": ("floats", [LEVELS, AS_IT_IS, DIGITS]),
    "too many digits": ("floats", [LEVELS] + [DIGITS] * 25),
    "exact on integers": ("bytes", [LEVELS, EXACT]),
    "levels where raw is announced": ("raw", [LEVELS]),
    "raw twice": ("raw", [AS_IT_IS, AS_IT_IS]),
    "nothing where raw is announced": ("raw", []),
    "what repeats and nothing else": ("floats", [REPEATS]),
    "what repeats twice": ("floats", [REPEATS, REPEATS, LEVELS]),
    "what repeats after levels": ("floats", [LEVELS, REPEATS]),
    "what repeats among values": ("floats", [REPEATS, VALUES]),
    "what repeats among raw floats": ("floats", [REPEATS, AS_IT_IS]),
    "what repeats among integers": ("bytes", [REPEATS, LEVELS]),
    "points of nothing": ("floats", [POINTS]),
    "points twice": ("floats", [LEVELS, POINTS, POINTS]),
    "digits after points": ("floats", [LEVELS, POINTS, DIGITS]),
    "exact after points": ("floats", [LEVELS, POINTS, EXACT]),
    "raw after points": ("floats", [LEVELS, POINTS, AS_IT_IS]),
    "points after exact": ("floats", [LEVELS, EXACT, POINTS]),
    "points of integers": ("bytes", [LEVELS, POINTS]),
    "points after too many digits": ("floats", [LEVELS] + [DIGITS] * 24 + [POINTS]),
    "points where raw is announced": ("raw", [POINTS]),
    "what repeats where raw is announced": ("raw", [REPEATS, AS_IT_IS]),
}


@pytest.mark.parametrize(("name", "operations"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_operations_that_cannot_follow_each_other_are_refused(
    name: str, operations: list[Operation]
) -> None:
    """[BIT-7]"""
    with pytest.raises(BitstreamError, match="cannot follow each other") as caught:
        read_stack([base(**{name: made(name, *operations)})])
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_points_of_the_lattice_are_not_refined() -> None:
    """[BIT-7]"""
    unit = encode(safetensors({"a": normal(80, 80)}), ladder="20dB").units[0].data
    assert read_stack([unit]).head.codes[0].lattice
    for operation in (DIGITS, POINTS):
        refined = Record(slice=0, operation=operation, payload=b"")
        after = write_unit(UnitKind.ENHANCEMENT, 1, b"", [refined])
        assert code_of(unit, after) is ErrorCode.WRONG_PARENT


def test_operations_are_checked_across_units() -> None:
    """[BIT-7]"""
    after = on_top(UnitKind.ENHANCEMENT, 9, *made("floats", DIGITS))
    assert code_of(*UNITS, after) is ErrorCode.WRONG_PARENT


@pytest.mark.parametrize(
    "operations",
    [
        [LEVELS],
        [LEVELS, AS_IT_IS],
        [LEVELS, EXACT],
        [LEVELS, DIGITS],
        [LEVELS, DIGITS, AS_IT_IS],
        [REPEATS, LEVELS, DIGITS, EXACT],
        [REPEATS, LEVELS, AS_IT_IS],
        [LEVELS, POINTS],
        [REPEATS, LEVELS, DIGITS, POINTS],
        [AS_IT_IS],
        [VALUES],
    ],
)
def test_operations_that_may_follow_each_other_are_read(operations: list[Operation]) -> None:
    """[BIT-7]"""
    read_stack([base(floats=made("floats", *operations))])


def test_an_integer_slice_cannot_be_finer_than_one() -> None:
    """[BIT-8]"""
    stack = read_stack(UNITS)
    trits = stack.head.codes[stack.head.slices[SLICES["bytes"]].runs[0].tensor].step
    assert trits > 0
    read_stack([base(bytes=made("bytes", LEVELS, *[DIGITS] * trits))])
    with pytest.raises(BitstreamError, match="cannot follow each other"):
        read_stack([base(bytes=made("bytes", LEVELS, *[DIGITS] * (trits + 1)))])


def test_a_slice_that_is_not_there_is_refused() -> None:
    wrong = Record(slice=3, operation=DIGITS, payload=b"")
    assert code_of(UNITS[0], on_top(UnitKind.ENHANCEMENT, 1, wrong)) is ErrorCode.BAD_FIELD


@pytest.mark.parametrize("name", SLICES)
def test_an_empty_payload_is_refused(name: str) -> None:
    first = Operation.RAW if name == "raw" else Operation.LEVELS
    assert code_of(base(**{name: made(name, first)})) is ErrorCode.BAD_LENGTH


@pytest.mark.parametrize("name", SLICES)
def test_a_truncated_payload_is_refused(name: str) -> None:
    """[BIT-10]"""
    record = OPERATIONS[name][0]
    cut = replace(record, payload=bytes(record.payload[:-1]))
    with pytest.raises(BitstreamError):
        rebuild([base(**{name: [cut]})])


def test_a_limit_of_the_caller_holds() -> None:
    """[BIT-2]"""
    with pytest.raises(LimitError):
        rebuild(UNITS, limits=replace(LIMITS, model_size=len(MODEL) - 1))
    with pytest.raises(BitstreamError):
        rebuild(UNITS, limits=replace(LIMITS, trits=0))


def test_int4_comes_back_from_small_and_large_slices() -> None:
    rng = np.random.default_rng(3)
    net = models.Tflite()
    for name, size in (("small", 40), ("smaller", 18), ("large", 140_000)):
        number = net.weights(name, rng.integers(0, 256, size // 2).astype("u1"))
        net.tensors[number][0] = models.Data(np.array([size], "<i4"))
        net.tensors[number][1] = models.Scalar("b", 17)
    model = net.file([], [])
    units = [unit.data for unit in encode(model, ladder="2b,exact").units]
    assert rebuild(units) == model
    assert rebuild(units[:1]) != model


def test_a_model_is_decoded_in_place() -> None:
    stack = read_stack(UNITS)
    buffer = mmap(-1, stack.model_size)
    buffer[:] = b"\xff" * stack.model_size
    rebuild_into(stack, buffer)
    assert buffer[:] == MODEL


@pytest.mark.parametrize("buffer", [bytearray(len(MODEL) - 1), bytes(len(MODEL))])
def test_a_buffer_that_does_not_fit_is_refused(buffer: bytearray) -> None:
    with pytest.raises(UsageError) as caught:
        rebuild_into(read_stack(UNITS), buffer)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
