"""Units to a model by one call in C: the same as object by object, and the same is refused."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from midstream.bitstream import Head, Operation, Record, read_unit, write_unit
from midstream.codec import digits, grid, levels, refined_points, values
from midstream.codec.tables import codeword_frequencies
from midstream.decoder import read_stack, rebuild, rebuild_into
from midstream.decoder.rebuild import _rebuild_slices
from midstream.decoder.straight import _bounds, open_straight
from midstream.encoder import encode
from midstream.errors import DataError
from midstream.kernels import NAME
from midstream.limits import LIMITS, Limits
from midstream.types import UnitKind
from stacks import any_units
from tensorfiles import normal, safetensors
from test_decoder_at_once import CASES, SHAPES

pytestmark = pytest.mark.skipif(NAME != "native", reason="NumPy reads units to objects")

WITH_NAN = normal(9, 8)
WITH_NAN[0, 0] = np.nan


@cache
def units_of(name: str, seed: int) -> list[bytes]:
    return any_units(np.random.default_rng([seed, *name.encode()]), SHAPES[name])


def by_objects(units: Sequence[bytes], limits: Limits = LIMITS) -> bytes | None:
    """None where units are refused."""
    try:
        stack = read_stack(units, limits=limits)
        model = bytearray(stack.model_size)
        _rebuild_slices(stack, memoryview(model))
    except DataError:
        return None
    return bytes(model)


def straight(units: Sequence[bytes], limits: Limits = LIMITS) -> bytes | None:
    """None where it is left to others."""
    opened = open_straight(units, limits)
    if opened is None:
        return None
    model = bytearray(opened.model_size)
    return bytes(model) if opened.decode_into(memoryview(model)) else None


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_units_are_the_same_as_object_by_object(name: str, seed: int) -> None:
    units = units_of(name, seed)
    expected = by_objects(units)
    assert expected is not None
    assert straight(units) == expected
    assert bytes(rebuild(units)) == expected


def test_models_with_raw_and_tied_tensors_are_the_same() -> None:
    twice = normal(90, 80)
    tensors = {"a": twice, "b": normal(70, 65).astype("<f2"), "c": WITH_NAN, "d": twice}
    tensors |= {"e": WITH_NAN.astype("<f2"), "f": WITH_NAN * 2, "g": np.arange(7, dtype="<i4")}
    model = safetensors(tensors)
    for ladder in ("2b", "60dB", "exact", "4b,exact"):
        units = [unit.data for unit in encode(model, ladder=tuple(ladder.split(","))).units]
        stack = read_stack(units)
        assert any(code.same_as is not None for code in stack.head.codes)
        assert any(records[-1].operation is Operation.RAW for records in stack.records)
        assert straight(units) == by_objects(units)
        filled = bytearray(b"\xa5" * stack.model_size)
        rebuild_into(stack, filled)
        assert bytes(filled) == straight(units)


def mutated(units: Sequence[bytes], seed: int, count: int) -> Iterator[list[bytes]]:
    """Units with a bit, a byte or a few bytes changed, more often where heads are."""
    rng = np.random.default_rng(seed)
    for turn in range(count):
        at = int(rng.integers(len(units)))
        changed = bytearray(units[at])
        place = int(rng.integers(min(len(changed), 400) if turn % 3 else len(changed)))
        if turn % 4 == 0:
            del changed[place : place + int(rng.integers(1, 5))]
        elif turn % 4 == 1:
            changed[place:place] = rng.bytes(int(rng.integers(1, 5)))
        else:
            changed[place] ^= 1 << turn % 8
        yield [*units[:at], bytes(changed), *units[at + 1 :]]


@pytest.mark.parametrize("name", ["a few of every kind", "tiny tensors", "many axes"])
def test_nothing_is_decoded_that_is_refused_object_by_object(name: str) -> None:
    outcomes = set()
    for units in mutated(units_of(name, 0), 3, 400):
        expected = by_objects(units)
        found = straight(units)
        # what is out of the ordinary may be left to others, and is the same where it is not
        assert found in (None, expected)
        outcomes.add((found is None, expected is None))
    assert {(False, False), (True, True)} <= outcomes


def plain_parts(units: Sequence[bytes]) -> tuple[Head, list[list[Record]]]:
    parsed = [read_unit(unit) for unit in units]
    return Head.read(parsed[0].head), [list(unit.records) for unit in parsed]


def rewritten(operations: Sequence[Sequence[tuple[int, Operation]]]) -> list[bytes]:
    """A base and units on it, of a head of one float and one integer tensor."""
    units = units_of("short slices", 1)
    head, _ = plain_parts(units)
    kinds = [UnitKind.BASE, *[UnitKind.ENHANCEMENT] * (len(operations) - 1)]
    return [
        write_unit(
            kind,
            layer,
            head.write() if kind is UnitKind.BASE else b"",
            [Record(slice=at, operation=operation, payload=b"") for at, operation in own],
        )
        for layer, (kind, own) in enumerate(zip(kinds, operations, strict=True))
    ]


def test_operations_that_cannot_follow_each_other_are_left_to_others() -> None:
    rng = np.random.default_rng(5)
    head, records = plain_parts(units_of("short slices", 1))
    slices = len(head.slices)
    for _ in range(300):
        operations = [
            sorted(
                (int(rng.integers(slices + 1)), Operation(int(rng.integers(6))))
                for _ in range(int(rng.integers(2 * slices)))
            )
            for _ in range(int(rng.integers(1, 4)))
        ]
        assert straight(rewritten(operations)) is None
    # units that are the same but for one record of one slice
    for index, record in enumerate(records[0]):
        for operation in Operation:
            changed = [*records[0]]
            changed[index] = Record(slice=record.slice, operation=operation, payload=record.payload)
            units = [
                write_unit(UnitKind.BASE, 0, head.write(), changed),
                units_of("short slices", 1)[1],
            ]
            assert straight(units) in (None, by_objects(units))


def test_units_in_the_wrong_place_are_left_to_others() -> None:
    base, exact = units_of("short slices", 0)
    assert straight([base, exact]) is not None
    for units in ([], [exact], [exact, base], [base, base], [base, exact, exact], [base[:4]]):
        assert straight(units) is None


@pytest.mark.parametrize(
    "limits",
    [
        Limits(model_size=1000),
        Limits(tensors=3),
        Limits(topology_size=20),
        Limits(unit_size=400),
        Limits(dimensions=3),
        Limits(trits=0),
    ],
)
def test_what_is_over_a_limit_is_left_to_others(limits: Limits) -> None:
    units = units_of("a few of every kind", 0)
    assert straight(units) is not None
    assert by_objects(units, limits) is None
    assert straight(units, limits) is None


def call(units: Any = None, **changed: Any) -> Any:
    from midstream.kernels import _native

    own = units_of("a few of every kind", 0)
    opened = open_straight(own, LIMITS)
    assert opened is not None
    tables = [levels.slots().packed, digits.starts(), refined_points.starts()]
    tables += [codeword_frequencies(), values.frequencies(), grid.float_sizes(0)]
    named = {
        "bounds": _bounds(LIMITS),
        "content": opened.content,
        "flags": opened.flags,
        "level_slots": tables[0],
        "digit_starts": tables[1],
        "point_starts": tables[2],
        "codewords": tables[3],
        "frequencies": tables[4],
        "sizes": tables[5],
        "model": bytearray(opened.model_size),
    }
    return _native.decode_units(own if units is None else units, *(named | changed).values())


BAD_ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("no base", {"units": []}),
    ("no base", {"units": [b"MDU"]}),
    ("10 items, 11 wanted", {"bounds": np.zeros(10, np.int64)}),
    ("out of their range", {"bounds": np.zeros(11, np.int64)}),
    ("of that size", {"model": bytearray(1 << 20)}),
    ("tables are missing", {"level_slots": np.zeros(368 << 11, np.uint32)}),
    ("an array of what is wanted", {"level_slots": np.zeros(3, np.uint8)}),
    ("5 items", {"sizes": np.zeros(5, np.float64)}),
]


@pytest.mark.parametrize(("words", "changed"), BAD_ARGUMENTS)
def test_arguments_that_do_not_fit_each_other_are_refused(
    words: str, changed: dict[str, Any]
) -> None:
    assert call() is not None
    with pytest.raises(ValueError, match=words):
        call(**changed)


@pytest.mark.parametrize("changed", [{"content": b""}, {"flags": b""}, {"flags": b"\1" * 400}])
def test_content_of_another_base_is_left_to_others(changed: dict[str, bytes]) -> None:
    assert call(**changed) is None
