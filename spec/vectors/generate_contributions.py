"""Writes {valid,invalid}/contributions.json and {valid,invalid}/policies.json.

Contributions are to one safetensors file of a few weights. A case of policies.json is a policy, the
contributions that are on offer, by their names in contributions.json, and the file that comes out;
or provenance, and its parts. What encoders give differs by version, so a test holds the committed
contributions to the changes that they give, and policies to their bytes.

PYTHONPATH=sdk python spec/vectors/generate_contributions.py
"""

import hashlib
import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import read_unit, write_unit
from midstream.decoder import decode_contribution
from midstream.encoder import encode, encode_contribution
from midstream.formats import open_model
from midstream.merging import apply_change
from midstream.merging.summing import Sum
from midstream.trust import adapters, provenance
from midstream.trust.adapters import SHARE_UNIT, AdapterPolicy, PolicyPart
from midstream.trust.provenance import Part, Provenance
from midstream.types import UnitKind
from midstream.wire import Reader, Writer

FOLDER = Path(__file__).parent
MODELS = runpy.run_path(str(FOLDER / "update_models.py"))
MODELS["NAMES"]["u2"] = "BF16"
waves = MODELS["waves"]

Change = NDArray[np.float32]


def _bfloat16(values: NDArray[Any]) -> NDArray[Any]:
    return (values.astype("<f4").view("<u4") >> 16).astype("<u2")


PARENT: bytes = MODELS["model"](
    {
        "a": waves(640, 1).reshape(40, 16).astype("<f4"),
        "b": waves(480, 3).reshape(24, 20).astype("<f2"),
        "c": np.rint(waves(60, 5) * 90).reshape(6, 10).astype("|i1"),
        "d": _bfloat16(waves(63, 7)).reshape(9, 7),
    }
)
TENSORS = open_model(PARENT).tensors
SHA256 = hashlib.sha256(PARENT).digest()
FLOATS = 640 + 480 + 63


def change(pace: int, scale: float) -> Change:
    """How far somebody moves each float."""
    return (waves(FLOATS, pace) * scale).astype("<f4")


def plain(changes: Mapping[str, NDArray[Any]], *, cut: int = 0) -> bytes:
    """Changes as values, which are exact; the last bytes of the head may be cut."""
    base = read_unit(encode(MODELS["model"](changes), ladder="exact").units[0].data)
    reader = Reader(base.head)
    reader.blob(limit=len(base.head))
    head = SHA256 + bytes(reader.take(reader.remaining - cut))
    return write_unit(UnitKind.CONTRIBUTION, 0, head, base.records)


def shaped(values: Change) -> dict[str, Change]:
    """Changes as the tensors that they are of."""
    return {
        "a": values[:640].reshape(40, 16),
        "b": values[640:1120].reshape(24, 20),
        "d": values[1120:].reshape(9, 7),
    }


UNITS: dict[str, bytes] = {
    "all changes": encode_contribution(PARENT, change(11, 0.02), share=1.0),
    "the largest changes": encode_contribution(PARENT, change(13, 0.02), share=0.05),
    "one change": encode_contribution(PARENT, change(17, 0.02), share=1e-5),
    "changes as values": plain(shaped(change(19, 0.01))),
}


def decoded(unit: bytes) -> Change:
    """What a contribution changes."""
    return decode_contribution(unit, TENSORS, SHA256)


def valid() -> list[dict[str, Any]]:
    """Contributions, and what they change."""
    return [
        {
            "name": name,
            "model": PARENT.hex(),
            "unit": unit.hex(),
            "changes": decoded(unit).tobytes().hex(),
        }
        for name, unit in UNITS.items()
    ]


