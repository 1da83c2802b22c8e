"""Bytes at equal output SNR on natural inputs, beside NNCodec, and what a ladder costs there."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from comparison.bench import Bench
from comparison.curves import Point, bytes_at, cheapest_at
from comparison.lossy import NONWEIGHT_QPS, nncodec_model
from comparison.natural import natural_inputs
from comparison.networks import Network
from comparison.ours import OutputsEncoder
from comparison.search import search
from comparison.weights import holes, skeleton_size
from midstream import rebuild
from midstream.errors import RefusedError
from midstream.runtime.backend import Array
from midstream.runtime.fidelity import Evaluator
from reach.figures import geometric_mean

__all__ = ["TARGETS", "measure_outputs"]

TARGETS = (12.0, 20.0, 30.0)
"""Output SNR at which bytes are compared, dB."""
_FIRST_QP, _COARSEST_QP, _FINEST_QP, _STEP = -16, 12, -76, 2
_MARGIN_DB = 1.0
_SHORT_DB = 0.25
"""How far a rung may be below its target."""


def measure_outputs(bench: Bench, network: Network) -> dict[str, Any]:
    """Our bytes over NNCodec's at each target, data-free and calibrated; rungs over one rung."""
    loaded = bench.backend.load(network.model)
    measured = natural_inputs(network, loaded.inputs, to_calibrate=False)
    calibration = natural_inputs(network, loaded.inputs, to_calibrate=True)
    loaded.close()
    evaluate = _Finite(bench, network, measured)
    theirs = [list(_curve(bench, network, evaluate, qp)) for qp in NONWEIGHT_QPS]
    encode_free = OutputsEncoder(bench.backend, network.model, None)
    encode_calibrated = OutputsEncoder(bench.backend, network.model, calibration)
    free = search(lambda target: _ours(encode_free, evaluate, target), TARGETS)
    calibrated = search(lambda target: _ours(encode_calibrated, evaluate, target), TARGETS)
    skeleton = skeleton_size(network.model)
    curves = [[Point(size=p["size"] + skeleton, db=p["output_db"]) for p in c] for c in theirs]
    row: dict[str, Any] = {
        "targets": TARGETS,
        "skeleton": skeleton,
        "nncodec": [point for curve in theirs for point in curve],
        "points": {"free": free, "calibrated": calibrated},
        "free_ratios": _ratios(free, curves),
        "calibrated_ratios": _ratios(calibrated, curves),
    }
    for key in ("free", "calibrated"):
        reached = [ratio for ratio in row[f"{key}_ratios"] if ratio is not None]
        row[key] = geometric_mean(reached) if reached else None
    return row | _ladder(encode_free, evaluate, free[: len(TARGETS)])


class _Finite:
    """Output SNR on inputs; minus infinity where an output is not finite."""

    def __init__(self, bench: Bench, network: Network, inputs: Sequence[Sequence[Array]]) -> None:
        self._evaluator = Evaluator(bench.backend, network.model, inputs)
        self.key = b"".join(array.tobytes() for arrays in inputs for array in arrays)

    def __call__(self, model: bytes) -> float:
        try:
            return self._evaluator(model)
        except RefusedError:
            return -math.inf


def _curve(
    bench: Bench, network: Network, evaluate: _Finite, nonweight_qp: int
) -> Iterator[dict[str, Any]]:
    """NNCodec's points from below the lowest target to above the highest."""

    def point(qp: int) -> dict[str, Any]:
        def measure() -> dict[str, Any]:
            size, model = nncodec_model(bench, network, qp, nonweight_qp)
            return {"size": size, "output_db": evaluate(model)}

        key = (network.model, holes(network.model), evaluate.key, qp, nonweight_qp)
        kept = bench.kept.get(measure, "outputs", *key)
        return {"qp": qp, "nonweight_qp": nonweight_qp, **kept}

    for qp in range(_FIRST_QP, _COARSEST_QP + 1, _STEP):
        coarser = point(qp)
        yield coarser
        if coarser["output_db"] < TARGETS[0] - _MARGIN_DB:
            break
    for qp in range(_FIRST_QP - _STEP, _FINEST_QP - 1, -_STEP):
        finer = point(qp)
        yield finer
        if finer["output_db"] > TARGETS[-1] + _MARGIN_DB:
            break


def _ours(encode: OutputsEncoder, evaluate: _Finite, target: float) -> dict[str, Any]:
    """A release with one rung at so many decibels of what the encoder measures."""
    rung = f"{target:.2f}dBo"
    unit = encode([rung]).units[0]
    return {
        "rung": rung,
        "asked": target,
        "size": len(unit.data),
        "probes_db": unit.fidelity.output_snr,
        "output_db": evaluate(bytes(rebuild([unit.data]))),
    }


def _envelope(points: Sequence[dict[str, Any]]) -> list[Point]:
    return [Point(size=point["size"], db=point["output_db"]) for point in points]


def _ratios(ours: Sequence[dict[str, Any]], theirs: Sequence[list[Point]]) -> list[float | None]:
    """At each target; None where one side does not reach it."""
    ratios: list[float | None] = []
    for target in TARGETS:
        here, there = bytes_at(_envelope(ours), target), cheapest_at(theirs, target)
        ratios.append(None if here is None or there is None else here / there)
    return ratios


def _ladder(
    encode: OutputsEncoder, evaluate: _Finite, single: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Bytes up to each rung of one ladder, over those of releases with that rung alone.

    A rung that is left out is reached with the next.
    """
    rungs = [f"{target:.2f}dBo" for target in TARGETS]
    units = encode(rungs).units
    stacks = [units[: at + 1] for at in range(len(units))]
    ladder: list[dict[str, Any]] = [
        {
            "rung": stack[-1].rung,
            "size": sum(len(unit.data) for unit in stack),
            "probes_db": stack[-1].fidelity.output_snr,
            "output_db": evaluate(bytes(rebuild([unit.data for unit in stack]))),
        }
        for stack in stacks
    ]
    ratios = [
        _reached(ladder, target) / one["size"] for target, one in zip(TARGETS, single, strict=True)
    ]
    return {"ladder": ladder, "rung_ratios": ratios, "rungs_over_one": geometric_mean(ratios)}


def _reached(ladder: Sequence[dict[str, Any]], target: float) -> float:
    """Bytes up to the first rung that reaches a target where the encoder measures."""
    enough = (row["size"] for row in ladder if row["probes_db"] >= target - _SHORT_DB)
    return float(next(enough, math.inf))
