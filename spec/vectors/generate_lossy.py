"""Writes valid/lossy.json and invalid/lossy.json: units of one release, and lossy updates on them.

The models are small ones of update_models.py; what the invalid ones change is one field of a
valid one, whose parent is that of the first valid one. What zstd and the encoder give differs by
version, so a test holds the committed ones to the units that they give, not to what this writes.

PYTHONPATH=sdk python spec/vectors/generate_lossy.py
"""

import json
import runpy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from midstream.bitstream import Head, Operation, Record, read_unit, write_unit
from midstream.bitstream.climbs import climbs_of, expect, records_of
from midstream.bitstream.lossy import LossyHead, Outline, Place, Way
from midstream.codec import moves
from midstream.codec.references import LowRank, Pruned
from midstream.encoder import encode
from midstream.encoder.lossy import encode_lossy_update
from midstream.types import UnitKind

FOLDER = Path(__file__).parent
MODELS = runpy.run_path(str(FOLDER / "update_models.py"))
OLD = MODELS["OLD"]
LADDER = ("1.5b", "3b", "exact")

Units = Sequence[bytes]


def _moved() -> Any:
    """All weights by a little, some by more."""
    moved = MODELS["moved"]()
    a, places = OLD["a"].copy(), np.arange(640).reshape(40, 16)
    a += np.where(places % 3 == 0, np.float32(0.04), np.float32(-0.01))
    return {**moved, "a": a}


def units_of(arrays: Any, rungs: int = 2) -> list[bytes]:
    """The lower units of a model."""
    units = encode(MODELS["model"](arrays), ladder=LADDER).units
    return [unit.data for unit in units[:rungs]]


def _finer(arrays: Any) -> list[bytes]:
    """A base that takes other steps than the first rung of the ladder."""
    return [encode(MODELS["model"](arrays), ladder=("2.5b", "exact")).units[0].data]


LARGE = (64, 96)


def _low_rank(ladder: Sequence[str] = ("3b", "exact")) -> tuple[Any, Any]:
    """A network large enough for it, and what two small matrices make of it."""
    rng = np.random.default_rng(5)
    a = (rng.standard_normal(LARGE) / 8).astype("<f4")
    left, right = rng.standard_normal((LARGE[0], 1)), rng.standard_normal((1, LARGE[1]))
    moved = (a + left @ right * 0.1).astype("<f4")
    rungs = len(ladder) - 1
    one, other = (
        [u.data for u in encode(MODELS["model"]({"a": array}), ladder=ladder).units[:rungs]]
        for array in (a, moved)
    )
    return one, other


def _case(name: str, old: Units, new: Units) -> dict[str, Any]:
    update = encode_lossy_update(old, new)
    return {
        "name": name,
        "old": [unit.hex() for unit in old],
        "update": update.hex(),
        "new": [unit.hex() for unit in new],
    }


def valid() -> list[dict[str, Any]]:
    """Lossy updates, and the units that they give."""
    old, moved = units_of(OLD), units_of(_moved())
    return [
        _case("all weights by a little", old, moved),
        _case("a base alone", old[:1], moved[:1]),
        _case("to fewer units", old, moved[:1]),
        _case("to more units", old[:1], moved),
        _case("nothing new", old, old),
        _case("few weights", old, units_of(MODELS["sparse"]())),
        _case("another topology", old, units_of(MODELS["resized"]())),
        _case("other steps", old, _finer(_moved())),
        _case("of low rank", *_low_rank()),
        _case("of low rank, two units", *_low_rank(("2b", "4b", "exact"))),
    ]


class _Parts:
    """A valid update, taken apart."""

    def __init__(self, old: Units, new: Units) -> None:
        self.unit = read_unit(encode_lossy_update(old, new))
        self.before = [Outline.of(read_unit(unit)) for unit in old]
        self.tensors = len(Head.read(self.before[0].head).topology.tensors)
        self.head = LossyHead.read(self.unit.head, self.before, self.tensors)

    def whole(
        self, head: LossyHead | None = None, records: Sequence[Record] | None = None
    ) -> bytes:
        """The update, with another head or other records."""
        data = (head or self.head).write(self.before, self.tensors)
        own = self.unit.records if records is None else records
        return write_unit(UnitKind.LOSSY_UPDATE, self.unit.layer, data, own)

    def placed(self, at: int, row: int, place: Place) -> bytes:
        """The update, one record of a unit told otherwise."""
        units = list(self.head.units)
        places = list(units[at].places)
        places[row] = place
        units[at] = replace(units[at], places=tuple(places))
        return self.whole(replace(self.head, units=tuple(units)))


