"""Writes spec/vectors/valid/coding.json: inputs of the codec and their exact bytes.

PYTHONPATH=sdk python spec/vectors/generate_coding.py
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.codec import (
    Context,
    Sigmas,
    TensorCode,
    digits,
    exact,
    grid,
    lattice,
    levels,
    points,
    refined_points,
    scales,
    storage,
    values,
)
from midstream.types import DType, Tensor

TARGET = Path(__file__).parent / "valid" / "coding.json"


def mixed(count: int, seed: int) -> NDArray[np.int64]:
    """Numbers from 0 to 65535 that any language can repeat: x = 1664525 x + 1013904223."""
    numbers, x = [], seed
    for _ in range(count):
        x = (1664525 * x + 1013904223) % (1 << 32)
        numbers.append(x >> 16)
    return np.array(numbers, np.int64)


def bell(count: int, seed: int, spread: int) -> NDArray[np.int32]:
    """Integers around zero: the sum of four numbers, scaled down."""
    total = sum(mixed(count, seed + part) for part in range(4)) - 2 * 65535
    return (np.asarray(total) * spread // 65536).astype(np.int32)


def _levels_case(name: str, values: NDArray[np.int32], shape: int, width: list[int]) -> Any:
    context = _context(len(values), shape, width)
    return {
        "name": name,
        "levels": values.tolist(),
        "shape": shape,
        "widths": width,
        "payload": levels.encode(values, context).hex(),
    }


def _context(count: int, shape: int, width: list[int]) -> Context:
    """The widths given, over and over."""
    widths = np.resize(np.array(width, np.int16), count)
    return Context(shape=np.full(count, shape, np.int8), width=widths)


def _levels() -> list[Any]:
    small = np.array([0, 1, -1, 2, 0, 0, -3, 1], np.int32)
    return [
        _levels_case("eight levels, one lane", small, 1, [12]),
        _levels_case("escapes on both sides", np.array([900, -900, 0], np.int32), 0, [4]),
        _levels_case("low bits", bell(40, 1, 4000), 2, [44, 26, 30]),
        _levels_case("two lanes, the last step short", bell(4099, 2, 2), 1, [8, 12, 5]),
        _levels_case("widths beyond the tables", bell(9, 3, 100), 0, [-40, 300]),
        _levels_case("none", np.zeros(0, np.int32), 0, [0]),
    ]


def _lattice_case(name: str, numbers: NDArray[np.float64], width: list[int]) -> Any:
    context = replace(_context(len(numbers), 1, width), lattice=True)
    near = lattice.quantise(numbers)
    return {
        "name": name,
        "levels": near.tolist(),
        "shape": 1,
        "widths": width,
        "payload": points.encode_many([near], [context])[0].hex(),
    }


def _lattice() -> list[Any]:
    return [
        _lattice_case("six points and four weights", bell(100, 21, 90) / 16.0, [18, 14, 16]),
        _lattice_case("low bits and escapes", bell(40, 22, 9000) / 16.0, [44, 10, 30]),
        _lattice_case("fewer weights than a point", bell(5, 23, 60) / 16.0, [16]),
    ]


def _digits_case(name: str, parents: NDArray[np.int32], digit: NDArray[np.int32]) -> Any:
    children = 3 * parents + digit
    context = _context(len(parents), 1, [10, 14])
    return {
        "name": name,
        "parents": parents.tolist(),
        "children": children.tolist(),
        "shape": 1,
        "widths": [10, 14],
        "trits": 1,
        "payload": digits.encode(parents, children, context, 1).hex(),
    }


def _digits() -> list[Any]:
    parents = bell(60, 4, 6)
    few = (mixed(60, 9) % 3 - 1).astype(np.int32)
    many = few + (mixed(60, 10) % 5 == 0) * (mixed(60, 11) % 7 - 3).astype(np.int32)
    return [
        _digits_case("trits", parents, few),
        _digits_case("moved parents", parents, many.astype(np.int32)),
        _digits_case("a spike at zero", np.zeros(60, np.int32), np.zeros(60, np.int32)),
    ]


def _refined_case(name: str, numbers: NDArray[np.float64], ratio: int, width: list[int]) -> Any:
    children = lattice.quantise(numbers)
    parents = refined_points.parents_of(children, ratio)
    context = _context(len(numbers), 1, width)
    payload = refined_points.encode_many([parents], [children], [context], [1], [ratio])[0]
    return {
        "name": name,
        "parents": parents.tolist(),
        "children": children.tolist(),
        "ratio": ratio,
        "shape": 1,
        "widths": width,
        "trits": 1,
        "payload": payload.hex(),
    }


def _refined() -> list[Any]:
    far = bell(1600, 31, 90) / 16.0
    return [
        _refined_case("six points and four weights by thirds", far[:100], 3, [9, 6]),
        _refined_case("the same by fifths", far[:100], 5, [6, 3]),
        _refined_case("a hundred points in all kinds of cosets", far, 5, [8, 3]),
        _refined_case("nothing but zeros", np.zeros(64), 5, [0]),
        _refined_case("fewer weights than a point", far[:5], 3, [9]),
    ]


def _exact_case(name: str, dtype: DType, values: NDArray[np.generic], step: int) -> Any:
    numbers = storage.to_float64(values, dtype)
    finite = np.nan_to_num(numbers, nan=0.0, posinf=0.0, neginf=0.0)
    size = grid.step_size(step, 1, dtype)
    near = np.rint(finite / size).astype(np.int32)
    sizes = np.full(len(near), size)
    return {
        "name": name,
        "dtype": dtype.name,
        "step": step,
        "trits": 1,
        "levels": near.tolist(),
        "values": storage.dump(values, dtype).hex(),
        "payload": exact.encode(values, near, sizes, dtype).hex(),
    }


def _exact() -> list[Any]:
    cases = []
    for dtype in (DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16):
        numbers = bell(40, 5, 1 << 20) / float(1 << 21)
        cases.append(_exact_case("weights", dtype, storage.from_float64(numbers, dtype), -40))
        odd = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-30, 3.0, 0.0, 0.001, -2.0])
        cases.append(_exact_case("odd values", dtype, storage.from_float64(odd, dtype), -40))
        zeros = np.where(np.arange(40) % 3 == 0, numbers, np.where(np.arange(40) % 2, 0.0, -0.0))
        cases.append(_exact_case("many zeros", dtype, storage.from_float64(zeros, dtype), -16))
    return cases


def _values_case(name: str, dtype: DType, stored: NDArray[np.generic], width: list[int]) -> Any:
    return {
        "name": name,
        "dtype": dtype.name,
        "step": -37,
        "shape": 1,
        "widths": width,
        "values": storage.dump(stored, dtype).hex(),
        "payload": values.encode_many([stored], [_sigmas(len(stored), width)], [dtype])[0].hex(),
    }


def _sigmas(count: int, width: list[int]) -> Sigmas:
    """The widths given, over and over, above a step index of -37."""
    origin = (-37 >> 2) - 12
    return Sigmas(
        quarters=np.resize(np.array(width, np.int16), count) + np.int16(origin),
        stops=np.array([count], np.int64),
        shapes=np.ones(1, np.int16),
        origins=np.full(1, origin, np.int16),
    )


def _values() -> list[Any]:
    cases = []
    for dtype in (DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16):
        numbers = bell(40, 5, 1 << 20) / float(1 << 21)
        weights = storage.from_float64(numbers, dtype)
        cases.append(_values_case("weights", dtype, weights, [12, 9, 14, 19]))
        zeros = storage.from_float64(np.where(np.arange(40) % 3 == 0, numbers, 0.0), dtype)
        cases.append(_values_case("many zeros", dtype, zeros, [12, 4]))
        odd = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-30, 3.0, 6e-8, 3e-5, -2.0])
        odd_values = storage.from_float64(odd, dtype)
        cases.append(_values_case("odd values", dtype, odd_values, [12]))
        cases.append(_values_case("below the octaves there are", dtype, odd_values, [-500, -60]))
        cases.append(_values_case("beyond the octaves there are", dtype, odd_values, [80, 700]))
        many = storage.from_float64(bell(1100, 8, 1 << 20) / float(1 << 21), dtype)
        cases.append(_values_case("two lanes", dtype, many, [16, 12]))
    few = storage.from_float64(bell(40, 7, 40).astype(np.float64), DType.FLOAT32)
    return [*cases, _values_case("bits that are 0 everywhere", DType.FLOAT32, few, [70])]


def _grid() -> list[Any]:
    cases = []
    for dtype, step, trits, offset in (
        (DType.FLOAT32, -37, 0, 0),
        (DType.FLOAT16, 5, 2, 0),
        (DType.BFLOAT16, -100, 1, 0),
        (DType.INT8, 2, 1, -3),
        (DType.UINT8, 1, 1, 128),
        (DType.INT4, 1, 0, 1),
    ):
        some = bell(12, 6, 40)
        stored = grid.reconstruct(some, dtype, step, trits, offset)
        cases.append(
            {
                "dtype": dtype.name,
                "step": step,
                "trits": trits,
                "offset": offset,
                "size": grid.step_size(step, trits, dtype).hex(),
                "levels": some.tolist(),
                "values": storage.dump(stored, dtype).hex(),
            }
        )
    return cases


TENSORS = (
    Tensor(
        name="convolution",
        dtype=DType.FLOAT32,
        shape=(4, 3, 3, 5),
        offset=0,
        row_axis=0,
        column_axis=3,
    ),
    Tensor(name="bias", dtype=DType.FLOAT32, shape=(7,), offset=720),
    Tensor(name="quantised", dtype=DType.INT8, shape=(20,), offset=748, row_axis=0),
    Tensor(name="kept", dtype=DType.INT32, shape=(20,), offset=768),
)
CODES = (
    TensorCode(
        step=-70,
        shape=2,
        width=14,
        rows=np.array([0, 3, -2, 0], np.int8),
        taps=np.array([0, 1, 0, -1, 4, -1, 0, 1, 0], np.int8),
    ),
    TensorCode(step=-70, shape=0, width=15),
    TensorCode(step=2, offset=-3, shape=1, width=9, rows=np.arange(-10, 10).astype(np.int8)),
    TensorCode(coded=False),
)


def _parameters() -> Any:
    widths = scales.contexts(TENSORS[0], CODES[0], 0, TENSORS[0].weights)
    return {
        "bytes": scales.write(CODES, TENSORS).hex(),
        "first tensor's widths": widths.tolist(),
    }


def content() -> str:
    """The file."""
    vectors = {
        "levels": _levels(),
        "lattice": _lattice(),
        "digits": _digits(),
        "refined points": _refined(),
        "exact": _exact(),
        "values": _values(),
        "grid": _grid(),
        "tensor parameters": _parameters(),
    }
    groups = []
    for name, cases in vectors.items():
        rows = cases if isinstance(cases, list) else [cases]
        lines = ",\n  ".join(json.dumps(case) for case in rows)
        groups.append(f' "{name}": [\n  {lines}\n ]')
    return "{\n" + ",\n".join(groups) + "\n}\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(content())
    print(f"{TARGET}: {len(content())} characters")
