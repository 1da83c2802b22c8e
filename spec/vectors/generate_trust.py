"""Writes spec/vectors/trust.json: manifests, hash pages, bundles and key files, byte for byte.

PYTHONPATH=sdk python spec/vectors/generate_trust.py
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from midstream.trust import bundle, manifest, tree
from midstream.trust.keys import Cost, Signer
from midstream.trust.manifest import Extension, Manifest, UnitEntry
from midstream.trust.updates import UpdateEntry, with_updates
from midstream.types import Fidelity, UnitKind

TARGET = Path(__file__).parent / "trust.json"

BASE = UnitEntry(
    kind=UnitKind.BASE,
    layer=0,
    size=5000,
    head_size=700,
    packet_size=1200,
    fidelity=Fidelity(weight_snr=17.25, output_snr=21.5, probes=32),
    peak_decode_bytes=70_000,
    source_root=bytes([1]) * 32,
)
EXACT = UnitEntry(
    kind=UnitKind.EXACT,
    layer=1,
    parent=0,
    size=5000,
    packet_size=1200,
    repair_body=150,
    repair_symbols=1,
    parity_size=99,
    fidelity=Fidelity(weight_snr=math.inf, output_snr=math.inf, probes=32),
    peak_decode_bytes=70_000,
    source_root=bytes([2]) * 32,
    repair_root=bytes(range(32)),
)
RELEASE = Manifest(
    name="abr",
    release=1,
    format="tflite",
    model_size=90_000,
    model_sha256=bytes([1]) * 32,
    weights=20_000,
    units=(BASE, EXACT),
)
FILES = {"metadata/timestamp.json": b"{}", "metadata/1.snapshot.json": b"", "units/0011": b"unit"}
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
COST = Cost(operations=1, memory=8192)


def manifests() -> list[Any]:
    """Good ones: the fields that a reader has to find."""
    extended = replace(RELEASE, units=(BASE,), extensions=(Extension(tag=3, value=b"later"),))
    cases = {"a base and an exact unit": RELEASE, "an extension to ignore": extended}
    return [
        {
            "name": name,
            "bytes": manifest.encode(made).hex(),
            "release": f"{made.name}/{made.release}",
            "paths": [
                path
                for entry in made.units
                for path in (entry.path, entry.hashes_path, entry.repair_path)
            ],
            "snr": [str(entry.fidelity.weight_snr) for entry in made.units],
        }
        for name, made in cases.items()
    ]


def wrong_manifests() -> list[Any]:
    """Bad ones, with the error that a reader gives."""
    good = manifest.encode(RELEASE)
    unit = good.index(bytes.fromhex("0008008827"))
    cases = {
        "empty": (b"", "BAD_LENGTH"),
        "another magic": (b"MDX" + good[3:], "BAD_MAGIC"),
        "a later version": (good[:3] + b"\x01" + good[4:], "BAD_VERSION"),
        "cut short": (good[:-1], "BAD_LENGTH"),
        "bytes after the end": (good + b"\x00", "TRAILING_BYTES"),
        "a name that leaves its folder": (good.replace(b"\x03abr", b"\x03../"), "BAD_FIELD"),
        "release 0": (good.replace(b"abr\x01", b"abr\x00"), "BAD_FIELD"),
        "an unknown kind": (good[:unit] + b"\x09" + good[unit + 1 :], "BAD_FIELD"),
        "a reserved flag": (good[: unit + 1] + b"\x48" + good[unit + 2 :], "BAD_FIELD"),
        "a base with a parent": (
            good[: unit + 1] + b"\x09\x00\x00" + good[unit + 3 :],
            "WRONG_PARENT",
        ),
        "a unit that builds on itself": (
            good.replace(bytes.fromhex("021f01008827"), bytes.fromhex("021f01018827")),
            "WRONG_PARENT",
        ),
        "packets of one byte": (good.replace(b"\xb0\x09", b"\x01", 1), "BAD_FIELD"),
        "packets too large": (good.replace(b"\xb0\x09", b"\x81\x80\x01", 1), "OVER_LIMIT"),
        "an extension to understand": (good[:-1] + b"\x01\x02\x00", "BAD_VERSION"),
        "a varint in a longer form": (good.replace(b"abr\x01", b"abr\x81\x00"), "BAD_FIELD"),
    }
    return [
        {"name": name, "bytes": data.hex(), "error": error} for name, (data, error) in cases.items()
    ]


def update(parent: int, release: int, rung: int | None = None) -> UpdateEntry:
    """An update of 900 bytes between two releases: exact without a rung, lossy with one."""
    kind = UnitKind.UPDATE if rung is None else UnitKind.LOSSY_UPDATE
    snr = math.inf if rung is None else 17.25
    unit = replace(BASE, kind=kind, size=900, head_size=60, fidelity=Fidelity(weight_snr=snr))
    return UpdateEntry(
        parent=parent,
        parent_id=bytes([parent]) * 16,
        release=release,
        rung=rung,
        work=12_345,
        unit=unit,
    )


LISTS = {
    "none": (),
    "from the release before, and between earlier ones": (update(1, 2), update(2, 3)),
    "exact and lossy ones": (update(1, 3), update(1, 3, 0), update(2, 3, 4)),
}


def lists() -> list[Any]:
    """Extensions of release 3 that list updates: what a reader has to find in them."""
    return [
        {
            "name": name,
            "extensions": {
                str(one.tag): one.value.hex()
                for one in with_updates(replace(RELEASE, release=3), listed).extensions
            },
            "updates": [
                [u.parent, u.release, u.parent_id.hex(), u.rung, u.work, u.unit.id] for u in listed
            ],
        }
        for name, listed in LISTS.items()
    ]


def wrong_lists() -> list[Any]:
    """Bad ones: the bytes of tag 3, with the error that a reader gives."""
    (one,) = with_updates(replace(RELEASE, release=3), LISTS["none"] + (update(1, 2),)).extensions
    good = one.value
    cases = {
        "a count without updates": (b"\x01", "BAD_LENGTH"),
        "more than 64": (b"\x41", "OVER_LIMIT"),
        "to its own parent": (good[:2] + b"\x00" + good[3:], "WRONG_PARENT"),
        "beyond the release": (good[:2] + b"\x03" + good[3:], "WRONG_PARENT"),
        "from release 0": (good[:1] + b"\x00" + good[2:], "WRONG_PARENT"),
        "a base": (good[:21] + b"\x00" + good[22:], "BAD_FIELD"),
        "more work than 2^48": (
            good[:19] + bytes.fromhex("81808080808040") + good[21:],
            "OVER_LIMIT",
        ),
        "bytes after the end": (good + b"\x00", "TRAILING_BYTES"),
    }
    return [
        {"name": name, "bytes": data.hex(), "error": error} for name, (data, error) in cases.items()
    ]


def pages() -> list[Any]:
    """Hash pages over bytes 0, 1, ... 255, 0, ... in packets of 100 bytes."""
    cases = []
    for size, symbols in ((1, 0), (100, 0), (250, 1), (1001, 3)):
        data = bytes(at % 256 for at in range(size))
        repair = bytes(at % 251 for at in range(100 * symbols))
        page = tree.HashPage.of(data, repair, 100)
        cases.append(
            {
                "size": size,
                "repair_symbols": symbols,
                "page": page.bytes().hex(),
                "source_root": page.source_root.hex(),
                "repair_root": page.repair_root.hex() if page.repair_root else None,
            }
        )
    return cases


def keys() -> list[Any]:
    """The same key plain and sealed; salt and nonce are zero, which no real file has."""
    signer = Signer(SEED)
    return [
        {
            "passphrase": passphrase,
            "bytes": signer.to_bytes(passphrase, random=bytes, cost=COST).hex(),
            "public": signer.public.raw.hex(),
            "keyid": signer.public.keyid,
        }
        for passphrase in (None, "correct horse")
    ]


def vectors() -> Any:
    """All of them."""
    return {
        "manifests": manifests(),
        "wrong_manifests": wrong_manifests(),
        "update_lists": lists(),
        "wrong_update_lists": wrong_lists(),
        "hash_pages": pages(),
        "bundle": {
            "files": {path: data.hex() for path, data in FILES.items()},
            "bytes": bundle.encode(FILES).hex(),
        },
        "key_files": keys(),
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(vectors(), indent=1) + "\n")
    print(TARGET)
