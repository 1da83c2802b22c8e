"""What a ladder costs over releases with one rung, by weights alone."""

from typing import Any

from comparison.bench import Bench
from comparison.curves import Point, bytes_at, decibels_at
from comparison.lossy import is_lossy, nncodec_curves
from comparison.networks import Network
from comparison.weights import holes, weight_snr
from midstream import encode, rebuild

__all__ = ["measure_ladders"]

_RATE = 5.0
"""Bits a weight, NNCodec's, at whose SNR the highest rung is."""
_BELOW_DB = (16.0, 8.0)
"""How far the other rungs are below it."""
_AROUND_DB = 0.8
_TO_EXACT = "2.5b,4b,6b,exact"


def measure_ladders(bench: Bench, network: Network) -> dict[str, Any]:
    """A ladder with exact over exact alone, and three rungs over one layer as good."""
    model = network.model
    climbed = [unit.data for unit in encode(model, ladder=_TO_EXACT).units]
    if bytes(rebuild(climbed)) != model:
        raise RuntimeError(f"{network.name}: the exact unit does not give the model file back")
    direct = sum(len(unit.data) for unit in encode(model, ladder="exact").units)
    row: dict[str, Any] = {
        "to_exact": [len(unit) for unit in climbed],
        "direct": direct,
        "exact": sum(map(len, climbed)) / direct,
    }
    return row | (_three_rungs(bench, network) if is_lossy(network) else {})


def _three_rungs(bench: Bench, network: Network) -> dict[str, Any]:
    curves = nncodec_curves(bench, network)
    points = [Point(size=p["size"], db=p["weight_db"]) for curve in curves for p in curve]
    weights = sum(tensor.weights for tensor in holes(network.model))
    top = decibels_at(points, _RATE * weights / 8)
    assert top is not None, "NNCodec's curves reach beyond 6 bits"
    rungs = [f"{top - below:.2f}dB" for below in (*_BELOW_DB, 0.0)]
    units = [unit.data for unit in encode(network.model, ladder=rungs).units]
    ladder = sum(map(len, units))
    here = weight_snr(network.model, bytes(rebuild(units)))
    around = [_one_layer(network.model, here + shift) for shift in (-_AROUND_DB, _AROUND_DB)]
    single = bytes_at(around, here)
    if single is None:
        raise RuntimeError(f"{network.name}: {here:.2f} dB is not between {around}")
    return {
        "rungs": rungs,
        "units": [len(unit) for unit in units],
        "db": here,
        "one_layer": single,
        "rungs_over_one": ladder / single,
    }


def _one_layer(model: bytes, db: float) -> Point:
    unit = encode(model, ladder=f"{db:.2f}dB").units[0].data
    return Point(size=len(unit), db=weight_snr(model, bytes(rebuild([unit]))))
