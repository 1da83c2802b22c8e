"""Writes valid/stacks.json: a unit or three for each way of coding that valid/units.json lacks.

Units are put together by generate_units.py. Levels are chosen, not found, so that what comes out
is their product with the steps of their rows and columns.

PYTHONPATH=sdk python spec/vectors/generate_stacks.py
"""

import json
import runpy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.codec import (
    Context,
    Folding,
    Sigmas,
    TensorCode,
    digits,
    exact,
    grid,
    lattice,
    levels,
    points,
    prediction,
    refined_points,
    repeats,
    scales,
    storage,
    values,
)
from midstream.types import DType, Tensor

FOLDER = Path(__file__).parent
UNITS = runpy.run_path(str(FOLDER / "generate_units.py"))
LEVELS, DIGITS, EXACT, RAW, VALUES = range(5)
REPEATS, POINTS = 7, 8
RUNS = np.array([[20, 19, 12, 3], [40, 3, 30, 0], [72, 60, 30, 5], [104, 90, 10, 6]], np.int64)
"""Turned round and negative; as they were; of itself, signs by turns; turned round with them."""

ROWS = Tensor(name="a", dtype=DType.FLOAT32, shape=(12, 10), offset=0, row_axis=0, column_axis=1)
TAPS = Tensor(name="b", dtype=DType.FLOAT16, shape=(4, 5, 6), offset=480, row_axis=0)
CODES = [
    TensorCode(
        step=-70,
        shape=2,
        width=16,
        columns=np.array([0, 3, -2, 0, 1, 0, 0, -4, 2, 0], np.int8),
        row_steps=np.array([0, 1, -1, 24, -24, 2, 0, 0, 5, 4, 3, 2], np.int8),
        column_steps=np.array([0, -3, 0, 0, 1, 0, 2, 0, 0, -1], np.int8),
        predictor=((0, 28), (1, -9), (5, 4)),
    ),
    TensorCode(step=-50, shape=1, width=15, predictor=((0, 6), (7, 25), (8, -64), (9, 11))),
]
TENSORS = [ROWS, TAPS]
PATTERN = np.tile(np.array([0.1, 0.7, -0.4], "<f4"), 40).tobytes()
PACKED = bytes.fromhex("e001df00126c0066b32c7a32319ec42b0e26e019892ea4000000")
"""The pattern in LZMA2, as liblzma wrote it once: its versions may differ."""


def _context(index: int) -> Context:
    tensor, code = TENSORS[index], CODES[index]
    width = scales.contexts(tensor, code, 0, tensor.weights)
    kind = np.full(tensor.weights, code.shape, np.int8)
    return Context(
        shape=kind, width=width, terms=prediction.terms([(tensor, code, 0, tensor.weights)])
    )


def _head(size: int, tensors: Sequence[Tensor], codes: Sequence[TensorCode]) -> bytes:
    entries = [UNITS["entry"](0, t.dtype, t.shape, _axes(t)) for t in tensors]
    topology = UNITS["topology"](size, entries, b"")
    return bytes(UNITS["blob"](topology) + scales.write(codes, tensors))


def _axes(tensor: Tensor) -> int:
    row, column = (15 if a is None else a for a in (tensor.row_axis, tensor.column_axis))
    return column << 4 | row


