"""Small safetensors files, built by hand."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stored = tuple[str, tuple[int, ...], bytes]
"""Data type as the format names it, shape, bytes."""

NAMES = {"<f4": "F32", "<f2": "F16", "<i4": "I32", "|i1": "I8", "|u1": "U8", "<f8": "F64"}


def safetensors(tensors: Mapping[str, NDArray[Any] | Stored], **metadata: str) -> bytes:
    """A file with these tensors, in order; arrays or what `stored` gives."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    body = b""
    for name, tensor in tensors.items():
        kind, shape, data = stored(tensor) if isinstance(tensor, np.ndarray) else tensor
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": offsets}
        body += data
    return with_header(header, body)


def with_header(header: Any, body: bytes = b"") -> bytes:
    """A file with this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def stored(array: NDArray[Any]) -> Stored:
    """An array as safetensors keeps it."""
    return NAMES[array.dtype.str], array.shape, array.tobytes()


def bfloat16(array: NDArray[Any]) -> Stored:
    """The upper halves of float32 numbers."""
    bits = array.astype("<f4").view("<u4") >> 16
    return "BF16", array.shape, bits.astype("<u2").tobytes()


def normal(*shape: int, seed: int = 0, scale: float = 0.1) -> NDArray[np.float32]:
    """Normal numbers, float32."""
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype("<f4")
