"""The vectors of spec/vectors/{valid,invalid}/lossy.json, by both decoders."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from midstream.decoder import apply_lossy_update, rebuild
from midstream.errors import DataError
from reference import lossy
from reference.bits import RefusedError

SPEC = Path(__file__).parent.parent / "spec"
VALID: list[dict[str, Any]] = json.loads((SPEC / "vectors/valid/lossy.json").read_text())
INVALID: list[dict[str, Any]] = json.loads((SPEC / "vectors/invalid/lossy.json").read_text())
TABLES = (SPEC.parent / "sdk/midstream/codec/tables.bin").read_bytes()


def units(listed: list[str]) -> list[bytes]:
    return [bytes.fromhex(unit) for unit in listed]


OLD = units(VALID[0]["old"])


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


@named(VALID)
def test_a_lossy_update_gives_these_units(case: dict[str, Any]) -> None:
    made = apply_lossy_update(units(case["old"]), bytes.fromhex(case["update"]))
    assert [unit.hex() for unit in made] == case["new"]


@named(VALID)
def test_the_reference_decoder_gives_the_same_model(case: dict[str, Any]) -> None:
    decoder = lossy.apply_lossy_update(units(case["old"]), bytes.fromhex(case["update"]), TABLES)
    assert decoder.result() == rebuild(units(case["new"]))


@named(INVALID)
def test_a_lossy_update_is_refused(case: dict[str, Any]) -> None:
    """[LOS-1] [LOS-2] [LOS-3] [LOS-4] [LOS-5] [LOS-6] [LOS-7] [LOS-8]"""
    old = list(OLD)
    with pytest.raises(DataError) as caught:
        apply_lossy_update(old, bytes.fromhex(case["update"]))
    assert caught.value.code.name == case["error"]
    assert old == OLD


@named(INVALID)
def test_the_reference_decoder_refuses_it_too(case: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        lossy.apply_lossy_update(OLD, bytes.fromhex(case["update"]), TABLES)


def test_every_requirement_has_a_vector() -> None:
    assert {case["requirement"] for case in INVALID} >= {f"LOS-{n}" for n in range(1, 9)}


def test_the_generator_writes_updates_to_the_same_number_of_units() -> None:
    made = runpy.run_path(str(SPEC / "vectors/generate_lossy.py"))["valid"]()
    listed = [(c["name"], len(c["old"]), len(c["new"])) for c in VALID]
    assert [(c["name"], len(c["old"]), len(c["new"])) for c in made] == listed
    for case in made:
        old, update = units(case["old"]), bytes.fromhex(case["update"])
        assert [unit.hex() for unit in apply_lossy_update(old, update)] == case["new"]
