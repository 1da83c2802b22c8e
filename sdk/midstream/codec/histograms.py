"""Small integers by tables that are sent with them. Knows nothing of what they are.

Differences of integers are few and far from any fixed shape: an optimiser that takes even steps
moves most of them by the same. So a slice sends the tables of the widths that occur in it, five
bits a symbol (spec/updates.md, "Differences").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.codec.sections import Sections
from midstream.codec.tables import Family, family_of
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import TOTAL_BITS, pack_bits, write_varints

__all__ = ["read", "write"]

_FARTHEST = 15
"""From 0, of a number with a symbol of its own."""
_CLASSES = 16
_WEIGHT_BITS = 5
_WEIGHTS = np.array(
    [
        *(0, 1, 1, 2, 2, 3, 4, 5, 7, 9, 12, 16, 21, 28, 37, 49, 64, 84, 111, 147, 194),
        *(256, 338, 446, 588, 776, 1024, 1351, 1783, 2353, 3104, 4096),
    ],
    np.int64,
)
"""What five bits stand for: about how often a symbol comes, for its table."""
_TOTAL = 1 << TOTAL_BITS
_MOST = 1 << 33

_Int = NDArray[np.int64]


def _classes(width: NDArray[np.int16]) -> _Int:
    """The class of each number, by how wide it is likely to spread."""
    return np.clip(width, 0, 2 * _CLASSES - 1).astype(np.int64) >> 1


def write(numbers: _Int, width: NDArray[np.int16]) -> bytes:
    """The bytes of some numbers.

    Args:
        numbers: (weights,)
        width: (weights,) quarter octaves of sigma from 2**-3 up.
    """
    classes = _classes(width)
    tables, heads, symbols = [], [], np.empty(len(numbers), np.int64)
    used = np.unique(classes)
    for kind in used:
        here = classes == kind
        low, weights, symbols[here] = _fit(numbers[here])
        tables.append(_frequencies(weights))
        heads.append(bytes([low, len(weights) - 2 - low]) + _pack(weights))
    place = np.searchsorted(used, classes)
    family = family_of(tables)
    is_escape = symbols == family.sizes[place] - 1
    escapes = numbers[is_escape]
    folded = np.where(escapes < 0, -1 - 2 * escapes, 2 * escapes)
    tail = write_varints(np.array([len(folded), *folded], np.uint64))
    return b"".join(heads) + tail + rans.encode(family, [place], [symbols])[0]


def _fit(numbers: _Int) -> tuple[int, _Int, _Int]:
    """How far below 0 the symbols start, about how often each comes, and those of the numbers."""
    inside = numbers[np.abs(numbers) <= _FARTHEST]
    low, high = max(0, -int(inside.min(initial=0))), max(0, int(inside.max(initial=0)))
    counts = np.bincount(inside + low, minlength=low + high + 1)
    counts = np.append(counts, len(numbers) - len(inside))
    share = counts / max(counts.max(), 1) * _WEIGHTS[-1]
    nearest = np.abs(np.log(np.maximum(share, 0.5))[:, None] - np.log(np.maximum(_WEIGHTS, 0.5)))
    weights = nearest.argmin(axis=1)
    symbols = np.where(np.abs(numbers) <= _FARTHEST, numbers + low, low + high + 1)
    return low, weights, symbols


def _pack(weights: _Int) -> bytes:
    return pack_bits(weights.astype(np.uint64), np.full(len(weights), _WEIGHT_BITS, np.int64))


def _frequencies(weights: _Int) -> _Int:
    """A table: each symbol at least once, what is left over to the first of the most frequent."""
    counts = _WEIGHTS[weights]
    total = max(int(counts.sum()), 1)
    found: _Int = 1 + counts * (_TOTAL - len(counts)) // total
    found[np.argmax(found)] += _TOTAL - found.sum()
    return found


def read(reader: Sections, width: NDArray[np.int16]) -> _Int:
    """The numbers that `write` was given.

    Raises:
        BitstreamError: It did not come from an encoder.
    """
    classes = _classes(width)
    used = np.unique(classes)
    lows, tables = [], []
    for _ in used:
        low, high = reader.take(2).tolist()
        if max(low, high) > _FARTHEST:
            raise BitstreamError(ErrorCode.BAD_FIELD, f"differences: a table from {low} to {high}")
        weights = reader.fields(np.full(low + high + 2, _WEIGHT_BITS, np.int64))
        lows.append(low)
        tables.append(_frequencies(weights))
    escapes = _read_escapes(reader, len(width))
    if not len(width):
        return escapes
    return _read_symbols(reader, family_of(tables), lows, np.searchsorted(used, classes), escapes)


def _read_escapes(reader: Sections, weights: int) -> _Int:
    count = int(reader.varints(1)[0])
    if count > weights:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"differences: {count} escapes of {weights}")
    folded = reader.varints(count)
    if len(folded) and not 0 <= int(folded.min()) <= int(folded.max()) <= _MOST:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, "differences: an escape is too far from 0")
    return np.where(folded & 1, -1 - (folded >> 1), folded >> 1)


def _read_symbols(
    reader: Sections, family: Family, lows: list[int], place: _Int, escapes: _Int
) -> _Int:
    found, sizes = rans.decode(family, [reader.payload], [place])
    reader.take(sizes[0])
    symbols = found[0].astype(np.int64)
    is_escape = symbols == family.sizes[place] - 1
    if int(is_escape.sum()) != len(escapes):
        raise BitstreamError(
            ErrorCode.BAD_SYMBOL, f"differences: {len(escapes)} escapes of {is_escape.sum()}"
        )
    numbers = symbols - np.array(lows, np.int64)[place]
    numbers[is_escape] = escapes
    return numbers
