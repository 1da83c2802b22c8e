"""Speeds beside NNCodec's and ZipNN's: calls by turns, medians, ratios within one run."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from comparison.bench import Bench
from comparison.lossless import best_zipnn
from comparison.lossy import is_lossy, nncodec_curves
from comparison.networks import Network
from comparison.processes import Worker
from comparison.weights import arrays_of, holes
from midstream import encode

__all__ = ["measure_speed"]

_RATE = 4.0
"""Bits a weight, about, at which lossy coding is timed."""
_CALLS = 3
"""In a row, of each side alike: the first finds other processes' data in the caches."""
_SLOW = 10_000_000
"""Weights from which three turns are enough, of one call each."""


def measure_speed(bench: Bench, network: Network) -> dict[str, Any]:
    """How many times as fast as its peer each way of coding is; seconds are medians."""
    weights = sum(tensor.weights for tensor in holes(network.model))
    turns, calls = (min(bench.repeats, 3), 1) if weights > _SLOW else (bench.repeats, _CALLS)
    lossy = _lossy(bench, network, turns, calls) if is_lossy(network) else {}
    return {"weights": weights, **lossy, **_lossless(bench, network, turns)}


def _lossy(bench: Bench, network: Network, turns: int, calls: int) -> dict[str, Any]:
    """At the same weight SNR, NNCodec with the settings that are the smaller there."""
    weights = sum(tensor.weights for tensor in holes(network.model))
    points = [point for curve in nncodec_curves(bench, network) for point in curve]
    near = min(points, key=lambda point: abs(point["size"] * 8 / weights - _RATE))
    ladder = f"{near['weight_db']:.2f}dB"
    arrays = arrays_of(network.model)
    model, units = _files(bench, network, ladder)
    peer: list[dict[str, Any]] = []

    def theirs() -> float:
        qps = {"qp": near["qp"], "nonweight_qp": near["nonweight_qp"]}
        peer.append(bench.peers.nncodec(arrays, **qps, repeats=calls)[0])
        return 0.0

    runs = _by_turns(
        [
            theirs,
            lambda: _seconds(bench.ours, "encode", calls, model=model, ladder=ladder),
            lambda: _seconds(bench.ours, "decode", calls, units=units),
            lambda: _seconds(bench.twin, "decode", calls, units=units),
        ],
        turns,
    )
    encode_s = statistics.median(answer["encode_s"] for answer in peer[1:])
    decode_s = statistics.median(answer["decode_s"] for answer in peer[1:])
    return {
        "nncodec_encode_s": encode_s,
        "nncodec_decode_s": decode_s,
        "encode_s": runs[1],
        "decode_s": runs[2],
        "twin_decode_s": runs[3],
        "lossy_encode": encode_s / runs[1],
        "lossy_decode": decode_s / runs[2],
        "twin": decode_s / runs[3],
    }


def _lossless(bench: Bench, network: Network, turns: int) -> dict[str, Any]:
    options = best_zipnn(bench, network)["options"]
    _, units = _files(bench, network, "exact")
    theirs, ours = _by_turns(
        [
            lambda: _median(bench.peers.zipnn(network.model, options, repeats=_CALLS)),
            lambda: _median(bench.ours.ask("decode", units=units, repeats=_CALLS)),
        ],
        turns,
    )
    return {"zipnn_decode_s": theirs, "exact_decode_s": ours, "lossless_decode": theirs / ours}


def _by_turns(calls: Sequence[Callable[[], float]], turns: int) -> list[float]:
    """Each call's median over so many turns, after one that warms up."""
    seconds = [[call() for call in calls] for _ in range(turns + 1)][1:]
    return [statistics.median(column) for column in zip(*seconds, strict=True)]


def _seconds(worker: Worker, op: str, calls: int, **request: Any) -> float:
    return _median(worker.ask(op, repeats=calls, **request))


def _median(answer: dict[str, Any]) -> float:
    return float(statistics.median(answer["seconds"]))


def _files(bench: Bench, network: Network, ladder: str) -> tuple[str, list[str]]:
    """The model and its units as files."""
    model = bench.folder / "model"
    model.write_bytes(network.model)
    units = []
    for at, unit in enumerate(encode(network.model, ladder=ladder).units):
        path = bench.folder / f"{ladder}-{at}.unit"
        path.write_bytes(unit.data)
        units.append(path)
    return str(model), [str(Path(unit)) for unit in units]
