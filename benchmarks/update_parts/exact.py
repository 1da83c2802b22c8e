"""Exact updates of real fine-tunes, beside peers and fresh units. Knows nothing of training."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from midstream import decoder, encode
from midstream.bitstream import Topology
from midstream.decoder import Exact
from midstream.encoder.update import encode_update, holes_of
from reach.figures import Figure

__all__ = ["best_peer", "exact_figures", "measure_exact", "pairs"]

_LAST = "last_operators"


def pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """The files of each fine-tune, before and after."""
    return {
        old.name.removesuffix(".old.safetensors"): (
            old,
            old.with_name(old.name.replace(".old.", ".new.")),
        )
        for old in sorted(folder.glob("*.old.safetensors"))
    }


def measure_exact(
    files: Mapping[str, tuple[Path, Path]],
    peers: "subprocess.Popen[str]",
    advance: Callable[[str], None],
) -> dict[str, Any]:
    """Bytes of each update by us and by each peer, every round trip checked."""
    rows: dict[str, Any] = {}
    for name, (old, new) in files.items():
        rows[name] = {**_ours(old.read_bytes(), new.read_bytes()), "peers": _ask(peers, old, new)}
        advance(name)
    return rows


def _ours(old: bytes, new: bytes) -> dict[str, Any]:
    topology = Topology.cut(old, holes_of(old))
    start = time.perf_counter()
    unit = encode_update(topology, old, new)
    middle = time.perf_counter()
    came = decoder.apply_update(Exact(topology=topology, model=old), unit)
    end = time.perf_counter()
    assert came.model == new, "an update gives the new file"
    fresh = sum(len(part.data) for part in encode(new, ladder="exact").units)
    return {
        "model": len(new),
        "update": len(unit),
        "fresh": fresh,
        "encode_seconds": middle - start,
        "decode_seconds": end - middle,
    }


def _ask(peers: "subprocess.Popen[str]", old: Path, new: Path) -> dict[str, int | None]:
    assert peers.stdin is not None, "it is a pipe"
    assert peers.stdout is not None, "it is a pipe"
    peers.stdin.write(json.dumps({"old": str(old), "new": str(new)}) + "\n")
    peers.stdin.flush()
    line = peers.stdout.readline()
    if not line:
        raise RuntimeError("the peers' process ended; what it said is above")
    sizes: dict[str, int | None] = json.loads(line)
    return sizes


def best_peer(row: Mapping[str, Any]) -> int:
    """Bytes of the best peer."""
    return min(size for size in row["peers"].values() if size is not None)


def exact_figures(rows: Mapping[str, Any]) -> Sequence[Figure]:
    """What was measured, and what it must be."""
    return (
        Figure(
            name="exact update over the best peer",
            unit="x",
            must=0.9,
            aim=0.6,
            is_mean=True,
            limit=1.0,
            values={name: row["update"] / best_peer(row) for name, row in rows.items()},
            note="bytes of a unit over the least of bsdiff, xdelta3, zstd --patch-from and ZipNN",
        ),
        Figure(
            name="last operators over fresh exact units",
            unit="x",
            must=0.1,
            aim=0.03,
            values={
                name: row["update"] / row["fresh"] for name, row in rows.items() if _LAST in name
            },
            note="bytes of a unit over those of the whole model by `--ladder exact`",
        ),
        Figure(
            name="any update over fresh exact units",
            unit="x",
            values={name: row["update"] / row["fresh"] for name, row in rows.items()},
            note="the same of every kind",
        ),
    )
