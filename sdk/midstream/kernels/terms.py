"""What predicts the weights of slices, and the streams that are decoded with it.

Knows nothing of how: there are a kernel in C and one in NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BEYOND",
    "BLOCK",
    "BROKEN",
    "CLASS_EDGES",
    "ESCAPED",
    "ESCAPED_DIGIT",
    "MAX_HALF_OCTAVES",
    "PHASES",
    "Decoded",
    "LowBits",
    "Stream",
    "Terms",
    "bounded",
    "classify",
]

BROKEN, BEYOND = -1, -2
"""The stream does not add up; a level is more than 2**30 from zero."""
ESCAPED = 127
"""The value that stands for an escape in `decode_levels`."""
ESCAPED_DIGIT = 2
"""The same in `decode_digits`."""
BLOCK = 16
"""Levels of a point of the lattice."""
PHASES = (0, 2, 1, 2)
"""The phase of the table of a level of a point, for each quarter of what is expected."""
CLASS_EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 18, 24, 30, 42, 60, 90)
"""The least distance of each class between a cell's centre and the mean, in half steps."""
_CLASS_OF = np.searchsorted(CLASS_EDGES, np.arange(CLASS_EDGES[-1] + 1), "right") - 1
_LARGEST = 1 << 30
MAX_HALF_OCTAVES = 24
"""That the steps of two neighbours count as differing, at most."""
_GAINS = np.array(
    [round(256 * 2 ** (half / 2)) for half in range(-MAX_HALF_OCTAVES, MAX_HALF_OCTAVES + 1)],
    np.int64,
)
"""256 times a neighbour's step over one's own, for each difference in half octaves."""

_Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """Which levels before it predict each weight of a slice, run after run.

    A run falls into segments: weights with the same quotient of number and stride. All
    weights of one have the same terms: those whose axis has a place so far back, and which
    for the first weight of the segment are not before the run.
    """

    runs: _Int  # (runs, 4)
    """Number of its first weight in its tensor, weights, stride of its segments, terms."""
    terms: _Int  # (terms, 5)
    """Places back on an axis, its stride in weights, its size, coefficient in 1/32, index of
    its first step in `steps` or -1 where all are the same."""
    steps: NDArray[np.int8]
    """Half octaves of the steps of places on axes, axis after axis."""

    @classmethod
    def none(cls, weights: int) -> "Terms":
        """What predicts nothing of so many weights, at least one."""
        return cls(
            runs=np.array([[0, weights, weights, 0]]),
            terms=np.zeros((0, 5), np.int64),
            steps=np.zeros(0, np.int8),
        )

    @classmethod
    def join(cls, parts: "Sequence[Terms]") -> "Terms":
        """Terms of weights that follow each other."""
        before = np.cumsum([0, *(len(part.steps) for part in parts)])
        terms = []
        for part, moved in zip(parts, before, strict=False):
            own = part.terms.copy()
            own[own[:, 4] >= 0, 4] += moved
            terms.append(own)
        return cls(
            runs=np.concatenate([part.runs for part in parts]),
            terms=np.concatenate(terms),
            steps=np.concatenate([part.steps for part in parts]),
        )

    @property
    def weights(self) -> int:
        """Of all runs."""
        return int(self.runs[:, 1].sum())

    @property
    def nearest(self) -> int | None:
        """The least distance from a weight to one that predicts it; None where none does."""
        found, place = [], 0
        for first, weights, segment, count in self.runs.tolist():
            for back, stride, size, _, _ in self.terms[place : place + count].tolist():
                # the first segment that is so far from the start, with so many places before it
                start = -(-(first + back * stride) // segment) * segment
                missing = back - start // stride % size
                if missing > 0:
                    start = (start // stride + missing) * stride
                if start < first + weights:
                    found.append(back * stride)
            place += count
        return min(found, default=None)

    def dense(self) -> tuple[_Int, _Int]:
        """Distances and gains of each weight, (weights, most terms); 0 where it has fewer.

        Gains are in half steps times 2**12 for each step of the other weight's level.
        """
        owners, distances, gains = self.segments()
        return distances[owners[:-1]].astype(np.int64), gains[owners[:-1]]

    def segments(self) -> tuple[NDArray[np.int32], NDArray[np.int32], _Int]:
        """The segment of each weight, and what `dense` gives for each segment.

        There is one weight past the last, whose segment, the last one, has no terms.
        """
        parts = [_segments(*run) for run in self.runs[:, :3].tolist()]
        sizes = [len(firsts) for firsts, _ in parts]
        shape = sum(sizes) + 1, int(self.runs[:, 3].max(initial=0))
        distances, gains = np.zeros(shape, np.int32), np.zeros(shape, np.int64)
        done = place = 0
        for (first, _, _, count), (firsts, _) in zip(self.runs.tolist(), parts, strict=True):
            here = slice(done, done + len(firsts))
            for column, term in enumerate(self.terms[place : place + count].tolist()):
                distances[here, column], gains[here, column] = self._of_segments(
                    term, firsts, first
                )
            done += len(firsts)
            place += count
        lengths = np.concatenate([*(lengths for _, lengths in parts), [1]])
        return np.repeat(np.arange(done + 1, dtype=np.int32), lengths), distances, gains

    def _of_segments(self, term: list[int], firsts: _Int, first: int) -> tuple[_Int, _Int]:
        """Distance and gain of one term in each segment; 0 where it is not one."""
        back, stride, size, coefficient, steps = term
        coordinate = firsts // stride % size
        inside = (coordinate >= back) & (firsts - back * stride >= first)
        ratio = np.full(len(firsts), 256)
        if steps >= 0:
            halves = self.steps[steps : steps + size].astype(np.int64)
            difference = halves[np.maximum(coordinate - back, 0)] - halves[coordinate]
            ratio = _GAINS.take(difference + MAX_HALF_OCTAVES, mode="clip")
        return inside * (back * stride), inside * coefficient * ratio


def _segments(first: int, weights: int, stride: int) -> tuple[_Int, _Int]:
    """Where the segments of a run begin, and how many weights they have."""
    stop = first + weights
    inner = np.arange(first // stride + 1, -(-stop // stride), dtype=np.int64) * stride
    edges = np.concatenate([[first], inner, [stop]])
    return edges[:-1], np.diff(edges)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """The symbols of one slice."""

    data: memoryview
    """States and words; more may follow."""
    lanes: int
    """At most the least distance of its terms."""
    rows: NDArray[np.uint16]  # (symbols,)
    """The first of the tables that each symbol may have; at least one symbol."""
    terms: Terms | None
    """What predicts its levels; None for nothing."""
    escapes: _Int
    """What its escapes stand for, in order."""
    odd: NDArray[np.int8] | None = None
    """Of points of the lattice that are predicted, whether each level is; (16, points)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LowBits:
    """What is sent of the wide levels of a slice as it is."""

    data: memoryview
    """A bit section, of as many bits as there are."""
    shifts: NDArray[np.uint8]  # (symbols,) or (0,)
    """Bits of each level; empty where none has any."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """What was read of one slice."""

    levels: NDArray[np.int32]
    """One for each symbol."""
    taken: int
    """Bytes of its stream; BROKEN or BEYOND where it did not come from an encoder."""


def classify(offset: _Int) -> _Int:
    """The class of each distance between a cell's centre and the mean, in half steps."""
    return _CLASS_OF[np.minimum(np.abs(offset), CLASS_EDGES[-1])]


def bounded(levels: NDArray[np.int32], taken: int) -> Decoded:
    """What was read of a slice, where its levels may be out of their range."""
    is_beyond = taken != BROKEN and max(-int(levels.min()), int(levels.max())) > _LARGEST
    return Decoded(levels=levels, taken=BEYOND if is_beyond else taken)
