"""Values of floats without levels, and raw bytes. Knows nothing of units."""

import itertools
from collections.abc import Sequence

from reference.bits import Reader, Stream, check, unlzma, unzstd
from reference.tables import Tables, value_table
from reference.tensors import BITS, MANTISSA, Slice

BIAS = {1: 127, 2: 15, 3: 127}  # of the floats' exponents
PART_BITS = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 2, 0)  # c of the octaves o - 12 to o + 3
RAW_WINDOW = 128 << 20


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


def read_copies(reader: Reader, count: int) -> list[tuple[int, bool]]:
    """For each weight the one in no run that it repeats, and whether its sign is the other one."""
    runs, end = [], 0
    for _ in range(reader.varint()):
        start = end + reader.varint()
        source, size = start - reader.varint(), reader.varint()
        n, way = size >> 3, -1 if size & 2 else 1
        end = start + n
        check(n > 0 and end <= count and source < start, "a run beyond the weights")
        check(source >= 0 and source + way * (n - 1) >= 0, "a source before the first weight")
        runs.append((start, source, n, way, size))
    fresh, out = itertools.count(), list[tuple[int, bool]]()
    for start, source, n, way, kind in [*runs, (count, 0, 0, 1, 0)]:
        out += [(next(fresh), False) for _ in range(start - len(out))]
        for i in range(n):
            place, negative = out[source + way * i]
            flip = kind & 1 ^ (kind >> 2 & i & 1)
            out.append((place, negative != bool(flip)))
    return out


def repeat(copies: Sequence[tuple[int, bool]], data: bytes, width: int) -> bytes:
    """The floats of all weights from those in no run, elements of `width` bytes."""
    found = [data[width * i : width * (i + 1)] for i, _ in copies]
    pairs = zip(found, copies, strict=True)
    return b"".join(old[:-1] + bytes([old[-1] ^ flip << 7]) for old, (_, flip) in pairs)


def read_repeats(reader: Reader, count: int, tables: Tables, piece: Slice) -> bytes:
    """Floats of which some are those of earlier places."""
    width, copies = BITS[piece.dtype] // 8, read_copies(reader, count)
    left = 1 + max((place for place, _ in copies), default=-1)
    return repeat(copies, read_raw(reader, left * width, width, tables, piece, left), width)


def read_raw(
    reader: Reader, size: int, width: int, tables: Tables, piece: Slice | None, count: int = -1
) -> bytes:
    """The bytes of weights, so many, elements of `width` bytes; `count` where not a whole slice."""
    method = reader.integer(1)
    if method == 5:
        check(piece is not None and piece.is_float and count < 0, "method 5 is for floats, once")
        assert piece is not None, "checked above"
        return read_repeats(reader, len(piece.every), tables, piece)
    if method == 3:
        check(piece is not None and piece.is_float, "method 3 is for floats")
        kind, q = reader.integer(1), reader.integer(2, signed=True)
        check(kind <= 2 and abs(q) <= 640, "a shape or q out of range")
        assert piece is not None, "checked above"
        weights = len(piece.every) if count < 0 else count
        return read_values(reader, tables, piece.dtype, [(kind, q, 12)] * weights)
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