def _waves(count: int) -> NDArray[np.int32]:
    """Levels that rise and fall, with one far out."""
    found = np.array([(i * i // 7 + 5 * i) % 23 - 11 for i in range(count)], np.int32)
    found[count // 2] = 70_000
    return found


def _steps(index: int, trits: int) -> NDArray[np.float64]:
    tensor, code = TENSORS[index], CODES[index]
    indices = scales.weight_steps(tensor, code, 0, tensor.weights)
    return np.array([grid.step_size(int(i), trits, tensor.dtype) for i in indices])


def _predicted() -> dict[str, Any]:
    """Levels, digits and exact values of two tensors, whose slices are predicted."""
    parents = [_waves(tensor.weights) for tensor in TENSORS]
    children = [3 * p + (np.arange(len(p)) * 5 % 7 - 3).astype(np.int32) // 2 for p in parents]
    dtypes = [tensor.dtype for tensor in TENSORS]
    products = [c * _steps(i, 1) for i, c in enumerate(children)]
    with np.errstate(over="ignore"):
        wanted = [(p * 1.001).astype(d) for p, d in zip(products, ("<f4", "<f2"), strict=True)]
    first = [(i, LEVELS, levels.encode(p, _context(i))) for i, p in enumerate(parents)]
    second = [
        (i, DIGITS, digits.encode(p, c, _context(i), 0))
        for i, (p, c) in enumerate(zip(parents, children, strict=True))
    ]
    third = [
        (i, EXACT, exact.encode(w, c, _steps(i, 1), d))
        for i, (w, c, d) in enumerate(zip(wanted, children, dtypes, strict=True))
    ]
    model = b"".join(storage.dump(w, d) for w, d in zip(wanted, dtypes, strict=True))
    units = [
        UNITS["unit"](0, 0, _head(len(model), TENSORS, CODES), first),
        UNITS["unit"](1, 1, b"", second),
        UNITS["unit"](2, 2, b"", third),
    ]
    return _case("predicted levels and digits on steps of rows and columns", units, model)


def _folded() -> dict[str, Any]:
    """The same of a tensor whose rows repeat each other, which predicts none of them."""
    tensor, code = TENSORS[1], CODES[1]
    folding = Folding.of(RUNS, tensor.weights)
    context = folding.context(_context(1))
    parents = _waves(len(folding.places))
    children = 3 * parents + (np.arange(len(parents)) * 4 % 5 - 2).astype(np.int32) // 2
    steps = _steps(1, 1)[folding.places]
    wanted = (children * steps * 0.999).astype("<f2")
    model = storage.dump(folding.values(wanted, tensor.dtype), tensor.dtype)
    first = [(0, REPEATS, repeats.write(RUNS)), (0, LEVELS, levels.encode(parents, context))]
    second = [(0, DIGITS, digits.encode(parents, children, context, 0))]
    third = [(0, EXACT, exact.encode(wanted, children, steps, tensor.dtype))]
    units = [
        UNITS["unit"](0, 0, _head(len(model), [tensor], [code]), first),
        UNITS["unit"](1, 1, b"", second),
        UNITS["unit"](2, 2, b"", third),
    ]
    return _case("weights that repeat others", units, model)


def _case(name: str, units: Sequence[bytes], model: bytes) -> dict[str, Any]:
    return {"name": name, "units": [data.hex() for data in units], "model": model.hex()}


def _lossless() -> list[dict[str, Any]]:
    """Values, kept floats, LZMA2 and shuffled zstd, each with a tensor that is tied to it."""
    weights = (np.array([(7 * i * i + 3 * i) % 41 - 20 for i in range(120)]) / 16).astype("<f4")
    weights[5:8] = -0.0, np.nan, 1e-40
    data = weights.tobytes()
    spread = Sigmas.of([(ROWS, CODES[0], 0, 120)])
    coded = values.encode_many([weights], [spread], [DType.FLOAT32])[0]
    planes = np.frombuffer(data[:200], "u1").reshape(-1, 4).T.tobytes()
    even = Sigmas.uniform(120, shape=1, quarters=-3)
    alike = values.encode_many([weights], [even], [DType.FLOAT32])[0]
    kept_payload = b"\3\1" + (-3).to_bytes(2, "little", signed=True) + alike
    return [
        _tied("values", ROWS, CODES[0], (0, VALUES, coded), data),
        _tied("kept floats", ROWS, TensorCode(coded=False), (0, RAW, kept_payload), data),
        _tied("LZMA2", ROWS, TensorCode(coded=False), (0, RAW, b"\4" + PACKED), PATTERN),
        _tied(
            "shuffled zstd",
            Tensor(name="a", dtype=DType.INT32, shape=(50,), offset=0),
            TensorCode(coded=False),
            (0, RAW, b"\2" + UNITS["frame"](planes)),
            data[:200],
        ),
    ]


def _tied(
    name: str, tensor: Tensor, code: TensorCode, record: tuple[int, int, bytes], data: bytes
) -> dict[str, Any]:
    """A model of a tensor and its copy."""
    codes = [code, TensorCode(coded=False, same_as=0)]
    head = _head(2 * len(data), [tensor, tensor], codes)
    return _case(f"{name}, twice", [UNITS["unit"](0, 0, head, [record])], 2 * data)


def _points() -> dict[str, Any]:
    """Predicted levels on the lattice: 256 points and four weights after them."""
    tensor = Tensor(name="p", dtype=DType.FLOAT16, shape=(100, 41), offset=0, row_axis=0)
    code = TensorCode(step=-70, shape=1, width=16, predictor=((0, 20), (7, 9)), lattice=True)
    places = np.arange(tensor.weights)
    wanted = (places * places // 7 + 5 * places) % 41 / 8 - 2.5
    wanted[2000] = 70_000
    near = lattice.quantise(wanted)
    context = Context(
        shape=np.full(tensor.weights, code.shape, np.int8),
        width=scales.contexts(tensor, code, 0, tensor.weights),
        terms=prediction.terms([(tensor, code, 0, tensor.weights)]),
        lattice=True,
    )
    step = grid.step_size(code.step, 0, tensor.dtype)
    with np.errstate(over="ignore"):
        model = storage.dump((near * step).astype("<f2"), tensor.dtype)
    record = (0, LEVELS, points.encode_many([near], [context])[0])
    head = _head(len(model), [tensor], [code])
    return _case("predicted points of the lattice", [UNITS["unit"](0, 0, head, [record])], model)


def _refined() -> list[dict[str, Any]]:
    """Points above levels: of two tensors that are predicted, after a digit or none; and folded."""
    wanted = [lattice.quantise(_waves(tensor.weights) / 2.0) for tensor in TENSORS]
    context, folding = [_context(0), _context(1)], Folding.of(RUNS, TENSORS[1].weights)
    parents = [refined_points.parents_of(w, r) for w, r in zip(wanted, (3, 5), strict=True)]
    coarse = grid.coarsen(parents[0])
    first = [levels.encode(coarse, context[0]), levels.encode(parents[1], context[1])]
    below = digits.encode(coarse, parents[0], context[0], 0)
    above = refined_points.encode_many(parents, wanted, context, [1, 0], [3, 5])
    with np.errstate(over="ignore"):
        model = b"".join(
            storage.dump((w * _steps(i, 1 - i) / r).astype(kind), TENSORS[i].dtype)
            for i, (w, r, kind) in enumerate(zip(wanted, (3, 5), ("<f4", "<f2"), strict=True))
        )
    units = [
        UNITS["unit"](0, 0, _head(len(model), TENSORS, CODES), [*_numbered(LEVELS, first)]),
        UNITS["unit"](1, 1, b"", [(0, DIGITS, below)]),
        UNITS["unit"](1, 2, b"", [*_numbered(POINTS, above)]),
    ]
    coded, own = wanted[1][folding.places], folding.context(context[1])
    last = lattice.quantise(coded / 2.0)
    middle = refined_points.parents_of(last, 3)
    records = [
        (0, REPEATS, repeats.write(RUNS)),
        (0, LEVELS, levels.encode(middle, own)),
        (0, POINTS, refined_points.encode_many([middle], [last], [own], [0], [3])[0]),
    ]
    with np.errstate(over="ignore"):
        weights = (last * (_steps(1, 0) / 3)[folding.places]).astype("<f2")
    folded = storage.dump(folding.values(weights, TENSORS[1].dtype), TENSORS[1].dtype)
    base = UNITS["unit"](0, 0, _head(len(folded), TENSORS[1:], CODES[1:]), records)
    return [
        _case("points that refine predicted levels", units, model),
        _case("points among weights that repeat others", [base], folded),
    ]


def _numbered(operation: int, payloads: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
    return ((i, operation, payload) for i, payload in enumerate(payloads))


def _repeats() -> dict[str, Any]:
    """Floats that are earlier ones: in order, mirrored, and negative."""
    wave = ((np.arange(20) * 7 + 3) % 31).astype("<f4") / 64
    floats = np.concatenate([wave, wave[::-1], [9], -wave[2:14], [5], -wave[14:4:-1], wave])
    data = floats.astype("<f4").tobytes()
    bits = np.frombuffer(data, "<u4")
    runs = repeats.find(bits)
    left = repeats.literals(bits, runs).tobytes()
    payload = b"\5" + repeats.write(runs) + b"\0" + left
    tensor = Tensor(name="r", dtype=DType.FLOAT32, shape=(len(bits),), offset=0)
    return _tied("repeats", tensor, TensorCode(coded=False), (0, RAW, payload), data)


def content() -> dict[str, str]:
    """The file by its path."""
    cases = [_predicted(), _folded(), *_lossless(), _points(), *_refined(), _repeats()]
    return {"valid/stacks.json": "[\n " + ",\n ".join(map(json.dumps, cases)) + "\n]\n"}


if __name__ == "__main__":
    for path, text in content().items():
        (FOLDER / path).write_text(text)
        print(f"{FOLDER / path}: {len(text)} characters")
