"""Tensor parameters from bytes. Knows nothing of what is done with them.

(spec/coding.md, "Tensor parameters".)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
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
from midstream.kernels import decode_lists
from midstream.limits import LIMITS
from midstream.types import Tensor
from midstream.wire import Reader

__all__ = ["read"]

_T = TypeVar("_T", bound=np.generic)
_NO_VECTORS = (None,) * 5
_RAW = TensorCode(coded=False)
_MAX_WIDTH = 1 << 9
_NO_INTEGERS = np.zeros(0, np.int32)


def read(data: bytes | memoryview, tensors: Sequence[Tensor]) -> list[TensorCode]:
    """Parse what `write` gives.

    Raises:
        BitstreamError: It is malformed, or does not fit the tensors.
        LimitError: A count is over its limit.
    """
    reader = Reader(data, "tensor parameters")
    packed = raw.decode(reader.blob(limit=64 + 4 * len(tensors)), 2 * len(tensors), 2)
    flags = np.frombuffer(packed, "<u2").tolist()
    outline = _outline(flags, tensors)
    lists, rest = _read_lists(reader.take(reader.remaining), outline)
    vectors = _read_vectors(rest, lists.spreads, outline)
    return _codes(flags, tensors, lists, vectors)


@dataclass(slots=True)
class _Outline:
    """How much is said of tensors, by their flags."""

    coded: int = 0
    integers: int = 0
    predicted: int = 0
    tied: int = 0
    sizes: list[int] = field(default_factory=list)
    """Of each vector."""


def _outline(flags: Sequence[int], tensors: Sequence[Tensor]) -> _Outline:
    outline = _Outline()
    for tensor, flag in zip(tensors, flags, strict=True):
        if flag in (0, TIED):
            outline.tied += flag == TIED
            continue
        is_float = tensor.dtype.is_float
        places = _vector_places(flag, is_float, tensor.row_axis is None, tensor.column_axis is None)
        if places is None:
            raise _bad(f"flags {flag} of a tensor {tensor.shape}")
        outline.coded += 1
        outline.integers += not is_float
        outline.predicted += bool(flag & PREDICTOR)
        if places:
            sizes = axis_sizes(tensor)
            outline.sizes += [sizes[VECTOR_AXES[place]] for place in places]
    if sum(outline.sizes) > LIMITS.scale_deltas:
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"tensor parameters: {sum(outline.sizes)} scales, at most {LIMITS.scale_deltas}",
        )
    return outline


@lru_cache(maxsize=1024)
def _vector_places(
    flag: int, is_float: bool, no_rows: bool, no_columns: bool
) -> tuple[int, ...] | None:
    """The vectors of a coded tensor; None where it cannot be as its flags say."""
    places = tuple(place for place, bit in enumerate(VECTOR_FLAGS) if flag & bit)
    missing = {axis for axis, is_missing in enumerate((no_rows, no_columns)) if is_missing}
    known = flag & CODED and not flag & ~KNOWN and flag >> SHAPE_SHIFT & 3 < SHAPES
    fits = is_float or not flag & FLOATS_ONLY
    has_axes = not missing & {VECTOR_AXES[place] for place in places}
    return places if known and fits and has_axes else None


def _read_lists(data: memoryview, outline: _Outline) -> tuple[Lists, memoryview]:
    if len(data) < COLUMNS:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"tensor parameters: {len(data)} bytes left")
    widths = list(data[:COLUMNS])
    if max(widths) >= WIDTHS:
        raise _bad(f"a width of {max(widths)}")
    coded = outline.coded
    counts = [coded, coded, outline.integers, len(outline.sizes), outline.predicted]
    first, rest = _split(data[COLUMNS:], widths[:5], counts)
    masks = first[4]
    if not all(0 < mask < 1 << NEIGHBOURS for mask in masks):
        raise _bad("a set of neighbours is unknown")
    counts = [sum(mask.bit_count() for mask in masks), outline.tied]
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
    values, taken = _integers(data, widths, sizes)
    return [part.tolist() for part in _parts(values, sizes)], data[taken:]


def _integers(
    data: memoryview, widths: Sequence[int], sizes: Sequence[int]
) -> tuple[NDArray[np.int32], int]:
    """Integers of all lists, at least one, and the bytes that they took."""
    found = None if decode_lists is None else decode_lists(data, widths, sizes, levels.slots())
    if found is not None:
        return found
    # without C, or to say what is wrong
    values, taken = levels.decode_prefix([data], [lists_context(widths, sizes)])
    return values[0], taken[0]


def _parts(values: NDArray[_T], sizes: Sequence[int]) -> list[NDArray[_T]]:
    """Parts of so many values each."""
    stops = accumulate(sizes)
    return [values[stop - size : stop] for stop, size in zip(stops, sizes, strict=True)]


def _read_vectors(
    data: memoryview, spreads: Sequence[int], outline: _Outline
) -> list[NDArray[np.int8]]:
    """All vectors, tensor after tensor."""
    sizes = outline.sizes
    values, taken = _integers(data, spreads, sizes) if sizes else (_NO_INTEGERS, 0)
    if taken != len(data):
        raise BitstreamError(
            ErrorCode.TRAILING_BYTES, f"levels: {len(data) - taken} bytes after the end"
        )
    if len(values) and not (values.min() >= -128 and values.max() < 128):
        raise _bad("a scale is out of range")
    return _parts(values.astype(np.int8), sizes)


def _codes(
    flags: Sequence[int],
    tensors: Sequence[Tensor],
    lists: Lists,
    vectors: Sequence[NDArray[np.int8]],
) -> list[TensorCode]:
    steps, widths, offsets = iter(lists.steps), iter(lists.widths), iter(lists.offsets)
    masks, coefficients, ties = map(iter, (lists.neighbours, lists.coefficients, lists.ties))
    unused = iter(vectors)
    codes: list[TensorCode] = []
    for at, (flag, tensor) in enumerate(zip(flags, tensors, strict=True)):
        if flag == TIED:
            codes.append(_tied(at, at - next(ties), tensors, codes))
            continue
        if not flag:
            codes.append(_RAW)
            continue
        offset = 0 if tensor.dtype.is_float else next(offsets)
        code = TensorCode.of_grid(
            (next(steps), offset),
            (flag >> SHAPE_SHIFT & 3, next(widths)),
            [next(unused) if flag & bit else None for bit in VECTOR_FLAGS]
            if flag & VECTORS
            else _NO_VECTORS,
            _predictor(next(masks), coefficients.__next__) if flag & PREDICTOR else (),
            bool(flag & LATTICE),
        )
        _check_code(code, tensor)
        codes.append(code)
    return codes


def _predictor(mask: int, coefficient: Callable[[], int]) -> tuple[tuple[int, int], ...]:
    return tuple([(place, coefficient()) for place in range(NEIGHBOURS) if mask >> place & 1])


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
    if code.lattice and tensor.weights < FEWEST_WEIGHTS:
        raise _bad("a tensor cannot be on the lattice")
    if code.predictor and any(abs(c) > MAX_COEFFICIENT for _, c in code.predictor):
        raise _bad("a coefficient is out of range")
    if code.row_steps is not None or code.column_steps is not None:
        _check_steps(code)


def _check_steps(code: TensorCode) -> None:
    for halves in (code.row_steps, code.column_steps):
        if halves is not None and max(-int(halves.min()), int(halves.max())) > MAX_HALF_OCTAVES:
            raise _bad("a row's or column's step is out of range")


def _bad(problem: str) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"tensor parameters: {problem}")
