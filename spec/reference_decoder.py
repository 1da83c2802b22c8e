"""A decoder written from bitstream.md and coding.md, for reading rather than for speed.

    python spec/reference_decoder.py UNIT [UNIT ...] -o MODEL

It shares no code with the package. The names of its parts are the sections of the two documents.
What it cannot decode raises `RefusedError`; nothing is written then.
"""

import argparse
import bisect
import functools
import hashlib
import itertools
import lzma
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

TABLES = Path(__file__).parent.parent / "sdk/midstream/codec/tables.bin"
TABLES_SHA256 = "c78fa06849bee74026f84c9e57fbf1d06a63342cdb24685a9ef9fe15f32dd576"
MODEL_LIMIT, VECTOR_LIMIT, LEVEL_LIMIT = 1 << 31, 4_194_304, 1 << 30
TOPOLOGY_WINDOW, RAW_WINDOW = 8 << 20, 128 << 20
BITS = {1: 32, 2: 16, 3: 16, 4: 32, 5: 8, 6: 8, 7: 4}  # of a weight of each dtype
MANTISSA, BIAS = {1: 23, 2: 10, 3: 7}, {1: 127, 2: 15, 3: 127}  # of the floats
RANGES = {5: (-128, 127), 6: (0, 255), 7: (-8, 7)}  # of the integers that can be coded
BASE, ENHANCEMENT, EXACT_UNIT = range(3)
LEVELS, DIGITS, EXACT, RAW, VALUES = range(5)
BACK = (1, 2, 3, 4, 6, 1, 2, 1, 2, 1)  # places that each neighbour goes back on its axis
CLASSES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 18, 24, 30, 42, 60, 90)
PART_BITS = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 2, 0)  # c of the octaves o - 12 to o + 3
ZEROS = (1, 2, 4, 16, 32, 64, 128, 192, 256, 384, 512, 640, 768, 832, 896, 944)
BELOW = (1, 2, 8, 32, 64, 128, 256, 512)
SIGNIFICANDS = (
    "0000000000000 0b5586cf9890f 172b83c7d517b 2387a6e756238 306fe0a31b715 3dea64c123422 "
    "4bfdad5362a27 5ab07dd485429 6a09e667f3bcd 7a11473eb0187 8ace5422aa0db 9c49182a3f090 "
    "ae89f995ad3ad c199bdd85529c d5818dcfba487 ea4afa2a490da"
)
M = [float.fromhex(f"0x1.{digits}p0") for digits in SIGNIFICANDS.split(" ")]


class RefusedError(ValueError):
    """What was given is not a stack of units, or needs what this decoder does not have."""


def check(condition: bool, message: str) -> None:
    """Refuse, unless the condition holds."""
    if not condition:
        raise RefusedError(message)


# --- bytes and bits -------------------------------------------------------------------------


