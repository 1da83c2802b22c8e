"""Refinements to points of the lattice: from levels to thirds or fifths of them. Knows no values.

A level's cell is cut into three or five half steps of the lattice. The codeword of a point, which
says which of its levels are odd, is coded by how far it is from the parities of its parents; of a
level's children one, two or three are then left (spec/coding.md, "Refined points").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import rans
from midstream.codec.digits import width_shift
from midstream.codec.lattice import BLOCK, blocks
from midstream.codec.parameters import Context
from midstream.codec.tables import (
    CODEWORD_SHARES,
    DIGIT_TABLES,
    DIGIT_WIDTHS,
    codeword_frequencies,
    refined_point_family,
)
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import (
    TOTAL_BITS,
    decode_codewords,
    decode_refined_points,
    rans_encode,
    refined_symbols,
    table_rows,
)
from midstream.kernels.codewords import codewords_of, coset_kinds, distances
from midstream.kernels.terms import CLASS_EDGES

__all__ = ["RATIOS", "cost", "decode", "encode_many", "parents_of", "starts"]

RATIOS = (3, 5)
"""Half steps of the lattice that a cell may be cut into."""
_NARROWER = {3: 4, 5: 1}
"""Quarter octaves from a parent's step to six half steps, which tables are made for."""
_SHARE = CODEWORD_SHARES - 1
"""Bits of the head that are the share; the one above says which ratio it is."""

_Int = NDArray[np.int64]
_Float = NDArray[np.float64]
_Levels = NDArray[np.int32]


