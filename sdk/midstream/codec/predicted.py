"""Streams whose symbols have tables that depend on what was decoded before them.

Knows nothing of what symbols mean: it lays out what the kernels need, and checks what they
give.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels.terms import Escapes, Stream, Terms

__all__ = ["Batch", "escapes"]

_Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Several streams, side by side."""

    stream: Stream
    """What the kernels decode."""
    terms: Terms
    """Of all slices."""
    firsts: _Int
    """(slices + 1,) index of the first word of each, and past the last."""

    @classmethod
    def of(
        cls,
        payloads: Sequence[memoryview],
        rows: Sequence[NDArray[np.uint16]],
        terms: Sequence[Terms | None],
    ) -> "Batch":
        """Lay out streams, none of them empty.

        Args:
            payloads: Each starts with a stream.
            rows: For each stream, the first of the tables that each symbol may have.
            terms: For each stream, what predicts it.

        Raises:
            BitstreamError: A stream ends before its states do.
        """
        lanes = np.array([rans.lanes_of(len(r), t) for r, t in zip(rows, terms, strict=True)])
        states, words, firsts = rans.read(payloads, lanes)
        stream = Stream(
            words=words,
            starts=firsts[:-1],
            states=states,
            counts=np.array([len(row) for row in rows], np.int64),
            lanes=lanes,
            rows=np.concatenate(rows),
        )
        own = [Terms.none(len(r)) if t is None else t for r, t in zip(rows, terms, strict=True)]
        return cls(stream=stream, terms=Terms.join(own), firsts=firsts)

    def finish(
        self, used: Escapes, levels: NDArray[np.int32], ends: _Int, left: NDArray[np.uint32]
    ) -> tuple[list[NDArray[np.int32]], list[int]]:
        """The levels of each slice, and the bytes of each stream.

        Raises:
            BitstreamError: A stream or its escapes did not come from an encoder.
        """
        sizes = rans.check(self.firsts, ends, left, self.stream.lanes)
        if not np.array_equal(used.starts, used.ends):
            raise BitstreamError(
                ErrorCode.BAD_SYMBOL, "stream: escapes and values differ in number"
            )
        return np.split(levels, np.cumsum(self.stream.counts)[:-1]), sizes


def escapes(values: Sequence[_Int]) -> Escapes:
    """What the escapes of each slice stand for."""
    edges = np.cumsum([0, *(len(part) for part in values)])
    joined = np.concatenate([*values, np.zeros(1, np.int64)])
    return Escapes(values=joined, starts=edges[:-1].copy(), ends=edges[1:])
