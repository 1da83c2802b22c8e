"""Tensor parameters to bytes and back.

Knows nothing of how they are chosen; `fit` is the one who does (fitting.py).
(spec/coding.md, "Tensor parameters".)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels, raw
from midstream.codec.axes import add_vector, axis_sizes
from midstream.codec.costs import spread
from midstream.codec.fitting import fit
from midstream.codec.grid import MAX_EXPONENT, MAX_STEP_INDEX
from midstream.codec.lattice import FEWEST_WEIGHTS
from midstream.codec.parameters import (
    MAX_COEFFICIENT,
    MAX_HALF_OCTAVES,
    NEIGHBOURS,
    Context,
    TensorCode,
)
from midstream.codec.tables import SHAPES, WIDTHS
from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.limits import LIMITS
from midstream.types import Tensor
from midstream.wire import Reader, Writer

__all__ = ["contexts", "fit", "read", "weight_steps", "write", "write_contexts"]

_T = TypeVar("_T", bound=np.generic)
_CODED = 1
_SHAPE_SHIFT = 4
_PREDICTOR = 1 << 6
_LATTICE = 1 << 10
_TIED = 1 << 11
_VECTOR_FLAGS = (1 << 1, 1 << 2, 1 << 3, 1 << 8, 1 << 9)
"""Log-scales of rows, columns, taps; steps of rows, columns."""
_VECTOR_AXES = (0, 1, 2, 0, 1)
_VECTORS = sum(_VECTOR_FLAGS)
_KNOWN = _CODED | 3 << _SHAPE_SHIFT | _PREDICTOR | _LATTICE | _VECTORS
_FLOATS_ONLY = _LATTICE | _VECTOR_FLAGS[3] | _VECTOR_FLAGS[4]
_NO_VECTORS = (None,) * 5
_MAX_WIDTH = 1 << 9
_HALF_OCTAVE = 8  # step indices


def contexts(tensor: Tensor, code: TensorCode, start: int, stop: int) -> NDArray[np.int16]:
    """The width of each weight from `start` to `stop` in flattened order, not clamped."""
    widths = np.empty(stop - start, np.int16)
    write_contexts(widths, tensor, code, start)
    return widths


def write_contexts(widths: NDArray[np.int16], tensor: Tensor, code: TensorCode, start: int) -> None:
    """Write the width of each weight from `start` on, so many as there is room for."""
    widths[:] = code.width
    for axis, deltas in enumerate(code.axes):
        if deltas is not None:
            add_vector(widths, deltas, tensor, axis, start)


def weight_steps(tensor: Tensor, code: TensorCode, start: int, stop: int) -> NDArray[np.int32]:
    """The step index or trit exponent of each weight from `start` to `stop`."""
    if code.row_steps is None and code.column_steps is None:
        return np.full(stop - start, code.step, np.int32)
    steps = np.full(stop - start, code.step, np.int16)
    for axis, halves in enumerate((code.row_steps, code.column_steps)):
        if halves is not None:
            add_vector(steps, halves, tensor, axis, start, factor=_HALF_OCTAVE)
    return np.clip(steps, -MAX_STEP_INDEX, MAX_STEP_INDEX).astype(np.int32)


@dataclass(slots=True, kw_only=True)
class _Lists:
    """Parameters of all tensors as lists of integers, in the order of the bitstream."""

    steps: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    spreads: list[int] = field(default_factory=list)
    neighbours: list[int] = field(default_factory=list)
    coefficients: list[int] = field(default_factory=list)
    ties: list[int] = field(default_factory=list)

    def columns(self) -> list[list[int]]:
        return [getattr(self, f.name) for f in fields(self)]


_COLUMNS = len(fields(_Lists))


def write(codes: Sequence[TensorCode], tensors: Sequence[Tensor]) -> bytes:
    """The parameters of all tensors of a network."""
    flags = np.array([_flags(code) for code in codes], "<u2")
    out = Writer().blob(raw.encode(flags.tobytes(), 2))
    vectors = [v for code in codes if code.coded for v in code.vectors if v is not None]
    spreads = [spread(vector.astype(np.int32)) for vector in vectors]
    lists = _lists(list(zip(codes, tensors, strict=True)), spreads)
    out.raw(_write_lists(lists))
    context = _context(spreads, [len(vector) for vector in vectors])
    return out.raw(levels.encode(_joined(vectors), context)).bytes()


def _flags(code: TensorCode) -> int:
    if code.same_as is not None:
        return _TIED
    if not code.coded:
        return 0
    pairs = zip(_VECTOR_FLAGS, code.vectors, strict=True)
    vectors = sum(flag for flag, vector in pairs if vector is not None)
    predictor = _PREDICTOR if code.predictor else 0
    lattice = _LATTICE if code.lattice else 0
    return _CODED | vectors | code.shape << _SHAPE_SHIFT | predictor | lattice


def _lists(pairs: Sequence[tuple[TensorCode, Tensor]], spreads: list[int]) -> _Lists:
    coded = [(code, tensor) for code, tensor in pairs if code.coded and code.same_as is None]
    predictors = [code.predictor for code, _ in coded if code.predictor]
    return _Lists(
        steps=np.diff([code.step for code, _ in coded], prepend=0).tolist(),
        widths=np.diff([code.width for code, _ in coded], prepend=0).tolist(),
        offsets=[code.offset for code, tensor in coded if not tensor.dtype.is_float],
        spreads=np.diff(spreads, prepend=0).tolist(),
        neighbours=[sum(1 << place for place, _ in terms) for terms in predictors],
        coefficients=[coefficient for terms in predictors for _, coefficient in terms],
        ties=[at - c.same_as for at, (c, _) in enumerate(pairs) if c.same_as is not None],
    )


def _write_lists(lists: _Lists) -> bytes:
    """The widths of all lists, then all of them in payloads of levels."""
    columns = [np.array(column, np.int32) for column in lists.columns()]
    widths = [spread(column) for column in columns]
    first = levels.encode(np.concatenate(columns[:5]), _contexts_of(widths, columns, 0, 5))
    # how many coefficients there are, the neighbours say
    second = levels.encode(np.concatenate(columns[5:]), _contexts_of(widths, columns, 5, _COLUMNS))
    return bytes(widths) + first + second


def _contexts_of(
    widths: Sequence[int], columns: Sequence[NDArray[np.int32]], start: int, stop: int
) -> Context:
    return _context(widths[start:stop], [len(column) for column in columns[start:stop]])


def _context(widths: Sequence[int], sizes: Sequence[int]) -> Context:
    """Lists after each other, of the heaviest tails, each of its own width."""
    width = np.repeat(np.array(widths, np.int16), sizes)
    return Context(shape=np.zeros(len(width), np.int8), width=width)


def _joined(vectors: Sequence[NDArray[np.int8]]) -> NDArray[np.int32]:
    return np.concatenate([np.zeros(0, np.int32), *vectors]).astype(np.int32)


def read(data: bytes | memoryview, tensors: Sequence[Tensor]) -> list[TensorCode]:
    """Parse what `write` gives.

    Raises:
        BitstreamError: It is malformed, or does not fit the tensors.
        LimitError: A count is over its limit.
    """
    reader = Reader(data, "tensor parameters")
    packed = raw.decode(reader.blob(limit=64 + 4 * len(tensors)), 2 * len(tensors), 2)
    flags = np.frombuffer(packed, "<u2").tolist()
    for tensor, flag in zip(tensors, flags, strict=True):
        _check_flags(tensor, flag)
    vectors = [
        (at, place)
        for at, flag in enumerate(flags)
        if flag & _VECTORS
        for place, bit in enumerate(_VECTOR_FLAGS)
        if flag & bit
    ]
    sizes = [axis_sizes(tensors[at])[_VECTOR_AXES[place]] for at, place in vectors]
    if sum(sizes) > LIMITS.scale_deltas:
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"tensor parameters: {sum(sizes)} scales, at most {LIMITS.scale_deltas}",
        )
    lists, rest = _read_lists(reader.take(reader.remaining), flags, tensors, len(vectors))
    deltas = _read_vectors(rest, lists.spreads, sizes)
    return _codes(flags, tensors, lists, dict(zip(vectors, deltas, strict=True)))


def _check_flags(tensor: Tensor, flag: int) -> None:
    if flag in (0, _TIED):
        return
    known = flag & _CODED and not flag & ~_KNOWN and flag >> _SHAPE_SHIFT & 3 < SHAPES
    fits = tensor.dtype.is_float or not flag & _FLOATS_ONLY
    if not (known and fits and (not flag & _VECTORS or _has_axes(tensor, flag))):
        raise _bad(f"flags {flag} of a tensor {tensor.shape}")


def _has_axes(tensor: Tensor, flag: int) -> bool:
    """Whether a tensor has the axes that it has vectors of."""
    sizes = axis_sizes(tensor)
    pairs = zip(_VECTOR_FLAGS, _VECTOR_AXES, strict=True)
    return all(sizes[axis] for bit, axis in pairs if flag & bit)


def _read_lists(
    data: memoryview, flags: Sequence[int], tensors: Sequence[Tensor], vectors: int
) -> tuple[_Lists, memoryview]:
    if len(data) < _COLUMNS:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"tensor parameters: {len(data)} bytes left")
    widths = list(data[:_COLUMNS])
    if max(widths) >= WIDTHS:
        raise _bad(f"a width of {max(widths)}")
    coded = sum(flag & _CODED for flag in flags)
    integers = sum(f & _CODED and not t.dtype.is_float for t, f in zip(tensors, flags, strict=True))
    predicted = sum(bool(flag & _PREDICTOR) for flag in flags)
    first, rest = _split(data[_COLUMNS:], widths[:5], [coded, coded, integers, vectors, predicted])
    masks = first[4]
    if not all(0 < mask < 1 << NEIGHBOURS for mask in masks):
        raise _bad("a set of neighbours is unknown")
    counts = [sum(mask.bit_count() for mask in masks), sum(flag == _TIED for flag in flags)]
    second, rest = _split(rest, widths[5:], counts)
    lists = _Lists(
        steps=list(accumulate(first[0])),
        widths=list(accumulate(first[1])),
        offsets=first[2],
        spreads=list(accumulate(first[3])),
        neighbours=masks,
        coefficients=second[0],
        ties=second[1],
    )
    if not all(0 <= value < WIDTHS for value in lists.spreads):
        raise _bad("a spread is out of range")
    return lists, rest


def _split(
    data: memoryview, widths: Sequence[int], sizes: Sequence[int]
) -> tuple[list[list[int]], memoryview]:
    """Lists of so many integers each from one payload of levels, and what follows it."""
    if not any(sizes):  # no weights take no bytes
        return [[] for _ in sizes], data
    values, taken = levels.decode_prefix([data], [_context(widths, sizes)])
    return [part.tolist() for part in _parts(values[0], sizes)], data[taken[0] :]


def _parts(values: NDArray[_T], sizes: Sequence[int]) -> list[NDArray[_T]]:
    """Parts of so many values each."""
    stops = accumulate(sizes)
    return [values[stop - size : stop] for stop, size in zip(stops, sizes, strict=True)]


def _read_vectors(
    data: memoryview, spreads: Sequence[int], sizes: Sequence[int]
) -> list[NDArray[np.int8]]:
    values = levels.decode([data], [_context(spreads, sizes)])[0]
    if len(values) and not (values.min() >= -128 and values.max() < 128):
        raise _bad("a scale is out of range")
    return _parts(values.astype(np.int8), sizes)


def _codes(
    flags: Sequence[int],
    tensors: Sequence[Tensor],
    lists: _Lists,
    vectors: dict[tuple[int, int], NDArray[np.int8]],
) -> list[TensorCode]:
    steps, widths, offsets = iter(lists.steps), iter(lists.widths), iter(lists.offsets)
    masks, coefficients, ties = map(iter, (lists.neighbours, lists.coefficients, lists.ties))
    codes: list[TensorCode] = []
    for at, (flag, tensor) in enumerate(zip(flags, tensors, strict=True)):
        if flag == _TIED:
            codes.append(_tied(at, at - next(ties), tensors, codes))
            continue
        if not flag:
            codes.append(TensorCode(coded=False))
            continue
        rows, columns, taps, row_steps, column_steps = (
            [vectors.get((at, p)) for p in range(5)] if flag & _VECTORS else _NO_VECTORS
        )
        code = TensorCode(
            step=next(steps),
            offset=0 if tensor.dtype.is_float else next(offsets),
            shape=flag >> _SHAPE_SHIFT & 3,
            width=next(widths),
            rows=rows,
            columns=columns,
            taps=taps,
            row_steps=row_steps,
            column_steps=column_steps,
            predictor=_predictor(next(masks), coefficients.__next__) if flag & _PREDICTOR else (),
            lattice=bool(flag & _LATTICE),
        )
        _check_code(code, tensor)
        codes.append(code)
    return codes


def _predictor(mask: int, coefficient: Callable[[], int]) -> tuple[tuple[int, int], ...]:
    return tuple((place, coefficient()) for place in range(NEIGHBOURS) if mask >> place & 1)


def _tied(
    at: int, other: int, tensors: Sequence[Tensor], codes: Sequence[TensorCode]
) -> TensorCode:
    """A tensor of the same bytes as an earlier one, which is not itself such a copy."""
    if not (
        0 <= other < at
        and codes[other].same_as is None
        and tensors[other].dtype is tensors[at].dtype
        and tensors[other].weights == tensors[at].weights
    ):
        raise _bad(f"tensor {at} cannot be the same as {other}")
    return TensorCode(coded=False, same_as=other)


def _check_code(code: TensorCode, tensor: Tensor) -> None:
    low, high = (-MAX_STEP_INDEX, MAX_STEP_INDEX) if tensor.dtype.is_float else (0, MAX_EXPONENT)
    if not (low <= code.step <= high and abs(code.width) <= _MAX_WIDTH):
        raise _bad(f"step {code.step}, width {code.width}")
    if code.lattice and (code.predictor or tensor.weights < FEWEST_WEIGHTS):
        raise _bad("a tensor cannot be on the lattice")
    if any(abs(coefficient) > MAX_COEFFICIENT for _, coefficient in code.predictor):
        raise _bad("a coefficient is out of range")
    for halves in (code.row_steps, code.column_steps):
        if halves is not None and max(-int(halves.min()), int(halves.max())) > MAX_HALF_OCTAVES:
            raise _bad("a row's or column's step is out of range")


def _bad(problem: str) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"tensor parameters: {problem}")
