"""The vectors of spec/vectors/{valid,invalid}/units.json: stacks of units."""

import json
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from midstream.bitstream import UnitReader, read_unit, write_unit
from midstream.decoder import rebuild
from midstream.errors import DataError

VECTORS = Path(__file__).parent.parent / "spec" / "vectors"
VALID: list[dict[str, Any]] = json.loads((VECTORS / "valid" / "units.json").read_text())
INVALID: list[dict[str, Any]] = json.loads((VECTORS / "invalid" / "units.json").read_text())


def units(case: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(data) for data in case["units"]]


def named(cases: Sequence[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def test_the_generator_writes_what_is_committed() -> None:
    generated = runpy.run_path(str(VECTORS / "generate_units.py"))["content"]()
    assert generated == {path: (VECTORS / path).read_text() for path in generated}


@named(VALID)
def test_a_stack_gives_this_model(case: dict[str, Any]) -> None:
    assert rebuild(units(case)).hex() == case["model"]


@named(VALID)
def test_a_unit_is_written_as_it_was_read(case: dict[str, Any]) -> None:
    for data in units(case):
        unit = read_unit(data)
        assert write_unit(unit.kind, unit.layer, bytes(unit.head), unit.records) == data


@named(VALID)
def test_a_unit_arrives_byte_by_byte(case: dict[str, Any]) -> None:
    for data in units(case):
        reader = UnitReader()
        records = [record for byte in data for record in reader.feed(bytes([byte]))]
        reader.close()
        assert tuple(records) == read_unit(data).records


@named(INVALID)
def test_a_stack_is_refused(case: dict[str, Any]) -> None:
    """[BIT-1] [BIT-2] [BIT-3] [BIT-4] [BIT-5] [BIT-6] [BIT-7] [BIT-8] [BIT-9] [BIT-10]
    [OBJ-1] [OBJ-2] [OBJ-3] [OBJ-4]"""
    with pytest.raises(DataError) as caught:
        rebuild(units(case))
    assert caught.value.code.name == case["error"]


def test_vectors_have_names_of_their_own() -> None:
    for cases in (VALID, INVALID):
        assert len({case["name"] for case in cases}) == len(cases)
