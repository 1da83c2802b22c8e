"""Tensor parameters from bytes. Knows nothing of what is done with them.

(spec/coding.md, "Tensor parameters".)
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels, raw
from midstream.codec.axes import axis_sizes
from midstream.codec.grid import MAX_EXPONENT, MAX_STEP_INDEX
from midstream.codec.lattice import FEWEST_WEIGHTS
from midstream.codec.parameter_lists import (
    CODED,
    COLUMNS,
    FLOATS_ONLY,
    KNOWN,
    LATTICE,
    PREDICTOR,
    SHAPE_SHIFT,
    TIED,
    VECTOR_AXES,
    VECTOR_FLAGS,
    VECTORS,
    Lists,
    lists_context,
)
from midstream.codec.parameters import MAX_COEFFICIENT, MAX_HALF_OCTAVES, NEIGHBOURS, TensorCode
from midstream.codec.tables import SHAPES, WIDTHS
from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.limits import LIMITS
from midstream.types import Tensor
from midstream.wire import Reader

__all__ = ["read"]

_T = TypeVar("_T", bound=np.generic)
_NO_VECTORS = (None,) * 5
_MAX_WIDTH = 1 << 9


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
        if flag & VECTORS
        for place, bit in enumerate(VECTOR_FLAGS)
        if flag & bit
    ]
    sizes = [axis_sizes(tensors[at])[VECTOR_AXES[place]] for at, place in vectors]
    if sum(sizes) > LIMITS.scale_deltas:
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"tensor parameters: {sum(sizes)} scales, at most {LIMITS.scale_deltas}",
        )
    lists, rest = _read_lists(reader.take(reader.remaining), flags, tensors, len(vectors))
    deltas = _read_vectors(rest, lists.spreads, sizes)
    return _codes(flags, tensors, lists, dict(zip(vectors, deltas, strict=True)))


def _check_flags(tensor: Tensor, flag: int) -> None:
    if flag in (0, TIED):
        return
    known = flag & CODED and not flag & ~KNOWN and flag >> SHAPE_SHIFT & 3 < SHAPES
    fits = tensor.dtype.is_float or not flag & FLOATS_ONLY
    if not (known and fits and (not flag & VECTORS or _has_axes(tensor, flag))):
        raise _bad(f"flags {flag} of a tensor {tensor.shape}")


def _has_axes(tensor: Tensor, flag: int) -> bool:
    """Whether a tensor has the axes that it has vectors of."""
    sizes = axis_sizes(tensor)
    pairs = zip(VECTOR_FLAGS, VECTOR_AXES, strict=True)
    return all(sizes[axis] for bit, axis in pairs if flag & bit)


def _read_lists(
    data: memoryview, flags: Sequence[int], tensors: Sequence[Tensor], vectors: int
) -> tuple[Lists, memoryview]:
    if len(data) < COLUMNS:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"tensor parameters: {len(data)} bytes left")
    widths = list(data[:COLUMNS])
    if max(widths) >= WIDTHS:
        raise _bad(f"a width of {max(widths)}")
    coded = sum(flag & CODED for flag in flags)
    integers = sum(f & CODED and not t.dtype.is_float for t, f in zip(tensors, flags, strict=True))
    predicted = sum(bool(flag & PREDICTOR) for flag in flags)
    first, rest = _split(data[COLUMNS:], widths[:5], [coded, coded, integers, vectors, predicted])
    masks = first[4]
    if not all(0 < mask < 1 << NEIGHBOURS for mask in masks):
        raise _bad("a set of neighbours is unknown")
    counts = [sum(mask.bit_count() for mask in masks), sum(flag == TIED for flag in flags)]
    second, rest = _split(rest, widths[5:], counts)
    lists = Lists(
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
    values, taken = levels.decode_prefix([data], [lists_context(widths, sizes)])
    return [part.tolist() for part in _parts(values[0], sizes)], data[taken[0] :]


def _parts(values: NDArray[_T], sizes: Sequence[int]) -> list[NDArray[_T]]:
    """Parts of so many values each."""
    stops = accumulate(sizes)
    return [values[stop - size : stop] for stop, size in zip(stops, sizes, strict=True)]


def _read_vectors(
    data: memoryview, spreads: Sequence[int], sizes: Sequence[int]
) -> list[NDArray[np.int8]]:
    values = levels.decode([data], [lists_context(spreads, sizes)])[0]
    if len(values) and not (values.min() >= -128 and values.max() < 128):
        raise _bad("a scale is out of range")
    return _parts(values.astype(np.int8), sizes)


def _codes(
    flags: Sequence[int],
    tensors: Sequence[Tensor],
    lists: Lists,
    vectors: dict[tuple[int, int], NDArray[np.int8]],
) -> list[TensorCode]:
    steps, widths, offsets = iter(lists.steps), iter(lists.widths), iter(lists.offsets)
    masks, coefficients, ties = map(iter, (lists.neighbours, lists.coefficients, lists.ties))
    codes: list[TensorCode] = []
    for at, (flag, tensor) in enumerate(zip(flags, tensors, strict=True)):
        if flag == TIED:
            codes.append(_tied(at, at - next(ties), tensors, codes))
            continue
        if not flag:
            codes.append(TensorCode(coded=False))
            continue
        rows, columns, taps, row_steps, column_steps = (
            [vectors.get((at, p)) for p in range(5)] if flag & VECTORS else _NO_VECTORS
        )
        code = TensorCode(
            step=next(steps),
            offset=0 if tensor.dtype.is_float else next(offsets),
            shape=flag >> SHAPE_SHIFT & 3,
            width=next(widths),
            rows=rows,
            columns=columns,
            taps=taps,
            row_steps=row_steps,
            column_steps=column_steps,
            predictor=_predictor(next(masks), coefficients.__next__) if flag & PREDICTOR else (),
            lattice=bool(flag & LATTICE),
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
