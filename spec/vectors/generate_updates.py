"""Writes valid/updates.json and invalid/updates.json: exact models, and updates on them.

The models are safetensors files of a few weights, so that every way of coding is met; what the
invalid ones change is one field of a valid one; their parent is that of the first valid one, where
they have no `old` of their own. Units
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
from midstream.bitstream.patch import write_patch
from midstream.bitstream.update import UpdateHead
from midstream.codec import Context, TensorCode, histograms, levels, rans, references
from midstream.codec.references import Decayed, LowRank, Pruned, Scaled
from midstream.codec.sections import write_unary
from midstream.codec.tables import binary_family
from midstream.encoder.update import encode_update, holes_of
from midstream.kernels import pack_bits
from midstream.wire import Writer

FOLDER = Path(__file__).parent
UNITS = runpy.run_path(str(FOLDER / "generate_units.py"))
MODELS = runpy.run_path(str(FOLDER / "update_models.py"))
model, OLD, TENSORS, PLACES = (MODELS[name] for name in ("model", "OLD", "TENSORS", "PLACES"))
UPDATE, RAW, DIFFERENCES = 3, 3, 5
MASK, GAPS, OWN_TABLES = 2, 3, 4

Wrong = tuple[str, str, str, bytes]
"""Requirement, what is wrong, the code of the error, the unit."""


CODES = (TensorCode(step=-192), TensorCode(step=-256, width=12), TensorCode(width=12))
"""Parameters of the first tensors of it, such that no reference is small."""


def _case(name: str, new: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    old = model(OLD)
    unit = encode_update(Topology.cut(old, holes_of(old)), old, model(new), layer=3)
    return {"name": name, "old": old.hex(), "units": [unit.hex()], "model": model(new).hex()}


def _written(
    name: str, reference: references.Reference, place: int = 1, payload: bytes | None = None
) -> dict[str, Any]:
    """An update that has a reference of one tensor, and nothing else."""
    key = list(OLD)[place]
    after = reference.apply(OLD[key].ravel(), TENSORS[place], 0).reshape(OLD[key].shape)
    unit = _referring(payload or references.write(reference), place)
    new = model({**OLD, key: after})
    return {"name": name, "old": model(OLD).hex(), "units": [unit.hex()], "model": new.hex()}


def _chain() -> dict[str, Any]:
    """Two updates, one on the other."""
    files = [model(arrays) for arrays in (OLD, MODELS["resized"](), MODELS["moved"]())]
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


def _of_nibbles() -> dict[str, Any]:
    """An update of weights of four bits."""
    old, new = (MODELS["nibbles"]((10, 20), pace) for pace in (3, 5))
    unit = encode_update(Topology.cut(old, holes_of(old)), old, new, layer=3)
    return {"name": "int4", "old": old.hex(), "units": [unit.hex()], "model": new.hex()}


def _coding(place: int, code: TensorCode | None = None) -> bytes:
    """A head that lists one tensor, which is coded."""
    old = Topology.cut(model(OLD), TENSORS)
    return UpdateHead(
        parent=state_id(old, model(OLD)),
        old=old,
        topology=old,
        sources=tuple(range(len(TENSORS))),
        changed=frozenset([place]),
        codes=(code or CODES[place],),
    ).write()


def _fresh(*shapes: tuple[int, int], codes: Sequence[TensorCode], refers: bool = False) -> bytes:
    """An update to tensors that are new, without their weights."""
    new = model({f"n{i}": np.zeros(shape, "<f4") for i, shape in enumerate(shapes)})
    old = Topology.cut(model(OLD), TENSORS)
    head = UpdateHead(
        parent=state_id(old, model(OLD)),
        old=old,
        topology=Topology.cut(new, holes_of(new)),
        sources=(None,) * len(shapes),
        references={0: Pruned(threshold=1)} if refers else {},
        codes=tuple(codes),
    )
    return _unit(head.write(), [])


def _coded(name: str, place: int, payload: bytes, after: NDArray[Any]) -> dict[str, Any]:
    """An update of one tensor, by its differences."""
    unit = _unit(_coding(place), [(0, DIFFERENCES, payload)])
    key = list(OLD)[place]
    new = model({**OLD, key: after.reshape(OLD[key].shape)})
    return {"name": name, "old": model(OLD).hex(), "units": [unit.hex()], "model": new.hex()}


def _widths(place: int, chosen: Sequence[int]) -> NDArray[np.int16]:
    """Those of differences of some weights of a tensor, none of which is small."""
    code, array = CODES[place], OLD[list(OLD)[place]].ravel()[list(chosen)]
    quarters = (code.step >> 2) + code.width
    if array.dtype.kind == "i":
        return np.full(len(chosen), quarters, np.int16)
    least = np.finfo(array.dtype).minexp
    exponents = np.maximum(np.frexp(array.astype(np.float64))[1] - 1, least)
    exponents[array == 0] = least
    return np.asarray(quarters - 4 * (exponents - np.finfo(array.dtype).nmant), np.int16)


def _moves(place: int, low: int, moves: Mapping[int, int], exceptions: bytes = b"\0") -> bytes:
    """Differences of weights that are named by gaps with so many low bits."""
    gaps = np.diff(list(moves), prepend=-1) - 1
    bits = pack_bits((gaps & (1 << low) - 1).astype(np.uint64), np.full(len(gaps), low, np.int64))
    named = Writer().u8(GAPS).varint(len(gaps)).u8(low).bytes() + bits + write_unary(gaps >> low)
    widths = _widths(place, [min(at, OLD[list(OLD)[place]].size - 1) for at in moves])
    context = Context(shape=np.ones(len(gaps), np.int8), width=widths)
    between = b"" if place == 2 else b"\0" + exceptions  # none is small
    return named + between + levels.encode(np.array([*moves.values()], np.int32), context)


def _to_the_ends() -> list[dict[str, Any]]:
    """Integers to the ends of all values, and a float to the last of all ordinals."""
    whole, half = OLD["c"].ravel().astype(np.int64), OLD["b"].ravel().copy()
    moves = {5: -128 - whole[5], 639: 127 - whole[639]}
    whole[[5, 639]] = -128, 127
    ordinals = half.view("<u2")
    last = {7: 0x7FFF - int(ordinals[7])}
    ordinals[7] = 0x7FFF
    name = "gaps of 20 low bits, and the ends of all values"
    return [
        _coded(name, 2, _moves(2, 20, moves), whole.astype("|i1")),
        _coded("the last of all ordinals", 1, _moves(1, 0, last), half),
    ]


def _masked() -> dict[str, Any]:
    """The last of the binary tables, and an exception at the last weight."""
    after, flags = OLD["a"].ravel().copy(), (np.arange(640) >= 638).astype(np.int64)
    after[-1] = -3e38
    stream = rans.encode(binary_family(), [np.full(640, 31, np.int64)], [flags])[0]
    context = Context(shape=np.ones(2, np.int8), width=_widths(0, [638, 639]))
    payload = bytes([MASK, 31]) + stream + b"\0\1\1" + after[-1:].tobytes()
    payload += levels.encode(np.zeros(2, np.int32), context)
    return _coded("binary table 31, and an exception at the last weight", 0, payload, after)


def _own_tables() -> dict[str, Any]:
    """Tables of their own as wide as they may be, and escapes beyond them."""
    old = OLD["c"].ravel().astype(np.int64)
    moved = PLACES.ravel() % 31 - 15
    moved[::100] = np.where(old[::100] < 0, 90, -90)
    after = np.clip(old + moved, -128, 127)
    payload = bytes([OWN_TABLES]) + histograms.write(after - old, _widths(2, range(640)))
    assert payload[1:3] == bytes([15, 15]), "the widest"
    return _coded("own tables from -15 to 15, and escapes", 2, payload, after.astype("|i1"))


def _wide() -> dict[str, Any]:
    """Factors in lists of the largest width."""
    left, right = (PLACES[:, :1] % 3 - 1).astype(np.int32), np.full((1, 16), 5, np.int32)
    numbers = np.concatenate([left.ravel(), right.ravel()])
    context = Context(shape=np.ones(56, np.int8), width=np.full(56, 136, np.int16))
    payload = Writer().u8(1).u8(1).signed(9).u8(136).u8(136).bytes()
    payload += levels.encode(numbers, context)
    product = LowRank(left=left, right=right, shift=9)
    return _written("lists of width 136", product, 0, payload)


def _bounds() -> list[dict[str, Any]]:
    """Numbers as large, or as small, as they may be."""
    most = np.ones((40, 11), np.int32), np.ones((11, 16), np.int32)
    one, scales = np.zeros((40, 1), np.int32), np.array([0, 1 << 20] * 8, np.int32)
    one[7] = 1
    far = np.full((1, 16), -(1 << 30), np.int32)
    return [
        _written(
            "as many factors as weights bear", LowRank(left=most[0], right=most[1], shift=7), 0
        ),
        _written("a shift of 200", LowRank(left=one, right=far, shift=200), 0),
        _written("a shift of -200, beyond the floats", LowRank(left=one, right=far, shift=-200), 0),
        _wide(),
        _written("scales of 0 and 16", Scaled(scales=scales), 2),
        _written("255 steps of the most decay", Decayed(steps=255, decay=-(1 << 39))),
        _written("growth beyond the floats", Decayed(steps=255, decay=1 << 39)),
        _written("integers pruned", Pruned(threshold=30), 2),
        *_to_the_ends(),
        _masked(),
        _own_tables(),
    ]


def valid() -> list[dict[str, Any]]:
    """Updates, and the models that they give."""
    return [
        _case("nothing new", OLD),
        _case("all weights by a little", MODELS["moved"]()),
        _case("few weights", MODELS["sparse"]()),
        _case("pruned, of low rank, scaled", MODELS["expected"]()),
        _case("decayed and pruned", MODELS["decayed"]()),
        _written("decayed, float16", Decayed(steps=3, decay=-(1 << 33) - 1)),
        _case("another topology", MODELS["resized"]()),
        _chain(),
        *_bounds(),
        _of_nibbles(),
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


def _referring(reference: references.Reference | bytes, place: int) -> bytes:
    """An update that says what to expect of one tensor, and nothing else."""
    payload = reference if isinstance(reference, bytes) else references.write(reference)
    return _unit(_head(changed=1 << place, listed=[payload]), [])


def _wrong_parameters() -> list[Wrong]:
    def one(place: int, **fields: Any) -> bytes:
        return _unit(_coding(place, replace(CODES[place], **fields)), [])

    plain = CODES[0]
    lattice, tied = replace(plain, lattice=True), TensorCode(same_as=0)
    return [
        ("UPD-3", "unknown flags", "BAD_FIELD", _unit(_head(flags=2), [])),
        ("UPD-3", "a predictor", "BAD_FIELD", one(0, predictor=((0, 8),))),
        ("UPD-3", "the lattice", "BAD_FIELD", _fresh((64, 64), codes=[lattice])),
        ("UPD-3", "a tie", "BAD_FIELD", _fresh((8, 8), (8, 8), codes=[plain, tied])),
        ("UPD-3", "a trit exponent of integers", "BAD_FIELD", one(2, step=1)),
        ("UPD-3", "an offset of integers", "BAD_FIELD", one(2, offset=1)),
    ]


def _wrong_references() -> list[Wrong]:
    one = np.ones((40, 1), np.int32)
    product = LowRank(left=one, right=np.ones((1, 16), np.int32), shift=3)
    large = replace(product, left=one << 29, right=np.full((1, 16), 1 << 29))
    many = LowRank(left=np.ones((40, 12), np.int32), right=np.ones((12, 16), np.int32), shift=3)
    wide = bytearray(references.write(product))
    wide[3] = 137
    scaled = Scaled(scales=np.full(16, 65536, np.int32))
    once = Decayed(steps=1, decay=-9)
    signed = Pruned(threshold=1, is_signed=True)
    wrong: list[tuple[str, str, references.Reference | bytes, int]] = [
        ("a product of integers", "BAD_FIELD", product, 2),
        ("a scale of floats", "BAD_FIELD", scaled, 0),
        ("decay of integers", "BAD_FIELD", once, 2),
        ("no steps of decay", "BAD_FIELD", replace(once, steps=0), 0),
        ("too much decay", "OVER_LIMIT", replace(once, decay=-(1 << 39) - 1), 0),
        ("too much growth", "OVER_LIMIT", replace(once, decay=(1 << 39) + 1), 0),
        ("decay in decay", "BAD_FIELD", replace(once, then=once), 0),
        ("a rank of 0", "OVER_LIMIT", b"\1\0\6", 0),
        ("a rank of 65", "OVER_LIMIT", b"\1\x41\6" + bytes(130), 0),
        ("more factors than weights", "BAD_FIELD", many, 0),
        ("a shift of 201", "OVER_LIMIT", replace(product, shift=201), 0),
        ("a shift of -201", "OVER_LIMIT", replace(product, shift=-201), 0),
        ("factors that are too large", "BAD_FIELD", large, 0),
        ("a width of 137", "BAD_FIELD", bytes(wide), 0),
        ("a scale below 0", "BAD_FIELD", replace(scaled, scales=scaled.scales - 65537), 2),
        ("a scale above 16", "BAD_FIELD", replace(scaled, scales=scaled.scales << 4 | 1), 2),
        ("a sign of an integer's 0", "BAD_FIELD", signed, 2),
    ]
    fresh = _fresh((8, 8), codes=[CODES[0]], refers=True)
    return [
        *(("UPD-5", name, error, _referring(what, at)) for name, error, what, at in wrong),
        ("UPD-5", "a reference of what is fresh", "BAD_FIELD", fresh),
    ]


def _wrong_differences() -> list[Wrong]:
    wrong = [
        ("an unknown head", "BAD_FIELD", 0, b"\x08"),
        ("own tables of floats", "BAD_FIELD", 0, b"\x04"),
        ("a table from -16", "BAD_FIELD", 2, b"\x04\x10\0"),
        ("a table up to 16", "BAD_FIELD", 2, b"\x04\0\x10"),
        ("binary table 32", "BAD_FIELD", 0, b"\2\x20"),
        ("21 low bits", "BAD_FIELD", 2, _moves(2, 21, {5: 1})),
        ("too many gaps", "BAD_FIELD", 0, b"\3\xff\x7f\0"),
        ("a gap beyond the last weight", "BAD_FIELD", 2, _moves(2, 1, {5: 1, 640: 1})),
        ("too many exceptions", "BAD_FIELD", 0, _moves(0, 0, {5: 1}, b"\2\0")),
        ("an exception beyond the last weight", "BAD_FIELD", 0, _moves(0, 0, {5: 1}, b"\1\1")),
        ("an integer above all values", "BAD_SYMBOL", 2, _moves(2, 0, {0: 300})),
        ("an integer below all values", "BAD_SYMBOL", 2, _moves(2, 0, {0: -300})),
        ("a float beyond all values", "BAD_SYMBOL", 1, _moves(1, 0, {7: 40_000})),
        ("a float below all values", "BAD_SYMBOL", 1, _moves(1, 0, {7: -70_000})),
    ]
    return [
        ("UPD-7", name, error, _unit(_coding(place), [(0, DIFFERENCES, payload)]))
        for name, error, place, payload in wrong
    ]


def invalid() -> list[dict[str, Any]]:
    """Updates, each with what is wrong in it."""
    good = bytes.fromhex(valid()[1]["units"][0])
    head = bytes(read_unit(good).head)
    records = [(r.slice, int(r.operation), bytes(r.payload)) for r in read_unit(good).records]
    wrong = [
        ("UPD-1", "another parent", "WRONG_PARENT", _unit(_head(parent=bytes(16)), [])),
        ("UPD-2", "a truncated update", "BAD_LENGTH", good[:-1]),
        *_wrong_parameters(),
        ("UPD-4", "a source that is not there", "BAD_FIELD", _sourced(7)),
        ("UPD-4", "a source of another kind", "BAD_FIELD", _sourced(2)),
        ("UPD-4", "a source of another rank", "BAD_FIELD", _sourced(3, (480,))),
        *_wrong_references(),
        ("UPD-6", "two records of one slice", "BAD_FIELD", _unit(head, [records[0], *records])),
        ("UPD-6", "digits", "WRONG_PARENT", _unit(head, [(0, 1, b"\0"), *records[1:]])),
        (
            "UPD-6",
            "differences of what is not coded",
            "WRONG_PARENT",
            _unit(_head(), [(0, DIFFERENCES, bytes(3))]),
        ),
        *_wrong_differences(),
        ("", "a base", "WRONG_PARENT", bytes(UNITS["UNIT_0"])),
    ]
    cases = [{"requirement": r, "name": n, "error": e, "units": [u.hex()]} for r, n, e, u in wrong]
    return [*cases, _reshaped()]


def _reshaped() -> dict[str, Any]:
    """A tensor of int4 that comes from one of another shape, of a model of its own."""
    files = [MODELS["nibbles"](shape, 3) for shape in ((10, 20), (20, 10))]
    old, new = (Topology.cut(file, holes_of(file)) for file in files)
    patch = Writer().blob(write_patch(new, old, (0,))).bytes()
    unit = _unit(_head(parent=state_id(old, files[0]), flags=1, topology=patch), [])
    name = "a source of int4 of another shape"
    case = {"requirement": "UPD-4", "name": name, "error": "BAD_FIELD", "old": files[0].hex()}
    return {**case, "units": [unit.hex()]}


def _sourced(folded: int, shape: Sequence[int] = (24, 20)) -> bytes:
    """A topology of one float16 tensor that comes from some tensor of the parent."""
    content = bytes([folded]) + UNITS["entry"](0, 2, shape) + b"end"
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
