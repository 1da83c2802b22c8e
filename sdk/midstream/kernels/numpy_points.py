"""Points of the lattice whose levels are predicted, in NumPy.

Knows nothing of tensors (spec/coding.md, "Lattice").
"""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_batches import Batch
from midstream.kernels.numpy_low_bits import Fields, read_values
from midstream.kernels.numpy_point_chain import BLOCK, PHASES, decode_point_chain
from midstream.kernels.numpy_walk import Walk
from midstream.kernels.slots import Slots
from midstream.kernels.terms import BROKEN, Decoded, LowBits, Stream

__all__ = ["decode_expected_points"]

_LAST = BLOCK - 1
_SHORTEST_STRETCH = 64
"""Symbols that NumPy decodes at once in the time that plain Python takes for them."""
_PHASES = np.array(PHASES)

_Int = NDArray[np.int64]
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
    found = None
    if _reach(stream, odd.shape[1]) >= _SHORTEST_STRETCH:
        found = _walk_points(stream, low, slots, odd, next_phase)
    return found or decode_point_chain(stream, low, slots, odd, next_phase)


def _reach(stream: Stream, points: int) -> int:
    """From how near a level may depend on another, which of a point's are `points` apart."""
    nearest = stream.terms.nearest if stream.terms else None
    apart = points or len(stream.rows)
    return apart if nearest is None else min(nearest, apart)


def _walk_points(
    stream: Stream, low: LowBits, slots: Slots, odd: _Odd, next_phase: int
) -> Decoded | None:
    """A stretch at a time; None where levels are far out."""
    batch, points = Batch.of([stream]), odd.shape[1]
    fields, known = Fields.join([low], batch), _known(odd, len(stream.rows))
    # no two levels of a point in a stretch
    longest = points or len(stream.rows)
    walk = Walk(batch, batch.rows, slots, careful=False, longest=longest)
    for block in walk.blocks():
        added = None if fields is None else fields.of_symbols(block.symbols)
        for here, quarters in block.stretches():
            symbols = block.symbols[here]
            rests = known.take(symbols)
            last = (symbols // points == _LAST).nonzero()[0] if points else symbols[:0]
            quarters += 2 * rests
            if last.size:
                rests[last] = _rests(walk, symbols[last], points)
                quarters[last] = quarters[last] - 2 * rests[last] >> 1
            choice = _PHASES.take(quarters & 3) * next_phase
            value = read_values(block, here, choice, batch, added)
            level = 2 * _numbers(quarters, value) - rests
            level[last] = 2 * (level[last] + rests[last]) + rests[last]
            block.store(here, level)
    return None if walk.is_wild else batch.decoded(*walk.finish())[0]


def _numbers(quarters: _Int, value: _Int) -> _Int:
    """Numbers, by what is expected of them and their values beyond it."""
    # the table of three quarters is the mirror image of that of one
    return (quarters >> 2) + np.where(quarters & 3 == 3, 1 - value, value)


def _rests(walk: Walk, symbols: _Int, points: int) -> _Int:
    """What is known of the last levels of points, modulo four."""
    before = symbols - points * np.arange(1, BLOCK)[:, None]
    rests: _Int = -walk.levels.take(before).sum(axis=0) & 3
    return rests


def _known(odd: _Odd, count: int) -> _Int:
    """(weights + 1,) whether each level is odd; 0 where that is not how it is coded."""
    known = np.zeros(count + 1, np.int64)
    inner = odd[:_LAST].ravel()
    known[: len(inner)] = inner
    return known
