"""The peers, in an environment of their own: a request a line in, an answer a line out.

Run by `peers.py`. Knows nothing of midstream. What a request's `op` may be is in `_OPERATIONS`;
times are of calls alone, without imports; who asks leaves out the first, which warms up.
"""

import io
import json
import lzma
import os
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class _Anything:
    """A class of torchvision: made while NNCodec is imported, and never used."""

    def __init__(self, *_: Any, **__: Any) -> None: ...


class _Absent(types.ModuleType):
    """A module that NNCodec imports, and does not need to code arrays."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Anything,), {})


for _name in ("torchvision.datasets", "torchvision.transforms", "torchvision"):
    sys.modules[_name] = _Absent(_name)
for _name in ("datasets", "transforms"):
    setattr(sys.modules["torchvision"], _name, sys.modules[f"torchvision.{_name}"])

import brotli  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import zipnn  # noqa: E402
import zstandard  # noqa: E402
from nncodec import nn  # noqa: E402

_NNCODEC = {"use_dq": True, "verbose": False, "results": tempfile.mkdtemp()}


def _nncodec(request: dict[str, Any]) -> dict[str, Any]:
    """Code arrays, and write what the decoder gives; int32 ones are coded without loss."""
    with np.load(request["arrays"]) as file:
        arrays = {name: file[name] for name in file.files}
    args = {**_NNCODEC, "qp": request["qp"], "nonweight_qp": request["nonweight_qp"]}
    encoding, decoding = [], []
    for _ in range(request["repeats"]):
        start = time.perf_counter()
        stream = nn.encode(arrays, args)
        encoding.append(time.perf_counter() - start)
    for _ in range(request["repeats"]):
        start = time.perf_counter()
        decoded = nn.decode(stream)
        decoding.append(time.perf_counter() - start)
    np.savez(request["decoded"], **decoded)
    seconds = {"encode_s": statistics.median(encoding), "decode_s": statistics.median(decoding)}
    return {"size": len(stream), **seconds}


def _zipnn(request: dict[str, Any]) -> dict[str, Any]:
    """Code a file with the dtype given; the round trip is checked."""
    data = Path(request["file"]).read_bytes()
    coder = zipnn.ZipNN(input_format="byte", threads=1, **request["options"])
    # it changes its input in place: each call gets a copy, made before the clock starts
    coded = bytes(coder.compress(bytearray(data)))
    seconds = []
    for stream in [bytearray(coded) for _ in range(request["repeats"])]:
        start = time.perf_counter()
        decoded = coder.decompress(stream)
        seconds.append(time.perf_counter() - start)
    return {"size": len(coded), "same": bytes(decoded) == data, "seconds": seconds}


_GENERAL: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zstd": (zstandard.ZstdCompressor(level=19).compress, zstandard.ZstdDecompressor().decompress),
    "xz": (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    "brotli": (lambda data: brotli.compress(data, quality=11, lgwin=24), brotli.decompress),
}


def _general(request: dict[str, Any]) -> dict[str, Any]:
    """Code a file with a general compressor at its best level; the round trip is checked."""
    data = Path(request["file"]).read_bytes()
    compress, decompress = _GENERAL[request["method"]]
    coded = compress(data)
    return {"size": len(coded), "same": decompress(coded) == data}


def _checkpoint(request: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of PyTorch as arrays."""
    state = torch.load(io.BytesIO(Path(request["file"]).read_bytes()), weights_only=True)
    np.savez(request["arrays"], **{name: tensor.numpy() for name, tensor in state.items()})
    return {}


_Operation = Callable[[dict[str, Any]], dict[str, Any]]
_OPERATIONS: Mapping[str, _Operation] = {
    "nncodec": _nncodec,
    "zipnn": _zipnn,
    "general": _general,
    "checkpoint": _checkpoint,
}


def main(operations: Mapping[str, _Operation] = _OPERATIONS) -> None:
    """Answer until the input ends; what peers print goes to standard error."""
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(operations[request["op"]](request)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
