"""Models of odd numbers and shapes, in every format: each is encoded and comes back."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import models
import onnxfiles
from midstream import formats
from midstream.bitstream import Topology
from midstream.decoder import rebuild
from midstream.encoder import encode
from tensorfiles import normal, safetensors

Arrays = Mapping[str, NDArray[Any]]
LADDERS = ["exact", "2b,4b,exact", "20dB,40dB,exact", "10kB,exact"]


def bits(values: NDArray[Any], *patterns: int) -> NDArray[Any]:
    """The same numbers, the first of them replaced by bit patterns."""
    changed = values.copy()
    changed.view(f"<u{values.itemsize}").ravel()[: len(patterns)] = patterns
    return changed


def any_bits(dtype: str, count: int = 4000) -> NDArray[Any]:
    size = np.dtype(dtype).itemsize
    random = np.random.default_rng(size).integers(0, 256, count * size, dtype=np.uint8)
    return random.view(dtype).reshape(40, -1)


SINGLE_NANS = (0x7FC00001, 0xFFC00123, 0x7F800001, 0xFF812345, 0x7F800000, 0xFF800000)
HALF_NANS = (0x7E01, 0xFE12, 0x7C01, 0xFD23, 0x7C00, 0xFC00)
RANGE = np.logspace(-44, 38, 2000) * np.resize([1, -1], 2000)
ODD: dict[str, Arrays] = {
    "not a number": {
        "a": bits(normal(40, 50), *SINGLE_NANS),
        "b": bits(normal(40, 50).astype("<f2"), *HALF_NANS),
        "c": normal(30, 40),
    },
    "nothing else than not a number": {"a": np.full((40, 50), np.nan, "<f4"), "c": normal(30, 40)},
    "infinity": {"a": np.full((40, 50), np.inf, "<f4"), "b": np.full(50, -np.inf, "<f2")},
    "one infinity": {"a": bits(normal(40, 50), 0x7F800000)},
    "denormals": {
        "a": (normal(40, 50) * 1e-41).astype("<f4"),
        "b": (normal(40, 50) * 1e-6).astype("<f2"),
    },
    "zeros": {
        "a": np.zeros((40, 50), "<f4"),
        "b": -np.zeros((40, 50), "<f4"),
        "c": np.zeros((40, 50), "|i1"),
        "d": np.zeros((40, 50), "<f2"),
    },
    "constants": {"a": np.full((40, 50), 0.3, "<f4"), "b": np.full((40, 50), 200, "|u1")},
    "one element": {"a": np.full((1, 1), 2.5, "<f4"), "b": np.ones(1, "<f4")},
    "a huge range": {
        "a": RANGE.astype("<f4").reshape(40, 50),
        "b": np.logspace(-7, 4.8, 2000).astype("<f2").reshape(40, 50),
    },
    "the largest numbers": {"a": np.where(normal(40, 50) > 0, 3.4e38, -3.4e38).astype("<f4")},
    "any bits at all": {dtype: any_bits(dtype) for dtype in ("<f4", "<f2", "|i1", "|u1", "<i4")},
    "nothing": {},
}


def tflite(arrays: Arrays) -> bytes:
    """Constants that nothing reads: they need not run."""
    net = models.Tflite()
    for name, array in arrays.items():
        net.weights(name, array)
    return net.file([], [])


def onnx(arrays: Arrays) -> bytes:
    return onnxfiles.model([onnxfiles.raw(name, array) for name, array in arrays.items()])


def npz(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    save: Any = np.savez
    save(file, **arrays)
    return file.getvalue()


def deflated(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    save: Any = np.savez_compressed
    save(file, **arrays)
    return file.getvalue()


FORMATS: dict[str, Callable[[Arrays], bytes]] = {
    "tflite": tflite,
    "safetensors": safetensors,
    "onnx": onnx,
    "npz": npz,
    "deflated npz": deflated,
}


# an archive of nothing is no archive of arrays
CASES = [(k, n) for k in FORMATS for n in ODD if ODD[n] or not k.endswith("npz")]


def check(model: bytes, ladder: str) -> list[bytes]:
    """All layers decode, and the last is the file."""
    units = [unit.data for unit in encode(model, ladder=ladder).units]
    for count in range(1, len(units)):
        assert len(rebuild(units[:count])) == len(formats.prepared(model))
    assert rebuild(units) == formats.prepared(model)
    return units


@pytest.mark.parametrize("ladder", LADDERS)
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_an_odd_model_comes_back(kind: str, name: str, ladder: str) -> None:
    check(FORMATS[kind](ODD[name]), ladder)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_model_without_exact_rung_decodes(kind: str) -> None:
    model = FORMATS[kind](ODD["not a number"])
    units = [unit.data for unit in encode(model, ladder="3b").units]
    assert len(rebuild(units)) == len(formats.prepared(model))


@pytest.mark.parametrize("kind", ["safetensors", "onnx"])
@pytest.mark.once
def test_ten_thousand_tiny_tensors_come_back_small(kind: str) -> None:
    arrays = {f"t{i}": normal(4, 5, seed=i) for i in range(10_000)}
    model = FORMATS[kind](arrays)
    units = check(model, "20dB,exact")
    topology = Topology.cut(model, formats.open_model(model).tensors).write()
    weights = sum(array.size for array in arrays.values())
    assert len(units[0]) < len(topology) + 6 * weights // 8
