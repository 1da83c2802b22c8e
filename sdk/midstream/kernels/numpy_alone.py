"""Levels of one slice that nothing predicts, in plain Python but for what can be done at once.

Knows nothing of tensors.
"""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_kernels import unpack_bits
from midstream.kernels.numpy_walk import LEVEL_LIMIT, limited
from midstream.kernels.slots import SYMBOL_BITS, TOTAL_BITS, Lookup, Slots
from midstream.kernels.stepping import STATE_START, advance
from midstream.kernels.terms import BROKEN, ESCAPED, Decoded, LowBits, Stream, bounded

__all__ = ["decode_alone"]

_MASK = (1 << TOTAL_BITS) - 1
_PIECE = 1 << 12
"""Symbols whose states are those of Python at a time: these take ten times as much memory."""

_Int = NDArray[np.int64]


def decode_alone(stream: Stream, low: LowBits, slots: Slots) -> Decoded:
    """As `numpy_prediction.decode_levels`, of one stream that has its states."""
    names, taken = _names(stream, slots.lookup)
    entries = stream.rows.astype(np.int64) << SYMBOL_BITS
    entries += names
    values = slots.lookup.values.take(entries).astype(np.int64)
    escaped = np.flatnonzero(values == ESCAPED)
    if len(escaped) != len(stream.escapes):
        return Decoded(levels=values.astype(np.int32), taken=BROKEN)
    values[escaped] = stream.escapes
    if low.shifts.any():
        shifts = low.shifts.astype(np.int64)
        values <<= shifts
        values += unpack_bits(np.frombuffer(low.data, np.uint8), shifts).astype(np.int64)
        values -= 1 << shifts >> 1
    return bounded(limited(values, LEVEL_LIMIT).astype(np.int32), taken)


def _names(stream: Stream, lookup: Lookup) -> tuple[NDArray[np.uint8], int]:
    """The symbol of each level in its table, and the bytes that all of them took."""
    first = np.frombuffer(stream.data, "<u4", stream.lanes)
    coded = np.frombuffer(stream.data, "<u2", (len(stream.data) - first.nbytes) // 2, first.nbytes)
    count = len(stream.rows)
    # what damage asks for beyond the last word is zeros
    words = np.zeros(max(count, 1), np.uint16)
    words[: len(coded)] = coded[:count]
    states: list[int] = first.tolist()
    names = np.empty(count, np.uint8)
    place = 0
    for start in range(0, count, _PIECE):
        here = slice(start, start + _PIECE)
        place = advance(stream.rows[here], states, words.data, place, lookup)
        slots = np.array(states[: -stream.lanes], np.int64) & _MASK
        slots += stream.rows[here].astype(np.int64) << TOTAL_BITS
        names[here] = lookup.names.take(slots)
        del states[: -stream.lanes]
    is_whole = int(first.min()) >= STATE_START and states == [STATE_START] * stream.lanes
    return names, first.nbytes + 2 * place if is_whole and place <= len(coded) else BROKEN
