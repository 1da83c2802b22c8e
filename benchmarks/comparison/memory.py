"""Peak memory of decoding, beyond the model file that comes out, and of encoding, and its time."""

import mmap
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from comparison.bench import Bench
from comparison.networks import Network
from comparison.processes import ONE_THREAD
from midstream import encode

__all__ = ["measure_memory"]

_LADDERS = ("20dB", "exact")


def measure_memory(bench: Bench, network: Network) -> dict[str, Any]:
    """The most memory that decoding takes, less what is there anyway, bytes.

    Two processes, each fresh, map the units and read all of them; one decodes them into a
    mapped file. The difference of their peaks (VmHWM, mapped pages included), less the pages
    of the model file that comes out, is what decoding takes.
    """
    beyond = {}
    for ladder in _LADDERS:
        units = []
        for at, unit in enumerate(encode(network.model, ladder=ladder).units):
            path = bench.folder / f"{ladder}-{at}.unit"
            path.write_bytes(unit.data)
            units.append(str(path))
        output = bench.folder / "decoded"
        peak, baseline = (_peak(mode, output, units) for mode in ("decode", "baseline"))
        pages = -(-len(network.model) // mmap.PAGESIZE) * mmap.PAGESIZE
        beyond[ladder] = peak - baseline - pages
        if ladder == "exact" and output.read_bytes() != network.model:
            raise RuntimeError(f"{network.name}: decoding does not give the model file back")
    return {"beyond": beyond, "most": max(beyond.values()), **_encoding(bench, network)}


def _encoding(bench: Bench, network: Network) -> dict[str, Any]:
    """Seconds that encoding takes, and its memory beyond the model file that is read, bytes."""
    model = bench.folder / "model"
    model.write_bytes(network.model)
    answer = bench.ours.ask("encode", repeats=1, model=str(model), ladder=_LADDERS[0])
    peak = _peak("encode", Path(_LADDERS[0]), [str(model)])
    baseline = _peak("baseline", Path(_LADDERS[0]), [str(model)])
    return {
        "encode_s": statistics.median(answer["seconds"]),
        "encode_mib": (peak - baseline) / (1 << 20),
    }


def _peak(mode: str, output: Path, units: list[str]) -> int:
    script = Path(__file__).with_name("memory_worker.py")
    done = subprocess.run(
        [sys.executable, str(script), mode, str(output), *units],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env={**os.environ, **ONE_THREAD},
    )
    return int(done.stdout)
