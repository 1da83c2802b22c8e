"""Tensor parameters to bytes and back, and what they say of each weight.

Knows nothing of how they are chosen; `fit` is the one who does (fitting.py).
(spec/coding.md, "Tensor parameters".)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels, raw
from midstream.codec.fitting import axis_index, axis_sizes, fit, spread
from midstream.codec.grid import MAX_EXPONENT, MAX_STEP_INDEX
from midstream.codec.parameters import Context, TensorCode
from midstream.codec.tables import SHAPES, WIDTHS
from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.limits import LIMITS
from midstream.types import Tensor
from midstream.wire import Reader, Writer

__all__ = ["contexts", "fit", "read", "write"]

_CODED = 1
_AXES = (2, 4, 8)
_SHAPE_SHIFT = 4
_PREDICTOR = 64
_MAX_WIDTH = 1 << 9
_COLUMNS = 4  # steps, widths, offsets, spreads: the lists that are coded together


def contexts(tensor: Tensor, code: TensorCode, start: int, stop: int) -> NDArray[np.int16]:
    """The width of each weight from `start` to `stop` in flattened order, not clamped."""
    widths = np.full(stop - start, code.width, np.int16)
    for axis, deltas in enumerate(code.axes):
        if deltas is not None:
            widths += deltas[axis_index(tensor, axis, start, stop)]
    return widths


@dataclass(slots=True)
class _Lists:
    """Parameters of all tensors as lists of integers."""

    steps: list[int]
    widths: list[int]
    offsets: list[int]
    spreads: list[int]

    def columns(self) -> list[list[int]]:
        return [self.steps, self.widths, self.offsets, self.spreads]


def write(codes: Sequence[TensorCode], tensors: Sequence[Tensor]) -> bytes:
    """The parameters of all tensors of a network."""
    out = Writer().blob(raw.encode(bytes(_flags(code) for code in codes), 1))
    deltas = [axis for code in codes if code.coded for axis in code.axes if axis is not None]
    spreads = [spread(axis.astype(np.int32)) for axis in deltas]
    lists = _lists([(c, t) for c, t in zip(codes, tensors, strict=True) if c.coded], spreads)
    out.raw(_write_lists(lists))
    sizes = [len(axis) for axis in deltas]
    context = _context(spreads, sizes)
    return out.raw(levels.encode(_joined(deltas), context)).bytes()


def _flags(code: TensorCode) -> int:
    if not code.coded:
        return 0
    assert code.predictor == 0, "no predictor is defined yet"
    axes = sum(flag for flag, axis in zip(_AXES, code.axes, strict=True) if axis is not None)
    return _CODED | axes | code.shape << _SHAPE_SHIFT


def _lists(coded: Sequence[tuple[TensorCode, Tensor]], spreads: list[int]) -> _Lists:
    return _Lists(
        np.diff([code.step for code, _ in coded], prepend=0).tolist(),
        np.diff([code.width for code, _ in coded], prepend=0).tolist(),
        [code.offset for code, tensor in coded if not tensor.dtype.is_float],
        np.diff(spreads, prepend=0).tolist(),
    )


def _write_lists(lists: _Lists) -> bytes:
    """Four widths, then all four lists in one payload of levels."""
    columns = [np.array(column, np.int32) for column in lists.columns()]
    widths = [spread(column) for column in columns]
    context = _context(widths, [len(column) for column in columns])
    return bytes(widths) + levels.encode(np.concatenate(columns), context)


def _context(widths: Sequence[int], sizes: Sequence[int]) -> Context:
    """Lists after each other, of the heaviest tails, each of its own width."""
    width = np.repeat(np.array(widths, np.int16), sizes)
    return Context(shape=np.zeros(len(width), np.int8), width=width)


def _joined(deltas: Sequence[NDArray[np.int8]]) -> NDArray[np.int32]:
    return np.concatenate([np.zeros(0, np.int32), *deltas]).astype(np.int32)


def read(data: bytes | memoryview, tensors: Sequence[Tensor]) -> list[TensorCode]:
    """Parse what `write` gives.

    Raises:
        BitstreamError: It is malformed, or does not fit the tensors.
        LimitError: A count is over its limit.
    """
    reader = Reader(data, "tensor parameters")
    flags = raw.decode(reader.blob(limit=64 + 2 * len(tensors)), len(tensors), 1)
    for tensor, flag in zip(tensors, flags, strict=True):
        _check_flags(tensor, flag)
    axes = [
        (place, axis)
        for place, flag in enumerate(flags)
        for axis, bit in enumerate(_AXES)
        if flag & bit
    ]
    sizes = [axis_sizes(tensors[place])[axis] for place, axis in axes]
    if sum(sizes) > LIMITS.scale_deltas:
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"tensor parameters: {sum(sizes)} scales, at most {LIMITS.scale_deltas}",
        )
    rest = reader.take(reader.remaining)
    lists, rest = _read_lists(rest, flags, tensors, len(axes))
    deltas = _read_deltas(rest, lists.spreads, sizes)
    return _codes(flags, tensors, lists, dict(zip(axes, deltas, strict=True)))


def _check_flags(tensor: Tensor, flag: int) -> None:
    sizes = axis_sizes(tensor)
    known = flag == 0 or flag & (_CODED | _PREDICTOR | 128) == _CODED
    if (
        not known
        or flag >> _SHAPE_SHIFT >= SHAPES
        or any(flag & bit and not size for bit, size in zip(_AXES, sizes, strict=True))
    ):
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"tensor parameters: flags {flag} of a tensor {tensor.shape}"
        )


def _read_lists(
    data: memoryview, flags: bytes, tensors: Sequence[Tensor], axes: int
) -> tuple[_Lists, memoryview]:
    if len(data) < _COLUMNS:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"tensor parameters: {len(data)} bytes left")
    widths = list(data[:_COLUMNS])
    if max(widths) >= WIDTHS:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"tensor parameters: a width of {max(widths)}")
    coded = sum(map(bool, flags))
    integers = sum(bool(f) and not t.dtype.is_float for t, f in zip(tensors, flags, strict=True))
    sizes = [coded, coded, integers, axes]
    values, taken = levels.decode_prefix([data[_COLUMNS:]], [_context(widths, sizes)])
    steps, width, offsets, spreads = np.split(values[0].astype(np.int64), np.cumsum(sizes)[:-1])
    spreads = np.cumsum(spreads)
    lists = _Lists(
        np.cumsum(steps).tolist(), np.cumsum(width).tolist(), offsets.tolist(), spreads.tolist()
    )
    if len(spreads) and not (spreads.min() >= 0 and spreads.max() < WIDTHS):
        raise BitstreamError(ErrorCode.BAD_FIELD, "tensor parameters: a spread is out of range")
    return lists, data[_COLUMNS + taken[0] :]


def _read_deltas(
    data: memoryview, spreads: Sequence[int], sizes: Sequence[int]
) -> list[NDArray[np.int8]]:
    values = levels.decode([data], [_context(spreads, sizes)])[0]
    if len(values) and not (values.min() >= -128 and values.max() < 128):
        raise BitstreamError(ErrorCode.BAD_FIELD, "tensor parameters: a scale is out of range")
    return np.split(values.astype(np.int8), np.cumsum(sizes)[:-1]) if sizes else []


def _codes(
    flags: bytes,
    tensors: Sequence[Tensor],
    lists: _Lists,
    deltas: dict[tuple[int, int], NDArray[np.int8]],
) -> list[TensorCode]:
    steps, widths, offsets = iter(lists.steps), iter(lists.widths), iter(lists.offsets)
    codes = []
    for place, (flag, tensor) in enumerate(zip(flags, tensors, strict=True)):
        if not flag:
            codes.append(TensorCode(coded=False))
            continue
        code = TensorCode(
            step=next(steps),
            offset=0 if tensor.dtype.is_float else next(offsets),
            shape=flag >> _SHAPE_SHIFT,
            width=next(widths),
            rows=deltas.get((place, 0)),
            columns=deltas.get((place, 1)),
            taps=deltas.get((place, 2)),
        )
        _check_code(code, tensor)
        codes.append(code)
    return codes


def _check_code(code: TensorCode, tensor: Tensor) -> None:
    low, high = (-MAX_STEP_INDEX, MAX_STEP_INDEX) if tensor.dtype.is_float else (0, MAX_EXPONENT)
    if not (low <= code.step <= high and abs(code.width) <= _MAX_WIDTH):
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"tensor parameters: step {code.step}, width {code.width}"
        )
