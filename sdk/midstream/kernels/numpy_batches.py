"""Streams of several slices laid out side by side, for kernels in NumPy.

Knows nothing of what symbols mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.stepping import STATE_START
from midstream.kernels.terms import BROKEN, Decoded, Stream, Terms, bounded

__all__ = ["Batch", "Escapes", "join"]

_Int = NDArray[np.int64]
_T = TypeVar("_T", bound=np.integer[Any])


def join(parts: Sequence[NDArray[np.integer[Any]]], kind: type[_T]) -> NDArray[_T]:
    """Values of all symbols, and 0 past the last."""
    return np.concatenate([*parts, np.zeros(1, kind)], dtype=kind)


@dataclass(slots=True, kw_only=True, eq=False)
class Escapes:
    """Values that are not symbols, slice after slice, taken as they come."""

    values: _Int
    """Of all slices; not empty."""
    starts: _Int  # (slices,)
    """Index of the next one of each slice."""
    ends: _Int  # (slices,)
    """Index past the last one of each slice."""

    @classmethod
    def of(cls, values: Sequence[_Int]) -> "Escapes":
        """What the escapes of each slice stand for."""
        edges = np.cumsum([0, *(len(part) for part in values)])
        joined = np.concatenate([*values, np.zeros(1, np.int64)])
        return cls(values=joined, starts=edges[:-1].copy(), ends=edges[1:])

    def take(self, slices: _Int) -> _Int:
        """The next value of each of these slices, which may come again and again.

        More than there are, which damage can ask for, are whatever follows; `starts` tells.
        """
        order = slices.argsort(kind="stable")
        sizes = np.bincount(slices, minlength=len(self.starts))
        rank = np.empty_like(slices)
        rank[order] = np.arange(len(slices)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        found: _Int = self.values.take(self.starts[slices] + rank, mode="clip")
        self.starts += sizes
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Several streams, none of which ends before its states do."""

    words: NDArray[np.uint16]
    """Of all slices; not empty."""
    firsts: _Int  # (slices + 1,)
    """Index of the first word of each slice, and past the last."""
    states: NDArray[np.uint32]
    """Final states of the encoder, slice after slice."""
    counts: _Int  # (slices,)
    """Symbols of each slice."""
    lanes: _Int  # (slices,)
    """Lanes of each slice."""
    rows: NDArray[np.int32]  # (symbols + 1,)
    """The first of the tables that each symbol may have, and 0 past the last."""
    terms: Terms
    """Of all slices."""
    escapes: Escapes
    """Of all slices."""
    predicted: NDArray[np.bool_]  # (slices,)
    """Whether each slice has terms."""

    @classmethod
    def of(cls, streams: Sequence[Stream]) -> "Batch":
        """Lay them out."""
        sizes = [4 * stream.lanes for stream in streams]
        states = [np.frombuffer(s.data, "<u4", s.lanes) for s in streams]
        words = [
            np.frombuffer(s.data, "<u2", (len(s.data) - size) // 2, size)
            for s, size in zip(streams, sizes, strict=True)
        ]
        own = [Terms.none(len(s.rows)) if s.terms is None else s.terms for s in streams]
        return cls(
            words=np.concatenate([*words, np.zeros(1, np.uint16)]),
            firsts=np.cumsum([0, *(len(part) for part in words)]),
            states=np.concatenate(states),
            counts=np.array([len(stream.rows) for stream in streams], np.int64),
            lanes=np.array([stream.lanes for stream in streams], np.int64),
            rows=join([stream.rows for stream in streams], np.int32),
            terms=Terms.join(own),
            escapes=Escapes.of([stream.escapes for stream in streams]),
            predicted=np.array([stream.terms is not None for stream in streams]),
        )

    @property
    def is_predicted(self) -> bool:
        """Whether some slice has terms."""
        return len(self.terms.terms) > 0

    def decoded(
        self, levels: NDArray[np.int32], ends: _Int, left: NDArray[np.uint32]
    ) -> list[Decoded]:
        """What each slice is.

        Args:
            levels: Of all slices.
            ends: (slices,) index past the last word that each took.
            left: The states that are left.
        """
        edges = np.cumsum(self.lanes) - self.lanes
        is_broken = np.logical_or.reduceat(left != STATE_START, edges)
        is_broken |= np.logical_or.reduceat(self.states < STATE_START, edges)
        is_broken |= (ends > self.firsts[1:]) | (self.escapes.starts != self.escapes.ends)
        sizes = np.where(is_broken, BROKEN, 4 * self.lanes + 2 * (ends - self.firsts[:-1]))
        parts = np.split(levels, np.cumsum(self.counts)[:-1])
        return [bounded(*pair) for pair in zip(parts, sizes.tolist(), strict=True)]
