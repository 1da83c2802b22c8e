"""Lossy updates of real fine-tunes, beside NNCodec's incremental mode. Knows nothing of training.

Both hold the old release at an output SNR, each by its own base, and update it to the same output
SNR of the new one. Outputs are the logits of the network on inputs of its new task.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comparison.curves import Point, bytes_at
from comparison.processes import WorkerWithFolder
from midstream import encode, rebuild
from midstream.decoder import apply_lossy_update
from midstream.encoder.lossy import encode_lossy_update
from midstream.runtime.fidelity import output_snr
from reach.figures import Figure

__all__ = ["KINDS", "TARGETS", "Bench", "lossy_figure", "measure_lossy"]

KINDS = ("all_weights", "last_operators", "low_rank", "pruned", "pruned_and_trained")
"""Fine-tunes that NNCodec has a differential update for: floats of the same shapes."""
TARGETS = (12.0, 20.0, 30.0)
"""Output SNR of either release, dB."""
_NONWEIGHT_QP = -40
"""Of vectors; with -75, which it takes where nothing is said, all its updates were larger."""
_QPS = range(-12, -60, -1)
_COARSER, _STEP, _MOST = 10, 2, 16
"""Updates are tried from so much coarser than their base, in such steps."""


class Bench(WorkerWithFolder):
    """The process that answers for networks and for NNCodec, where both are installed."""

    SCRIPT = Path(__file__).with_name("outputs_worker.py")

    def snr_of(self, network: str, reference: bytes) -> Callable[[bytes | Path], float]:
        """Measures weights by how near outputs are to those of others, dB."""
        original = self._outputs(network, reference)
        return lambda model: output_snr([[original]], [[self._outputs(network, model)]])

    def _outputs(self, network: str, model: bytes | Path) -> Any:
        path, out = self._folder / "model", self._folder / "outputs.npy"
        if isinstance(model, Path):
            path = model
        else:
            path.write_bytes(model)
        self._worker.ask("outputs", network=network, model=str(path), outputs=str(out))
        return np.load(out)

    def nncodec(self, op: str, model: Path, **options: Any) -> tuple[int, Path]:
        """Bytes of a base or of an update of the last base, and what it gives."""
        decoded = self._folder / f"{op}.safetensors"
        answer = self._worker.ask(op, model=str(model), decoded=str(decoded), **options)
        return answer["size"], decoded


@dataclass(frozen=True, kw_only=True)
class _Held:
    """An old release as clients hold it, by us and by NNCodec."""

    units: Sequence[bytes]
    """Our base."""
    qp: int
    """That of the coarsest base of NNCodec's that is at least as near to the old outputs."""


def measure_lossy(
    files: Mapping[str, tuple[Path, Path]], bench: Bench, advance: Callable[[str], None]
) -> dict[str, Any]:
    """Bytes of each update by us and by NNCodec, at each target."""
    rows: dict[str, Any] = {}
    # all fine-tunes of a network begin at one release
    helds: dict[tuple[str, bytes, float], _Held] = {}
    for name, (old, new) in files.items():
        network, _, kind = name.partition("-")
        for target in TARGETS if kind in KINDS else ():
            key = network, old.read_bytes(), target
            if key not in helds:
                helds[key] = _hold(bench, network, old, target)
            rows[f"{name} {target:.0f}"] = _measure(bench, network, (old, new), target, helds[key])
            advance(name)
    return rows


def _hold(bench: Bench, network: str, old: Path, target: float) -> _Held:
    snr = bench.snr_of(network, old.read_bytes())
    units = _encode(old.read_bytes(), snr, target)
    ours = snr(bytes(rebuild(units)))

    def is_near(qp: int) -> bool:
        _, decoded = bench.nncodec("base", old, qp=qp, nonweight_qp=_NONWEIGHT_QP)
        return snr(decoded) >= ours

    return _Held(units=units, qp=_QPS[bisect_left(_QPS, True, key=is_near)])


def _measure(
    bench: Bench, network: str, files: tuple[Path, Path], target: float, held: _Held
) -> dict[str, Any]:
    old, new = files
    after = new.read_bytes()
    snr = bench.snr_of(network, after)
    fresh = _encode(after, snr, target, near=held.units)
    unit = encode_lossy_update(held.units, fresh)
    reached = snr(bytes(rebuild(apply_lossy_update(held.units, unit))))
    size, _ = bench.nncodec("base", old, qp=held.qp, nonweight_qp=_NONWEIGHT_QP)
    points = _curve(bench, new, snr, held.qp, reached)
    return {
        "fresh": sum(map(len, fresh)),
        "update": len(unit),
        "before_db": snr(bytes(rebuild(held.units))),
        "db": reached,
        "nncodec": {"base": size, "qp": held.qp, "points": points},
        "theirs": _bytes_at(points, reached),
    }


def _encode(
    model: bytes, snr: Callable[[bytes], float], target: float, *, near: Sequence[bytes] = ()
) -> list[bytes]:
    """The base of a release at an output SNR."""
    units = encode(
        model,
        ladder=(f"{target:g}dBo",),
        evaluate=lambda stack: snr(bytes(rebuild(stack))),
        measure=snr,
        near=near,
        probes=1,
    ).units
    return [unit.data for unit in units]


def _curve(
    bench: Bench, new: Path, snr: Callable[[Path], float], qp: int, wanted: float
) -> list[dict[str, Any]]:
    """NNCodec's updates of its last base, from coarse ones on until one is as near as ours."""
    points = []
    for step in range(_MOST):
        update_qp = qp + _COARSER - _STEP * step
        for tca in (True, False):
            made, decoded = bench.nncodec(
                "update", new, qp=update_qp, nonweight_qp=_NONWEIGHT_QP, tca=tca
            )
            points.append({"size": made, "db": snr(decoded), "qp": update_qp, "tca": tca})
        if points[-1]["db"] >= wanted:
            break
    return points


def _bytes_at(curve: Sequence[Mapping[str, Any]], db: float) -> float | None:
    """Bytes at so many decibels; of the smallest update where that is nearer already."""
    points = [Point(size=point["size"], db=point["db"]) for point in curve]
    smallest = min(points)
    return smallest.size if smallest.db >= db else bytes_at(points, db)


def lossy_figure(rows: Mapping[str, Any]) -> Sequence[Figure]:
    """What was measured, and what it must be."""
    return (
        Figure(
            name="lossy update over NNCodec's incremental mode",
            unit="x",
            must=0.8,
            aim=0.5,
            is_mean=True,
            values={
                name: row["update"] / row["theirs"]
                for name, row in rows.items()
                if row["theirs"] is not None
            },
            note="bytes at equal output SNR, both on a base of their own of that output SNR",
        ),
    )