class Reader:
    """Primitive types, one after another."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """So many bytes."""
        check(size <= len(self.data) - self.at, "the data ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def integer(self, size: int, *, signed: bool = False) -> int:
        """An integer of so many bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def varint(self) -> int:
        """Unsigned LEB128 in its shortest form."""
        value = 0
        for i in range(9):
            byte = self.integer(1)
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                check(byte > 0 or i == 0, "a varint is longer than it has to be")
                return value
        raise RefusedError("a varint is longer than nine bytes")

    def svarint(self) -> int:
        """A zigzag varint."""
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self.data) - self.at)

    def end(self) -> None:
        """Refuse bytes after the end."""
        check(self.at == len(self.data), "bytes after the end")

    def bits(self, widths: Sequence[int]) -> list[int]:
        """A bit section of fields of these widths."""
        word = int.from_bytes(self.take((sum(widths) + 7) // 8), "little")
        starts = itertools.accumulate(widths, initial=0)
        return [word >> at & (1 << n) - 1 for at, n in zip(starts, widths, strict=False)]

    def unary(self, count: int) -> list[int]:
        """A bit section of so many unary numbers, 0 to 15."""
        out: list[int] = []
        bit, zeros, byte = 8, 0, 0
        while len(out) < count:
            if bit == 8:
                bit, byte = 0, self.integer(1)
            if byte >> bit & 1:
                out.append(zeros)
            zeros = 0 if byte >> bit & 1 else zeros + 1
            check(zeros <= 15, "an octave above 15")
            bit += 1
        return out

    def truncated(self, limits: Sequence[int]) -> list[int]:
        """Numbers below these limits in truncated binary."""
        sizes = [limit.bit_length() - 1 for limit in limits]
        spare = [(2 << k) - limit for k, limit in zip(sizes, limits, strict=True)]
        upper = self.bits(sizes)
        long = [i for i, x in enumerate(upper) if x >= spare[i]]
        for i, bit in zip(long, self.bits([1] * len(long)), strict=True):
            upper[i] = 2 * upper[i] + bit - spare[i]
        return upper


def unzstd(data: bytes, size: int, window: int) -> bytes:
    """One zstd frame, and nothing after it."""
    stream, out = zstandard.ZstdDecompressor(max_window_size=window).decompressobj(), b""
    try:
        for i in range(0, len(data), 64):
            out += stream.decompress(data[i : i + 64])
            check(len(out) <= size, "more content than there should be")
    except zstandard.ZstdError as error:
        raise RefusedError(f"zstd: {error}") from error
    check(stream.eof and not stream.unused_data and len(out) == size, "not one whole frame")
    return out


def unlzma(data: bytes, size: int) -> bytes:
    """LZMA2 chunks and their end."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 256 << 10}]
    stream = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    try:
        out = stream.decompress(data, size + 1)
    except lzma.LZMAError as error:
        raise RefusedError(f"LZMA2: {error}") from error
    check(stream.eof and not stream.unused_data and len(out) == size, "not so many bytes")
    return out


# --- tables and entropy coder ---------------------------------------------------------------


def cumulated(frequencies: Sequence[int]) -> list[int]:
    """Where each symbol starts, and 4096 at the end."""
    return list(itertools.accumulate(frequencies, initial=0))


def read_tables(
    data: bytes,
) -> tuple[list[tuple[int, list[int]]], list[list[int]], list[list[int]]]:
    """Level tables, each with the number that its symbol 0 stands for; digit and value tables."""
    check(hashlib.sha256(data).hexdigest() == TABLES_SHA256, "these are not the tables")
    reader = Reader(data)
    levels = []
    for _ in range(369):
        first, count = reader.integer(1, signed=True), reader.integer(1)
        levels.append((first, cumulated([reader.integer(2) for _ in range(count)])))
    digits = [[reader.integer(2) for _ in range(4)] for _ in range(1584)]
    values = [[reader.integer(2) for _ in range(37)] for _ in range(12)]
    reader.end()
    return levels, digits, values


def digit_table(f: Sequence[int], kind: int, spike: int, escape: int) -> list[int]:
    """The table of a class of distances in a slice with these classes."""
    k, e = (8, 6, 4, 2)[spike], (1, 32, 256, 768)[escape]
    outer = [max(1, f[i] * k >> 3) if kind == 0 else f[i] for i in (0, 2)]
    h0, h2 = (max(1, g * (4096 - e) // 4095) for g in outer)
    return cumulated([h0, 4096 - e - h0 - h2, h2, e])


def value_table(f: Sequence[int], classes: int) -> list[int]:
    """The table of 40 symbols of a slice with these classes, z * 8 + y."""
    z = ZEROS[classes >> 3]
    y = max(1, (1024 - z) * BELOW[classes & 7] >> 10)
    parts = [1 + (x * (1023 - z - y - 37) >> 12) for x in f]
    parts[parts.index(max(parts))] += 1023 - z - y - sum(parts)
    return cumulated([4 * x for x in (z, y, *parts, 1)])


class Stream:
    """Symbols, each with its table."""

    def __init__(self, reader: Reader, count: int, nearest: int = 32, per_lane: int = 2048):
        limit = max(1, min(count // per_lane, nearest, 32))
        lanes = 1 << limit.bit_length() - 1 if count else 0
        self.reader, self.at = reader, 0
        self.states = [reader.integer(4) for _ in range(lanes)]

    def next(self, table: Sequence[int]) -> int:
        """The next symbol."""
        lane = self.at % len(self.states)
        x = self.states[lane]
        symbol = bisect.bisect_right(table, x & 4095) - 1
        x = (table[symbol + 1] - table[symbol]) * (x >> 12) + (x & 4095) - table[symbol]
        self.states[lane] = x << 16 | self.reader.integer(2) if x < 65536 else x
        self.at += 1
        return symbol

    def end(self) -> None:
        """Refuse states that are not the first of the writer."""
        check(all(x == 65536 for x in self.states), "a state is not 65536 at the end")


# --- tensors and slices ---------------------------------------------------------------------


@dataclass
class Tensor:
    """An entry of the tensor table with its parameters."""

    offset: int
    dtype: int
    row_axis: int | None
    column_axis: int | None
    shape: list[int]
    coded: bool = False
    kind: int = 0  # the shape of its distributions
    lattice: bool = False
    step: int = 0  # step index, or trit exponent
    width: int = 0
    zero: int = 0  # value of level 0
    scales: list[list[int]] = field(default_factory=lambda: [[], [], []])  # rows, columns, taps
    steps: list[list[int]] = field(default_factory=lambda: [[], []])  # rows, columns
    predictor: dict[int, int] = field(default_factory=dict)
    tied: "Tensor | None" = None

    def __post_init__(self) -> None:
        self.weights = math.prod(self.shape)
        self.size = (self.weights * BITS[self.dtype] + 7) // 8
        self.strides = [math.prod(self.shape[i + 1 :]) for i in range(len(self.shape))]
        used = (self.row_axis, self.column_axis)
        self.tap_axes = [i for i in range(len(self.shape)) if i not in used]

    @property
    def is_float(self) -> bool:
        """Whether its weights are floats."""
        return self.dtype in MANTISSA

    def on(self, axis: int | None, at: int) -> int:
        """The place of a weight on an axis."""
        return 0 if axis is None else at // self.strides[axis] % self.shape[axis]

    def places(self, at: int) -> tuple[int, int, int]:
        """Row, column and tap of a weight."""
        tap = 0
        for axis in self.tap_axes:
            tap = tap * self.shape[axis] + self.on(axis, at)
        return self.on(self.row_axis, at), self.on(self.column_axis, at), tap

    def sigma_width(self, at: int) -> int:
        """The width w of a weight."""
        scales = zip(self.scales, self.places(at), strict=True)
        return self.width + sum(vector[i] for vector, i in scales if vector)

    def value_width(self, at: int) -> int:
        """The width of a weight's values over the step of the tensor."""
        added = sum(v[i] for v, i in zip(self.steps, self.places(at), strict=False) if v)
        return self.sigma_width(at) + 2 * added

    def step_index(self, at: int) -> int:
        """The step index of a weight."""
        added = sum(v[i] for v, i in zip(self.steps, self.places(at), strict=False) if v)
        return min(max(self.step + 8 * added, -2560), 2560)

    @functools.cached_property
    def neighbours(self) -> list[tuple[int, int, int]]:
        """Number, axis and distance of each neighbour that counts."""
        taps = [axis for axis in self.tap_axes if self.shape[axis] > 1]
        last, first = (taps or [None])[-1], taps[0] if len(taps) > 1 else None
        axes = [self.row_axis] * 5 + [self.column_axis] * 2 + [last] * 2 + [first]
        out = []
        for p, c in self.predictor.items():
            axis = axes[p]
            if c and axis is not None and self.shape[axis] > BACK[p]:
                out.append((p, axis, BACK[p] * self.strides[axis]))
        return out


def neighbours_of(tensor: Tensor, at: int, start: int) -> list[tuple[int, int, int]]:
    """Those of one weight, of a tensor whose first weight in the slice is at `start`."""
    segment = min(tensor.strides[axis] for _, axis, _ in tensor.neighbours)
    first = max(start, at // segment * segment)
    return [
        (p, axis, distance)
        for p, axis, distance in tensor.neighbours
        if tensor.on(axis, at) >= BACK[p] and first - distance >= start
    ]


@functools.cache
def gain(half_octaves: int) -> int:
    """256 * 2^(d / 2), to the nearest integer."""
    return round(256 * 2 ** (min(max(half_octaves, -24), 24) / 2))


class Slice:
    """A run of weights: pieces of tensors, with what decoding has made of them."""

    def __init__(self, pieces: Sequence[tuple[Tensor, int, int]]):
        self.pieces = pieces
        first = pieces[0][0]
        self.dtype, self.coded, self.is_float = first.dtype, first.coded, first.is_float
        self.weights = [(t, at, start) for t, start, stop in pieces for at in range(start, stop)]
        self.state: int | None = None  # the last operation
        self.digits = 0
        self.levels: list[int] = []
        self.data = b""
        near = (d for w in self.weights if w[0].neighbours for _, _, d in neighbours_of(*w))
        self.nearest = min(near, default=32)

    def mean(self, levels: Sequence[int], i: int) -> int:
        """The mean of weight i in half steps."""
        tensor, at, start = self.weights[i]
        near = neighbours_of(tensor, at, start) if tensor.neighbours else []
        total = 2048 if near else 0
        for p, axis, distance in near:
            steps = tensor.steps[p > 4] if p < 7 else []
            d = steps[tensor.on(axis, at - distance)] - steps[tensor.on(axis, at)] if steps else 0
            u = min(max(levels[i - distance], -(1 << 20)), 1 << 20)
            total += tensor.predictor[p] * gain(d) * u
        return total >> 12


# --- payloads -------------------------------------------------------------------------------

Mean = Callable[[Sequence[int], int], int]
Tables = tuple[list[tuple[int, list[int]]], list[list[int]], list[list[int]]]


def read_levels(
    reader: Reader,
    tables: Tables,
    contexts: Sequence[tuple[int, int]],
    mean: Mean,
    nearest: int = 32,
    phases: Sequence[int] | None = None,
) -> list[int]:
    """Levels of weights of these shapes and widths; `mean` is asked with those before.

    Where phases are given they choose the tables, and the mean is asked for nothing.
    """
    if not contexts:
        return []
    widths = [min(max(w, 0), 136) for _, w in contexts]
    sizes = [max(0, -((24 - v) // 4)) for v in widths]
    low = reader.bits(sizes)
    escapes = [reader.svarint() for _ in range(bounded(reader.varint(), len(contexts)))]
    check(all(-(1 << 31) <= k <= 1 << 31 for k in escapes), "an escape is too far from zero")
    stream, out, used = Stream(reader, len(contexts), nearest), list[int](), iter(escapes)
    for i, ((kind, _), v) in enumerate(zip(contexts, widths, strict=True)):
        m = 0 if phases else mean(out, i)
        phase = phases[i] if phases else m & 1
        first, table = tables[0][(phase * 3 + kind) * 41 + v - 4 * max(0, -((40 - v) // 4))]
        symbol = stream.next(table)
        k: int | None = next(used, None) if symbol == len(table) - 2 else first + symbol
        check(k is not None, "too few escapes")
        out.append((m >> 1) + ((k or 0) << sizes[i]) - (1 << sizes[i] >> 1) + low[i])
        check(abs(out[-1]) <= LEVEL_LIMIT, "a level is too far from zero")
    check(next(used, None) is None, "too many escapes")
    stream.end()
    return out


def read_points(reader: Reader, tables: Tables, contexts: Sequence[tuple[int, int]]) -> list[int]:
    """Levels of weights on the lattice."""
    n, m, j = len(contexts), len(contexts) // 8, reader.integer(1)
    check(j <= 31, "no such table of cosets")
    stream, table = Stream(reader, m), cumulated([4096 - (2 * j + 1) * 64, (2 * j + 1) * 64])
    odd = [stream.next(table) for _ in range(m)]
    stream.end()
    kept = [*range(7 * m), *range(8 * m, n)]
    phases = odd * 7 + [0] * (n - 8 * m)
    narrower = [(contexts[i][0], contexts[i][1] - 4) for i in kept]
    numbers = read_levels(reader, tables, narrower, no_mean, 32, phases)
    first = [2 * k - p for k, p in zip(numbers, phases, strict=True)]
    rests = [-sum(first[b : 7 * m : m]) % 4 for b in range(m)]
    narrowest = [(kind, w - 8) for kind, w in contexts[7 * m : 8 * m]]
    phases = [(0, 2, 1, 2)[r] for r in rests]
    numbers = read_levels(reader, tables, narrowest, no_mean, 32, phases)
    last = [1 - 4 * k if r == 1 else 4 * k - -r % 4 for k, r in zip(numbers, rests, strict=True)]
    levels = first[: 7 * m] + last + first[7 * m :]
    check(all(abs(level) <= LEVEL_LIMIT for level in levels), "a level is too far from zero")
    return levels


def no_mean(_: Sequence[int], __: int) -> int:
    """Of what is not predicted."""
    return 0


def read_lists(
    reader: Reader, tables: Tables, widths: Sequence[int], counts: Sequence[int]
) -> list[list[int]]:
    """Lists of so many integers in one payload of levels without weights: shape 0, no mean."""
    contexts = [(0, w) for w, n in zip(widths, counts, strict=True) for _ in range(n)]
    values = iter(read_levels(reader, tables, contexts, lambda _, __: 0))
    return [list(itertools.islice(values, n)) for n in counts]


def bounded(count: int, limit: int) -> int:
    """A count, if it is at most the limit."""
    check(count <= limit, "a count is over its limit")
    return count


def read_digits(reader: Reader, tables: Tables, piece: Slice) -> list[int]:
    """The children of the levels of a slice."""
    head, added = reader.integer(1), (634 * piece.digits + 50) // 100
    count = bounded(reader.varint(), len(piece.weights))
    args = [(0, 2 * (head >> 4))] * count
    moved = iter(read_levels(reader, tables, args, lambda _, __: 1))
    stream, out = Stream(reader, len(piece.weights), piece.nearest), list[int]()
    for i, (tensor, at, _) in enumerate(piece.weights):
        distance = 6 * piece.levels[i] - piece.mean(out, i)
        kind = bisect.bisect_right(CLASSES, abs(distance))
        width = min(max(tensor.sigma_width(at) + added, 0), 32)
        f = tables[1][(tensor.kind * 33 + width) * 16 + kind]
        symbol = stream.next(digit_table(f, kind, head >> 2 & 3, head & 3))
        digit = (symbol - 1) * (1 if distance >= 0 else -1)
        if symbol == 3:
            level = next(moved, None)
            check(level is not None, "too few escaped digits")
            digit = (level or 0) + (1 if (level or 0) > 0 else -2)
        out.append(3 * piece.levels[i] + digit)
        check(abs(out[-1]) <= LEVEL_LIMIT, "a level is too far from zero")
    check(next(moved, None) is None, "too many escaped digits")
    stream.end()
    return out


def float_bits(value: float, dtype: int) -> int:
    """The bits of a number rounded to a dtype; what is too large is infinite."""
    code, whole = ("<e", "<H") if dtype == 2 else ("<f", "<I")
    try:
        bits = int(struct.unpack(whole, struct.pack(code, value))[0])
    except OverflowError:
        bits = int(struct.unpack(whole, struct.pack(code, math.copysign(math.inf, value)))[0])
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 if dtype == 3 else bits


def bits_float(bits: int, dtype: int) -> float:
    """The number that bits of a dtype stand for."""
    if dtype == 2:
        return float(struct.unpack("<e", bits.to_bytes(2, "little"))[0])
    return float(struct.unpack("<f", (bits << 16 * (dtype == 3)).to_bytes(4, "little"))[0])


def least_ordinal(p: float, dtype: int) -> int:
    """A(p): the least ordinal of a value that is not below p."""
    if p == 0:
        return -1
    bits, sign = float_bits(p, dtype), 1 << BITS[dtype] - 1
    ordinal = bits if bits < sign else -1 - (bits - sign)
    return ordinal + (bits_float(bits, dtype) < p)


def step_of(tensor: Tensor, at: int, digits: int) -> float:
    """The step of a weight of a float tensor after so many digits."""
    index = tensor.step_index(at)
    return math.ldexp(M[index % 16], index // 16) / 3.0**digits


def level_parts(level: int, step: float, dtype: int) -> tuple[int, list[int]]:
    """The c of the cell of a level other than 0, and where its parts start and the last ends."""
    size = max(
        1, least_ordinal((level + 0.5) * step, dtype) - least_ordinal((level - 0.5) * step, dtype)
    )
    c = min(max(size.bit_length() - 1 - 6, 0), 6)
    return c, [least_ordinal(((level - 0.5) + j / 2**c) * step, dtype) for j in range(2**c + 1)]


def read_exact(reader: Reader, piece: Slice) -> bytes:
    """The values of a slice of floats with levels."""
    dtype, levels = piece.dtype, piece.levels
    steps = [step_of(tensor, at, piece.digits) for tensor, at, _ in piece.weights]
    head = reader.integer(1)
    mode, j = head & 3, head >> 2
    check(j < 32 and (mode > 0 or j == 0), "no such binary table")
    table = [0, 4096 - (2 * j + 1) * 64, 4096]
    zeros = [i for i, level in enumerate(levels) if level == 0]
    stream = Stream(reader, len(zeros) if mode else 0)
    core = {i for i in zeros if mode and stream.next(table)}
    stream.end()
    cells = {i: level_parts(levels[i], steps[i], dtype) for i in range(len(levels)) if levels[i]}
    spans: dict[int, tuple[int, int]] = {}
    parts = reader.bits([c for c, _ in cells.values()])
    for (i, (_, edges)), part in zip(cells.items(), parts, strict=True):
        spans[i] = edges[part], edges[part + 1]
    outside = [i for i in zeros if i not in core]
    signs = reader.bits([1] * len(outside))
    for i, sign, octave in zip(outside, signs, reader.unary(len(outside)), strict=True):
        near, far = steps[i] * 2.0 ** (-2 - octave), steps[i] * 2.0 ** (-1 - octave)
        low, high = (-far, -near) if sign else (near, far)
        spans[i] = least_ordinal(low, dtype), least_ordinal(high, dtype)
    for i in core:
        edge = steps[i] * 2.0**-17
        wide = least_ordinal(-edge, dtype), least_ordinal(edge, dtype)
        spans[i] = wide if mode == 3 else (1 - mode, 1)
    lows = [spans[i][0] for i in range(len(levels))]
    places = reader.truncated([max(1, spans[i][1] - spans[i][0]) for i in range(len(levels))])
    sign, size = 1 << BITS[dtype] - 1, BITS[dtype] // 8
    ordinals = [low + place for low, place in zip(lows, places, strict=True)]
    values = [(o if o >= 0 else -1 - o + sign).to_bytes(size, "little") for o in ordinals]
    gaps = [reader.varint() for _ in range(bounded(reader.varint(), len(levels)))]
    for i in itertools.accumulate(gaps, lambda at, gap: at + 1 + gap):
        check(i < len(levels), "an exception beyond the last weight")
        values[i] = reader.take(size)
    return b"".join(values)


def value_parts(dtype: int) -> list[tuple[int, int]]:
    """Where each part starts, for a sigma of octave 0, and the bits that are left of it."""
    m = MANTISSA[dtype]
    return [
        ((i - 12 + BIAS[dtype] << m) + (j << m - c), m - c)
        for i, c in enumerate(PART_BITS)
        for j in range(1 << c)
    ]


def read_values(
    reader: Reader, tables: Tables, dtype: int, weights: Sequence[tuple[int, int, int]]
) -> bytes:
    """Values of floats of these shapes, sigmas q and widths w."""
    t, low, split, wide, narrow = reader.take(5)
    m, size = MANTISSA[dtype], BITS[dtype]
    check(t <= m and low < size and max(wide, narrow) < 128, "no such t, low or classes")
    made = [[value_table(f, classes) for f in tables[2]] for classes in (narrow, wide)]
    stream = Stream(reader, len(weights), per_lane=512)
    symbols = [
        stream.next(made[min(max(w, 0), 255) >= split][kind * 4 + (q & 3)])
        for kind, q, w in weights
    ]
    stream.end()
    starts = [(0, 0), (0, low), *value_parts(dtype), (0, size - 1)]
    whole = max(0, m - 2 - t) // 8
    sizes = [1 + max(0, starts[x][1] - t) if x else 0 for x in symbols]
    lower = [reader.integer(whole) if x else 0 for x in symbols]
    upper = reader.bits([max(0, bits - 8 * whole) for bits in sizes])
    out, sign = [], 1 << size - 1
    for (_, q, _), symbol, a, b in zip(weights, symbols, lower, upper, strict=True):
        least = starts[symbol][0] + ((q >> 2 << m) if 2 <= symbol <= 38 else 0)
        field = a | b << 8 * whole
        magnitude = least + (field >> 1 << t) & sign - 1
        out.append((magnitude | (field & 1) * sign).to_bytes(size // 8, "little"))
    return b"".join(out)


def read_raw(reader: Reader, size: int, width: int, tables: Tables, piece: Slice | None) -> bytes:
    """The bytes of weights, so many, elements of `width` bytes."""
    method = reader.integer(1)
    if method == 3:
        check(piece is not None and piece.is_float, "method 3 is for floats")
        kind, q = reader.integer(1), reader.integer(2, signed=True)
        check(kind <= 2 and abs(q) <= 640, "a shape or q out of range")
        assert piece is not None, "checked above"
        return read_values(reader, tables, piece.dtype, [(kind, q, 12)] * len(piece.weights))
    data = reader.rest()
    if method in (1, 2):
        data = unzstd(data, size, RAW_WINDOW)
    elif method == 4:
        data = unlzma(data, size)
    check(method in (0, 1, 2, 4) and len(data) == size, "no such method, or not so many bytes")
    if method == 2:
        count = size // width
        data = bytes(data[plane * count + i] for i in range(count) for plane in range(width))
    return data


# --- heads ----------------------------------------------------------------------------------


def read_tensor(reader: Reader, end: int) -> Tensor:
    """An entry of the tensor table, after a hole that ends there."""
    offset, dtype, axes, rank = end + reader.varint(), *reader.take(3)
    check(dtype in BITS and rank <= 8, "no such dtype, or too many axes")
    row, column = axes & 15, axes >> 4
    check(all(a < rank or a == 15 for a in (row, column)), "no such axis")
    check(row == 15 or row != column, "one axis cannot be rows and columns")
    shape = [reader.varint() for _ in range(rank)]
    check(1 <= math.prod(shape) <= 2 * MODEL_LIMIT, "no weights, or too many")
    return Tensor(
        offset, dtype, None if row == 15 else row, None if column == 15 else column, shape
    )


def read_topology(reader: Reader) -> tuple[list[Tensor], bytearray]:
    """The tensors, and the model file with its holes."""
    size, count = bounded(reader.varint(), MODEL_LIMIT), reader.varint()
    content = bounded(reader.varint(), MODEL_LIMIT)
    inner = Reader(unzstd(reader.rest(), content, TOPOLOGY_WINDOW))
    tensors, model, end = [], bytearray(), 0
    for _ in range(count):
        tensors.append(read_tensor(inner, end))
        end = tensors[-1].offset + tensors[-1].size
        check(end <= size, "a tensor ends outside the model file")
    for tensor in tensors:
        model += inner.take(tensor.offset - len(model)) + bytes(tensor.size)
    model += inner.take(size - len(model))
    inner.end()
    return tensors, model


def read_flags(reader: Reader, tensors: Sequence[Tensor], tables: Tables) -> list[int]:
    """What is sent about each tensor."""
    payload = Reader(reader.take(reader.varint()))
    data = read_raw(payload, 2 * len(tensors), 2, tables, None)
    payload.end()
    flags = [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]
    for tensor, f in zip(tensors, flags, strict=True):
        check(f < 4096 and not f & 1 << 7 and f >> 4 & 3 < 3, "reserved flags, or no such shape")
        check(not f & 1 << 10 or not f & 1 << 6, "points are not predicted")
        check(not f & 1 << 10 or tensor.weights >= 4096, "too few weights for the lattice")
        check(f & 1 or f in (0, 1 << 11), "flags of a tensor that is not coded")
        check(not f & 1 or tensor.dtype != 4, "a coded tensor of int32")
        check(tensor.is_float or not f & 0x700, "steps of an integer tensor's rows")
        check(tensor.row_axis is not None or not f & 0x102, "no rows")
        check(tensor.column_axis is not None or not f & 0x204, "no columns")
        tensor.coded, tensor.kind, tensor.lattice = bool(f & 1), f >> 4 & 3, bool(f >> 10 & 1)
    return flags


def read_parameters(reader: Reader, tensors: Sequence[Tensor], tables: Tables) -> None:
    """The parameters of all tensors."""
    flags = read_flags(reader, tensors, tables)
    widths = reader.take(7)
    check(max(widths) <= 40, "a width of a list is out of range")
    coded = [tensor for tensor in tensors if tensor.coded]
    whole = [tensor for tensor in coded if not tensor.is_float]
    predicted = [tensor for tensor, f in zip(tensors, flags, strict=True) if f >> 6 & 1]
    tied = [i for i, f in enumerate(flags) if f >> 11]
    vectors, sizes = list[tuple[list[int], int]](), list[int]()
    for tensor, f in zip(tensors, flags, strict=True):
        rows = 1 if tensor.row_axis is None else tensor.shape[tensor.row_axis]
        columns = 1 if tensor.column_axis is None else tensor.shape[tensor.column_axis]
        lengths = [rows, columns, tensor.weights // rows // columns, rows, columns]
        for i, bit in enumerate((1, 2, 3, 8, 9)):
            if f >> bit & 1:
                vectors.append(([*tensor.scales, *tensor.steps][i], 128 if i < 3 else 24))
                sizes.append(lengths[i])
    check(sum(sizes) <= VECTOR_LIMIT, "too many entries of vectors")
    counts = [len(coded), len(coded), len(whole), len(vectors), len(predicted)]
    steps, bases, offsets, spreads, masks = read_lists(reader, tables, widths[:5], counts)
    for tensor, step, base in zip(
        coded, itertools.accumulate(steps), itertools.accumulate(bases), strict=True
    ):
        low, high = (-2560, 2560) if tensor.is_float else (0, 20)
        check(low <= step <= high and abs(base) <= 512, "a step or width is out of range")
        tensor.step, tensor.width = step, base
    for tensor, offset in zip(whole, offsets, strict=True):
        tensor.zero = offset
    check(all(1 <= mask <= 1023 for mask in masks), "no such neighbours")
    pairs = [
        (t, p) for t, mask in zip(predicted, masks, strict=True) for p in range(10) if mask >> p & 1
    ]
    counts = [len(pairs), len(tied)]
    coefficients, ties = read_lists(reader, tables, widths[5:], counts)
    for (tensor, p), c in zip(pairs, coefficients, strict=True):
        check(abs(c) <= 64, "a coefficient is out of range")
        tensor.predictor[p] = c
    for i, back in zip(tied, ties, strict=True):
        check(
            0 < back <= i and i - back not in tied, "a tie to no earlier tensor, or to a tied one"
        )
        tensors[i].tied = other = tensors[i - back]
        check(
            (other.dtype, other.weights) == (tensors[i].dtype, tensors[i].weights),
            "a tie to another kind",
        )
    spreads = list(itertools.accumulate(spreads))
    check(all(0 <= w <= 40 for w in spreads), "a spread is out of range")
    entries = read_lists(reader, tables, spreads, sizes)
    for (vector, limit), read in zip(vectors, entries, strict=True):
        vector += read
        check(
            all(-limit <= x <= min(limit, 127) for x in vector), "a vector's entry is out of range"
        )
    reader.end()


def cut(tensors: Sequence[Tensor]) -> list[Slice]:
    """The slices of a network."""
    slices, open_slices = list[list[tuple[Tensor, int, int]]](), dict[tuple[int, bool], list]()
    for tensor in (tensor for tensor in tensors if tensor.tied is None):
        n, key = tensor.weights, (tensor.dtype, tensor.coded)
        if n >= 4096:
            count = -(-n // 65536)
            starts = [(n * i // count + 1) // 2 * 2 for i in range(count)] + [n]
            slices += [[(tensor, *pair)] for pair in itertools.pairwise(starts)]
            continue
        if key not in open_slices or sum(stop for _, _, stop in open_slices[key]) + n > 16384:
            open_slices[key] = []
            slices.append(open_slices[key])
        open_slices[key].append((tensor, 0, n))
    return [Slice(pieces) for pieces in slices]


# --- units ----------------------------------------------------------------------------------


class Decoder:
    """A model file, unit by unit."""

    def __init__(self, tables: bytes):
        self.tables = read_tables(tables)
        self.layer = -1
        self.slices: list[Slice] = []

    def apply(self, unit: bytes) -> None:
        """Decode a unit on top of those before it."""
        reader = Reader(unit)
        check(reader.take(4) == b"MDU\0", "no unit of version 0")
        kind, layer = reader.integer(1), reader.varint()
        check(kind in (BASE, ENHANCEMENT, EXACT_UNIT), "no such kind, or one that is reserved")
        check((kind == BASE) == (self.layer < 0), "a base comes first, and only first")
        check(self.layer < layer <= 255, "layers rise to at most 255")
        head = Reader(reader.take(reader.varint()))
        if kind == BASE:
            self.tensors, self.model = read_topology(Reader(head.take(head.varint())))
            read_parameters(head, self.tensors, self.tables)
            self.slices = cut(self.tensors)
        head.end()
        last = 0
        for _ in range(reader.varint()):
            index, operation = reader.varint(), reader.integer(1)
            check(last <= index < len(self.slices), "slices out of order, or no such slice")
            last = index
            payload = Reader(reader.take(reader.varint()))
            self.operate(self.slices[index], operation, payload)
            payload.end()
        reader.end()
        check(all(s.state is not None for s in self.slices), "a slice without a first record")
        self.layer = layer

    def operate(self, piece: Slice, operation: int, payload: Reader) -> None:
        """Apply one record to its slice."""
        size = sum(((b - a) * BITS[t.dtype] + 7) // 8 for t, a, b in piece.pieces)
        state, quantised = piece.state, piece.state in (LEVELS, DIGITS)
        check(operation != LEVELS or (state is None and piece.coded), "levels on something")
        check(operation != DIGITS or quantised, "digits without levels")
        check(
            operation != EXACT or (quantised and piece.is_float), "exact without levels of floats"
        )
        check(operation != RAW or state is None or quantised, "raw on raw")
        check(
            operation != VALUES or (state is None and piece.coded and piece.is_float),
            "values on something",
        )
        if operation == LEVELS:
            contexts = [(t.kind, t.sigma_width(at)) for t, at, _ in piece.weights]
            if piece.pieces[0][0].lattice:
                piece.levels = read_points(payload, self.tables, contexts)
            else:
                piece.levels = read_levels(
                    payload, self.tables, contexts, piece.mean, piece.nearest
                )
        elif operation == DIGITS:
            most = min((t.step for t, _, _ in piece.pieces), default=0)
            check(piece.is_float or piece.digits < most, "more digits than trits")
            check(not piece.pieces[0][0].lattice, "digits on points of the lattice")
            piece.levels = read_digits(payload, self.tables, piece)
            piece.digits += 1
        elif operation == EXACT:
            piece.data = read_exact(payload, piece)
        elif operation == RAW:
            piece.data = read_raw(payload, size, max(1, BITS[piece.dtype] // 8), self.tables, piece)
        elif operation == VALUES:
            widths = [t.value_width(at) for t, at, _ in piece.weights]
            weights = [
                (t.kind, (t.step >> 2) + w - 12, w)
                for (t, _, _), w in zip(piece.weights, widths, strict=True)
            ]
            piece.data = read_values(payload, self.tables, piece.dtype, weights)
        else:
            raise RefusedError("no such operation")
        piece.state = operation

    def result(self) -> bytes:
        """The model file as it is now."""
        model = bytearray(self.model)
        for piece in self.slices:
            data = piece.data if piece.state not in (LEVELS, DIGITS) else b""
            at = 0
            for tensor, start, stop in piece.pieces:
                part = range(at, at + stop - start)
                size = (len(part) * BITS[tensor.dtype] + 7) // 8
                first = tensor.offset + start * BITS[tensor.dtype] // 8
                if piece.state in (LEVELS, DIGITS):
                    model[first : first + size] = reconstruct(piece, part)
                else:
                    model[first : first + size], data = data[:size], data[size:]
                at = part.stop
        for tensor in self.tensors:
            if tensor.dtype == 7 and tensor.weights % 2:
                model[tensor.offset + tensor.size - 1] &= 15
            if tensor.tied is not None:
                other = tensor.tied.offset
                model[tensor.offset : tensor.offset + tensor.size] = model[
                    other : other + tensor.size
                ]
        return bytes(model)


def reconstruct(piece: Slice, part: range) -> bytes:
    """The bytes of some weights of a slice from their levels."""
    size, out = BITS[piece.dtype], []
    for i in part:
        tensor, at, _ = piece.weights[i]
        if piece.is_float:
            out.append(float_bits(piece.levels[i] * step_of(tensor, at, piece.digits), piece.dtype))
        else:
            low, high = RANGES[piece.dtype]
            value = tensor.zero + piece.levels[i] * 3 ** (tensor.step - piece.digits)
            out.append(min(max(value, low), high) & (1 << size) - 1)
    if size == 4:
        out = [a | b << 4 for a, b in itertools.zip_longest(out[::2], out[1::2], fillvalue=0)]
    return b"".join(x.to_bytes((size + 7) // 8, "little") for x in out)


def decode(units: Sequence[bytes], tables: bytes) -> bytes:
    """The model file of a base and the units on top of it."""
    decoder = Decoder(tables)
    for unit in units:
        decoder.apply(unit)
    check(len(units) > 0, "no units")
    return decoder.result()


def main() -> None:
    """Decode the units that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("units", nargs="+", type=Path, metavar="UNIT")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="MODEL")
    parser.add_argument("--tables", type=Path, default=TABLES)
    args = parser.parse_args()
    args.output.write_bytes(decode([p.read_bytes() for p in args.units], args.tables.read_bytes()))


if __name__ == "__main__":
    main()
