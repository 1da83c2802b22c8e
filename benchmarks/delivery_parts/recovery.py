"""Repair symbols and repair of lost packets, beside every package that codes blocks.

Calls by turns in one run, a process for each coder, medians of several turns.
"""

import os
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comparison.processes import Worker
from delivery_parts.coders import OWN, PEERS, Shape
from reach.figures import Figure

__all__ = ["COST", "measure_recovery", "recovery_figures"]

_SHAPES = {
    "16 KiB": Shape(source=32, repair=8, size=1 << 14),
    "1,200 B": Shape(source=32, repair=8, size=1200),
}
"""Packets over HTTP, and over UDP."""
_ERASURES = 4
_TURN_BYTES = 4 << 20
_SLOW = {"creedsolo": 1}
"""Blocks of a turn, of those that take seconds for what others do in milliseconds."""
_CALLS = ("encode", "repair")

COST = len(_SHAPES) * (len(PEERS) + len(OWN))
"""Steps of a turn, for the bar."""


def measure_recovery(
    peers: Path, folder: Path, turns: int, advance: Callable[[str], None]
) -> dict[str, Any]:
    """GB/s of packets, of each coder at each size of packets.

    Args:
        peers: Python of the peers' environment.
        folder: For the data.
        turns: How many are measured, after one that warms up.
        advance: Told before each step what is measured.
    """
    data = random.Random(1).randbytes(_TURN_BYTES)
    file = folder / "blocks"
    file.write_bytes(data)
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(name, peers)) for name in (*PEERS, *OWN)}
        rows: dict[str, Any] = {}
        for label, shape in _SHAPES.items():
            requests = {name: _request(name, shape, file) for name in workers}
            speeds: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
            for _ in range(turns + 1):
                for name, worker in workers.items():
                    advance(f"{label}: {name}")
                    speeds[name].append(_speeds(worker.ask("time", **requests[name])))
            rows[label] = {name: _medians(of_turns[1:]) for name, of_turns in speeds.items()}
    return rows


def _worker(name: str, peers: Path) -> Any:
    python = str(peers) if name in PEERS else sys.executable
    folders = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return Worker.running(
        python,
        Path(__file__).with_name("recovery_worker.py"),
        {"PYTHONPATH": os.pathsep.join(filter(None, folders))},
    )


def _request(name: str, shape: Shape, file: Path) -> dict[str, Any]:
    """Other packets are lost in each block."""
    count = _SLOW.get(name, _TURN_BYTES // (shape.source * shape.size))
    rng = random.Random(2)
    lost = [sorted(rng.sample(range(shape.source), _ERASURES)) for _ in range(count)]
    return {"coder": name, "shape": asdict(shape), "file": str(file), "lost": lost}


def _speeds(answer: Mapping[str, float]) -> dict[str, float]:
    return {call: answer["bytes"] / answer[f"{call}_s"] / 1e9 for call in _CALLS}


def _medians(turns: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {call: statistics.median(turn[call] for turn in turns) for call in _CALLS}


def recovery_figures(rows: Mapping[str, Any]) -> list[Figure]:
    """What repair symbols and repair must reach, of what was measured."""
    speeds: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for label, coders in rows.items():
        for call in _CALLS:
            case = f"{call}, {label}"
            speeds[case] = coders[OWN[0]][call]
            ratios[case] = speeds[case] / max(coders[name][call] for name in PEERS)
    return [
        Figure(
            name="RS encode and repair of 4 erasures",
            unit="GB/s",
            note="k=32, r=8, one core: bytes of packets over the time of the calls",
            must=0.6,
            aim=1.5,
            more_is_better=True,
            values=speeds,
        ),
        Figure(
            name="the same over the best package",
            unit="x",
            note="the fastest of the peers in each case, in this run",
            must=1,
            aim=3,
            more_is_better=True,
            values=ratios,
        ),
    ]