def invalid() -> list[dict[str, Any]]:
    """Contributions, each with what is wrong in it."""
    good = read_unit(UNITS["changes as values"])
    head, records = bytes(good.head), list(good.records)
    infinite = change(19, 0.01)
    infinite[77] = np.inf
    number = change(19, 0.01)
    number[1100] = np.nan

    def unit(kind: UnitKind, layer: int, head: bytes, records: Any) -> bytes:
        return write_unit(kind, layer, head, records)

    contribution = UnitKind.CONTRIBUTION
    wrong = [
        (
            "CON-1",
            "another parent",
            "WRONG_PARENT",
            unit(contribution, 0, bytes(32) + head[32:], records),
        ),
        ("CON-2", "a change without end", "BAD_FIELD", plain(shaped(infinite))),
        ("CON-2", "a change that is no number", "BAD_FIELD", plain(shaped(number))),
        ("", "a base", "BAD_FIELD", unit(UnitKind.BASE, 0, head, records)),
        ("", "a layer", "BAD_FIELD", unit(contribution, 1, head, records)),
        ("", "half a parent", "BAD_LENGTH", unit(contribution, 0, head[:16], [])),
        ("", "half its parameters", "BAD_LENGTH", plain(shaped(change(19, 0.01)), cut=3)),
        (
            "",
            "tensors of other shapes",
            "BAD_LENGTH",
            plain({"a": change(19, 0.01).reshape(7, 169)}),
        ),
        ("", "no records", "WRONG_PARENT", unit(contribution, 0, head, [])),
        (
            "",
            "two records of one slice",
            "WRONG_PARENT",
            unit(contribution, 0, head, [records[0], *records]),
        ),
        ("", "a truncated contribution", "BAD_LENGTH", UNITS["all changes"][:-1]),
        ("", "bytes after the end", "TRAILING_BYTES", UNITS["all changes"] + b"\0"),
    ]
    return [{"requirement": r, "name": n, "error": e, "unit": u.hex()} for r, n, e, u in wrong]


EAST, NORTH, WEST = "all changes", "the largest changes", "changes as values"
OFFERED = {"east": EAST, "north": NORTH, "west": WEST}


def policy(*parts: PolicyPart, apart: tuple[str, ...] = (), norm: float = 4.0) -> AdapterPolicy:
    """A policy for the network of these vectors."""
    exclusions = (frozenset(apart),) if apart else ()
    return AdapterPolicy(network="net", parts=parts, never_together=exclusions, largest_norm=norm)


def part(name: str, share: float = 1.0, *, required: bool = False) -> PolicyPart:
    """A part of a policy."""
    return PolicyPart(provider=name, share=round(share * SHARE_UNIT), is_required=required)


def merged(*counted: tuple[str, float]) -> bytes:
    """What comes out where these count, in that order."""
    made = Sum(FLOATS)
    for name, share in counted:
        made.add(decoded(UNITS[OFFERED[name]]), round(share * SHARE_UNIT), SHARE_UNIT)
    return apply_change(PARENT, TENSORS, made.total)


def _norm(name: str) -> float:
    return float(np.linalg.norm(decoded(UNITS[OFFERED[name]]).astype(float)))


def policies() -> list[dict[str, Any]]:
    """Policies, and what they make of what is on offer."""
    third = 21845 / SHARE_UNIT
    between = round((_norm("east") + _norm("west")) / 2, 2)
    cases = [
        ("one", policy(part("east")), [("east", 1.0)]),
        (
            "three, in the order of the policy",
            policy(part("west", third), part("east", 2.5), part("north", 0.5)),
            [("west", third), ("east", 2.5), ("north", 0.5)],
        ),
        (
            "one that is required comes first",
            policy(part("west", third), part("east", required=True)),
            [("east", 1.0), ("west", third)],
        ),
        (
            "of two that never go together, the first",
            policy(part("west"), part("north"), part("east"), apart=("east", "west")),
            [("west", 1.0), ("north", 1.0)],
        ),
        (
            "one that is not on offer keeps nobody out",
            policy(part("nobody"), part("east"), apart=("east", "nobody")),
            [("east", 1.0)],
        ),
        (
            "one of too large a norm",
            policy(part("east"), part("west"), norm=between),
            [("west" if _norm("west") < between else "east", 1.0)],
        ),
    ]
    return [
        {
            "name": name,
            "policy": adapters.encode(made).hex(),
            "offered": OFFERED,
            "counted": [list(pair) for pair in counted],
            "merged": merged(*counted).hex(),
        }
        for name, made, counted in cases
    ]


MADE = Provenance(
    parent=3,
    rule="multi-krum",
    gate=(0.875, 0.9375),
    parts=(
        Part(provider="east", version=7, unit=bytes(range(16)), share=0.5),
        Part(provider="west", version=9, unit=bytes(16), refused="norm 9, at most 4"),
    ),
)
PLAIN = Provenance(parent=1, rule="revert", parts=())


def provenances() -> list[dict[str, Any]]:
    """What merged releases were made of."""
    return [
        {
            "name": name,
            "provenance": provenance.encode(made).value.hex(),
            "parent": made.parent,
            "rule": made.rule,
            "gate": made.gate,
            "parts": [
                [p.provider, p.version, p.unit.hex(), p.share, p.refused] for p in made.parts
            ],
        }
        for name, made in (("a merge with a gate", MADE), ("a revert", PLAIN))
    ]


