"""Streams whose symbols have tables that depend on what was decoded before them.

Knows nothing of what symbols mean: it lays out what the kernels need, and checks what they
give.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.codec.tables import Family
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
    tables: _Int
    """The tables in use, of each choice after each other."""
    symbols: NDArray[np.uint8]
    """(tables in use, 2**12) the symbol of each slot."""
    firsts: _Int
    """(slices + 1,) index of the first word of each, and past the last."""

    @classmethod
    def of(
        cls,
        family: Family,
        payloads: Sequence[memoryview],
        tables: Sequence[_Int],
        choices: Sequence[int],
        terms: Sequence[Terms | None],
    ) -> "Batch":
        """Lay out streams, none of them empty.

        Args:
            family: Where the tables are.
            payloads: Each starts with a stream.
            tables: For each stream, the first table that each symbol may have.
            choices: How far after it the others are.
            terms: For each stream, what predicts it.

        Raises:
            BitstreamError: A stream ends before its states do.
        """
        counts = np.array([len(table) for table in tables], np.int64)
        lanes = np.array([rans.lanes_of(len(t), u) for t, u in zip(tables, terms, strict=True)])
        states, words, firsts = rans.read(payloads, lanes)
        joined = np.concatenate(tables)
        bases = np.flatnonzero(np.bincount(joined))
        row_of = np.zeros(int(bases[-1]) + 1, np.int64)
        row_of[bases] = np.arange(len(bases)) * len(choices)
        used = (bases[:, None] + np.array(choices)).ravel()
        frequencies, offsets, symbols = family.lookup(used)
        stream = Stream(
            words=words,
            starts=firsts[:-1],
            states=states,
            counts=counts,
            lanes=lanes,
            rows=row_of[joined],
            frequencies=frequencies,
            offsets=offsets,
        )
        own = [part for part in terms if part is not None]
        return cls(
            stream=stream, terms=Terms.join(own), tables=used, symbols=symbols, firsts=firsts
        )

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
