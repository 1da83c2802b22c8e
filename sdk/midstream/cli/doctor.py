"""doctor: what this machine can do, and how fast."""

import argparse
import platform
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream import fec, kernels
from midstream.cli.output import Output
from midstream.codec import Context, exact, grid, levels
from midstream.errors import RuntimeMissingError
from midstream.runtime import find_backend
from midstream.store.disk import default_folder
from midstream.types import DType
from midstream.version import __version__

__all__ = ["add_verbs"]

_LIBRARIES = ("numpy", "aiohttp", "tuf", "securesystemslib", "pynacl", "reedsolo", "zstandard")
_WEIGHTS = 1 << 18
_STEP = -32
"""Step index of a quarter of the weights' spread."""


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
        "kernels": kernels.NAME,
        "kernels_in_c": kernels.NATIVE_STATUS,
        **_codec_speeds(),
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


def _codec_speeds() -> dict[str, float]:
    """Of Gaussian float32 weights in four slices, four steps to their spread, one thread."""
    weights = np.random.default_rng(0).standard_normal(_WEIGHTS).astype(np.float32)
    near = grid.quantise(weights, DType.FLOAT32, _STEP)
    parts = np.split(near, 4)
    contexts = [_gaussian(len(part)) for part in parts]
    payloads = [memoryview(payload) for payload in levels.encode_many(parts, contexts)]
    sizes = np.full(_WEIGHTS, grid.step_size(_STEP, 0, DType.FLOAT32))
    rest = exact.encode(weights, near, sizes, DType.FLOAT32)
    seconds = {
        "encode_mweights_per_s": _seconds(lambda: levels.encode_many(parts, contexts)),
        "decode_mweights_per_s": _seconds(lambda: _decode(payloads, contexts)),
    }
    speeds = {name: round(_WEIGHTS / 1e6 / taken, 1) for name, taken in seconds.items()}
    taken = _seconds(lambda: exact.decode(rest, near, sizes, DType.FLOAT32))
    return {**speeds, "decode_exact_mb_per_s": round(weights.nbytes / 1e6 / taken, 1)}


def _gaussian(weights: int) -> Context:
    return Context(shape=np.ones(weights, np.int8), width=np.full(weights, 20, np.int16))


def _decode(payloads: list[memoryview], contexts: list[Context]) -> list[NDArray[np.generic]]:
    return [
        grid.reconstruct(part, DType.FLOAT32, _STEP) for part in levels.decode(payloads, contexts)
    ]


def _seconds(work: Callable[[], object]) -> float:
    """The second time that it is done."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _repair_speed() -> float:
    """Megabytes a second, 32 packets of which 4 are lost."""
    packets = np.random.default_rng(0).integers(0, 256, (32, 1 << 14), np.uint8)
    symbols = np.concatenate([packets, fec.encode(packets, 8)])
    present = np.ones(40, np.bool_)
    present[:4] = False
    return packets.size / 1e6 / _seconds(lambda: fec.repair(symbols, 32, present))
