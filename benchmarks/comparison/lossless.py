"""Lossless bytes, beside ZipNN and the general compressors."""

from itertools import product
from typing import Any

from comparison.bench import Bench
from comparison.networks import Network
from comparison.weights import main_dtype
from midstream import encode, rebuild
from midstream.types import DType

__all__ = ["best_zipnn", "measure_lossless"]

_GENERAL = ("zstd", "xz", "brotli")
_CHUNKS = (1 << 18, 1 << 16, 1 << 15)
"""ZipNN's default, and smaller ones: they are the better for small networks."""
_THRESHOLDS = (0.95, 1.0)
"""ZipNN's default, and to keep whatever is smaller at all."""
_DTYPES = {
    DType.FLOAT32: ("float32",),
    DType.FLOAT16: ("float16",),
    DType.BFLOAT16: ("bfloat16",),
}
_ANY = ("bfloat16", "float16", "float32")
"""It has no integers of a byte: the best of what it has."""


def measure_lossless(bench: Bench, network: Network) -> dict[str, Any]:
    """Our bytes of one exact unit, over those of each peer."""
    model = network.model
    units = [unit.data for unit in encode(model, ladder="exact").units]
    if bytes(rebuild(units)) != model:
        raise RuntimeError(f"{network.name}: the exact unit does not give the model file back")
    ours = sum(map(len, units))
    sizes = {"zipnn": best_zipnn(bench, network)["size"]}
    sizes |= {method: _general(bench, model, method) for method in _GENERAL}
    ratios = {f"over_{method}": ours / size for method, size in sizes.items()}
    return {"raw": len(model), "ours": ours, **sizes, **ratios}


def best_zipnn(bench: Bench, network: Network) -> dict[str, Any]:
    """ZipNN's fewest bytes, and the options that gave them; dtype given."""
    dtypes = _DTYPES.get(main_dtype(network.model), _ANY)
    tried = []
    for dtype, chunk, threshold in product(dtypes, _CHUNKS, _THRESHOLDS):
        options = {
            "bytearray_dtype": dtype,
            "compression_chunk": chunk,
            "compression_threshold": threshold,
        }
        answer = bench.kept.get(
            lambda options=options: bench.peers.zipnn(network.model, options),  # type: ignore[misc] # bound now
            "zipnn",
            network.model,
            options,
        )
        tried.append({"size": answer["size"], "same": answer["same"], "options": options})
    if not all(row["same"] for row in tried):
        raise RuntimeError(f"{network.name}: ZipNN does not give the model file back")
    return min(tried, key=lambda row: int(row["size"]))


def _general(bench: Bench, model: bytes, method: str) -> int:
    answer = bench.kept.get(lambda: bench.peers.general(model, method), method, model)
    if not answer["same"]:
        raise RuntimeError(f"{method} does not give the model file back")
    return int(answer["size"])
