"""What a fine-tune did to a whole tensor, where a few numbers say it. Knows nothing of bytes.

A product of low rank is found by singular values, pruning by the sizes of what became zero, new
scales of integers by least squares, row by row; decay by what most weights have in common.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from midstream.codec import storage
from midstream.codec.references import MAX_RANK, LowRank, Pruned, Reference, Scaled
from midstream.encoder.decaying import find_decay
from midstream.encoder.sketching import sketch
from midstream.types import DType, Tensor

__all__ = ["expect"]

_FEWEST = 256
"""Weights of a tensor that a few numbers may pay for."""
_FACTOR_BITS = 20
_MOST_WHOLE, _MOST_WEIGHTS = 1 << 24, 1 << 28
"""Of a tensor all of whose singular values are looked for, and the greatest ones alone."""
_SEEN, _PIECE = 1 << 22, 1 << 20
_TRIED = (1, 2, 4, 8, 16, 32, 64)

_Stored = NDArray[np.generic]
_Float = NDArray[np.float64]


def expect(old: _Stored, new: _Stored, tensor: Tensor) -> Reference | None:
    """What is expected of a tensor's new weights; None for the old ones.

    Args:
        old: (weights,) storage array.
        new: (weights,) storage array.
        tensor: Both their shape and data type.
    """
    if tensor.weights < _FEWEST:
        return None
    if not tensor.dtype.is_float:
        return _scaled(old, new, tensor)
    decayed = find_decay(old, new, tensor)
    if decayed is not None:
        old = decayed.apply(old, tensor, 0)
    found = _pruned(old, new, tensor) or _low_rank(old, new, tensor)
    return found if decayed is None else replace(decayed, then=found)


def _pruned(old: _Stored, new: _Stored, tensor: Tensor) -> Pruned | None:
    """The size below which nearly all became 0, and above which nearly none did."""
    bits = tensor.dtype.bits
    sign = 1 << bits - 1
    raw = [part.view(storage.bits_dtype(tensor.dtype)).astype(np.int64) for part in (old, new)]
    magnitude, after = (part & sign - 1 for part in raw)
    gone = (after == 0) & (magnitude != 0)
    if gone.sum() * 8 < len(gone):
        return None
    # as many as went, by size; the best threshold splits sorted sizes with the fewest errors
    order = np.argsort(magnitude, kind="stable")
    balance = np.cumsum(np.where((after == 0)[order], 1, -1))
    best = int(np.argmax(balance))
    threshold = int(magnitude[order[best]]) + 1
    wrong = int(((magnitude < threshold) != (after == 0)).sum())
    if wrong * 8 >= int(gone.sum()):
        return None
    is_signed = bool((raw[1][gone] & sign).any())
    return Pruned(threshold=threshold, is_signed=is_signed)


def _scaled(old: _Stored, new: _Stored, tensor: Tensor) -> Scaled | None:
    """One factor for each place on the first axis."""
    if len(tensor.shape) < 2 or tensor.dtype is DType.UINT8:
        return None
    before, after = (part.astype(np.float64).reshape(tensor.shape[0], -1) for part in (old, new))
    energy = (before * before).sum(axis=1)
    ratio = np.divide(
        (before * after).sum(axis=1), energy, out=np.ones(len(energy)), where=energy > 0
    )
    scales = np.clip(np.rint(ratio * 65536), 0, 1 << 20).astype(np.int32)
    found = Scaled(scales=scales)
    left = int((found.apply(old, tensor, 0) != new).sum())
    changed = int((old != new).sum())
    # a scale takes some ten bits, a weight that changed at least two
    return found if 2 * (changed - left) > 12 * len(scales) else None


def _low_rank(old: _Stored, new: _Stored, tensor: Tensor) -> LowRank | None:
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    if min(rows, columns) < 2 or tensor.weights > _MOST_WEIGHTS:
        return None
    change = _change(old, new, tensor)
    if change is None:
        return None
    left, sizes, right = _singular(change.reshape(rows, columns))
    seen = _seen(tensor, columns)
    unit = _unit(storage.to_float64(new[:seen], tensor.dtype), tensor.dtype)
    rank = _rank(sizes, tensor, unit, rows, columns)
    if not rank:
        return None
    root = np.sqrt(sizes[:rank])
    factors = left[:, :rank] * root, root[:, None] * right[:rank]
    return _finest(*factors, old[:seen], new[:seen], tensor)


def _change(old: _Stored, new: _Stored, tensor: Tensor) -> _Float | NDArray[np.float32] | None:
    """What was added to each weight; None where that is not finite."""
    count = tensor.weights
    found = np.empty(count) if count <= _MOST_WHOLE else np.empty(count, np.float32)
    for start in range(0, tensor.weights, _PIECE):
        here = slice(start, start + _PIECE)
        before, after = (storage.to_float64(part[here], tensor.dtype) for part in (old, new))
        if not (np.isfinite(before).all() and np.isfinite(after).all()):
            return None
        found[here] = after - before
    return found


def _singular(change: _Float | NDArray[np.float32]) -> tuple[_Float, _Float, _Float]:
    """Singular vectors and values, the greatest first; what others have in all as one more."""
    if change.size <= _MOST_WHOLE:
        left, sizes, right = np.linalg.svd(change, full_matrices=False)
        return left, sizes, right
    left, sizes, right = sketch(change, MAX_RANK)
    energy = sum(float(np.square(row, dtype=np.float64).sum()) for row in change)
    rest = math.sqrt(max(energy - float((sizes * sizes).sum()), 0.0))
    return left, np.append(sizes, rest), right


def _seen(tensor: Tensor, columns: int) -> int:
    """Weights by which grids are compared: all, or the first rows of a large tensor."""
    if tensor.weights <= _MOST_WHOLE:
        return tensor.weights
    return min(max(_SEEN // columns, 1) * columns, tensor.weights)


def _unit(numbers: _Float, dtype: DType) -> float:
    """The distance of neighbouring floats about a usual weight."""
    usual = float(np.median(np.abs(numbers)))
    octave = math.floor(math.log2(usual)) if usual > 0 else -126
    return 2.0 ** (octave - storage.MANTISSA_BITS[dtype])


def _rank(sizes: _Float, tensor: Tensor, unit: float, rows: int, columns: int) -> int:
    """The rank that saves the most bits; 0 where none saves any."""
    energy = np.append(np.cumsum((sizes * sizes)[::-1])[::-1], 0.0)
    spread = np.sqrt(energy / tensor.weights)
    saved = {}
    for rank in _TRIED:
        if rank >= min(MAX_RANK + 1, len(sizes)) or rank * (rows + columns) * 2 > tensor.weights:
            break
        gain = math.log2(max(spread[0], unit / 4) / max(float(spread[rank]), unit / 4))
        saved[rank] = tensor.weights * gain - rank * (rows + columns) * _FACTOR_BITS
    best = max(saved, key=lambda rank: saved[rank], default=0)
    return best if best and saved[best] > tensor.weights / 4 else 0


def _finest(left: _Float, right: _Float, old: _Stored, new: _Stored, tensor: Tensor) -> LowRank:
    """The factors on the grid that leaves the fewest bits, theirs included."""
    top = math.ceil(math.log2(max(float(np.abs(left).max()), float(np.abs(right).max()))))
    best: tuple[float, LowRank] | None = None
    for bits in range(10, 24, 2):
        shift = bits - top
        found = LowRank(
            left=np.rint(np.ldexp(left, shift)).astype(np.int32),
            right=np.rint(np.ldexp(right, shift)).astype(np.int32),
            shift=2 * shift,
        )
        left_over = _left_bits(found, old, new, tensor) * tensor.weights / len(old)
        size = (found.left.size + found.right.size) * (bits - 2) + left_over
        if best is None or size < best[0]:
            best = size, found
    assert best is not None, "some grid is the best"
    return best[1]


def _left_bits(found: LowRank, old: _Stored, new: _Stored, tensor: Tensor) -> float:
    """About how many bits what is left takes."""
    expected = storage.to_float64(found.apply(old, tensor, 0), tensor.dtype)
    after = storage.to_float64(new, tensor.dtype)
    units = np.spacing(np.abs(after).astype(np.float32)) * 2.0 ** (
        23 - storage.MANTISSA_BITS[tensor.dtype]
    )
    distance = np.abs(after - expected) / units
    return float(np.log2(1 + 2 * distance).sum())
