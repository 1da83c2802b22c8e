"""The models of the vectors of updates and contributions: files of a few weights.

They are safetensors files; weights of four bits are those of an ONNX file.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.encoder.update import holes_of

NAMES = {"f4": "F32", "f2": "F16", "i1": "I8", "i4": "I32"}

Arrays = Mapping[str, NDArray[Any]]


def model(arrays: Arrays) -> bytes:
    """A safetensors file."""
    header: dict[str, Any] = {}
    at = 0
    for name, array in arrays.items():
        kind = NAMES[array.dtype.str[1:]]
        ends = [at, at + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": ends}
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(array.tobytes() for array in arrays.values())
    return len(text).to_bytes(8, "little") + text + data


def nibbles(shape: tuple[int, ...], pace: int) -> bytes:
    """An ONNX file of one int4 tensor, a graph with one initializer of less than 128 bytes."""
    count = int(np.prod(shape))
    data = np.rint(waves(count // 2, pace) * 160).astype("|i1").tobytes()
    tensor = b"\x0a" + bytes([len(shape), *shape])  # dims
    tensor += b"\x10\x16\x42\x01w" + b"\x4a" + bytes([len(data)]) + data  # INT4, name, raw data
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    return b"\x08\x08\x3a" + bytes([len(graph)]) + graph


def waves(count: int, pace: int) -> NDArray[np.float64]:
    """Numbers that need no generator of random ones."""
    return np.array([(i * i * pace // 7 + 5 * i) % 97 - 48 for i in range(count)]) / 61.0


def floats(pace: int, shape: tuple[int, ...], kind: str = "<f4") -> NDArray[Any]:
    """The same, of a shape and a kind."""
    return waves(int(np.prod(shape)), pace).reshape(shape).astype(kind)


OLD: Arrays = {
    "a": floats(1, (40, 16)),
    "b": floats(3, (24, 20), "<f2"),
    "c": np.rint(floats(5, (16, 40)) * 90).astype("|i1"),
    "d": floats(7, (9,)),
    "e": np.arange(6, dtype="<i4"),
}
PLACES = np.arange(640).reshape(40, 16)


TENSORS = holes_of(model(OLD))


def moved() -> Arrays:
    """All weights by a little, some beyond 0, and one that is no number."""
    a = (OLD["a"] + floats(11, (40, 16)) / 1024).astype("<f4")
    a[3, 4], a[5, 6] = np.nan, -a[5, 6]
    b = (OLD["b"] + floats(13, (24, 20)) / 64).astype("<f2")
    c = OLD["c"] + (PLACES.reshape(16, 40) % 5 == 0) - (PLACES.reshape(16, 40) % 7 == 0)
    c[0, 0] = 100
    return {**OLD, "a": a, "b": b, "c": c.astype("|i1"), "e": OLD["e"] + 1}


def sparse() -> Arrays:
    """Few weights, so that they are named: by gaps, and by a mask."""
    a, c = OLD["a"].copy(), OLD["c"].copy()
    a.ravel()[5::120] *= 1.5
    c.ravel()[::3] += 1
    return {**OLD, "a": a, "c": c}


def expected() -> Arrays:
    """Pruned, of low rank, and scaled."""
    a = np.where(np.abs(OLD["a"]) < 0.4, np.float32(-0.0), OLD["a"]).astype("<f4")
    b = OLD["b"] + np.outer(waves(24, 17), waves(20, 19)).astype("<f2")
    return {**OLD, "a": a, "b": b.astype("<f2"), "c": np.rint(OLD["c"] * 0.75).astype("|i1")}


def decayed() -> Arrays:
    """Decayed in 20 steps, half of the rows; of the others some were pruned before."""
    a = OLD["a"].copy()
    a[np.abs(a) < 0.2] = 0
    for _ in range(20):
        a *= np.float32(1 - 2**-17)
    a[::2] += floats(31, (20, 16)) / 256 * (a[::2] != 0)
    return {**OLD, "a": a}


def resized() -> Arrays:
    """Another topology: rows added, one tensor gone, one new, one renamed."""
    grown = np.concatenate([OLD["a"], floats(23, (3, 16))])
    return {
        "a": grown.astype("<f4"),
        "new": floats(29, (8, 8)),
        "z": OLD["c"],
        "d": OLD["d"] * np.float32(2),
    }
