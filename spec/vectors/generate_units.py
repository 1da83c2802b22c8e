"""Writes valid/units.json and invalid/units.json: stacks of units, and what becomes of them.

Units, heads and topologies are put together here, byte by byte, as spec/bitstream.md says, with
zstd frames of one stored block; only payloads and tensor parameters are the codec's, which
valid/coding.json pins.

PYTHONPATH=sdk python spec/vectors/generate_units.py
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.codec import (
    Context,
    TensorCode,
    digits,
    exact,
    grid,
    lattice,
    levels,
    refined_points,
    scales,
    storage,
)
from midstream.types import DType, Tensor

FOLDER = Path(__file__).parent
BASE, ENHANCEMENT, EXACT_UNIT, UPDATE, CONTRIBUTION = range(5)
LEVELS, DIGITS, EXACT, RAW, VALUES = range(5)
POINTS = 8

Payload = tuple[int, int, bytes]
"""Slice, operation, payload."""


def varint(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def blob(data: bytes) -> bytes:
    """A length and so many bytes."""
    return varint(len(data)) + data


def unit(kind: int, layer: int, head: bytes, records: Sequence[Payload]) -> bytes:
    """A unit with these records, in this order, whatever they are."""
    parts = [varint(i) + bytes([operation]) + blob(p) for i, operation, p in records]
    start = b"MDU\0" + bytes([kind]) + varint(layer)
    return start + blob(head) + varint(len(parts)) + b"".join(parts)


def frame(content: bytes) -> bytes:
    """A zstd frame of at most 255 bytes: one segment, one stored block (RFC 8878, 3.1.1)."""
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    return bytes.fromhex("28b52ffd20") + bytes([len(content)]) + block + content


def entry(gap: int, dtype: DType, shape: Sequence[int], axes: int = 0xFF) -> bytes:
    """One entry of the tensor table."""
    return varint(gap) + bytes([dtype, axes, len(shape)]) + b"".join(map(varint, shape))


def topology(size: int, entries: Sequence[bytes], filling: bytes) -> bytes:
    """A topology; what is in it may contradict itself."""
    content = b"".join(entries) + filling
    return varint(size) + varint(len(entries)) + varint(len(content)) + frame(content)


# --- one float matrix, one uint8 vector, one raw vector -------------------------------------

FLOATS = Tensor(name="a", dtype=DType.FLOAT32, shape=(4, 5), offset=4, row_axis=0, column_axis=1)
BYTES = Tensor(name="b", dtype=DType.UINT8, shape=(12,), offset=87)
NANS = Tensor(name="c", dtype=DType.FLOAT16, shape=(3,), offset=99)
TENSORS = [FLOATS, BYTES, NANS]
CODES = [
    TensorCode(step=-32, shape=1, width=14, rows=np.array([2, 0, -1, 0], np.int8)),
    TensorCode(step=2, offset=120, shape=0, width=12),
    TensorCode(coded=False),
]
FLOAT_VALUES = np.array([(7 * i * i + 3 * i) % 41 - 20 for i in range(20)]).astype("<f4") / 16
FLOAT_VALUES[3] = np.float32(-0.0)
BYTE_VALUES = np.array([120 + (5 * i * i) % 47 - 23 for i in range(12)], "u1")
NAN_BYTES = bytes.fromhex("007e 00fc 0180")
TABLE = [
    entry(4, DType.FLOAT32, (4, 5), 0x10),
    entry(3, DType.UINT8, (12,)),
    entry(0, DType.FLOAT16, (3,)),
]
FILLING = b"headmidtail"
MODEL = b"head" + FLOAT_VALUES.tobytes() + b"mid" + BYTE_VALUES.tobytes() + NAN_BYTES + b"tail"
HEAD = blob(topology(len(MODEL), TABLE, FILLING)) + scales.write(CODES, TENSORS)


def _context(index: int) -> Context:
    tensor, code = TENSORS[index], CODES[index]
    widths = scales.contexts(tensor, code, 0, tensor.weights)
    return Context(shape=np.full(tensor.weights, code.shape, np.int8), width=widths)


def _ladder(values: NDArray[Any], index: int, trits: int) -> list[NDArray[np.int32]]:
    code, dtype = CODES[index], TENSORS[index].dtype
    found = [grid.quantise(values, dtype, code.step, code.offset, trits=trits)]
    for _ in range(trits):
        found.append(grid.coarsen(found[-1]))
    return found[::-1]


NEAR = _ladder(FLOAT_VALUES, 0, 2)
WHOLE = _ladder(BYTE_VALUES, 1, 2)


def _digits(index: int, ladder: Sequence[NDArray[np.int32]], trits: int) -> Payload:
    payload = digits.encode(ladder[trits], ladder[trits + 1], _context(index), trits)
    return index, DIGITS, payload


def _exact(trits: int) -> Payload:
    steps = np.full(20, grid.step_size(CODES[0].step, trits, DType.FLOAT32))
    return 0, EXACT, exact.encode(FLOAT_VALUES, NEAR[trits], steps, DType.FLOAT32)


def _points(ratio: int) -> tuple[Payload, Payload]:
    """Levels of the floats that follow from points, and these."""
    step = grid.step_size(CODES[0].step, 0, DType.FLOAT32) / ratio
    children = lattice.quantise(FLOAT_VALUES.astype(np.float64) / step / 2)
    parents = refined_points.parents_of(children, ratio)
    found = refined_points.encode_many([parents], [children], [_context(0)], [0], [ratio])[0]
    return (0, LEVELS, levels.encode(parents, _context(0))), (0, POINTS, found)


LEVELS_0: Payload = (0, LEVELS, levels.encode(NEAR[0], _context(0)))
LEVELS_1: Payload = (1, LEVELS, levels.encode(WHOLE[0], _context(1)))
RAW_0: Payload = (0, RAW, b"\0" + FLOAT_VALUES.tobytes())
RAW_2: Payload = (2, RAW, b"\0" + NAN_BYTES)
FIRST = [LEVELS_0, LEVELS_1, RAW_2]
UNIT_0 = unit(BASE, 0, HEAD, FIRST)
UNIT_1 = unit(ENHANCEMENT, 1, b"", [_digits(0, NEAR, 0), _digits(1, WHOLE, 0)])
UNIT_2 = unit(EXACT_UNIT, 2, b"", [_digits(0, NEAR, 1), _exact(2), _digits(1, WHOLE, 1)])


def model(trits: tuple[int, int] | None, *, raw: bool = False) -> bytes:
    """The model file after so many trits of the floats and of the bytes."""
    if trits is None:
        return MODEL
    dtype, code = DType.FLOAT32, CODES[0]
    floats = storage.dump(grid.reconstruct(NEAR[trits[0]], dtype, code.step, trits[0]), dtype)
    whole = WHOLE[trits[1]].astype(np.int64) * 3 ** (2 - trits[1]) + 120
    middle = np.clip(whole, 0, 255).astype("u1").tobytes()
    shown = FLOAT_VALUES.tobytes() if raw else floats
    return b"head" + shown + b"mid" + middle + NAN_BYTES + b"tail"


def _valid(name: str, units: Sequence[bytes], result: bytes) -> dict[str, Any]:
    return {"name": name, "units": [data.hex() for data in units], "model": result.hex()}


def _plain(name: str, dtype: DType, shape: tuple[int, ...], values: bytes) -> dict[str, Any]:
    """A model that is nothing but one tensor, as it is."""
    tensor = Tensor(name="t", dtype=dtype, shape=shape, offset=0)
    parameters = scales.write([TensorCode(coded=False)], [tensor])
    head = blob(topology(len(values), [entry(0, dtype, shape)], b"")) + parameters
    return _valid(name, [unit(BASE, 0, head, [(0, RAW, b"\0" + values)])], values)


# --- a flatbuffer, by its objects -------------------------------------------------------------

COLUMNS = {
    "counts": "0a 00",
    "kinds": "01 02 27 01 28 29 01 28 26 00",
    "given": "00",
    "fields and trims": "05 01 00 00 00 00",
    "vtables": "0c00 0000 0000 0000 0800 0400 0800 0400 0400",
    "bytes": "01 00",
    "model": "00",
    "text": "68 69 00",
    "list": "02",
    "buffers": "01 02",
    "data": "00",
}
BEFORE_HOLE = "18000000 54464c33 0000 0e00 0c00 0000 0000 0000 0800 0400 0e000000 08000000 38000000"
BEFORE_HOLE += "02000000 2c000000 0c000000 0000 0600 0800 0400 06000000 04000000 0c000000"
AFTER_HOLE = "0400 0400 04000000 02000000 6869 00 00"
HOLE = Tensor(name="data", dtype=DType.UINT8, shape=(12,), offset=68)


def objects(content: int = 89, tail: str = "", **changed: str) -> bytes:
    """A base of a flatbuffer with some of its columns changed; and what is said of its size."""
    columns = bytes.fromhex("".join((COLUMNS | changed).values()) + tail)
    packed = entry(68, DType.UINT8, (12,)) + columns
    data = varint(96) + varint(1) + varint(content) + b"\1" + varint(len(packed)) + frame(packed)
    head = blob(data) + scales.write([TensorCode(coded=False)], [HOLE])
    return unit(BASE, 0, head, [(0, RAW, b"\0" + bytes(range(12)))])


def _objects() -> dict[str, Any]:
    model = bytes.fromhex(BEFORE_HOLE) + bytes(range(12)) + bytes.fromhex(AFTER_HOLE)
    return _valid("objects of a flatbuffer", [objects()], model)


def _bad_objects() -> list[tuple[str, str, str, bytes]]:
    return [
        ("OBJ-1", "more content than objects may give", "OVER_LIMIT", objects((1 << 20) + 1)),
        ("OBJ-1", "a content of another length", "BAD_FIELD", objects(90)),
        ("OBJ-1", "65,537 objects", "BAD_FIELD", objects(counts="818004 00")),
        ("OBJ-2", "a byte after the columns", "BAD_FIELD", objects(tail="00")),
        ("OBJ-2", "an order of 2", "BAD_FIELD", objects(counts="0a 02")),
        ("OBJ-2", "a vtable that is not there", "BAD_FIELD", objects(buffers="01 03")),
        ("OBJ-2", "a kind that is not there", "BAD_FIELD", objects(kinds="01022701282901282637")),
        (
            "OBJ-2",
            "two references in one place",
            "BAD_FIELD",
            objects(vtables="0c00 0000 0000 0000 0400 0400 0800 0400 0400"),
        ),
        ("OBJ-3", "a file that is longer", "BAD_FIELD", objects(bytes="02 00 00")),
        ("OBJ-3", "items where the hole is", "BAD_FIELD", objects(data="02 00")),
        ("OBJ-4", "three items of two", "BAD_FIELD", objects(list="03", bytes="01 00")),
        ("OBJ-4", "a way from nowhere", "BAD_FIELD", objects(given="01 09 04")),
    ]


def valid() -> list[dict[str, Any]]:
    """Stacks, and the model files they give."""
    nothing = blob(topology(7, [], b"nothing")) + scales.write([], [])
    one = unit(ENHANCEMENT, 1, b"", [_digits(0, NEAR, 0)])
    whole = unit(BASE, 0, HEAD, [LEVELS_0, _digits(0, NEAR, 0), LEVELS_1, RAW_2])
    return [
        _valid("no tensors", [unit(BASE, 0, nothing, [])], b"nothing"),
        _objects(),
        _plain("a scalar", DType.FLOAT32, (), bytes.fromhex("0000c03f")),
        _plain("int4 of odd length", DType.INT4, (5,), bytes.fromhex("21f308")),
        _plain("int32 of eight axes", DType.INT32, (1, 1, 1, 2, 1, 1, 1, 1), bytes(range(8))),
        _plain("bfloat16", DType.BFLOAT16, (2, 1), bytes.fromhex("c03f7f80")),
        _valid("a base", [UNIT_0], model((0, 0))),
        _valid("a base and an enhancement", [UNIT_0, UNIT_1], model((1, 1))),
        _valid("up to exact", [UNIT_0, UNIT_1, UNIT_2], MODEL),
        _valid("an enhancement of one slice", [UNIT_0, one], model((1, 0))),
        _valid("an enhancement of nothing", [UNIT_0, unit(1, 255, b"", [])], model((0, 0))),
        _valid("refinement inside a base", [whole], model((1, 0))),
        _valid(
            "raw after levels",
            [UNIT_0, unit(EXACT_UNIT, 9, b"", [RAW_0])],
            model((0, 0), raw=True),
        ),
        _valid(
            "exact right after levels",
            [UNIT_0, unit(EXACT_UNIT, 1, b"", [_exact(0)])],
            model((0, 0), raw=True),
        ),
    ]


def _invalid(requirement: str, name: str, code: str, *units: bytes) -> dict[str, Any]:
    hexes = [data.hex() for data in units]
    return {"requirement": requirement, "name": name, "units": hexes, "error": code}


def _with_head(head: bytes) -> bytes:
    return unit(BASE, 0, head, FIRST)


def _with_topology(data: bytes) -> bytes:
    return _with_head(blob(data) + HEAD[len(blob(topology(len(MODEL), TABLE, FILLING))) :])


def _on_top(*records: Payload) -> bytes:
    return unit(ENHANCEMENT, 1, b"", records)


def invalid() -> list[dict[str, Any]]:
    """Stacks that a decoder refuses, the requirement, and the code of our own error."""
    size = len(MODEL)
    swapped = [FIRST[1], FIRST[0], FIRST[2]]
    again = _digits(1, WHOLE, 0)
    below, points = _points(5)
    pointed = unit(BASE, 0, HEAD, [below, *FIRST[1:]])
    short, long = points[2][:-2], points[2] + b"\0"
    lost = points[2][:3] + bytes([points[2][3] ^ 1]) + points[2][4:]

    def headed(head: int) -> Payload:
        return *points[:2], bytes([head]) + points[2][1:]

    bad_magic, bad_version = b"MDV" + UNIT_0[3:], b"MDU\1" + UNIT_0[4:]
    long_layer = UNIT_1.replace(b"MDU\0\1\1", b"MDU\0\1\x81\0", 1)
    huge = b"MDU\0\1\1\0" + bytes.fromhex("ffffffffffffffff7f")
    axes = b"\0\1\xff\x09" + bytes([1] * 9)
    wrong = [
        ("BIT-1", "a layer in two bytes", "BAD_FIELD", UNIT_0, long_layer),
        ("BIT-2", "2^63 - 1 records", "OVER_LIMIT", UNIT_0, huge),
        ("BIT-2", "nine axes", "OVER_LIMIT", _with_topology(topology(size, [axes], FILLING))),
        ("BIT-2", "a model of 2^40 bytes", "OVER_LIMIT", _with_topology(varint(1 << 40))),
        ("BIT-3", "a byte after the end", "TRAILING_BYTES", UNIT_0 + b"\0"),
        ("BIT-3", "a byte after the parameters", "TRAILING_BYTES", _with_head(HEAD + b"\0")),
        (
            "BIT-3",
            "a byte after the content",
            "TRAILING_BYTES",
            _with_topology(topology(size, TABLE, FILLING) + b"\0"),
        ),
        ("BIT-4", "a base without head", "BAD_FIELD", _with_head(b"")),
        ("BIT-4", "a head on top", "BAD_FIELD", UNIT_0, unit(ENHANCEMENT, 1, HEAD, [])),
        ("BIT-4", "an update without head", "BAD_FIELD", UNIT_0, unit(UPDATE, 1, b"", [])),
        ("BIT-5", "an update", "WRONG_PARENT", UNIT_0, unit(UPDATE, 1, b"x", [])),
        ("BIT-5", "a contribution", "WRONG_PARENT", UNIT_0, unit(CONTRIBUTION, 1, b"", [])),
        ("BIT-6", "records out of order", "BAD_FIELD", unit(BASE, 0, HEAD, swapped)),
        ("BIT-7", "a slice without levels", "WRONG_PARENT", unit(BASE, 0, HEAD, FIRST[1:])),
        ("BIT-7", "levels twice", "WRONG_PARENT", UNIT_0, _on_top(LEVELS_0)),
        ("BIT-7", "raw twice", "WRONG_PARENT", UNIT_0, _on_top(RAW_2)),
        ("BIT-7", "digits after exact", "WRONG_PARENT", UNIT_0, _on_top(_exact(0), RAW_0)),
        ("BIT-7", "values on levels", "WRONG_PARENT", UNIT_0, _on_top((0, VALUES, b"\0"))),
        ("BIT-7", "exact on integers", "WRONG_PARENT", UNIT_0, _on_top((1, EXACT, b"\0"))),
        ("BIT-7", "points of nothing", "WRONG_PARENT", unit(BASE, 0, HEAD, [points, *FIRST[1:]])),
        ("BIT-7", "points on points", "WRONG_PARENT", pointed, _on_top(points, points)),
        (
            "BIT-7",
            "digits on points",
            "WRONG_PARENT",
            pointed,
            _on_top(points, _digits(0, NEAR, 0)),
        ),
        ("BIT-7", "exact on points", "WRONG_PARENT", pointed, _on_top(points, _exact(0))),
        ("BIT-7", "points on integers", "WRONG_PARENT", UNIT_0, _on_top((1, *points[1:]))),
        ("COD-17", "a share of 0", "BAD_FIELD", pointed, _on_top(headed(0x10))),
        ("COD-17", "a bit that is none of the head's", "BAD_FIELD", pointed, _on_top(headed(0x26))),
        ("COD-1", "points that end early", "BAD_SYMBOL", pointed, _on_top((*points[:2], short))),
        ("COD-1", "a byte after points", "TRAILING_BYTES", pointed, _on_top((*points[:2], long))),
        (
            "COD-4",
            "codewords of another state",
            "BAD_SYMBOL",
            pointed,
            _on_top((*points[:2], lost)),
        ),
        ("BIT-8", "three trits of two", "WRONG_PARENT", UNIT_0, _on_top(again, again, again)),
        (
            "BIT-9",
            "a tensor without weights",
            "BAD_FIELD",
            _with_topology(topology(size, [entry(0, DType.INT8, (3, 0))], FILLING)),
        ),
        (
            "BIT-9",
            "a tensor that leaves the file",
            "BAD_OFFSET",
            _with_topology(topology(size, [entry(size - 3, DType.FLOAT32, ())], FILLING)),
        ),
        (
            "BIT-9",
            "a filling that is too short",
            "BAD_LENGTH",
            _with_topology(topology(size, TABLE, FILLING[1:])),
        ),
        ("BIT-10", "a truncated unit", "BAD_LENGTH", UNIT_0, UNIT_1[:-1]),
        ("", "another magic", "BAD_MAGIC", bad_magic),
        ("", "a later version", "BAD_VERSION", bad_version),
        ("", "an unknown kind", "BAD_FIELD", unit(255, 0, HEAD, FIRST)),
        ("", "an unknown operation", "BAD_FIELD", UNIT_0, _on_top((0, 255, b"\0"))),
        ("BIT-7", "differences of a parent", "WRONG_PARENT", UNIT_0, _on_top((0, 5, b"\0"))),
        ("BIT-7", "levels moved from a parent", "WRONG_PARENT", UNIT_0, _on_top((0, 6, b"\0"))),
        ("", "a slice that is not there", "BAD_FIELD", UNIT_0, _on_top((3, DIGITS, b"\0"))),
        ("", "layer 256", "OVER_LIMIT", UNIT_0, unit(ENHANCEMENT, 256, b"", [])),
        ("", "a layer that does not rise", "WRONG_PARENT", UNIT_0, unit(1, 0, b"", [])),
        ("", "no base", "WRONG_PARENT", UNIT_1),
        ("", "two bases", "WRONG_PARENT", UNIT_0, UNIT_0),
        ("", "no bytes", "BAD_LENGTH", b""),
        *_bad_objects(),
    ]
    return [_invalid(*case) for case in wrong]


def content() -> dict[str, str]:
    """The files by their paths."""
    files = {"valid/units.json": valid(), "invalid/units.json": invalid()}
    return {
        path: "[\n " + ",\n ".join(json.dumps(case) for case in cases) + "\n]\n"
        for path, cases in files.items()
    }


if __name__ == "__main__":
    for path, text in content().items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(text)
        print(f"{FOLDER / path}: {len(text)} characters")
