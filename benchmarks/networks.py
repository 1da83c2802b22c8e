"""Real networks through the whole codec: bytes per layer, fidelity, exactness, and does it run.

    python benchmarks/networks.py FOLDER_OR_FILE... [--ladder 2.5b,4b,6b,exact] [--json FILE]

Every .tflite and .safetensors below the paths given is encoded, every layer is rebuilt and,
where the original runs, loaded and run; the exact layer is compared byte for byte. Ratios are
to the raw file and to `zstd -19` of it. Prints a Markdown table; exits 1 where a network is
not exact or a layer does not run.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import zstandard
from rich.progress import track

from midstream import MidstreamError, encode, find_backend, rebuild
from midstream.encoder import EncodedUnit
from midstream.publisher.measure import Outputs
from midstream.runtime.backend import Backend
from midstream.runtime.probes import make_probes


def main() -> int:
    """Measure all networks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--ladder", default="2.5b,4b,6b,exact")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    files = sorted(set(_files(options.paths)))
    backend = find_backend()
    shown = track(files, "networks", disable=not sys.stderr.isatty())
    rows = [measure(file, options.ladder, backend) for file in shown]
    print(f"runtime: {backend.name}\n")
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if all(row["exact"] and row["runs"] != "no" for row in rows) else 1


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (p for p in path.rglob("*") if p.suffix in (".tflite", ".safetensors"))
        else:
            yield path


def measure(file: Path, ladder: str, backend: Backend) -> dict[str, Any]:
    """One network's row."""
    model = file.read_bytes()
    outputs = Outputs.of(model, backend, lambda text: print(f"{file.name}: {text}"))
    start = time.perf_counter()
    hooks: dict[str, Any] = {}
    if outputs is not None:
        hooks = {"evaluate": outputs.evaluate, "measure": outputs.measure, "probes": outputs.probes}
    encoded = encode(model, ladder=ladder, **hooks)
    middle = time.perf_counter()
    layers = [
        bytes(rebuild([u.data for u in encoded.units[: i + 1]])) for i in range(len(encoded.units))
    ]
    end = time.perf_counter()
    total = sum(len(unit.data) for unit in encoded.units)
    return {
        "network": file.name,
        "bytes": len(model),
        "weights": encoded.weights,
        "layers": [_layer(unit) for unit in encoded.units],
        "to_raw": total / len(model),
        "to_zstd": total / len(zstandard.ZstdCompressor(level=19).compress(model)),
        "exact": layers[-1] == model,
        "runs": "-" if outputs is None else "yes" if _all_run(layers, backend) else "no",
        "encode_s": middle - start,
        "rebuild_all_s": end - middle,
    }


def _layer(unit: EncodedUnit) -> dict[str, Any]:
    fidelity = unit.fidelity
    return {
        "rung": unit.rung,
        "bytes": len(unit.data),
        "weight_db": _number(fidelity.weight_snr),
        "output_db": _number(fidelity.output_snr),
    }


def _number(value: float | None) -> float | str | None:
    return "exact" if value is not None and math.isinf(value) else value


def _all_run(layers: Sequence[bytes], backend: Backend) -> bool:
    """Whether every layer loads and runs."""
    for model in layers:
        try:
            network = backend.load(model)
            network.run(make_probes(network.inputs, 1)[0])
            network.close()
        except MidstreamError as error:
            print(f"a layer does not run: {error}")
            return False
    return True


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table."""
    columns = "network | bytes | layers: bytes (weights dB / outputs dB) | / raw | / zstd -19"
    lines = [f"| {columns} | exact | runs |", "|---|--:|---|--:|--:|---|---|"]
    for row in rows:
        layers = " + ".join(
            f"{layer['bytes']} ({_db(layer['weight_db'])} / {_db(layer['output_db'])})"
            for layer in row["layers"]
        )
        lines.append(
            f"| {row['network']} | {row['bytes']} | {layers} | {row['to_raw']:.3f} | "
            f"{row['to_zstd']:.3f} | {'yes' if row['exact'] else 'NO'} | {row['runs']} |"
        )
    return "\n".join(lines)


def _db(value: float | str | None) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