def parents_of(levels: _Levels, ratio: int) -> _Levels:
    """The parents of levels: round(level / ratio), where a tie cannot happen."""
    return (levels + ratio // 2) // ratio


def encode_many(
    parents: Sequence[_Levels],
    children: Sequence[_Levels],
    contexts: Sequence[Context],
    trits: Sequence[int],
    ratios: Sequence[int],
) -> list[bytes]:
    """The payloads of several slices.

    Args:
        parents: (weights,) of each, levels before the refinement.
        children: (weights,) of each, points in the cells of these.
        contexts: Distribution of the weights, at the base grid.
        trits: Refinements applied before this one.
        ratios: How many half steps a cell is cut into.
    """
    every = list(zip(parents, children, contexts, trits, ratios, strict=True))
    lanes = [rans.lanes_of(len(c.width), c.terms) for c in contexts]
    streams = rans.encode_entries(refined_point_family(), [_entries(*one) for one in every], lanes)
    heads = [_encode_codewords(*one[:2], one[-1]) for one in every]
    return [head + stream for head, stream in zip(heads, streams, strict=True)]


def cost(parents: _Levels, children: _Levels, context: Context, trits: int, ratio: int) -> float:
    """Bits that points take by the tables, without what streams cost by themselves."""
    bits = refined_point_family().bits[_entries(parents, children, context, trits, ratio)]
    return float(bits.sum()) + float(_codeword_bits(_Codewords.of(parents, children)).min())


# --- children ------------------------------------------------------------------------------------


def _tables(context: Context, trits: int, ratio: int) -> NDArray[np.uint16]:
    """The first table of each weight, were three children open."""
    return table_rows(
        context.shape,
        context.width + np.int16(width_shift(trits) - _NARROWER[ratio]),
        None,
        last_width=DIGIT_WIDTHS - 1,
        each_width=len(CLASS_EDGES),
        each_shape=DIGIT_WIDTHS * len(CLASS_EDGES),
        each_phase=0,
    )


def _entries(
    parents: _Levels, children: _Levels, context: Context, trits: int, ratio: int
) -> _Levels:
    """The place of each symbol among all of the family."""
    halves, tables = context.halves(children), _tables(context, trits, ratio)
    return refined_symbols(parents, children, halves, tables, ratio, family=DIGIT_TABLES)


# --- codewords -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Codewords:
    """Those of points, beside the parities of their parents."""

    numbers: NDArray[np.uint8]  # (points,)
    """Which codewords they are."""
    distances: NDArray[np.uint8]  # (points, 32)
    """How far each codeword is from the parities of the parents."""
    kinds: NDArray[np.uint8]  # (points,)
    """Of the cosets of these parities."""

    @classmethod
    def of(cls, parents: _Levels, children: _Levels) -> "_Codewords":
        far = distances(_parities(parents))
        odd = _parities(children)
        return cls(numbers=codewords_of(odd), distances=far, kinds=coset_kinds(far))

    @property
    def own(self) -> NDArray[np.uint8]:
        """(points,) how far they are themselves."""
        return self.distances[np.arange(len(self.numbers)), self.numbers]


def _parities(levels: _Levels) -> NDArray[np.int8]:
    """Whether the levels of points are odd; (16, points)."""
    count = blocks(len(levels))
    return (levels[: BLOCK * count] & 1).astype(np.int8).reshape(BLOCK, count)


@cache
def _lengths() -> _Float:
    """Bits of a codeword that is so far from its parents: (shares, kinds * distances)."""
    return TOTAL_BITS - np.log2(codeword_frequencies().reshape(CODEWORD_SHARES, -1))


def _codeword_bits(found: _Codewords) -> _Float:
    """Bits of all codewords for each share from 1 on, about."""
    lengths = _lengths()
    most = codeword_frequencies().shape[-1]
    counts = np.bincount(found.kinds * np.int64(most) + found.own, minlength=lengths.shape[1])
    return lengths[1:] @ counts.astype(np.float64)


def _encode_codewords(parents: _Levels, children: _Levels, ratio: int) -> bytes:
    """The head of a payload, and the codewords."""
    found = _Codewords.of(parents, children)
    share = 1 + int(np.argmin(_codeword_bits(found)))
    head = bytes([share | RATIOS.index(ratio) * CODEWORD_SHARES])
    count = len(found.numbers)
    if not count:
        return head
    frequencies = codeword_frequencies()[share][found.kinds[:, None], found.distances]
    frequencies[:, -1] += (1 << TOTAL_BITS) - frequencies.sum(axis=1, dtype=np.uint16)
    firsts = np.cumsum(frequencies, axis=1, dtype=np.uint16) - frequencies
    places = np.arange(count), found.numbers
    lanes = np.array([rans.lanes_of(count)], np.int64)
    states, words, _ = rans_encode(
        np.arange(count, dtype=np.int32),
        frequencies[places],
        firsts[places],
        np.array([count], np.int64),
        lanes,
    )
    return head + states.astype("<u4").tobytes() + words.astype("<u2").tobytes()


# --- decoding ------------------------------------------------------------------------------------


def decode(
    payloads: Sequence[memoryview],
    contexts: Sequence[Context],
    parents: Sequence[_Levels],
    trits: Sequence[int],
) -> tuple[list[_Levels], list[int]]:
    """The points of several slices, and how many half steps a cell is cut into in each.

    Args:
        payloads: One for each slice.
        contexts: Distribution of the weights, at the base grid.
        parents: Levels before this refinement.
        trits: Refinements applied before this one.

    Raises:
        BitstreamError: A payload did not come from an encoder.
    """
    found = [_decode(*each) for each in zip(payloads, contexts, parents, trits, strict=True)]
    return [levels for levels, _ in found], [ratio for _, ratio in found]


def _decode(
    payload: memoryview, context: Context, parents: _Levels, trits: int
) -> tuple[_Levels, int]:
    share, ratio = _read_head(payload)
    count = blocks(len(parents))
    odd, taken = np.zeros((BLOCK, 0), np.int8), 0
    if count:
        lanes = rans.lanes_of(count)
        frequencies = codeword_frequencies()[share]
        odd, taken = decode_codewords(payload[1:], lanes, _parities(parents), frequencies)
        if taken < 0:
            raise BitstreamError(ErrorCode.BAD_SYMBOL, "refined points: codewords do not add up")
    if not len(parents):
        return _checked(payload, 1, parents), ratio
    rows = _tables(context, trits, ratio)
    stream = rans.stream(payload[1 + taken :], rows, context.terms, odd=odd)
    decoded = decode_refined_points(stream, parents, ratio, starts())
    rans.check(decoded, "refined points")
    return _checked(payload, 1 + taken + decoded.taken, decoded.levels), ratio


def _read_head(payload: memoryview) -> tuple[int, int]:
    """Share and ratio."""
    if not len(payload):
        raise BitstreamError(ErrorCode.BAD_LENGTH, "refined points: no bytes at all")
    share, ratio = payload[0] & _SHARE, payload[0] // CODEWORD_SHARES
    if not share or ratio >= len(RATIOS):
        raise BitstreamError(ErrorCode.BAD_FIELD, f"refined points: head {payload[0]}")
    return share, RATIOS[ratio]


def _checked(payload: memoryview, size: int, levels: _Levels) -> _Levels:
    """Levels whose payload ends where they do."""
    if size != len(payload):
        raise BitstreamError(
            ErrorCode.TRAILING_BYTES, f"refined points: {len(payload) - size} bytes after the end"
        )
    return levels


@cache
def starts() -> NDArray[np.uint16]:
    """Where the slots of toward, same and away start in each table, and their end: (tables, 4).

    A symbol that is not there has no slots; of the last table all are of the one that is.
    """
    frequencies = np.split(refined_point_family().frequencies, refined_point_family().firsts[1:])
    places = {3: (1, 2), 2: (1, 1), 1: (0, 1)}
    found = np.zeros((len(frequencies), 4), np.uint16)
    for row, own in zip(found, frequencies, strict=True):
        edges = np.cumsum([0, *own])
        row[1:3] = edges[list(places[len(own)])]
        row[3] = 1 << TOTAL_BITS
    return found
