"""Exact values of floats with levels. Knows nothing of units."""

import itertools
from collections.abc import Sequence

from reference.bits import Reader, Stream, bounded, check
from reference.grid import bits_float, float_bits, step_of
from reference.tables import binary_table
from reference.tensors import BITS, Slice

Span = tuple[int, int]
Spans = dict[int, Span]


def least_ordinal(p: float, dtype: int) -> int:
    """A(p): the least ordinal of a value that is not below p."""
    if p == 0:
        return -1
    bits, sign = float_bits(p, dtype), 1 << BITS[dtype] - 1
    ordinal = bits if bits < sign else -1 - (bits - sign)
    return ordinal + (bits_float(bits, dtype) < p)


def level_parts(level: int, step: float, dtype: int) -> tuple[int, list[int]]:
    """The c of the cell of a level other than 0, and where its parts start and the last ends."""
    size = max(
        1, least_ordinal((level + 0.5) * step, dtype) - least_ordinal((level - 0.5) * step, dtype)
    )
    c = min(max(size.bit_length() - 1 - 6, 0), 6)
    return c, [least_ordinal(((level - 0.5) + j / 2**c) * step, dtype) for j in range(2**c + 1)]


def read_core(reader: Reader, count: int) -> tuple[int, list[int]]:
    """The core mode; and of so many levels of 0, 1 for each that is core."""
    head = reader.integer(1)
    mode = head & 3
    check(mode > 0 or head == 0, "a binary table without a core")
    table, stream = binary_table(head >> 2), Stream(reader, count if mode else 0)
    core = [stream.next(table) for _ in range(count)] if mode else [0] * count
    stream.end()
    return mode, core


def core_span(mode: int, step: float, dtype: int) -> Span:
    """The ordinals of the core of a level of 0."""
    if mode < 3:
        return 1 - mode, 1
    edge = step * 2.0**-17
    return least_ordinal(-edge, dtype), least_ordinal(edge, dtype)


def octave_span(octave: int, sign: int, step: float, dtype: int) -> Span:
    """The ordinals of an octave of a level of 0."""
    near, far = step * 2.0 ** (-2 - octave), step * 2.0 ** (-1 - octave)
    low, high = (-far, -near) if sign else (near, far)
    return least_ordinal(low, dtype), least_ordinal(high, dtype)


def read_spans(reader: Reader, levels: Sequence[int], steps: Sequence[float], dtype: int) -> Spans:
    """Where each weight's part starts and ends, by the number of the weight."""
    zeros = [i for i, level in enumerate(levels) if level == 0]
    mode, core = read_core(reader, len(zeros))
    spans = {i: core_span(mode, steps[i], dtype) for i, x in zip(zeros, core, strict=True) if x}
    cells = {i: level_parts(level, steps[i], dtype) for i, level in enumerate(levels) if level}
    parts = reader.bits([c for c, _ in cells.values()])
    for (i, (_, edges)), part in zip(cells.items(), parts, strict=True):
        spans[i] = edges[part], edges[part + 1]
    outside = [i for i, x in zip(zeros, core, strict=True) if not x]
    signs = reader.bits([1] * len(outside))
    for i, sign, octave in zip(outside, signs, reader.unary(len(outside)), strict=True):
        spans[i] = octave_span(octave, sign, steps[i], dtype)
    return spans


def read_exact(reader: Reader, piece: Slice) -> bytes:
    """The values of a slice of floats with levels."""
    steps = [step_of(tensor, at, piece.digits) for tensor, at, _ in piece.weights]
    spans = read_spans(reader, piece.levels, steps, piece.dtype)
    pairs = [spans[i] for i in range(len(steps))]
    places = reader.truncated([max(1, high - low) for low, high in pairs])
    sign, size = 1 << BITS[piece.dtype] - 1, BITS[piece.dtype] // 8
    ordinals = [low + place for (low, _), place in zip(pairs, places, strict=True)]
    values = [(o if o >= 0 else -1 - o + sign).to_bytes(size, "little") for o in ordinals]
    gaps = [reader.varint() for _ in range(bounded(reader.varint(), len(values)))]
    for i in itertools.accumulate(gaps, lambda at, gap: at + 1 + gap):
        check(i < len(values), "an exception beyond the last weight")
        values[i] = reader.take(size)
    return b"".join(values)
