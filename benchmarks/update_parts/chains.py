"""Chains of updates beside one direct update, in time. Knows nothing of training."""

import hashlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from midstream.bitstream import Topology
from midstream.decoder import Exact, apply_update, apply_updates
from midstream.encoder.update import encode_update, holes_of
from reach.figures import Figure

__all__ = ["chain_figures", "chains_of", "measure_chains"]

_ROUNDS = 9
"""Of which the median counts."""

Decode = Callable[[], Exact]


def chains_of(folder: Path) -> dict[str, list[Path]]:
    """The files of each chain, in order.

    Raises:
        FileNotFoundError: The folder has none.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted((folder / "chains").glob("*.safetensors")):
        found.setdefault(path.name.split(".")[0], []).append(path)
    if not found:
        raise FileNotFoundError(f"no chains in {folder}: leave out --tunes to make them")
    return found


def measure_chains(
    files: Mapping[str, Sequence[Path]], advance: Callable[[str], None]
) -> dict[str, Any]:
    """Bytes and times of each chain, every way to its end checked bit for bit."""
    rows = {}
    for name, paths in files.items():
        rows[name] = _measure([path.read_bytes() for path in paths])
        advance(name)
    return rows


def _measure(models: Sequence[bytes]) -> dict[str, Any]:
    states = [_exact(model) for model in models]
    links = [
        encode_update(old.topology, old.model, bytes(new.model)) for old, new in pairwise(states)
    ]
    direct = encode_update(states[0].topology, models[0], models[-1])
    ways = {
        "direct": _way(models, [direct], [states[0].id]),
        "chain": _way(models, links, [state.id for state in states[:-1]]),
        "one_by_one": lambda: _one_by_one(models[0], links),
    }
    times = _times(ways, models[-1])
    return {
        "links": len(links),
        "link_bytes": sum(map(len, links)),
        "direct_bytes": len(direct),
        "seconds": {name: statistics.median(taken) for name, taken in times.items()},
        "ratio": _ratio(times, "chain"),
        "one_by_one_ratio": _ratio(times, "one_by_one"),
    }


def _exact(model: bytes) -> Exact:
    return Exact(topology=Topology.cut(model, holes_of(model)), model=model)


def _way(models: Sequence[bytes], units: Sequence[bytes], parents: Sequence[bytes]) -> Decode:
    """What a client does: the first model is read, and hashed, in each round anew."""
    signed = hashlib.sha256(models[-1]).digest()
    return lambda: apply_updates(_exact(models[0]), units, parents=parents, sha256=signed)


def _one_by_one(model: bytes, units: Sequence[bytes]) -> Exact:
    """The same with the hash of every model in between."""
    state = _exact(model)
    for unit in units:
        state = apply_update(state, unit)
    return state


def _times(ways: Mapping[str, Decode], wanted: bytes) -> dict[str, list[float]]:
    """Processor time of each way in each round, all ways in turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            found = way()
            times[name].append(time.process_time() - start)
            assert found.model == wanted, "all ways end in the same bits"
    return times


def _ratio(times: Mapping[str, Sequence[float]], name: str) -> float:
    """The median of the ratios of the rounds: a ratio is of what was measured side by side."""
    pairs = zip(times[name], times["direct"], strict=True)
    return statistics.median(taken / direct for taken, direct in pairs)


def chain_figures(rows: Mapping[str, Any]) -> Sequence[Figure]:
    """What was measured, and what it must be."""
    return (
        Figure(
            name="chain of 20 over one direct update, time to decode",
            unit="x",
            must=25,
            aim=5,
            values={name: row["ratio"] for name, row in rows.items()},
            note="processor time from a model file on; the same bits at the end",
        ),
        Figure(
            name="the same with all models in between hashed",
            unit="x",
            values={name: row["one_by_one_ratio"] for name, row in rows.items()},
        ),
        Figure(
            name="bytes of the chain over those of the direct update",
            unit="x",
            values={name: row["link_bytes"] / row["direct_bytes"] for name, row in rows.items()},
        ),
    )
