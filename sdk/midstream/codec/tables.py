"""The fixed frequency tables. Knows nothing of levels, only of symbols.

They are committed integers, computed once by spec/tables/generate.py; none is ever sent
(spec/coding.md, "Tables").
"""

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import TOTAL_BITS
from midstream.kernels.terms import CLASS_EDGES

__all__ = [
    "BINARY_TABLES",
    "CODEWORD_SHARES",
    "COSETS",
    "DIGIT_TABLES",
    "DIGIT_WIDTHS",
    "ESCAPE_SHARES",
    "LOW_SHARES",
    "PHASES",
    "SHAPES",
    "SPIKE_SHARES",
    "UNSHIFTED_WIDTH",
    "VALUE_PARTS",
    "VALUE_PHASES",
    "WIDTHS",
    "ZERO_SHARES",
    "Family",
    "binary_family",
    "codeword_frequencies",
    "digit_family",
    "family_of",
    "level_family",
    "lowest_symbols",
    "refined_point_family",
    "value_family",
]

SHAPES = 3
"""Generalised Gaussians of exponent 1, 1.75 and 3.5."""
WIDTHS = 41
"""Quarter octaves of sigma over step, from 2**-3 to 2**7."""
PHASES = 3
"""Centred on level 0, half way between levels 0 and 1, and a quarter of the way."""
UNSHIFTED_WIDTH = 24
"""The widest table whose symbols are levels; beyond, low bits are sent as they are."""
DIGIT_WIDTHS = 33
"""Quarter octaves of sigma over the parent's step, from 2**-3 to 2**5."""
ESCAPE_SHARES = (1, 32, 256, 768)
"""How often, of 4096, a digit is an escape in each class of slices."""
SPIKE_SHARES = (8, 6, 4, 2)
"""What is left, in eighths, of the digits other than 0 where 0 is expected, in each class."""
DIGIT_TABLES = SHAPES * DIGIT_WIDTHS * len(CLASS_EDGES)
"""Digit tables of one class of slices."""
BINARY_TABLES = 32
"""Tables of two symbols, for flags."""
VALUE_PHASES = 4
"""Quarters of an octave of sigma, in value tables."""
VALUE_PARTS = 37
"""Parts of octaves that magnitudes are sorted into."""
ZERO_SHARES = (1, 2, 4, 16, 32, 64, 128, 192, 256, 384, 512, 640, 768, 832, 896, 944)
"""How often, of 1024, a value is 0.0 in each class of slices."""
LOW_SHARES = (1, 2, 8, 32, 64, 128, 256, 512)
"""How often, of 1024, another is below all parts of octaves in each class of slices."""

CODEWORD_SHARES = 16
"""Levels that are odd where their parents are even, or the other way round, in 16ths."""
COSETS = (
    {0: 1, 8: 30, 16: 1},
    {1: 1, 7: 15, 9: 15, 15: 1},
    {2: 1, 6: 7, 8: 16, 10: 7, 14: 1},
    {3: 1, 5: 3, 7: 12, 9: 12, 11: 3, 13: 1},
    {4: 4, 8: 24, 12: 4},
    {4: 2, 6: 8, 8: 12, 10: 8, 12: 2},
    {5: 6, 7: 10, 9: 10, 11: 6},
    {6: 16, 10: 16},
)
"""How many codewords are at which distance from sixteen parities, in each kind of coset."""
_PARITIES, _CODEWORDS = 16, 32

_TOTAL = 1 << TOTAL_BITS


