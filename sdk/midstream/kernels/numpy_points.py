"""Levels of which some are points of the lattice that are predicted, in NumPy.

Knows nothing of tensors (spec/coding.md, "Lattice").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_batches import Batch, join
from midstream.kernels.numpy_low_bits import Fields, read_values
from midstream.kernels.numpy_walk import Walk
from midstream.kernels.slots import Slots
from midstream.kernels.terms import BLOCK, PHASES, Decoded, Stream

__all__ = ["walk_points"]

_FIRST, _LAST = 4, 8
"""Kinds of levels of points, others are 0: what is looked up for each is of four quarters."""
_PHASES = np.array([0, 1, 0, 1, *PHASES, *PHASES])
_WHOLES = np.repeat([2, 2, 4], 4)
"""Levels for each four quarters."""
# the table of three quarters is the mirror image of that of one
_FACTORS = np.array([1, 1, 1, 1, 2, 2, 2, -2, 4, 4, 4, -4])
_OFFSETS = np.array([0, 0, 1, 1, 0, 0, 0, 2, 0, 0, 0, 4])

_Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Points:
    """What is known of levels before they are decoded."""

    kinds: NDArray[np.uint8]  # (symbols + 1,)
    odd: NDArray[np.int8]  # (symbols + 1,)
    """Whether each level is, where that is how it is coded; else 0."""
    apart: _Int  # (slices,)
    """From one level of a point to the next; 0 for slices on the integers."""
    ends: _Int  # (slices,)
    """The number of symbols in slices up to each."""

    @classmethod
    def of(cls, streams: Sequence[Stream]) -> "_Points":
        """Of streams in order."""
        pairs = [_known(stream) for stream in streams]
        return cls(
            kinds=join([kinds for kinds, _ in pairs], np.uint8),
            odd=join([odd for _, odd in pairs], np.int8),
            apart=np.array([0 if s.odd is None else s.odd.shape[1] for s in streams]),
            ends=np.cumsum([len(stream.rows) for stream in streams]),
        )

    def rests(self, walk: Walk, symbols: _Int) -> _Int:
        """What is known of the last levels of points, modulo four."""
        apart = self.apart.take(self.ends.searchsorted(symbols, side="right"))
        before = symbols - apart * np.arange(1, BLOCK)[:, None]
        rests: _Int = -walk.levels.take(before).sum(axis=0) & 3
        return rests


def _known(stream: Stream) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """The kind of each level of a stream, and whether it is odd."""
    kinds, known = np.zeros(len(stream.rows), np.uint8), np.zeros(len(stream.rows), np.int8)
    if stream.odd is not None:
        kinds += np.uint8(_FIRST)
        stop = stream.odd[:-1].size
        kinds[stop : stream.odd.size] = _LAST
        known[:stop] = stream.odd[:-1].ravel()
    return kinds, known


def walk_points(
    batch: Batch, streams: Sequence[Stream], slots: Slots, low: Fields | None, next_phase: int
) -> list[Decoded] | None:
    """Levels of slices, of which some are of points; None where levels are far out.

    Args:
        batch: Of the streams.
        streams: In order of their weights.
        slots: The tables; ESCAPED is the value of an escape.
        low: Low bits of the numbers.
        next_phase: Tables from those of one phase to those of the next.
    """
    points = _Points.of(streams)
    # no two levels of a point in a stretch
    most = [stream.odd.shape[1] // stream.lanes for stream in streams if stream.odd is not None]
    walk = Walk(
        batch, batch.rows, slots, careful=False, most_steps=min(filter(None, most), default=1)
    )
    for block in walk.blocks():
        added = None if low is None else low.of_symbols(block.symbols)
        kinds = points.kinds.take(block.symbols).astype(np.int64)
        for here, quarters in block.stretches():
            rests = _expect(walk, points, block.symbols[here], kinds[here], quarters)
            own = kinds[here] + (quarters & 3)
            choice = _PHASES.take(own) * next_phase
            level = read_values(block, here, choice, batch, added)
            level *= _FACTORS.take(own)
            level += _OFFSETS.take(own)
            quarters >>= 2
            quarters *= _WHOLES.take(own)
            level += quarters
            level -= rests
            block.store(here, level)
    return None if walk.is_wild else batch.decoded(*walk.finish())


def _expect(walk: Walk, points: _Points, symbols: _Int, kinds: _Int, quarters: _Int) -> _Int:
    """What is taken off levels in the end; means become quarters, of levels in half steps."""
    rests = points.odd.take(symbols).astype(np.int64)
    quarters += 2 * rests
    last = (kinds == _LAST).nonzero()[0]
    if last.size:
        known = points.rests(walk, symbols[last])
        quarters[last] = quarters[last] - 2 * known >> 1
        rests[last] = -known
    return rests