def invalid() -> list[dict[str, Any]]:
    """Lossy updates, each with what is wrong in it."""
    old, new = units_of(OLD), units_of(_moved())
    parts = _Parts(old, new)
    records = list(parts.unit.records)
    first = parts.head.units[0].places[0]
    moved = next(at for at, record in enumerate(records) if record.operation is Operation.MOVES)
    far, apart = (_far(parts, old, records[moved], row) for row in (-1, 0))
    wrong = [
        (
            "LOS-1",
            "another parent",
            "WRONG_PARENT",
            parts.whole(replace(parts.head, parent=bytes(16))),
        ),
        ("LOS-2", "a truncated update", "BAD_LENGTH", parts.whole()[:-1]),
        ("LOS-3", "a base on a base", "BAD_FIELD", _kinds(parts)),
        ("LOS-3", "nothing to keep", "BAD_FIELD", _kept(parts)),
        ("LOS-3", "raw weights that are moved", "BAD_FIELD", _raw_moved(parts)),
        ("LOS-4", "a source that is not there", "BAD_FIELD", _sourced(parts, 7)),
        ("LOS-4", "a source of another kind", "BAD_FIELD", _sourced(parts, 2)),
        (
            "LOS-5",
            "levels given, digits moved",
            "BAD_FIELD",
            parts.placed(0, 0, replace(first, way=Way.GIVEN)),
        ),
        ("LOS-5", "more digits than trits", "BAD_FIELD", _digits(parts)),
        ("LOS-6", "a record too many", "BAD_FIELD", parts.whole(records=[*records, records[-1]])),
        ("LOS-6", "a record too few", "BAD_FIELD", parts.whole(records=records[1:])),
        (
            "LOS-6",
            "a slice beyond the last",
            "BAD_FIELD",
            parts.whole(records=[*records, replace(records[-1], slice=99)]),
        ),
        (
            "LOS-7",
            "a level beyond all",
            "BAD_SYMBOL",
            parts.whole(records=[*records[:moved], far, *records[moved + 1 :]]),
        ),
        (
            "LOS-7",
            "a digit beyond all",
            "BAD_SYMBOL",
            parts.whole(records=[*records[:moved], apart, *records[moved + 1 :]]),
        ),
        ("LOS-8", "a reference of a tensor that is not there", "BAD_FIELD", _added(parts, 7)),
        ("LOS-8", "a reference of integers", "BAD_FIELD", _added(parts, 2)),
        (
            "LOS-8",
            "a reference of another kind",
            "BAD_FIELD",
            parts.whole(replace(parts.head, products={0: Pruned(threshold=1)})),
        ),
        ("LOS-8", "a reference of a tensor without a source", "BAD_FIELD", _added(parts, 0, None)),
        ("LOS-7", "layers that do not rise", "WRONG_PARENT", _layers(parts)),
        ("", "a base", "WRONG_PARENT", old[0]),
    ]
    return [{"requirement": r, "name": n, "error": e, "update": u.hex()} for r, n, e, u in wrong]


def _far(parts: _Parts, old: Units, record: Record, row: int) -> Record:
    """Moves of a finest level beyond all, or of a first one that is far from those after it."""
    head = Head.read(parts.head.units[0].head)
    units = [read_unit(unit) for unit in old]
    before = Head.read(units[0].head)
    climbs = climbs_of(before, records_of(units, len(before.slices)))
    own = [None if source is None else climbs[source] for source in parts.head.sources]
    places = [place for unit in parts.head.units for place in unit.places]
    trits = sum(place.slice == record.slice for place in places) - 1
    expected = expect(head, head.slices[record.slice], trits, own)
    levels = [level.copy() for level in expected.levels]
    levels[row][0] = 1 << 30
    levels[row][0] += row == -1
    payload = bytes(trits) + moves.encode(levels, expected.levels, expected.widths)
    return replace(record, payload=payload)


def _digits(parts: _Parts) -> bytes:
    """An integer slice that is refined once more than its exponent allows."""
    head = Head.read(parts.head.units[0].head)
    index = next(i for i, piece in enumerate(head.slices) if not piece.dtype.is_float)
    run, *_ = head.slices[index].runs
    count = head.codes[run.tensor].step + 1
    made = [
        Place(slice=index, operation=operation, way=Way.MOVED)
        for operation in (Operation.LEVELS, *[Operation.DIGITS] * count)
    ]
    first, *rest = (
        replace(unit, places=tuple(place for place in unit.places if place.slice != index))
        for unit in parts.head.units
    )
    places = tuple(sorted([*first.places, *made], key=lambda place: place.slice))
    others = [record for record in parts.unit.records if record.slice != index]
    moves_of_it = Record(
        slice=index, operation=Operation.MOVES, payload=bytes(count) + bytes(count + 1)
    )
    records = sorted([*others, moves_of_it], key=lambda record: record.slice)
    return parts.whole(replace(parts.head, units=(replace(first, places=places), *rest)), records)


def _kinds(parts: _Parts) -> bytes:
    units = (parts.head.units[0], replace(parts.head.units[1], kind=UnitKind.BASE))
    return parts.whole(replace(parts.head, units=units))


def _kept(parts: _Parts) -> bytes:
    base = parts.head.units[0]
    extra = replace(base.places[-1], way=Way.KEPT)
    units = (replace(base, places=(*base.places, *[extra] * 3)), *parts.head.units[1:])
    return parts.whole(replace(parts.head, units=units))


def _raw_moved(parts: _Parts) -> bytes:
    first = parts.head.units[0].places[0]
    return parts.placed(0, 0, replace(first, operation=Operation.RAW))


def _sourced(parts: _Parts, source: int) -> bytes:
    return parts.whole(replace(parts.head, sources=(source, *parts.head.sources[1:])))


def _added(parts: _Parts, place: int, source: int | None = 0) -> bytes:
    """Something is added to a tensor; where the first one comes from."""
    ones = np.ones((40, 40), np.int32)
    product = LowRank(left=ones[:, :1], right=ones[:1, :16], shift=9)
    sources = (source, *parts.head.sources[1:])
    return parts.whole(replace(parts.head, sources=sources, products={place: product}))


def _layers(parts: _Parts) -> bytes:
    units = (parts.head.units[0], replace(parts.head.units[1], layer=0))
    return parts.whole(replace(parts.head, units=units))


def content() -> dict[str, str]:
    """The files by their paths."""
    files = {"valid/lossy.json": valid(), "invalid/lossy.json": invalid()}
    return {
        path: "[\n " + ",\n ".join(json.dumps(case) for case in cases) + "\n]\n"
        for path, cases in files.items()
    }


if __name__ == "__main__":
    for path, text in content().items():
        (FOLDER / path).write_text(text)
        print(f"{FOLDER / path}: {len(text)} characters")