@dataclass(frozen=True, eq=False)
class Family:
    """Tables that are used together; all entries stand in flat arrays, table after table."""

    sizes: NDArray[np.int64]  # (tables,)
    """Symbols of each table."""
    firsts: NDArray[np.int64]  # (tables,)
    """Index of each table's first entry."""
    frequencies: NDArray[np.uint16]  # (entries,)
    """How often of 4096."""
    starts: NDArray[np.uint16]  # (entries,)
    """Frequencies of the symbols before, in the same table."""

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """Code length of each symbol, (entries,); decoders do not ask."""
        lengths: NDArray[np.float64] = TOTAL_BITS - np.log2(self.frequencies.astype(np.float64))
        return lengths

    def lookup(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
        """Frequency, offset and symbol of each slot of some tables, for kernels.rans_decode."""
        sizes = self.sizes[rows]
        inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        entries = np.repeat(self.firsts[rows], sizes) + inside
        frequencies = self.frequencies[entries]
        # repeated as small types: that is twenty times as fast
        frequency, start, symbol = (
            np.repeat(values.astype(kind), frequencies).reshape(-1, _TOTAL)
            for values, kind in (
                (frequencies, np.uint16),
                (self.starts[entries], np.uint16),
                (inside, np.uint8),
            )
        )
        return frequency, np.arange(_TOTAL, dtype=np.uint16) - start, symbol


def family_of(tables: list[NDArray[np.int64]]) -> Family:
    """Tables of so many frequencies each, which add up to 4096."""
    sizes = np.array([len(table) for table in tables], np.int64)
    frequencies = np.concatenate(tables)
    starts = np.concatenate([np.cumsum(table) - table for table in tables])
    return Family(
        sizes=sizes,
        firsts=np.cumsum(sizes) - sizes,
        frequencies=frequencies.astype(np.uint16),
        starts=starts.astype(np.uint16),
    )


def _even_family(tables: NDArray[np.uint16]) -> Family:
    """The same of tables of as many symbols each, (tables, symbols)."""
    count, symbols = tables.shape
    starts = np.cumsum(tables, axis=1, dtype=np.uint16) - tables
    return Family(
        sizes=np.full(count, symbols, np.int64),
        firsts=np.arange(count, dtype=np.int64) * symbols,
        frequencies=tables.ravel(),
        starts=starts.ravel(),
    )


@cache
def _committed() -> tuple[
    NDArray[np.int64], list[NDArray[np.int64]], NDArray[np.int64], NDArray[np.int64]
]:
    """First symbols and counts of the level tables; counts of the digit and value tables."""
    data = resources.files("midstream.codec").joinpath("tables.bin").read_bytes()
    lowest, tables, place = [], [], 0
    for _ in range(PHASES * SHAPES * WIDTHS):
        lowest.append(int.from_bytes(data[place : place + 1], signed=True))
        size = data[place + 1]
        tables.append(np.frombuffer(data, "<u2", size, place + 2).astype(np.int64))
        place += 2 + 2 * size
    rest = np.frombuffer(data, "<u2", offset=place).astype(np.int64)
    digits, values = rest[: 4 * DIGIT_TABLES], rest[4 * DIGIT_TABLES :]
    assert len(values) == SHAPES * VALUE_PHASES * VALUE_PARTS, "tables.bin is whole"
    lows = np.array(lowest, np.int64)
    return lows, tables, digits.reshape(-1, 4), values.reshape(-1, VALUE_PARTS)


@cache
def level_family() -> Family:
    """Tables of levels: index (phase * 3 + shape) * 41 + width; the last symbol is the escape."""
    return family_of(_committed()[1])


@cache
def lowest_symbols() -> NDArray[np.int64]:
    """What symbol 0 of each level table stands for."""
    return _committed()[0]


@cache
def digit_family() -> Family:
    """Tables of digits: ((slice class * 3 + shape) * 33 + width) * 16 + class of the offset.

    The slice class is 4 * spike class + escape class. Symbols: toward the mean, same, away
    from it, escape.
    """
    base = _committed()[2]
    under_zero = (np.arange(len(base)) % len(CLASS_EDGES) == 0)[:, None]
    shape = len(SPIKE_SHARES), len(ESCAPE_SHARES), *base.shape
    tables = np.empty(shape, np.uint16)
    for spike, own in zip(SPIKE_SHARES, tables, strict=True):
        rarer = np.where(under_zero, np.maximum(base * spike >> 3, 1), base)
        for escapes, table in zip(ESCAPE_SHARES, own, strict=True):
            moved = rarer * (_TOTAL - escapes) // (_TOTAL - 1)
            moved[:, 3] = escapes
            moved[:, 1] = _TOTAL - escapes - moved[:, 0] - moved[:, 2]
            table[:] = np.maximum(moved, 1)
    return _even_family(tables.reshape(-1, base.shape[1]))


@cache
def refined_point_family() -> Family:
    """Tables of points that refine levels: kind * DIGIT_TABLES + that of the digit.

    Kinds: three children, symbols as of digits; two that are two apart, two that are four, nearer
    to the mean and farther; one child, a single table.
    """
    toward, _, away, _ = _committed()[2].T
    three = np.stack([toward, _TOTAL - toward - away, away], axis=1)
    roots = np.sqrt(_TOTAL * toward).astype(np.int64), np.sqrt(_TOTAL * away).astype(np.int64)
    tables = [*three]
    for near, far in (roots, (toward, away)):
        nearer = (2 * _TOTAL * near + near + far) // (2 * (near + far))
        tables += [*np.stack([nearer, _TOTAL - nearer], axis=1)]
    return family_of([*tables, np.array([_TOTAL])])


@cache
def codeword_frequencies() -> NDArray[np.uint16]:
    """How often, of 4096, a codeword is that far from its parents' parities.

    (shares, kinds of cosets, distances); share 0 is none. What is missing from 4096 of all
    codewords goes to the last one.
    """
    found = np.ones((CODEWORD_SHARES, len(COSETS), _PARITIES + 1), np.uint16)
    for share in range(1, CODEWORD_SHARES):
        even = CODEWORD_SHARES - share
        odd = [share**d * even ** (_PARITIES - d) for d in range(_PARITIES + 1)]
        for kind, counts in enumerate(COSETS):
            whole = sum(n * odd[d] for d, n in counts.items())
            for distance in counts:
                found[share, kind, distance] += (_TOTAL - _CODEWORDS) * odd[distance] // whole
    return found


@cache
def binary_family() -> Family:
    """Tables of two symbols: in table j, symbol 1 has (2 j + 1) / 64 of the total."""
    ones = (2 * np.arange(BINARY_TABLES, dtype=np.int64) + 1) << (TOTAL_BITS - 6)
    return family_of([np.array([_TOTAL - one, one]) for one in ones])


@cache
def value_family() -> Family:
    """Tables of values: ((zero class * 8 + low class) * 3 + shape) * 4 + phase.

    Symbols: 0.0, below all parts, the parts, beyond all of them. Frequencies are multiples
    of 4, so that a decoder needs but 1024 slots of each table.
    """
    base, total = _committed()[3], _TOTAL // 4
    tables: list[NDArray[np.uint16]] = []
    for zeros in ZERO_SHARES:
        for share in LOW_SHARES:
            low = max(1, (total - zeros) * share // total)
            left = total - zeros - low - 1
            parts = 1 + (base * (left - VALUE_PARTS) >> TOTAL_BITS)
            rows = np.arange(len(parts))
            parts[rows, np.argmax(parts, axis=1)] += left - parts.sum(axis=1)
            ends = np.ones((len(parts), 1), np.int64)
            table = 4 * np.concatenate([ends * zeros, ends * low, parts, ends], axis=1)
            tables.append(table.astype(np.uint16))
    return _even_family(np.concatenate(tables))
