"""Levels of a slice that are near to others that are known. Knows nothing of units.

What is finest is coded first, by its differences from what is expected; then each level below,
which the one above it gives but where an encoder moved it (spec/lossy.md, "Moves").
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from midstream.codec import differences, grid
from midstream.codec.parameters import MAX_LEVEL
from midstream.codec.sections import Sections
from midstream.codec.sigmas import Sigmas
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import write_varints
from midstream.types import DType

__all__ = ["FARTHEST", "decode", "encode"]

FARTHEST = MAX_LEVEL // 2
"""From zero, of what is expected, and of levels that can be coded: differences stay levels."""

_WIDTH_OF_SIGMA_ONE = 12
_LIKELY, _LESS_LIKELY = 0, 8
"""Widths of levels whose finer ones are those expected, and of others."""

_Levels = NDArray[np.int32]


def encode(levels: Sequence[_Levels], expected: Sequence[_Levels], widths: _Levels) -> bytes:
    """The payload of a slice.

    Args:
        levels: (weights,) of the base, then after each refinement.
        expected: The same, what they are expected to be.
        widths: (weights,), how far the finest may be from those: equal ones share a table.
    """
    parts = [_encode(levels[-1], expected[-1], widths)]
    for finer, level, known, finer_known in _downwards(levels, expected):
        parts.append(_encode(level, *_below(finer, finer_known, known)))
    return b"".join(write_varints(np.array([len(part)], np.uint64)) + part for part in parts)


def _downwards(
    levels: Sequence[_Levels], expected: Sequence[_Levels]
) -> list[tuple[_Levels, _Levels, _Levels, _Levels]]:
    pairs = zip(levels[1:], levels, expected, expected[1:], strict=False)
    return [*pairs][::-1]


def _below(finer: _Levels, finer_known: _Levels, known: _Levels) -> tuple[_Levels, _Levels]:
    """What is expected of levels whose finer ones are known, and the widths of that."""
    as_known = finer == finer_known
    expected = np.where(as_known, known, grid.coarsen(finer))
    return expected, np.where(as_known, _LIKELY, _LESS_LIKELY).astype(np.int32)


def _encode(levels: _Levels, expected: _Levels, widths: _Levels) -> bytes:
    if np.array_equal(levels, expected):
        return b""
    side = _sides(expected)
    return differences.encode(levels * side, expected * side, _sigmas(widths), DType.INT32)


def _sides(expected: _Levels) -> _Levels:
    """-1 where less than 0 is expected, else 1: so that towards 0 is one direction."""
    return np.where(expected < 0, -1, 1).astype(np.int32)


def _sigmas(widths: _Levels) -> Sigmas:
    quarters = (widths - _WIDTH_OF_SIGMA_ONE).astype(np.int16)
    return Sigmas(
        quarters=quarters,
        stops=np.array([len(widths)], np.int64),
        shapes=np.ones(1, np.int16),
        origins=np.zeros(1, np.int16),
    )


def decode(payload: memoryview, expected: Sequence[_Levels], widths: _Levels) -> list[_Levels]:
    """The levels of a slice, of the base and after each refinement.

    Args:
        payload: As `encode` gives it.
        expected: (weights,) of each, what they are expected to be.
        widths: (weights,), of the finest.

    Raises:
        BitstreamError: It did not come from an encoder, or bytes follow it.
    """
    reader = Sections(payload, "moves")
    found = [_read(reader, expected[-1], widths)]
    for known, finer_known in zip(expected[-2::-1], expected[::-1], strict=False):
        found.append(_read(reader, *_below(found[-1], finer_known, known)))
    reader.end()
    levels = found[::-1]
    _check_digits(levels)
    return levels


def _check_digits(levels: Sequence[_Levels]) -> None:
    """Refuse levels that no refinement leads to: a payload of digits cannot hold them."""
    for parent, child in pairwise(levels):
        digits = child - 3 * parent.astype(np.int64)
        if len(digits) and max(int(digits.max()), -int(digits.min())) > MAX_LEVEL:
            raise BitstreamError(ErrorCode.BAD_SYMBOL, f"moves: a digit is beyond {MAX_LEVEL}")


def _read(reader: Sections, expected: _Levels, widths: _Levels) -> _Levels:
    size = int(reader.varints(1)[0])
    if not size:
        return expected
    part = memoryview(reader.take(size).tobytes())
    side = _sides(expected)
    found = differences.decode(part, expected * side, _sigmas(widths), DType.INT32)
    levels: _Levels = found.astype(np.int32, copy=False) * side
    if len(levels) and max(int(levels.max()), -int(levels.min())) > MAX_LEVEL:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, f"moves: a level is beyond {MAX_LEVEL}")
    return levels
