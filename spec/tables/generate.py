"""Computes the frequency tables of spec/coding.md, "Tables", and writes them to FILE.

    python spec/tables/generate.py sdk/midstream/codec/tables.bin

The committed file is the norm. A machine whose mathematical functions differ in their last
bits may come out one count away here and there; decoders never compute tables.
"""

import hashlib
import itertools
import math
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

TOTAL = 1 << 12
SHAPES = (1.0, 1.75, 3.5)
WIDTHS = 41
PHASES = (0.0, 0.5, 0.25)
UNSHIFTED_WIDTH = 24  # the widest table whose symbols are levels themselves: sigma 8 steps
SYMBOL_LIMIT = 63  # symbols are at most this far from zero: with the escape, 128 of them
DIGIT_WIDTHS = 33
CLASS_EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 18, 24, 30, 42, 60, 90, 181)
PARENT = 6  # half steps of a child from one parent to the next
DIGIT_FLOOR = 0.02  # share of a flat distribution in a digit's: real tails are heavier
PHASES_OF_OCTAVE = 4
FIRST_OCTAVE = -12  # of values, relative to the octave of sigma
PART_BITS = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 2, 0)  # into how many parts each is cut


def lower_gamma(a: float, x: float) -> float:
    """Regularised lower incomplete gamma function P(a, x), DLMF 8.11.4 and 8.9.2."""
    if x <= 0:
        return 0.0
    return _series(a, x) if x < a + 1 else 1 - _fraction(a, x)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    n = 0
    while term > total * 1e-17:
        n += 1
        term *= x / (a + n)
        total += term
    return total * math.exp(-x + a * math.log(x) - math.lgamma(a))


def _fraction(a: float, x: float) -> float:
    """Q(a, x) by its continued fraction, evaluated backwards."""
    value = 0.0
    for n in range(200, 0, -1):
        value = n * (a - n) / (x + 2 * n + 1 - a + value)
    return math.exp(-x + a * math.log(x) - math.lgamma(a)) / (x + 1 - a + value)


def distribution(shape: float, sigma: float, x: float) -> float:
    """Share of a generalised Gaussian of standard deviation sigma below x."""
    scale = sigma * math.exp((math.lgamma(1 / shape) - math.lgamma(3 / shape)) / 2)
    half = lower_gamma(1 / shape, (abs(x) / scale) ** shape) / 2
    return 0.5 + math.copysign(half, x)


def tail(shape: float, sigma: float, x: float) -> float:
    """Share beyond x > 0, to full relative precision."""
    scale = sigma * math.exp((math.lgamma(1 / shape) - math.lgamma(3 / shape)) / 2)
    a, z = 1 / shape, (x / scale) ** shape
    return (1 - lower_gamma(a, z)) / 2 if z < a + 1 else _fraction(a, z) / 2


def between(shape: float, sigma: float, low: float, high: float) -> float:
    """Share between two points."""
    if low > 0:
        return tail(shape, sigma, low) - tail(shape, sigma, high)
    if high < 0:
        return between(shape, sigma, -high, -low)
    return distribution(shape, sigma, high) - distribution(shape, sigma, low)


def apportion(shares: Sequence[float], total: int = TOTAL) -> list[int]:
    """Integers of the least code length that add up to a total, none of them zero."""
    scale = total / sum(shares)
    counts = [max(1, math.floor(share * scale + 0.5)) for share in shares]
    symbols = range(len(shares))
    while (missing := total - sum(counts)) != 0:
        if missing > 0:
            best = max(symbols, key=lambda s: shares[s] * math.log((counts[s] + 1) / counts[s]))
            counts[best] += 1
        else:
            some = [s for s in symbols if counts[s] > 1]
            best = min(some, key=lambda s: shares[s] * math.log(counts[s] / (counts[s] - 1)))
            counts[best] -= 1
    return counts


def level_table(shape: float, width: int, phase: float) -> tuple[int, list[int]]:
    """First symbol and counts of a level table; the last count is the escape's.

    Counts are even, so that a decoder needs but half as many slots of each table.
    """
    sigma = 2 ** (width / 4 - 3)
    shift = max(0, -(-(width - UNSHIFTED_WIDTH) // 4))
    shares = {}
    for symbol in range(-SYMBOL_LIMIT, SYMBOL_LIMIT + 1):
        first = (symbol << shift) - (1 << shift >> 1)
        low, high = first - 0.5 - phase, first + (1 << shift) - 0.5 - phase
        share = between(shape, sigma, low, high)
        if share * TOTAL >= 0.5:
            shares[symbol] = share
    outside = max(0.0, 1 - sum(shares.values()))
    halves = apportion([*shares.values(), outside], TOTAL // 2)
    return min(shares), [2 * half for half in halves]


def digit_table(shape: float, width: int, offsets: Sequence[int]) -> list[int]:
    """Counts of: toward the mean, same, away from the mean, escape (the least there is).

    Offsets are from the mean to the middle of the parent's cell, in half steps.
    """
    sigma = 2 ** (width / 4 - 3)
    masses = [0.0, 0.0, 0.0]
    for offset in offsets:
        for digit in (-1, 0, 1):
            low = offset / PARENT + digit / 3 - 1 / 6
            masses[digit + 1] += between(shape, sigma, low, low + 1 / 3)
    whole = sum(masses)
    shares = [mass / whole for mass in masses] if whole > 1e-290 else [1.0, 0.0, 0.0]
    shares = [(1 - DIGIT_FLOOR) * share + DIGIT_FLOOR / 3 for share in shares]
    return apportion([*shares, 0.0])


def value_table(shape: float, phase: int) -> list[int]:
    """Counts of the parts of octaves that magnitudes lie in, the smallest first."""
    sigma = 2 ** (phase / PHASES_OF_OCTAVE)
    shares = []
    for octave, bits in enumerate(PART_BITS, FIRST_OCTAVE):
        for part in range(1 << bits):
            low, high = (2.0**octave * (1 + j / (1 << bits)) for j in (part, part + 1))
            shares.append(between(shape, sigma, low, high))
    return apportion(shares)


def tables() -> bytes:
    """The committed file: level tables, phase by phase, digit tables, value tables."""
    out = bytearray()
    for phase in PHASES:
        for shape in SHAPES:
            for width in range(WIDTHS):
                first, counts = level_table(shape, width, phase)
                out += struct.pack(f"<bB{len(counts)}H", first, len(counts), *counts)
    for shape in SHAPES:
        for width in range(DIGIT_WIDTHS):
            for first, last in itertools.pairwise(CLASS_EDGES):
                offsets = _typical(first, last)
                out += struct.pack("<4H", *digit_table(shape, width, offsets))
    for shape in SHAPES:
        for octave_phase in range(PHASES_OF_OCTAVE):
            counts = value_table(shape, octave_phase)
            out += struct.pack(f"<{len(counts)}H", *counts)
    return bytes(out)


def _typical(first: int, last: int) -> list[int]:
    """The offsets of a class that occur without prediction, or all where none does."""
    offsets = range(first, last)
    return [offset for offset in offsets if offset % PARENT == 0] or list(offsets)


def main() -> None:
    """Write the file and print its hash."""
    data = tables()
    Path(sys.argv[1]).write_bytes(data)
    print(f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
