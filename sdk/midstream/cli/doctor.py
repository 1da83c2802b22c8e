"""doctor: what this machine can do, and how fast."""

import argparse
import platform
import time
from importlib import metadata
from typing import Any

import numpy as np

from midstream import fec, kernels
from midstream.cli.output import Output
from midstream.codec import Context, levels
from midstream.errors import RuntimeMissingError
from midstream.runtime import find_backend
from midstream.store.disk import default_folder
from midstream.version import __version__

__all__ = ["add_verbs"]

_LIBRARIES = ("numpy", "aiohttp", "tuf", "securesystemslib", "pynacl", "reedsolo", "zstandard")
_WEIGHTS = 1 << 18


def add_verbs(verbs: Any) -> None:
    """Declare doctor."""
    parser = verbs.add_parser(
        "doctor",
        help="say what this machine can do, and how fast",
        description="Say which runtime, libraries and kernels are in use, how fast they decode "
        "and repair here, and what is missing. Exit code 3 where no runtime is installed.",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace, output: Output) -> None:  # noqa: ARG001 - every verb's shape
    found: dict[str, Any] = {
        "midstream": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernels": kernels.__name__ + " (NumPy)",
        "decode_mweights_per_s": round(_decode_speed(), 1),
        "repair_mb_per_s": round(_repair_speed(), 1),
        "store": str(default_folder()),
        **{name: metadata.version(name) for name in _LIBRARIES},
    }
    missing: RuntimeMissingError | None = None
    try:
        backend = find_backend()
        found["runtime"] = f"{backend.name} {backend.version}"
    except RuntimeMissingError as error:
        found["runtime"] = None
        missing = error
    for key, value in found.items():
        output.say(f"{key}: {'none' if value is None else value}")
    if missing is not None:
        raise missing
    output.result(found)


def _decode_speed() -> float:
    """Millions of weights a second, of Gaussian levels in four slices."""
    rng = np.random.default_rng(0)
    part = _WEIGHTS // 4
    context = Context(shape=np.ones(part, np.int8), width=np.full(part, 16, np.int16))
    drawn = [np.rint(rng.standard_normal(part) * 2).astype(np.int32) for _ in range(4)]
    payloads = [memoryview(levels.encode(values, context)) for values in drawn]
    levels.decode(payloads, [context] * 4)
    start = time.perf_counter()
    levels.decode(payloads, [context] * 4)
    return _WEIGHTS / (time.perf_counter() - start) / 1e6


def _repair_speed() -> float:
    """Megabytes a second, 32 packets of which 4 are lost."""
    packets = np.random.default_rng(0).integers(0, 256, (32, 1 << 14), np.uint8)
    symbols = np.concatenate([packets, fec.encode(packets, 8)])
    present = np.ones(40, np.bool_)
    present[:4] = False
    fec.repair(symbols, 32, present)
    start = time.perf_counter()
    fec.repair(symbols, 32, present)
    return packets.size / (time.perf_counter() - start) / 1e6
