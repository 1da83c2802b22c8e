"""What fuzzing starts from: small models of every kind, and the units they become."""

import hashlib
import io
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import models
import onnxfiles
from midstream import formats
from midstream.bitstream import Topology
from midstream.decoder import Exact
from midstream.encoder import encode
from midstream.encoder.contribution import encode_contribution, moved
from midstream.encoder.lossy import encode_lossy_update
from midstream.encoder.update import encode_update, holes_of
from midstream.formats import parts
from midstream.types import Tensor, UnitKind
from tensorfiles import bfloat16, normal, safetensors

VALID = Path(__file__).parents[2] / "spec" / "vectors" / "valid"
VECTORS = VALID / "units.json"


def odd_values() -> bytes:
    """Every data type, and numbers that are none."""
    floats = normal(12, 10)
    floats.ravel()[:4] = [np.nan, np.inf, -0.0, 1e-42]
    integers = np.random.default_rng(1).integers(-100, 100, (9, 8))
    return safetensors(
        {
            "a": normal(24, 9),
            "b": floats,
            "c": integers.astype("|i1"),
            "d": (integers + 100).astype("|u1"),
            "e": normal(30).astype("<f2"),
            "f": bfloat16(normal(5, 4)),
            "g": normal(24, 9),  # the same as the first
            "h": integers.astype("<i4"),
        }
    )


def few_values() -> list[bytes]:
    """The same kinds, two tensors at a time: a small stack is read some thousand times a second."""
    floats = normal(6, 5)
    floats.ravel()[:4] = [np.nan, np.inf, -0.0, 1e-42]
    integers = np.random.default_rng(1).integers(-100, 100, (5, 4))
    return [
        safetensors({"a": normal(9, 8), "b": normal(9, 8)}),
        safetensors({"a": floats, "b": integers.astype("|i1")}),
        safetensors({"a": normal(20).astype("<f2"), "b": (integers + 100).astype("|u1")}),
        safetensors({"a": bfloat16(normal(5, 4)), "b": integers.astype("<i4")}),
    ]


def archive(*, is_deflated: bool) -> bytes:
    """An archive of two arrays."""
    file = io.BytesIO()
    save: Any = np.savez_compressed if is_deflated else np.savez
    save(file, a=normal(6, 7), b=np.asfortranarray(normal(5, 4)))
    return file.getvalue()


def onnx_files() -> list[bytes]:
    """One that is whole, and one with a data file."""
    weight = normal(4, 5)
    node = onnxfiles.node("Gemm", ["x", "w"], "y", [onnxfiles.attribute("transB", 1)])
    whole = onnxfiles.model([onnxfiles.raw("w", weight), onnxfiles.packed("v", weight)], [node])
    outside = onnxfiles.model([onnxfiles.external("w", weight, "w.bin", offset=0)], [node])
    return [whole, parts.join(outside, {"w.bin": weight.tobytes()})]


def model_files() -> list[bytes]:
    """Files of all formats."""
    archives = [archive(is_deflated=False), archive(is_deflated=True)]
    return [models.mlp((4, 5, 4)), odd_values(), *onnx_files(), *archives]


def many_lanes() -> bytes:
    """Tensors whose symbols are decoded several at a time, predicted and not."""
    walk = np.cumsum(normal(40, 128), axis=0).astype("<f4")
    return safetensors({"a": walk, "b": normal(36, 240), "c": walk.astype("<f2") * 40})


def stacks() -> list[list[bytes]]:
    """Bases with what stands on them."""
    vectors = [list(map(bytes.fromhex, case["units"])) for case in json.loads(VECTORS.read_text())]
    ladders = [(odd_values(), "1b,3b,exact"), (models.mlp((6, 20, 4)), "2b,4b,exact")]
    ladders += [
        (model, ladder) for model in few_values() for ladder in ("1b,3b,exact", "12dB,exact")
    ]
    ladders += [(many_lanes(), ladder) for ladder in ("20dB", "12dB,24dB,exact", "exact")]
    made = [[u.data for u in encode(model, ladder=ladder).units] for model, ladder in ladders]
    return made + vectors


def updates() -> list[tuple[Exact, bytes]]:
    """Exact models, and an update on each: those of the vectors, and smaller ones."""
    cases = json.loads((VALID / "updates.json").read_text())
    known = [
        tuple(bytes.fromhex(part) for part in (case["old"], case["units"][0])) for case in cases
    ]
    files = [*few_values(), models.mlp((4, 5, 4)), models.mlp((4, 6, 4))]
    made = [(old, encode_update(_exact(old).topology, old, new)) for old, new in pairwise(files)]
    return [(_exact(old), unit) for old, unit in (*known, *made)]


@dataclass(frozen=True)
class Row:
    """An exact model and updates in a row from it, with the hash of the last model."""

    old: Exact
    units: list[bytes]
    parents: list[bytes]
    """Ids of what each applies to."""
    topologies: list[Topology]
    """Of what each applies to."""
    sha256: bytes


def rows() -> list[Row]:
    """Three updates each: places kept from file to file, and changed."""
    kept = [safetensors({"a": normal(9, 8), "b": normal(6, 5) * scale}) for scale in (1, 2, 3, 4)]
    return [_row(files) for files in (kept, few_values(), [models.mlp(seed=n) for n in range(4)])]


def _row(files: list[bytes]) -> Row:
    states = [_exact(file) for file in files]
    return Row(
        old=states[0],
        units=[
            encode_update(s.topology, s.model, new)
            for s, new in zip(states, files[1:], strict=False)
        ],
        parents=[state.id for state in states[:-1]],
        topologies=[state.topology for state in states],
        sha256=hashlib.sha256(files[-1]).digest(),
    )


def _exact(model: bytes) -> Exact:
    return Exact(topology=Topology.cut(model, holes_of(model)), model=model)


def contributions() -> list[tuple[tuple[Tensor, ...], bytes, bytes]]:
    """Tensors of a model file, its hash, and a contribution to it."""
    floats = {"a": normal(24, 9), "b": normal(40).astype("<f2"), "c": normal(2, 3)}
    other = {name: (array * 1.25).astype(array.dtype) for name, array in floats.items()}
    made = []
    for old, new in ((safetensors(floats), safetensors(other)), (models.mlp(), models.mlp(seed=2))):
        unit = encode_contribution(old, moved(old, new), share=0.3)
        tensors = tuple(formats.open_model(old).tensors)
        made.append((tensors, hashlib.sha256(old).digest(), unit))
    return made


def lossy_updates() -> list[tuple[list[bytes], bytes]]:
    """Units below the exact one, and a lossy update on them: those of the vectors, and others."""
    cases = json.loads((VALID / "lossy.json").read_text())
    known = [
        (list(map(bytes.fromhex, case["old"])), bytes.fromhex(case["update"])) for case in cases
    ]
    files = [*few_values(), models.mlp((4, 5, 4)), models.mlp((4, 6, 4))]
    stacks = [_lower(file) for file in files]
    return known + [(old, encode_lossy_update(old, new)) for old, new in pairwise(stacks)]


def _lower(model: bytes) -> list[bytes]:
    units = encode(model, ladder="1b,3b,exact").units
    return [unit.data for unit in units if unit.kind is not UnitKind.EXACT]
