"""Points of the lattice whose levels are predicted, one by one in plain Python.

The kernel in C decodes whole stacks; this is for where it is not there, and for streams that
are damaged. Knows nothing of tensors (spec/coding.md, "Lattice").
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
from midstream.kernels.terms import BROKEN, ESCAPED, Decoded, LowBits, Stream

__all__ = ["decode_expected_points"]

_BLOCK = 16
_LAST = _BLOCK - 1
_PHASES = (0, 2, 1, 2)
_MASK = (1 << TOTAL_BITS) - 1

_Odd = NDArray[np.int8]


def decode_expected_points(
    stream: Stream, low: LowBits, slots: Slots, odd: _Odd, *, next_phase: int
) -> Decoded:
    """Levels of one slice of points.

    Args:
        stream: Of the slice, in order of its weights.
        low: Low bits of the numbers.
        slots: The tables; ESCAPED is the value of an escape.
        odd: (16, points), whether each level is.
        next_phase: Tables from those of one phase to those of the next.
    """
    if len(stream.data) < 4 * stream.lanes:
        return Decoded(levels=np.zeros(0, np.int32), taken=BROKEN)
    batch = Batch.of([stream])
    one = Chain(batch)
    rows, levels, words, place = slots.lookup.rows, one.levels, one.words, 0
    lows, known = _lows(low, one.count), _known(odd, one.count)
    points = odd.shape[1]
    sums, append = [0] * points, one.states.append
    for here in one.pieces():
        tables = batch.rows[here.start : here.stop].tolist()
        for at, table, terms, state in zip(here, tables, one.terms, one.states, strict=False):
            mean, (shift, low_bits), is_odd = HALF, next(lows), next(known)
            for distance, gain in terms:
                mean += levels[at - distance] * gain
            mean >>= GAIN_BITS
            is_last = _LAST * points <= at < _BLOCK * points
            rest = -sums[at % points] & 3 if is_last else 0
            quarters = mean - 2 * rest >> 1 if is_last else mean + 2 * is_odd
            names, frequencies, starts, values = rows[table + next_phase * _PHASES[quarters & 3]]
            slot = state & _MASK
            name = names[slot]
            state = (state >> TOTAL_BITS) * frequencies[name] + slot - starts[name]
            if state < STATE_START:
                state = state << WORD_BITS | words[place]
                place += 1
            append(state)
            value = one.escape() if values[name] == ESCAPED else values[name]
            value = (value << shift) + low_bits
            number = (quarters >> 2) + (1 - value if quarters & 3 == 3 else value)
            level = 4 * number + rest if is_last else 2 * number - is_odd
            if points:
                sums[at % points] += level
            if -NEIGHBOUR_LIMIT <= level <= NEIGHBOUR_LIMIT:
                levels[at] = level
            else:
                one.keep(at, level)
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
    """Whether each level is odd; those after the last point are not."""
    return iter([*odd.ravel().tolist(), *([0] * (count - odd.size))])
