"""The vectors of spec/vectors/{valid,invalid}/{contributions,policies}.json, by both decoders."""

import hashlib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuf.api.metadata import Targets

from midstream.bitstream import Topology
from midstream.decoder import decode_contribution
from midstream.encoder.update import holes_of
from midstream.errors import DataError
from midstream.formats import open_model
from midstream.session.adapting import Adapted, adapt
from midstream.trust import adapters, provenance, providers
from midstream.trust.manifest import Extension
from providing import NAMES, sealed
from reference import contributions
from reference.bits import Reader, RefusedError
from reference.heads import read_tensor
from reference.tensors import Tensor
from trusting import release, signer

SPEC = Path(__file__).parent.parent / "spec"
TABLES = (SPEC.parent / "sdk/midstream/codec/tables.bin").read_bytes()


def vectors(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((SPEC / "vectors" / path).read_text())
    return found


VALID, INVALID = vectors("valid/contributions.json"), vectors("invalid/contributions.json")
GOOD, BAD = vectors("valid/policies.json"), vectors("invalid/policies.json")
MODEL = bytes.fromhex(VALID[0]["model"])
TENSORS = open_model(MODEL).tensors
SHA256 = hashlib.sha256(MODEL).digest()
UNITS = {case["name"]: bytes.fromhex(case["unit"]) for case in VALID}


def named(cases: Iterable[dict[str, Any]]) -> Any:
    found = list(cases)
    return pytest.mark.parametrize("case", found, ids=[case["name"] for case in found])


def plain() -> list[Tensor]:
    """The model's tensors for the reference decoder, which reads the table itself."""
    table = Topology.cut(MODEL, holes_of(MODEL)).table
    reader, tensors, end = Reader(table), list[Tensor](), 0
    while reader.at < len(table):
        tensors.append(read_tensor(reader, end))
        end = tensors[-1].offset + tensors[-1].size
    return tensors


@named(VALID)
def test_a_contribution_gives_these_changes(case: dict[str, Any]) -> None:
    unit = bytes.fromhex(case["unit"])
    assert decode_contribution(unit, TENSORS, SHA256).tobytes().hex() == case["changes"]
    found = contributions.decode_contribution(unit, plain(), MODEL, TABLES)
    assert np.array(found, "<f4").tobytes().hex() == case["changes"]


@named(INVALID)
def test_a_contribution_is_refused(case: dict[str, Any]) -> None:
    """[CON-1] [CON-2]"""
    unit = bytes.fromhex(case["unit"])
    with pytest.raises(DataError) as caught:
        decode_contribution(unit, TENSORS, SHA256)
    assert caught.value.code.name == case["error"]
    with pytest.raises(RefusedError):
        contributions.decode_contribution(unit, plain(), MODEL, TABLES)


def adapted(case: dict[str, Any]) -> Adapted:
    """What the package makes of a policy and what is on offer, signed for here."""
    role = Targets()
    for at, name in enumerate(NAMES):
        providers.add(role, "net", name, [signer(50 + at).public])
    base = replace(release("net"), model_sha256=SHA256)
    parcels = {name: sealed(name, UNITS[unit]) for name, unit in case["offered"].items()}
    policy = adapters.decode(bytes.fromhex(case["policy"]))
    return adapt(base, MODEL, policy, parcels, role, datetime.now(UTC))


def merged(case: dict[str, Any]) -> tuple[contributions.Policy, bytes]:
    """The same by the reference decoder."""
    policy = contributions.read_policy(bytes.fromhex(case["policy"]))
    changes = {
        name: contributions.decode_contribution(UNITS[unit], plain(), MODEL, TABLES)
        for name, unit in case["offered"].items()
    }
    return policy, contributions.merge(MODEL, plain(), policy, changes)


@named(case for case in GOOD if "policy" in case)
def test_a_policy_gives_this_model(case: dict[str, Any]) -> None:
    """[CON-11] [CON-12] [CON-13]"""
    found = adapted(case)
    assert [list(pair) for pair in found.shares.items()] == case["counted"]
    assert found.model.hex() == case["merged"]
    data = bytes.fromhex(case["policy"])
    assert adapters.encode(adapters.decode(data)) == data


def test_both_kernels_give_these_models() -> None:
    """[CON-13]: the twin in NumPy, in a process of its own."""
    code = "import test_vectors_contributions as t, midstream.kernels as k; print(k.NAME);"
    code += "print([t.adapted(c).model.hex() == c['merged'] for c in t.GOOD if 'policy' in c])"
    path = os.pathsep.join([str(Path(__file__).parent), str(SPEC), *filter(None, sys.path)])
    env = {**os.environ, "MIDSTREAM_KERNELS": "numpy", "PYTHONPATH": path}
    printed = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    assert printed.startswith("numpy")
    assert "False" not in printed
    assert printed.count("True") == sum("policy" in case for case in GOOD)


@named(case for case in GOOD if "policy" in case)
def test_the_reference_decoder_gives_this_model(case: dict[str, Any]) -> None:
    policy, model = merged(case)
    assert policy.network == "net"
    assert model.hex() == case["merged"]


@named(case for case in BAD if "policy" in case)
def test_a_policy_is_refused(case: dict[str, Any]) -> None:
    """[CON-9] [CON-11] [CON-12]"""
    with pytest.raises(DataError) as caught:
        adapted({"offered": {}} | case)
    assert caught.value.code.name == case["error"]
    with pytest.raises(RefusedError):
        merged({"offered": {}} | case)


@named(case for case in GOOD if "provenance" in case)
def test_provenance_says_this(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["provenance"])
    found = provenance.decode(data)
    assert (found.parent, found.rule) == (case["parent"], case["rule"])
    assert found.gate == (tuple(case["gate"]) if case["gate"] else None)
    parts = [[p.provider, p.version, p.unit.hex(), p.share, p.refused] for p in found.parts]
    assert parts == case["parts"]
    assert provenance.encode(found) == Extension(tag=provenance.TAG, value=data)
    read = contributions.read_provenance(data)
    assert [[n, v, u.hex(), s / 1_000_000, r] for n, v, u, s, r in read] == case["parts"]


@named(case for case in BAD if "provenance" in case)
def test_provenance_is_refused(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["provenance"])
    with pytest.raises(DataError) as caught:
        provenance.decode(data)
    assert caught.value.code.name == case["error"]
    with pytest.raises(RefusedError):
        contributions.read_provenance(data)


def test_the_generator_writes_these_policies_and_contributions_to_the_same_model() -> None:
    made = runpy.run_path(str(SPEC / "vectors/generate_contributions.py"))
    assert [(c["name"], c["model"]) for c in made["valid"]()] == [
        (c["name"], c["model"]) for c in VALID
    ]
    named_bad = [*made["bad_policies"](), *made["refused_merges"](), *made["bad_provenances"]()]
    assert json.loads(json.dumps(named_bad)) == BAD
    policies = [{"name": c["name"], "policy": c.get("policy")} for c in made["policies"]()]
    assert policies == [{"name": c["name"], "policy": c["policy"]} for c in GOOD if "policy" in c]
    assert json.loads(json.dumps(made["provenances"]())) == [c for c in GOOD if "provenance" in c]
