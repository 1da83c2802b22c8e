"""Points of the lattice whose levels are predicted from near ones, one by one in plain Python.

Knows nothing of tensors (spec/coding.md, "Lattice").
"""

from collections.abc import Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_batches import Batch
from midstream.kernels.numpy_chain import HALF, Chain
from midstream.kernels.numpy_kernels import unpack_bits
from midstream.kernels.numpy_walk import GAIN_BITS, NEIGHBOUR_LIMIT
from midstream.kernels.slots import TOTAL_BITS, Slots
from midstream.kernels.stepping import STATE_START, WORD_BITS
from midstream.kernels.terms import ESCAPED, PHASES, Decoded, LowBits, Stream

__all__ = ["decode_point_chain"]

_LAST = 2
"""In place of whether a level is odd, for the last of a point."""
_MASK = (1 << TOTAL_BITS) - 1

_Odd = NDArray[np.int8]


def decode_point_chain(stream: Stream, low: LowBits, slots: Slots, next_phase: int) -> Decoded:
    """Levels of one slice of points, of a stream that has its states.

    Args:
        stream: In order of its weights.
        low: Low bits of the numbers.
        slots: The tables; ESCAPED is the value of an escape.
        next_phase: Tables from those of one phase to those of the next.
    """
    odd = stream.odd
    assert odd is not None, "these are no points"
    batch, points = Batch.of([stream]), odd.shape[1]
    one = Chain(batch)
    rows, levels, words, place = slots.lookup.rows, one.levels, one.words, 0
    lows, known = _lows(low, one.count), _known(odd, one.count)
    phases = [next_phase * phase for phase in PHASES]
    beyond, append = [0] * points, one.states.append
    for here in one.pieces():
        tables = batch.rows[here.start : here.stop].tolist()
        for at, table, terms, is_odd, (shift, low_bits), state in zip(
            here, tables, one.terms, known, lows, one.states, strict=False
        ):
            mean = HALF
            for distance, gain in terms:
                mean += levels[at - distance] * gain
            mean >>= GAIN_BITS
            if is_odd == _LAST:
                first = at % points
                rest = -sum(levels[first:at:points], beyond[first]) & 3
                quarters = mean - 2 * rest >> 1
            else:
                quarters = mean + 2 * is_odd
            names, frequencies, starts, values = rows[table + phases[quarters & 3]]
            slot = state & _MASK
            name = names[slot]
            state = (state >> TOTAL_BITS) * frequencies[name] + slot - starts[name]
            if state < STATE_START:
                state = state << WORD_BITS | words[place]
                place += 1
            append(state)
            value = values[name]
            if value == ESCAPED:
                value = one.escape()
            if shift:
                value = (value << shift) + low_bits
            number = (quarters >> 2) + (1 - value if quarters & 3 == 3 else value)
            level = 4 * number + rest if is_odd == _LAST else 2 * number - is_odd
            if -NEIGHBOUR_LIMIT <= level <= NEIGHBOUR_LIMIT:
                levels[at] = level
            else:
                one.keep(at, level)
                if points:
                    beyond[at % points] += level - levels[at]
    one.place = place
    return one.decoded()


def _lows(low: LowBits, count: int) -> Iterator[tuple[int, int]]:
    """By how many bits each number is shifted, and what is then added."""
    if not len(low.shifts):
        return repeat((0, 0), count)
    shifts = low.shifts.astype(np.int64)
    bits = unpack_bits(np.frombuffer(low.data, np.uint8), shifts).astype(np.int64)
    return zip(shifts.tolist(), (bits - (1 << shifts >> 1)).tolist(), strict=True)


def _known(odd: _Odd, count: int) -> Iterator[int]:
    """Whether each level is odd, or that it is its point's last; others count as even."""
    marked = odd.copy()
    marked[-1] = _LAST
    return iter(marked.ravel().tobytes() + bytes(count - odd.size))
