"""Runs of floats that were there before, in order or mirrored. Knows nothing of the others.

Windowed sines and their like are symmetric: half of their values are the others, turned round,
and maybe negative, all or every second one (spec/coding.md, "Repeats").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import copy_runs, find_runs, read_varints, write_varints
from midstream.kernels import may_repeat as look_in_c
from midstream.kernels.numpy_runs import MIRRORED, Bits

__all__ = ["count", "expand", "find", "literals", "may_be", "read", "write"]

_LOOKED, _SEEN, _FEW = 256, 1 << 14, 8
"""Fours that are looked for, among how many, and of how many one must come again."""
_BUCKETS = 1 << 16
_SCATTER, _OTHER = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)
_KIND_BITS = 3
_FIELDS = 3
"""Numbers of a run in the bitstream."""

_Int = NDArray[np.int64]
Runs = NDArray[np.int64]
"""Of each its first value, where this was before, how many they are, its kind; (runs, 4)."""


def find(bits: Bits) -> Runs:
    """Runs in the bits of floats, in order, none over another; (weights,)."""
    return find_runs(bits)


def may_be(bits: Bits) -> bool:
    """Whether a quick look finds that some may repeat; (weights,)."""
    if look_in_c is not None:
        return look_in_c(bits)
    stride = max(1, len(bits) // _SEEN)
    looked = np.unique(_fours(bits, max(1, len(bits) // _LOOKED)))
    seen = _fours(bits, stride)
    is_there = np.zeros(_BUCKETS, np.bool_)
    is_there[looked & _BUCKETS - 1] = True
    near = seen[is_there[seen.astype(np.uint16)]]
    places = np.minimum(np.searchsorted(looked, near), len(looked) - 1)
    counts = np.bincount(places[looked[places] == near], minlength=len(looked))
    return bool(np.count_nonzero(counts > 1) * _FEW * stride > len(looked))


def _fours(bits: Bits, stride: int) -> NDArray[np.uint32]:
    """A number of the magnitudes of every so many values and the next three, whichever way."""
    magnitude = bits.dtype.type((1 << 8 * bits.itemsize - 1) - 1)
    fours = bits[:-3:stride], bits[1:-2:stride], bits[2:-1:stride], bits[3::stride]
    first, second, third, fourth = ((part & magnitude).astype(np.uint32) for part in fours)
    outer = (first + fourth) * _SCATTER ^ first ^ fourth
    inner = (second + third) * _SCATTER ^ second ^ third
    return outer + inner * _OTHER


def count(runs: Runs) -> int:
    """The values of all runs."""
    return int(runs[:, 2].sum())


def literals(bits: Bits, runs: Runs) -> Bits:
    """The values that are in no run."""
    return bits[_is_literal(runs, len(bits))]


def _is_literal(runs: Runs, weights: int) -> NDArray[np.bool_]:
    lengths = np.empty(2 * len(runs) + 1, np.int64)
    lengths[1::2] = runs[:, 2]
    lengths[:-1:2] = runs[:, 0]
    lengths[-1] = weights
    lengths[2::2] -= runs[:, 0] + runs[:, 2]
    return np.repeat(np.arange(len(lengths)) & 1 == 0, lengths)


def write(runs: Runs) -> bytes:
    """Runs as bytes."""
    start, source, length, kind = runs.T
    gaps = np.diff(start + length, prepend=0) - length
    fields = np.stack([gaps, start - source, length << _KIND_BITS | kind], axis=1)
    return write_varints(np.append(len(runs), fields.ravel()).astype(np.uint64))


def read(data: memoryview, weights: int) -> tuple[Runs, int]:
    """Runs of so many weights, and the bytes that they took.

    Raises:
        BitstreamError: They are malformed.
    """
    numbers = np.frombuffer(data, np.uint8)
    first = read_varints(numbers, 1)
    fields = 0 if first is None else _FIELDS * int(first[0][0])
    # none takes less than a byte
    found = None if first is None or fields > len(data) else read_varints(numbers, 1 + fields)
    if found is None:
        raise BitstreamError(ErrorCode.BAD_LENGTH, "repeats: the runs are malformed")
    return _runs(found[0][1:].reshape(-1, _FIELDS).astype(np.int64), weights), found[1]


def _runs(fields: _Int, weights: int) -> Runs:
    """Runs of the numbers that they are written as; (runs, 3)."""
    length, kind = fields[:, 2] >> _KIND_BITS, fields[:, 2] & (1 << _KIND_BITS) - 1
    ends = np.cumsum(fields[:, 0] + length)
    start = ends - length
    source = start - fields[:, 1]
    least = np.where(kind & MIRRORED, source - length + 1, source)
    # 2^35 at most each, and no more of them than bytes: their sums are exact
    fits = (least >= 0) & (source < start) & (length >= 1) & (ends <= weights)
    if not fits.all():
        raise BitstreamError(ErrorCode.BAD_FIELD, "repeats: a run is from nowhere, or too long")
    return np.stack([start, source, length, kind], axis=1)


def expand(left: Bits, runs: Runs) -> Bits:
    """All values, given those in no run and the runs."""
    out = np.empty(len(left) + count(runs), left.dtype)
    out[_is_literal(runs, len(out))] = left
    copy_runs(runs, out)
    return out
