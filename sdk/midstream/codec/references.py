"""What is expected of a tensor's weights, given those of the parent. Knows nothing of files.

As a rule it is the parent's weights themselves. Where a fine-tune is of low rank, what was
pruned is told from what was left by its size, integers were scaled anew, or weights that nothing
else moved decayed, a few numbers say so for the whole tensor, and what is then left to code is
little (spec/updates.md, "References").
All of it is integers, or floating point with one rounding for each operation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels, storage
from midstream.codec.costs import spread
from midstream.codec.parameters import Context
from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.types import DType, Tensor
from midstream.wire import Reader, Writer

__all__ = [
    "DECAY_BITS",
    "MAX_DECAYS",
    "MAX_RANK",
    "MAX_SHIFT",
    "Decayed",
    "LowRank",
    "Pruned",
    "Reference",
    "Scaled",
    "read",
    "write",
]

MAX_RANK = 64
"""Of a low-rank change."""
MAX_DECAYS = 255
"""Steps of decay."""
DECAY_BITS = 40
"""A decay counts so many halvings."""
_MAX_DECAY = 1 << DECAY_BITS - 1
_DECAYED = 3
MAX_SHIFT = 200
"""Halvings of a product, or doublings."""
_MAX_SUM = 1 << 53
"""Products of factors add up to less: they are exact in binary64, in any order."""
_SCALE_BITS = 16
_MAX_SCALE = 1 << 20
_MAX_WIDTH = 136

_Stored = NDArray[np.generic]
_Int = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """Weights below a size are 0."""

    threshold: int
    """Magnitude: bits of a float without its sign, the size of an integer."""
    is_signed: bool = False
    """Whether negative floats become -0.0, as a product with 0 does."""

    def apply(self, old: _Stored, tensor: Tensor, start: int) -> _Stored:
        """What is expected of the weights from `start` on."""
        del start  # all weights are alike
        result = old.copy()
        gone = _magnitudes(old, tensor.dtype) < self.threshold
        bits: NDArray[np.unsignedinteger[Any]] = result.view(f"u{result.itemsize}")
        bits[gone] &= (1 << 8 * result.itemsize - 1) * self.is_signed
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LowRank:
    """A product of two small matrices is added; floats alone."""

    left: _Int  # (rows, rank)
    right: _Int  # (rank, columns)
    shift: int
    """The product counts 2**-shift."""

    def product(self, start: int, stop: int) -> NDArray[np.float64]:
        """What is added to the weights from `start` up to `stop`, exactly."""
        columns = self.right.shape[1]
        first, last = start // columns, -(-stop // columns)
        found = self.left[first:last].astype(np.float64) @ self.right.astype(np.float64)
        return np.ldexp(found.ravel()[start - first * columns :][: stop - start], -self.shift)

    def apply(self, old: _Stored, tensor: Tensor, start: int) -> _Stored:
        """What is expected of the weights from `start` on."""
        numbers = storage.to_float64(old, tensor.dtype)
        moved = storage.from_float64(numbers + self.product(start, start + len(old)), tensor.dtype)
        is_number = np.isfinite(numbers)
        # a sum with a NaN has other bits on other machines
        return moved if is_number.all() else np.where(is_number, moved, old)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaled:
    """Integers of each place on the first axis are multiplied, and rounded; integers alone."""

    scales: _Int  # (first axis,)
    """In 2**-16."""

    def apply(self, old: _Stored, tensor: Tensor, start: int) -> _Stored:
        """What is expected of the weights from `start` on."""
        place = np.arange(start, start + len(old)) // _first_stride(tensor)
        moved = (old.astype(np.int64) * self.scales[place] + (1 << _SCALE_BITS - 1)) >> _SCALE_BITS
        low, high = storage.integer_range(tensor.dtype)
        found: _Stored = np.clip(moved, low, high).astype(old.dtype)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Decayed:
    """Weights shrink step by step, as weight decay shrinks them; floats alone."""

    steps: int
    """How often, 1 to 255."""
    decay: int
    """What each step adds of a weight, in 2**-40 of it; below 0 where weights shrink."""
    then: "Pruned | LowRank | None" = None
    """What is expected of them after that."""

    def apply(self, old: _Stored, tensor: Tensor, start: int) -> _Stored:
        """What is expected of the weights from `start` on."""
        found = self._shrink(old, tensor.dtype)
        return found if self.then is None else self.then.apply(found, tensor, start)

    def _shrink(self, old: _Stored, dtype: DType) -> _Stored:
        factor = 1 + math.ldexp(self.decay, -DECAY_BITS)
        if dtype is DType.FLOAT32 and float(np.float32(factor)) == factor:
            # a product of two of them is exact in binary64: here it is rounded once as well
            return _repeat(old, np.float32(factor), self.steps)
        result = old
        for _ in range(self.steps):
            numbers = storage.to_float64(result, dtype)
            shrunk = storage.from_float64(numbers * factor, dtype)
            result = np.where(np.isfinite(numbers), shrunk, result)
        return result


def _repeat(old: _Stored, factor: np.float32, steps: int) -> _Stored:
    numbers = old.astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        for _ in range(steps):
            numbers *= factor
    kept = np.isfinite(old.view(np.float32))
    found: _Stored = np.where(kept, numbers, old)
    return found


Reference = Pruned | LowRank | Scaled | Decayed
_KINDS: tuple[type[Reference], ...] = (Pruned, LowRank, Scaled, Decayed)


def _first_stride(tensor: Tensor) -> int:
    return math.prod(tensor.shape[1:])


def _magnitudes(stored: _Stored, dtype: DType) -> NDArray[np.int64]:
    if not dtype.is_float:
        return np.abs(stored.astype(np.int64))
    bits = stored.view(storage.bits_dtype(dtype)).astype(np.int64)
    return bits & (1 << dtype.bits - 1) - 1


def write(reference: Reference) -> bytes:
    """A number for what it is, and its parameters."""
    out = Writer().u8(_KINDS.index(type(reference)))
    if isinstance(reference, Pruned):
        return out.varint(reference.threshold << 1 | reference.is_signed).bytes()
    if isinstance(reference, Decayed):
        out.u8(reference.steps).signed(reference.decay)
        return out.raw(b"" if reference.then is None else write(reference.then)).bytes()
    if isinstance(reference, Scaled):
        return out.raw(_write_list([reference.scales - (1 << _SCALE_BITS)])).bytes()
    columns = [*reference.left.T, *reference.right]
    return out.u8(reference.left.shape[1]).signed(reference.shift).raw(_write_list(columns)).bytes()


def _write_list(columns: Sequence[_Int]) -> bytes:
    """Lists of integers, each of its own width."""
    widths = [_width(column) for column in columns]
    sizes = [len(column) for column in columns]
    return bytes(widths) + levels.encode(np.concatenate(columns), _context(widths, sizes))


def _width(column: _Int) -> int:
    """The width that suits a list: of what is left of it where that is much."""
    shift = max(0, int(np.abs(column).max(initial=0)).bit_length() - 12)
    return min(spread(column >> shift) + 4 * shift, _MAX_WIDTH)


def _context(widths: Sequence[int], sizes: Sequence[int]) -> Context:
    width = np.repeat(np.array(widths, np.int16), sizes)
    return Context(shape=np.ones(len(width), np.int8), width=width)


def read(data: bytes | memoryview, tensor: Tensor) -> Reference:
    """Parse what `write` gives.

    Raises:
        BitstreamError: It is malformed, or does not fit the tensor.
        LimitError: A number is over its limit.
    """
    reader = Reader(data, "reference")
    kind = reader.u8()
    return _read_decay(reader, tensor) if kind == _DECAYED else _read_plain(reader, kind, tensor)


def _read_decay(reader: Reader, tensor: Tensor) -> Decayed:
    steps, decay = reader.u8(), reader.signed(limit=_MAX_DECAY)
    if not steps or not tensor.dtype.is_float:
        raise _bad(f"{steps} steps of decay of a tensor of {tensor.dtype.name}")
    then = _read_plain(reader, reader.u8(), tensor) if reader.remaining else None
    assert not isinstance(then, Scaled), "that is of integers"
    return Decayed(steps=steps, decay=decay, then=then)


def _read_plain(reader: Reader, kind: int, tensor: Tensor) -> Pruned | LowRank | Scaled:
    """One that does not stand on another."""
    if kind >= _DECAYED:
        raise _bad(f"{kind} is no kind here")
    if kind == 0:
        return _read_threshold(reader, tensor)
    is_product = kind == 1
    if is_product != tensor.dtype.is_float or not tensor.shape:
        raise _bad(f"kind {kind} of a tensor of {tensor.dtype.name}")
    return _read_product(reader, tensor) if is_product else _read_scales(reader, tensor)


def _read_threshold(reader: Reader, tensor: Tensor) -> Pruned:
    value = reader.varint(limit=2 << tensor.dtype.bits)
    reader.end()
    if value & 1 and not tensor.dtype.is_float:
        raise _bad("integers have no sign of 0")
    return Pruned(threshold=value >> 1, is_signed=bool(value & 1))


def _read_scales(reader: Reader, tensor: Tensor) -> Scaled:
    scales = _read_list(reader, [tensor.shape[0]])[0].astype(np.int64) + (1 << _SCALE_BITS)
    if not (int(scales.min()) >= 0 and int(scales.max()) <= _MAX_SCALE):
        raise _bad("a scale is out of range")
    return Scaled(scales=scales.astype(np.int32))


def _read_product(reader: Reader, tensor: Tensor) -> LowRank:
    rank, shift = reader.u8(), reader.signed(limit=MAX_SHIFT)
    if not 1 <= rank <= MAX_RANK:
        raise LimitError(ErrorCode.OVER_LIMIT, f"reference: rank {rank}, at most {MAX_RANK}")
    rows, columns = tensor.shape[0], _first_stride(tensor)
    if rank * (rows + columns) > tensor.weights:
        raise _bad(f"factors of rank {rank} that are more than {tensor.weights} weights")
    lists = _read_list(reader, [rows] * rank + [columns] * rank)
    left, right = np.stack(lists[:rank], axis=1), np.stack(lists[rank:])
    largest = [int(np.abs(factor).max()) for factor in (left, right)]
    if rank * math.prod(largest) >= _MAX_SUM:
        raise _bad(f"factors of {largest[0]} and {largest[1]} whose product is too large")
    return LowRank(left=left, right=right, shift=shift)


def _read_list(reader: Reader, sizes: Sequence[int]) -> list[_Int]:
    widths = list(reader.take(len(sizes)))
    if max(widths) > _MAX_WIDTH:
        raise _bad(f"a width of {max(widths)}")
    found = levels.decode([reader.take(reader.remaining)], [_context(widths, sizes)])[0]
    return np.split(found, np.cumsum(sizes)[:-1])


def _bad(problem: str) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"reference: {problem}")
