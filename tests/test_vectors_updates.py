"""The vectors of spec/vectors/{valid,invalid}/updates.json, by both decoders."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from midstream.bitstream import Topology
from midstream.decoder import Exact, apply_update
from midstream.encoder.update import holes_of
from midstream.errors import DataError
from reference import updates
from reference.bits import Reader, RefusedError
from reference.heads import read_tensor
from reference.tables import read_tables

SPEC = Path(__file__).parent.parent / "spec"
VALID: list[dict[str, Any]] = json.loads((SPEC / "vectors/valid/updates.json").read_text())
INVALID: list[dict[str, Any]] = json.loads((SPEC / "vectors/invalid/updates.json").read_text())
TABLES = read_tables((SPEC.parent / "sdk/midstream/codec/tables.bin").read_bytes())


def old_of(case: dict[str, Any]) -> bytes:
    """The model that an invalid update is for: the first valid one's, if it has none of its own."""
    return bytes.fromhex(case.get("old", VALID[0]["old"]))


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def exact(model: bytes) -> Exact:
    return Exact(topology=Topology.cut(model, holes_of(model)), model=model)


def plain(model: bytes) -> updates.Exact:
    """The same for the reference decoder, which reads the tensor table itself."""
    table = exact(model).topology.table
    reader, tensors, end = Reader(table), [], 0
    while reader.at < len(table):
        tensors.append(read_tensor(reader, end))
        end = tensors[-1].offset + tensors[-1].size
    return updates.Exact(tensors, table, model)


@named(VALID)
def test_updates_give_this_model(case: dict[str, Any]) -> None:
    state = exact(bytes.fromhex(case["old"]))
    for unit in case["units"]:
        state = apply_update(state, bytes.fromhex(unit))
    assert bytes(state.model).hex() == case["model"]


@named(VALID)
def test_the_reference_decoder_gives_this_model(case: dict[str, Any]) -> None:
    state = plain(bytes.fromhex(case["old"]))
    for unit in case["units"]:
        state = updates.apply_update(state, bytes.fromhex(unit), TABLES)
    assert state.model.hex() == case["model"]


@named(INVALID)
def test_an_update_is_refused(case: dict[str, Any]) -> None:
    """[UPD-1] [UPD-2] [UPD-3] [UPD-4] [UPD-5] [UPD-6] [UPD-7]"""
    old = old_of(case)
    state = exact(old)
    with pytest.raises(DataError) as caught:
        apply_update(state, bytes.fromhex(case["units"][0]))
    assert caught.value.code.name == case["error"]
    assert state.model == old


@named(INVALID)
def test_the_reference_decoder_refuses_it_too(case: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        updates.apply_update(plain(old_of(case)), bytes.fromhex(case["units"][0]), TABLES)


def test_the_generator_writes_updates_to_the_same_models() -> None:
    made = runpy.run_path(str(SPEC / "vectors/generate_updates.py"))["valid"]()
    assert [(c["name"], c["old"], c["model"]) for c in made] == [
        (c["name"], c["old"], c["model"]) for c in VALID
    ]
