"""The committed vectors: exact bytes, then the way back."""

import json
import re
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midstream import codec
from midstream.codec import (
    Context,
    Sigmas,
    digits,
    exact,
    grid,
    levels,
    points,
    refined_points,
    scales,
    storage,
    values,
)
from midstream.types import DType

ROOT = Path(__file__).parent.parent
VECTORS = json.loads((ROOT / "spec" / "vectors" / "valid" / "coding.json").read_text())


def context(case: dict, count: int) -> Context:
    widths = np.resize(np.array(case["widths"], np.int16), count)
    return Context(shape=np.full(count, case["shape"], np.int8), width=widths)


def named(group: str):
    return pytest.mark.parametrize(
        "case", VECTORS[group], ids=lambda c: c.get("name", c.get("dtype"))
    )


def test_the_generator_writes_what_is_committed():
    generated = runpy.run_path(str(ROOT / "spec" / "vectors" / "generate_coding.py"))
    assert json.loads(generated["content"]()) == VECTORS


@named("levels")
def test_levels_have_these_bytes(case):
    near = np.array(case["levels"], np.int32)
    where = context(case, len(near))
    assert levels.encode(near, where).hex() == case["payload"]
    payload = memoryview(bytes.fromhex(case["payload"]))
    assert levels.decode([payload], [where])[0].tolist() == case["levels"]


@named("lattice")
def test_points_have_these_bytes(case):
    near = np.array(case["levels"], np.int32)
    where = replace(context(case, len(near)), lattice=True)
    assert points.encode_many([near], [where])[0].hex() == case["payload"]
    payload = memoryview(bytes.fromhex(case["payload"]))
    assert points.decode([payload], [where])[0].tolist() == case["levels"]


@named("digits")
def test_digits_have_these_bytes(case):
    parents, children = (np.array(case[key], np.int32) for key in ("parents", "children"))
    where = context(case, len(parents))
    assert digits.encode(parents, children, where, case["trits"]).hex() == case["payload"]
    payload = memoryview(bytes.fromhex(case["payload"]))
    decoded = digits.decode([payload], [where], [parents], [case["trits"]])[0]
    assert decoded.tolist() == case["children"]


@named("refined points")
def test_refined_points_have_these_bytes(case):
    parents, children = (np.array(case[key], np.int32) for key in ("parents", "children"))
    where, trits, ratio = context(case, len(parents)), case["trits"], case["ratio"]
    made = refined_points.encode_many([parents], [children], [where], [trits], [ratio])[0]
    assert made.hex() == case["payload"]
    payload = memoryview(bytes.fromhex(case["payload"]))
    decoded, ratios = refined_points.decode([payload], [where], [parents], [trits])
    assert (decoded[0].tolist(), ratios) == (case["children"], [ratio])


@named("exact")
def test_exact_values_have_these_bytes(case):
    dtype, near = DType[case["dtype"]], np.array(case["levels"], np.int32)
    steps = np.full(len(near), grid.step_size(case["step"], case["trits"], dtype))
    stored = storage.load(bytes.fromhex(case["values"]), dtype, len(near))
    assert exact.encode(stored, near, steps, dtype).hex() == case["payload"]
    decoded = exact.decode(bytes.fromhex(case["payload"]), near, steps, dtype)
    assert decoded.tobytes().hex() == case["values"]


@named("values")
def test_values_without_levels_have_these_bytes(case):
    dtype = DType[case["dtype"]]
    count = len(case["values"]) * 4 // dtype.bits
    stored = storage.load(bytes.fromhex(case["values"]), dtype, count)
    origin = (case["step"] >> 2) - 12
    where = Sigmas(
        quarters=np.resize(np.array(case["widths"], np.int16), count) + np.int16(origin),
        stops=np.array([count]),
        shapes=np.array([case["shape"]], np.int16),
        origins=np.array([origin], np.int16),
    )
    assert values.encode_many([stored], [where], [dtype])[0].hex() == case["payload"]
    payload = memoryview(bytes.fromhex(case["payload"]))
    assert values.decode(payload, where, dtype).tobytes().hex() == case["values"]


@named("grid")
def test_levels_stand_for_these_values(case):  # COD-3
    dtype = DType[case["dtype"]]
    step, trits, offset = case["step"], case["trits"], case["offset"]
    assert grid.step_size(step, trits, dtype).hex() == case["size"]
    stored = grid.reconstruct(np.array(case["levels"], np.int32), dtype, step, trits, offset)
    assert storage.dump(stored, dtype).hex() == case["values"]


def test_tensor_parameters_have_these_bytes():
    generated = runpy.run_path(str(ROOT / "spec" / "vectors" / "generate_coding.py"))
    tensors, case = generated["TENSORS"], VECTORS["tensor parameters"][0]
    codes = scales.read(bytes.fromhex(case["bytes"]), tensors)
    assert scales.write(codes, tensors).hex() == case["bytes"]
    widths = scales.contexts(tensors[0], codes[0], 0, tensors[0].weights)
    assert widths.tolist() == case["first tensor's widths"]


def test_every_requirement_of_the_spec_is_named_by_a_test():
    wanted = set(re.findall(r"\[(COD-\d+)\]", (ROOT / "spec" / "coding.md").read_text()))
    tests = (path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named_ids = {found for text in tests for found in re.findall(r"COD-\d+", text)}
    assert wanted == named_ids


def test_the_package_exports_what_it_says():
    assert sorted(codec.__all__) == codec.__all__
    assert all(hasattr(codec, name) for name in codec.__all__)
