"""Writes valid/updates.json and invalid/updates.json: exact models, and updates on them.

The models are safetensors files of a few weights, so that every way of coding is met; what the
invalid ones change is one field of a valid one; their parent is that of the first valid one. Units
are put together by generate_units.py. What zstd and LAPACK give differs by version, so a test
holds the committed ones to the models that they give, not to what this writes.

PYTHONPATH=sdk python spec/vectors/generate_updates.py
"""

import json
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from midstream.bitstream import Topology, read_unit, state_id
from midstream.codec import references
from midstream.codec.references import Decayed, LowRank, Pruned, Scaled
from midstream.encoder.update import encode_update, holes_of
from midstream.types import DType, Tensor
from midstream.wire import Writer

FOLDER = Path(__file__).parent
UNITS = runpy.run_path(str(FOLDER / "generate_units.py"))
UPDATE, RAW, DIFFERENCES = 3, 3, 5
NAMES = {"f4": "F32", "f2": "F16", "i1": "I8", "i4": "I32"}

Arrays = Mapping[str, NDArray[Any]]


def model(arrays: Arrays) -> bytes:
    """A safetensors file."""
    header: dict[str, Any] = {}
    at = 0
    for name, array in arrays.items():
        kind = NAMES[array.dtype.str[1:]]
        ends = [at, at + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": ends}
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(array.tobytes() for array in arrays.values())
    return len(text).to_bytes(8, "little") + text + data


def _waves(count: int, pace: int) -> NDArray[np.float64]:
    """Numbers that need no generator of random ones."""
    return np.array([(i * i * pace // 7 + 5 * i) % 97 - 48 for i in range(count)]) / 61.0


def _floats(pace: int, shape: tuple[int, ...], kind: str = "<f4") -> NDArray[Any]:
    return _waves(int(np.prod(shape)), pace).reshape(shape).astype(kind)


OLD: Arrays = {
    "a": _floats(1, (40, 16)),
    "b": _floats(3, (24, 20), "<f2"),
    "c": np.rint(_floats(5, (16, 40)) * 90).astype("|i1"),
    "d": _floats(7, (9,)),
    "e": np.arange(6, dtype="<i4"),
}
TENSOR = Tensor(name="b", dtype=DType.FLOAT16, shape=(24, 20), offset=0)
PLACES = np.arange(640).reshape(40, 16)


def _moved() -> Arrays:
    """All weights by a little, some beyond 0, and one that is no number."""
    a = (OLD["a"] + _floats(11, (40, 16)) / 1024).astype("<f4")
    a[3, 4], a[5, 6] = np.nan, -a[5, 6]
    b = (OLD["b"] + _floats(13, (24, 20)) / 64).astype("<f2")
    c = OLD["c"] + (PLACES.reshape(16, 40) % 5 == 0) - (PLACES.reshape(16, 40) % 7 == 0)
    c[0, 0] = 100
    return {**OLD, "a": a, "b": b, "c": c.astype("|i1"), "e": OLD["e"] + 1}


def _sparse() -> Arrays:
    """Few weights, so that they are named: by gaps, and by a mask."""
    a, c = OLD["a"].copy(), OLD["c"].copy()
    a.ravel()[5::120] *= 1.5
    c.ravel()[::3] += 1
    return {**OLD, "a": a, "c": c}


def _expected() -> Arrays:
    """Pruned, of low rank, and scaled."""
    a = np.where(np.abs(OLD["a"]) < 0.4, np.float32(-0.0), OLD["a"]).astype("<f4")
    b = OLD["b"] + np.outer(_waves(24, 17), _waves(20, 19)).astype("<f2")
    return {**OLD, "a": a, "b": b.astype("<f2"), "c": np.rint(OLD["c"] * 0.75).astype("|i1")}


def _decayed() -> Arrays:
    """Decayed in 20 steps, half of the rows; of the others some were pruned before."""
    a = OLD["a"].copy()
    a[np.abs(a) < 0.2] = 0
    for _ in range(20):
        a *= np.float32(1 - 2**-17)
    a[::2] += _floats(31, (20, 16)) / 256 * (a[::2] != 0)
    return {**OLD, "a": a}


def _resized() -> Arrays:
    """Another topology: rows added, one tensor gone, one new, one renamed."""
    grown = np.concatenate([OLD["a"], _floats(23, (3, 16))])
    return {
        "a": grown.astype("<f4"),
        "new": _floats(29, (8, 8)),
        "z": OLD["c"],
        "d": OLD["d"] * np.float32(2),
    }


def _case(name: str, new: Arrays) -> dict[str, Any]:
    old = model(OLD)
    unit = encode_update(Topology.cut(old, holes_of(old)), old, model(new), layer=3)
    return {"name": name, "old": old.hex(), "units": [unit.hex()], "model": model(new).hex()}


def _written(name: str, reference: references.Reference) -> dict[str, Any]:
    """An update that has a reference of the second tensor, and nothing else."""
    after = reference.apply(OLD["b"].ravel(), TENSOR, 0).reshape(24, 20)
    unit = _referring(reference, 1)
    new = model({**OLD, "b": after})
    return {"name": name, "old": model(OLD).hex(), "units": [unit.hex()], "model": new.hex()}


def _chain() -> dict[str, Any]:
    """Two updates, one on the other."""
    files = [model(arrays) for arrays in (OLD, _resized(), _moved())]
    units = [
        encode_update(Topology.cut(old, holes_of(old)), old, new, layer=3)
        for old, new in pairwise(files)
    ]
    name = "one update on another"
    return {
        "name": name,
        "old": files[0].hex(),
        "units": [unit.hex() for unit in units],
        "model": files[-1].hex(),
    }


def valid() -> list[dict[str, Any]]:
    """Updates, and the models that they give."""
    return [
        _case("nothing new", OLD),
        _case("all weights by a little", _moved()),
        _case("few weights", _sparse()),
        _case("pruned, of low rank, scaled", _expected()),
        _case("decayed and pruned", _decayed()),
        _written("decayed, float16", Decayed(steps=3, decay=-(1 << 33) - 1)),
        _case("another topology", _resized()),
        _chain(),
    ]


def _unit(head: bytes, records: Sequence[tuple[int, int, bytes]]) -> bytes:
    return bytes(UNITS["unit"](UPDATE, 3, head, records))


def _head(
    *,
    parent: bytes | None = None,
    flags: int = 0,
    topology: bytes = b"",
    changed: int = 1,
    listed: Sequence[bytes] = (),
) -> bytes:
    """A head that lists the first tensors of OLD, which are not coded."""
    old = model(OLD)
    known = state_id(Topology.cut(old, holes_of(old)), old) if parent is None else parent
    out = Writer().raw(known).u8(flags).raw(topology)
    out.blob(bytes([0, changed])).varint(len(listed))
    for payload in listed:
        out.varint(0).blob(payload)
    count = changed.bit_count()
    return out.blob(bytes(1 + 2 * count)).raw(bytes(7)).bytes()


def _referring(reference: references.Reference, place: int) -> bytes:
    """An update that says what to expect of one tensor, and nothing else."""
    return _unit(_head(changed=1 << place, listed=[references.write(reference)]), [])


def invalid() -> list[dict[str, Any]]:
    """Updates, each with what is wrong in it."""
    good = bytes.fromhex(valid()[1]["units"][0])
    head = bytes(read_unit(good).head)
    records = [(r.slice, int(r.operation), bytes(r.payload)) for r in read_unit(good).records]
    one = np.ones((40, 1), np.int32)
    product = LowRank(left=one, right=np.ones((1, 16), np.int32), shift=3)
    large = LowRank(left=one << 29, right=np.full((1, 16), 1 << 29), shift=3)
    scaled = Scaled(scales=np.full(16, 65536, np.int32))
    once = Decayed(steps=1, decay=-9)
    twice = replace(once, then=once)
    wrong = [
        ("UPD-1", "another parent", "WRONG_PARENT", _unit(_head(parent=bytes(16)), [])),
        ("UPD-2", "a truncated update", "BAD_LENGTH", good[:-1]),
        ("UPD-3", "unknown flags", "BAD_FIELD", _unit(_head(flags=2), [])),
        ("UPD-4", "a source that is not there", "BAD_FIELD", _sourced(7)),
        ("UPD-4", "a source of another kind", "BAD_FIELD", _sourced(2)),
        ("UPD-5", "a product of integers", "BAD_FIELD", _referring(product, 2)),
        ("UPD-5", "a scale of floats", "BAD_FIELD", _referring(scaled, 0)),
        ("UPD-5", "decay of integers", "BAD_FIELD", _referring(once, 2)),
        ("UPD-5", "no steps of decay", "BAD_FIELD", _referring(replace(once, steps=0), 0)),
        ("UPD-5", "too much decay", "OVER_LIMIT", _referring(replace(once, decay=1 << 40), 0)),
        ("UPD-5", "decay in decay", "BAD_FIELD", _referring(twice, 0)),
        ("UPD-5", "factors that are too large", "BAD_FIELD", _referring(large, 0)),
        (
            "UPD-5",
            "a sign of an integer's 0",
            "BAD_FIELD",
            _referring(Pruned(threshold=1, is_signed=True), 2),
        ),
        ("UPD-6", "two records of one slice", "BAD_FIELD", _unit(head, [records[0], *records])),
        ("UPD-6", "digits", "WRONG_PARENT", _unit(head, [(0, 1, b"\0"), *records[1:]])),
        ("UPD-6", "differences of what is not coded", "WRONG_PARENT", _plain()),
        ("UPD-7", "an unknown head", "BAD_FIELD", _unit(head, [(0, DIFFERENCES, b"\x08")])),
        ("UPD-7", "own tables of floats", "BAD_FIELD", _unit(head, [(0, DIFFERENCES, b"\x04")])),
        ("UPD-7", "too many gaps", "BAD_FIELD", _unit(head, [(0, DIFFERENCES, b"\3\xff\x7f\0")])),
        ("UPD-7", "binary table 32", "BAD_FIELD", _unit(head, [(0, DIFFERENCES, b"\2\x20")])),
        ("", "a base", "WRONG_PARENT", bytes(UNITS["UNIT_0"])),
    ]
    return [{"requirement": r, "name": n, "error": e, "units": [u.hex()]} for r, n, e, u in wrong]


def _plain() -> bytes:
    return _unit(_head(), [(0, DIFFERENCES, b"\0\0\0")])


def _sourced(folded: int) -> bytes:
    """A topology of one float16 tensor that comes from some tensor of the parent."""
    content = bytes([folded]) + UNITS["entry"](0, 2, (24, 20)) + b"end"
    patch = Writer().varint(963).varint(1).varint(len(content))
    patch.raw(zstandard.ZstdCompressor().compress(content))
    return _unit(_head(flags=1, topology=Writer().blob(patch.bytes()).bytes()), [])


def content() -> dict[str, str]:
    """The files by their paths."""
    files = {"valid/updates.json": valid(), "invalid/updates.json": invalid()}
    return {
        path: "[\n " + ",\n ".join(json.dumps(case) for case in cases) + "\n]\n"
        for path, cases in files.items()
    }


if __name__ == "__main__":
    for path, text in content().items():
        (FOLDER / path).write_text(text)
        print(f"{FOLDER / path}: {len(text)} characters")
