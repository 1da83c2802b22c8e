"""Which weights of a slice a payload says something of. Knows nothing of what it says.

All of them, those that have a reference, or some that are named by a mask or by the gaps between
them (spec/updates.md, "Differences").
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.codec.sections import Sections, write_unary
from midstream.codec.tables import BINARY_TABLES, binary_family
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import pack_bits, write_varints

__all__ = ["Selection", "read", "write"]

_MOST_LOW_BITS = 20
_Flags = NDArray[np.bool_]


class Selection(IntEnum):
    """How weights are named; the numbers are those of the bitstream."""

    ALL = 0
    """Every weight."""
    NONZERO = 1
    """Those whose reference is not zero."""
    MASK = 2
    """A flag for each weight, by a table of two symbols."""
    GAPS = 3
    """The numbers of weights between them, in Rice code."""


def write(selection: Selection, chosen: _Flags) -> bytes:
    """What says which weights these are, where the selection leaves it open."""
    if selection is Selection.MASK:
        return _write_mask(chosen)
    return _write_gaps(chosen) if selection is Selection.GAPS else b""


def read(reader: Sections, selection: Selection, nonzero: _Flags) -> _Flags:
    """Which weights are chosen; (weights,).

    Args:
        reader: What follows the selection.
        selection: How they are named.
        nonzero: Whether the reference of each weight is other than zero.

    Raises:
        BitstreamError: It did not come from an encoder.
    """
    if selection is Selection.ALL:
        return np.ones_like(nonzero)
    if selection is Selection.NONZERO:
        return nonzero
    named = _read_mask if selection is Selection.MASK else _read_gaps
    return named(reader, len(nonzero))


def _write_mask(chosen: _Flags) -> bytes:
    table = min(int(chosen.mean() * BINARY_TABLES), BINARY_TABLES - 1)
    tables = np.full(len(chosen), table, np.int64)
    stream = rans.encode(binary_family(), [tables], [chosen.astype(np.int64)])[0]
    return bytes([table]) + stream


def _read_mask(reader: Sections, weights: int) -> _Flags:
    table = int(reader.take(1)[0])
    if table >= BINARY_TABLES:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"differences: binary table {table}")
    tables = np.full(weights, table, np.int64)
    flags, sizes = rans.decode(binary_family(), [reader.payload], [tables])
    reader.take(sizes[0])
    return flags[0].astype(np.bool_)


def _write_gaps(chosen: _Flags) -> bytes:
    gaps = np.diff(np.flatnonzero(chosen), prepend=-1) - 1
    mean = float(gaps.mean()) if len(gaps) else 0.0
    low = max(0, int(np.floor(np.log2(max(mean, 1.0) * 0.69)) + 1)) if mean >= 1 else 0
    bits = np.full(len(gaps), low, np.int64)
    head = write_varints(np.array([len(gaps)], np.uint64)) + bytes([low])
    return (
        head + pack_bits((gaps & (1 << low) - 1).astype(np.uint64), bits) + write_unary(gaps >> low)
    )


def _read_gaps(reader: Sections, weights: int) -> _Flags:
    count, low = int(reader.varints(1)[0]), int(reader.take(1)[0])
    if count > weights or low > _MOST_LOW_BITS:
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"differences: {count} of {weights} weights, {low} low bits"
        )
    gaps = reader.fields(np.full(count, low, np.int64))
    gaps += reader.unary(count, below=(weights >> low) + 1) << low
    where = np.cumsum(gaps + 1) - 1
    if count and where[-1] >= weights:
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"differences: weight {where[-1]} of {weights} is named"
        )
    chosen = np.zeros(weights, np.bool_)
    chosen[where] = True
    return chosen