def bad_policies() -> list[dict[str, Any]]:
    """Policies that cannot be read, and some that leave nothing."""
    good = adapters.encode(policy(part("east"), part("west"), apart=("east", "west")))
    body = good[:-4]  # without the exclusion
    required = body[:18] + b"\x02" + b"\x04east\x80\x80\x04\x01" + b"\x04west\x80\x80\x04\x01"
    shapes = [
        ("another magic", "BAD_MAGIC", b"MDM" + good[3:]),
        ("another version", "BAD_VERSION", good[:3] + b"\1" + good[4:]),
        ("a truncated policy", "BAD_LENGTH", good[:-1]),
        ("bytes after the end", "TRAILING_BYTES", good + b"\0"),
        ("no parts", "BAD_FIELD", good[:16] + b"\0\0"),
        ("seventeen parts", "OVER_LIMIT", good[:16] + b"\x11" + good[17:]),
        ("a provider twice", "BAD_FIELD", good.replace(b"west", b"east")),
        ("a share of nothing", "BAD_FIELD", good.replace(b"east\x80\x80\x04", b"east\0")),
        (
            "a share over sixteen",
            "OVER_LIMIT",
            good.replace(b"east\x80\x80\x04", b"east\x81\x80\x40"),
        ),
        ("unknown flags", "BAD_FIELD", good.replace(b"east\x80\x80\x04\0", b"east\x80\x80\x04\2")),
        ("no name", "BAD_FIELD", good.replace(b"east", b"East")),
        ("a norm of 0", "BAD_FIELD", good[:8] + bytes(8) + good[16:]),
        ("a norm that is no number", "BAD_FIELD", good[:8] + b"\xff" * 8 + good[16:]),
        ("an exclusion of one", "BAD_FIELD", body + b"\1\1\0"),
        ("an exclusion that falls", "BAD_FIELD", body + b"\1\2\1\0"),
        ("an exclusion of a stranger", "OVER_LIMIT", body + b"\1\2\0\2"),
        ("two of one exclusion required", "BAD_FIELD", required[:8] + required[8:] + b"\1\2\0\1"),
    ]
    return [
        {"requirement": "CON-9", "name": n, "error": e, "policy": p.hex()} for n, e, p in shapes
    ]


def refused_merges() -> list[dict[str, Any]]:
    """Policies that leave nothing to merge, or lack what they require."""
    cases = [
        ("CON-11", "nobody who is on offer", "NOT_FOUND", policy(part("nobody"))),
        ("CON-11", "one that is required and missing", "NOT_FOUND",
         policy(part("east"), part("south", required=True))),
        ("CON-11", "one that is required and no provider", "UNKNOWN_ROLE",
         policy(part("east"), part("nobody", required=True))),
        ("CON-12", "one that is required and too large", "OVER_LIMIT",
         policy(part("north"), part("east", required=True), norm=2.0**-30)),
        ("CON-12", "all too large", "NOT_FOUND", policy(part("north"), norm=2.0**-60)),
    ]  # fmt: skip
    return [
        {
            "requirement": requirement,
            "name": name,
            "error": error,
            "policy": adapters.encode(made).hex(),
            "offered": OFFERED,
        }
        for requirement, name, error, made in cases
    ]


def bad_provenances() -> list[dict[str, Any]]:
    """Provenance that cannot be read."""
    good = provenance.encode(MADE).value
    start = Writer().varint(1).text("mean").u8(0)
    share = Writer().raw(start.bytes()).varint(1).text("e").varint(1).raw(bytes(16))
    cases = [
        ("a truncated provenance", "BAD_LENGTH", good[:-1]),
        ("bytes after the end", "TRAILING_BYTES", good + b"\0"),
        ("a gate of kind 2", "BAD_FIELD", good[:12] + b"\2" + good[13:]),
        ("too many parts", "OVER_LIMIT", start.varint(1025).bytes()),
        ("a share over one", "OVER_LIMIT", share.varint(1_000_001).text("").bytes()),
    ]
    return [{"name": n, "error": e, "provenance": p.hex()} for n, e, p in cases]


def content() -> dict[str, str]:
    """The files by their paths."""
    files = {
        "valid/contributions.json": valid(),
        "invalid/contributions.json": invalid(),
        "valid/policies.json": [*policies(), *provenances()],
        "invalid/policies.json": [*bad_policies(), *refused_merges(), *bad_provenances()],
    }
    return {
        path: "[\n " + ",\n ".join(json.dumps(case) for case in cases) + "\n]\n"
        for path, cases in files.items()
    }


if __name__ == "__main__":
    for path, text in content().items():
        (FOLDER / path).write_text(text)
        print(f"{FOLDER / path}: {len(text)} characters")
