"""The decoder that was written from the specification gives what ours gives."""

import ast
import io
import json
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference
from midstream.decoder import read_stack, rebuild
from midstream.encoder import encode
from models import mlp, picture_network
from reference import heads
from reference.bits import Reader
from reference.tables import read_tables
from reference.tensors import Tensor
from tensorfiles import normal, safetensors

SPEC = Path(__file__).parent.parent / "spec"
COMMAND = SPEC / "reference_decoder.py"
PARTS = sorted((SPEC / "reference").glob("*.py"))
TABLES = (SPEC.parent / "sdk/midstream/codec/tables.bin").read_bytes()
WALK = np.cumsum(normal(100, 48), axis=0).astype("<f4")
KEPT = np.float32([np.nan, np.inf, *range(62)])
FILES = {
    "walk": {"a": WALK},
    "halves": {"a": WALK.astype("<f2")},
    "values": {"a": normal(64, 80), "b": normal(9)},
    "bytes": {"a": np.clip(np.rint(normal(64, 80) * 30), -128, 127).astype("i1")},
    "tied": {"a": normal(64, 80), "b": normal(3), "c": normal(64, 80)},
    "not finite": {"a": KEPT, "b": normal(40, 8)},
    "filters": {"a": normal(8, 4, 5, 5)},
    "mirrored": {"a": np.concatenate([WALK, -WALK[::-1, ::-1]])},
    "pattern": {"a": np.tile(np.float32([0.1, 0.7, -0.4, 0.03]), 1024).reshape(64, 64)},
    "rows": {"a": (normal(80, 64) * 2.0 ** np.arange(-40, 40)[:, None]).astype("<f4")},
}


def vectors(kind: str, name: str = "units") -> list[dict[str, Any]]:
    path = SPEC / "vectors" / kind / f"{name}.json"
    cases: list[dict[str, Any]] = json.loads(path.read_text())
    return cases


def named(kind: str, name: str = "units") -> Any:
    cases = vectors(kind, name)
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def decoded(units: Sequence[bytes]) -> bytes:
    return reference.decode(units, TABLES)


def check_ladder(model: bytes, *ladder: str) -> None:
    units = [unit.data for unit in encode(model, ladder=ladder).units]
    for count in range(1, len(units) + 1):
        assert decoded(units[:count]) == rebuild(units[:count])


def test_checksums_of_archives_follow_from_the_weights() -> None:
    """[BIT-13]"""
    file = io.BytesIO()
    np.savez(file, a=WALK, b=normal(30, 40))
    check_ladder(file.getvalue(), "2b", "exact")


@pytest.mark.parametrize("path", [COMMAND, *PARTS], ids=lambda path: path.stem)
def test_it_imports_nothing_of_ours(path: Path) -> None:
    tree = ast.parse(path.read_text())
    froms = {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    plain = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    roots = {name.split(".")[0] for name in froms | plain}
    assert roots <= {"reference", "zstandard", *sys.stdlib_module_names}


@named("valid")
def test_a_stack_gives_this_model(case: dict[str, Any]) -> None:
    assert decoded([bytes.fromhex(data) for data in case["units"]]).hex() == case["model"]


def test_the_generator_writes_the_stacks_that_are_committed() -> None:
    generated = runpy.run_path(str(SPEC / "vectors" / "generate_stacks.py"))["content"]()
    assert generated == {path: (SPEC / "vectors" / path).read_text() for path in generated}


@named("valid", "stacks")
def test_both_decoders_give_the_model_of_a_stack(case: dict[str, Any]) -> None:
    units = [bytes.fromhex(data) for data in case["units"]]
    assert rebuild(units).hex() == case["model"]
    for count in range(1, len(units) + 1):
        assert decoded(units[:count]) == rebuild(units[:count])


@named("invalid")
def test_a_stack_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(reference.RefusedError):
        decoded([bytes.fromhex(data) for data in case["units"]])


@pytest.mark.parametrize("tensors", FILES.values(), ids=list(FILES))
def test_it_gives_what_ours_gives_at_every_rung(tensors: dict[str, Any]) -> None:
    check_ladder(safetensors(tensors), "exact")
    check_ladder(safetensors(tensors), "3b", "20dB", "exact")


@pytest.mark.parametrize("name", ["walk", "halves", "values", "rows"])
def test_it_gives_what_ours_gives_of_one_rung(name: str) -> None:
    check_ladder(safetensors(FILES[name]), "20dB")


def test_it_gives_the_points_of_ours() -> None:
    model = safetensors({"a": normal(70, 71), "b": normal(9)})
    unit = encode(model, ladder="15dB").units[0].data
    assert read_stack([unit]).head.codes[0].lattice
    assert decoded([unit]) == rebuild([unit])


def test_it_gives_the_predicted_points_of_ours() -> None:
    walk = np.cumsum(normal(80, 70), axis=0).astype("<f4")
    unit = encode(safetensors({"a": walk}), ladder="25dB").units[0].data
    (code,) = read_stack([unit]).head.codes
    assert code.lattice
    assert code.predictor
    assert decoded([unit]) == rebuild([unit])


@pytest.mark.parametrize("model", [mlp([8, 40, 4]), picture_network()], ids=["mlp", "pictures"])
def test_networks_come_back_the_same(model: bytes) -> None:
    check_ladder(model, "2.5b", "exact")


def test_it_runs_from_the_command_line(tmp_path: Path) -> None:
    case = next(case for case in vectors("valid") if case["name"] == "up to exact")
    paths = [tmp_path / f"{i}.unit" for i in range(len(case["units"]))]
    for path, data in zip(paths, case["units"], strict=True):
        path.write_bytes(bytes.fromhex(data))
    command = [sys.executable, COMMAND, *paths, "-o", tmp_path / "model"]
    subprocess.run(command, check=True, timeout=600)
    assert (tmp_path / "model").read_bytes().hex() == case["model"]


@pytest.mark.parametrize(
    "flags",
    [2, 64, 128 | 1, 0x31, 1 | 4, 1 | 2, 1 | 1 << 8, 1 | 1 << 9, 1 << 10, 1 << 11 | 1, 1 << 12],
)
def test_flags_that_no_tensor_has_are_refused(flags: int) -> None:  # COD-7
    reader = Reader(b"\x03\x00" + flags.to_bytes(2, "little"))
    with pytest.raises(reference.RefusedError):
        heads.read_flags(reader, [Tensor(0, 1, None, None, [9])], read_tables(TABLES))
