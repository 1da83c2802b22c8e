"""Bytes at equal weight SNR, beside NNCodec."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comparison.bench import Bench
from comparison.curves import Point, cheapest_at, decibels_at
from comparison.networks import Network
from comparison.weights import arrays_of, holes, skeleton_size, weight_snr, with_arrays
from midstream import encode, rebuild
from midstream.types import DType
from reach.figures import geometric_mean

__all__ = ["RATES", "is_lossy", "measure_bytes", "nncodec_curves", "nncodec_model"]

RATES = (2, 3, 4, 5, 6)
"""Bits a weight, NNCodec's, at which bytes are compared."""
NONWEIGHT_QPS = (-75, -40)
"""NNCodec's default for vectors, and a coarser one that is often the better."""
_FIRST_QP, _LAST_QP, _STEP = -12, -96, 4
_COARSEST_QP = 12
_MOST_RATE, _LEAST_RATE = 8.0, 1.2
_SLACK_DB = 0.05


def is_lossy(network: Network) -> bool:
    """Whether all its weights are floats: others have no SNR that both sides share."""
    return all(t.dtype.is_float or t.dtype is DType.INT32 for t in holes(network.model))


def measure_bytes(bench: Bench, network: Network) -> dict[str, Any]:
    """Our bytes over NNCodec's at the SNR that NNCodec has at each rate.

    The skeleton (the file without weights) is in both: ours has it in its unit, and NNCodec's
    arrays get it added. `alone` is without it on either side.
    """
    skeleton = skeleton_size(network.model)
    curves = nncodec_curves(bench, network)
    whole = [[Point(size=p["size"] + skeleton, db=p["weight_db"]) for p in c] for c in curves]
    every = [Point(size=p["size"], db=p["weight_db"]) for curve in curves for p in curve]
    rows = []
    for rate in RATES:
        db = decibels_at(every, rate * _weights(network) / 8)
        if db is None:
            continue
        size, here = _ours(network.model, db)
        theirs = cheapest_at(whole, here)
        assert theirs is not None, "NNCodec's curves reach beyond the rates compared"
        alone = (size - skeleton) / (theirs - skeleton)
        row = {"rate": rate, "db": here, "ours": size, "theirs": theirs}
        rows.append({**row, "ratio": size / theirs, "alone": alone})
    return {
        "skeleton": skeleton,
        "rows": rows,
        "ratio": geometric_mean(row["ratio"] for row in rows),
        "alone": geometric_mean(row["alone"] for row in rows),
        "nncodec": [point for curve in curves for point in curve],
    }


def _weights(network: Network) -> int:
    return sum(tensor.weights for tensor in holes(network.model))


def _ours(model: bytes, db: float) -> tuple[int, float]:
    """Bytes and measured SNR of a release with one rung."""
    unit = encode(model, ladder=f"{db:.2f}dB").units[0].data
    here = weight_snr(model, bytes(rebuild([unit])))
    if here < round(db, 2) - _SLACK_DB:
        raise RuntimeError(f"asked for {db:.2f} dB, decoded to {here:.2f} dB")
    return len(unit), here


def nncodec_curves(bench: Bench, network: Network) -> list[list[dict[str, Any]]]:
    """NNCodec's points for each way to code vectors, from the coarsest that is of use."""
    return [list(_curve(bench, network, nonweight_qp)) for nonweight_qp in NONWEIGHT_QPS]


def _curve(bench: Bench, network: Network, nonweight_qp: int) -> Iterator[dict[str, Any]]:
    """From the coarsest to the finest."""
    weights = _weights(network)
    coarser = []
    for qp in range(_FIRST_QP, _COARSEST_QP + 1, _STEP):
        coarser.append(_point(bench, network, qp, nonweight_qp))
        if coarser[-1]["size"] * 8 < _LEAST_RATE * weights:
            break
    yield from reversed(coarser)
    for qp in range(_FIRST_QP - _STEP, _LAST_QP, -_STEP):
        point = _point(bench, network, qp, nonweight_qp)
        yield point
        if point["size"] * 8 > _MOST_RATE * weights:
            break


def _point(bench: Bench, network: Network, qp: int, nonweight_qp: int) -> dict[str, Any]:
    def measure() -> dict[str, Any]:
        size, model = nncodec_model(bench, network, qp, nonweight_qp)
        return {"size": size, "weight_db": weight_snr(network.model, model)}

    kept = bench.kept.get(measure, "nncodec", network.model, holes(network.model), qp, nonweight_qp)
    return {"qp": qp, "nonweight_qp": nonweight_qp, **kept}


def nncodec_model(bench: Bench, network: Network, qp: int, nonweight_qp: int) -> tuple[int, bytes]:
    """NNCodec's bytes, and the model file with the weights that its decoder gives."""
    arrays = arrays_of(network.model)
    answer, decoded = bench.peers.nncodec(arrays, qp=qp, nonweight_qp=nonweight_qp)
    _check_shapes(arrays, decoded)
    return int(answer["size"]), with_arrays(network.model, decoded)


def _check_shapes(sent: list[NDArray[np.generic]], received: list[NDArray[np.generic]]) -> None:
    shapes = [array.shape for array in sent]
    if shapes != [array.shape for array in received]:
        raise RuntimeError("NNCodec's decoder gave other shapes than its encoder took")
    if not all(math.isfinite(float(np.abs(array).max())) for array in received):
        raise RuntimeError("NNCodec's decoder gave a number that is not finite")
