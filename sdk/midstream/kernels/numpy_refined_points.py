"""Points of the lattice that refine levels, one by one in plain Python.

Knows nothing of tensors (spec/coding.md, "Refined points").
"""

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.codewords import CODEWORDS, coset_kinds, distances
from midstream.kernels.numpy_batches import Batch
from midstream.kernels.numpy_chain import CLASSES, HALF, Chain
from midstream.kernels.numpy_walk import GAIN_BITS, NEIGHBOUR_LIMIT
from midstream.kernels.slots import TOTAL_BITS
from midstream.kernels.stepping import STATE_START, WORD_BITS
from midstream.kernels.terms import BROKEN, Decoded, Stream, classify

__all__ = ["decode_codewords", "decode_refined_points", "refined_symbols"]

_TOTAL = 1 << TOTAL_BITS
_MASK = _TOTAL - 1
_PIECE = 1 << 8
"""Points whose numbers are those of Python at a time."""
_LAST = 2
"""In place of whether a level is odd, for the last of a point."""
_FIVE = 5
_ONE = 3
"""The kind of a weight of which one child is open."""
_FAR = 2
"""From the middle of a cell: as near on one side as on the other, by what is known."""

_Odd = NDArray[np.int8]


def decode_codewords(
    data: memoryview, lanes: int, parities: _Odd, frequencies: NDArray[np.uint16]
) -> tuple[_Odd, int]:
    """Which levels of points are odd, and the bytes that saying so took.

    Args:
        data: Starts with the stream of the codewords; more may follow it.
        lanes: Of that stream.
        parities: (16, points) of the parents, at least one point.
        frequencies: (kinds, distances) of a codeword of each distance from them, of 4096; what
            is missing of all of them goes to the last one.

    Returns:
        (16, points), and BROKEN in place of the bytes where no encoder made them.
    """
    count = parities.shape[1]
    if len(data) < 4 * lanes:
        return np.zeros_like(parities), BROKEN
    first = np.frombuffer(data, "<u4", lanes)
    words = np.frombuffer(data, "<u2", (len(data) - first.nbytes) // 2, first.nbytes).tolist()
    states, numbers, place = [int(state) for state in first], np.empty(count, np.uint8), 0
    for at, ends in enumerate(_ends(parities, frequencies)):
        state = states[at % lanes]
        slot = state & _MASK
        number = bisect_right(ends, slot) - 1
        state = (ends[number + 1] - ends[number]) * (state >> TOTAL_BITS) + slot - ends[number]
        if state < STATE_START:
            state = state << WORD_BITS | (words[place] if place < len(words) else 0)
            place += 1
        states[at % lanes], numbers[at] = state, number
    is_whole = int(first.min()) >= STATE_START and states == [STATE_START] * lanes
    taken = first.nbytes + 2 * place if is_whole and place <= len(words) else BROKEN
    return np.ascontiguousarray(CODEWORDS[numbers].T), taken


def _ends(parities: _Odd, frequencies: NDArray[np.uint16]) -> Iterator[list[int]]:
    """Where the slots of each codeword of each point start, and their end; some at a time."""
    for start in range(0, parities.shape[1], _PIECE):
        far = distances(parities[:, start : start + _PIECE])
        ends = np.zeros((len(far), far.shape[1] + 1), np.int64)
        np.cumsum(frequencies[coset_kinds(far)[:, None], far], axis=1, out=ends[:, 1:])
        ends[:, -1] = _TOTAL
        yield from ends.tolist()


def decode_refined_points(
    stream: Stream, parents: NDArray[np.int32], ratio: int, starts: NDArray[np.uint16]
) -> Decoded:
    """Children of one slice.

    Args:
        stream: In order of its weights, with its states; rows are those of three open children.
        parents: (symbols,) the levels before.
        ratio: How many half steps a cell is cut into, 3 or 5.
        starts: (tables, 4) where the slots of toward, same and away start, and their end: as many
            tables for three children, two that are two apart, and two that are four; then one.
    """
    odd = stream.odd
    assert odd is not None, "these are no points"
    one, points, families = Chain(Batch.of([stream])), odd.shape[1], len(starts) // 3
    levels, words, place, rows = one.levels, one.words, 0, starts.tolist()
    known, sums, append = _known(odd, one.count), [0] * points, one.states.append
    for here in one.pieces():
        tables = stream.rows[here.start : here.stop].tolist()
        before = parents[here.start : here.stop].tolist()
        for at, table, terms, parent, is_odd, state in zip(
            here, tables, one.terms, before, known, one.states, strict=False
        ):
            mean = HALF
            for distance, gain in terms:
                mean += levels[at - distance] * gain
            centre = ratio * parent
            offset = 2 * centre - (mean >> GAIN_BITS) >> 1
            table += CLASSES[min(abs(offset), len(CLASSES) - 1)]
            step, only = 2, 0
            if is_odd == _LAST:
                only = (1 - sums[at % points] - centre & 3) - 1
                is_open = only == _FAR
                table = table + 2 * families if is_open else 3 * families
                only = 0 if is_open else only
            elif (is_odd ^ parent) & 1:
                step, table = 1, table + families
            elif ratio != _FIVE:
                table = 3 * families
            edges, slot = rows[table], state & _MASK
            symbol = (slot >= edges[1]) + (slot >= edges[2])
            edge = edges[symbol]
            state = (state >> TOTAL_BITS) * (edges[symbol + 1] - edge) + slot - edge
            if state < STATE_START:
                state = state << WORD_BITS | words[place]
                place += 1
            append(state)
            outward = symbol - 1
            level = centre + only + step * (-outward if offset < 0 else outward)
            if points:
                sums[at % points] += level
            if -NEIGHBOUR_LIMIT <= level <= NEIGHBOUR_LIMIT:
                levels[at] = level
            else:
                one.keep(at, level)
    one.place = place
    return one.decoded()


def refined_symbols(
    parents: NDArray[np.int32],
    children: NDArray[np.int32],
    halves: NDArray[np.int64] | None,
    tables: NDArray[np.uint16],
    ratio: int,
    *,
    family: int,
) -> NDArray[np.int32]:
    """The places of symbols among those of all tables.

    Args:
        parents: (weights,) levels before.
        children: (weights,) points in their cells.
        halves: (weights,) what is expected of each child, in half steps of it; 0 where None.
        tables: (weights,) those of three open children, to which a class is added.
        ratio: How many half steps a cell is cut into, 3 or 5.
        family: Tables of three children; twice as many of two follow, then one of one.
    """
    centres = ratio * parents.astype(np.int64)
    offsets = (2 * centres if halves is None else 2 * centres - halves) >> 1
    digits = children - centres
    outward = np.where(offsets < 0, -digits, digits)
    kinds = _kinds(digits, ratio)
    alone = kinds == _ONE
    alone[15 * (len(digits) // 16) : 16 * (len(digits) // 16)] = False
    if np.abs(digits).max(initial=0) > _FAR or digits[alone].any():
        raise ValueError("a child in no cell")
    rows = tables + classify(offsets)
    twos = 3 * family + 2 * ((kinds - 1) * family + rows) + (outward > 0)
    found = np.where(kinds == 0, 3 * rows + (outward + _FAR >> 1), twos)
    found[kinds == _ONE] = 7 * family
    return found.astype(np.int32)


def _kinds(digits: NDArray[np.int64], ratio: int) -> NDArray[np.int64]:
    """Which children are open, told by those chosen: three, two that are near, far, or one."""
    count = len(digits) // 16
    kinds = np.where(digits & 1, 1, 0 if ratio == _FIVE else _ONE)
    last = slice(15 * count, 16 * count)
    kinds[last] = np.where(np.abs(digits[last]) == _FAR, 2, _ONE)
    return kinds


def _known(odd: _Odd, count: int) -> Iterator[int]:
    """Whether each level is odd, or that it is its point's last; others count as even."""
    marked = odd.copy()
    marked[-1] = _LAST
    return iter(marked.ravel().tobytes() + bytes(count - odd.size))
