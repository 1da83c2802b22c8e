"""Weights by their differences to what is expected. Knows nothing of files or units."""

import itertools
from collections.abc import Sequence

from reference.bits import Reader, Stream, bounded, check, cumulated
from reference.grid import RANGES
from reference.levels import no_mean, read_levels
from reference.tables import Tables, binary_table
from reference.tensors import BITS, MANTISSA, Slice
from reference.values import BIAS, read_values

WEIGHTS = [0, *(round(2 ** (j / 2.5)) for j in range(31))]


def number(bits: int, dtype: int) -> int:
    """The ordinal of a float, or an integer."""
    sign = 1 << BITS[dtype] - 1
    if dtype in MANTISSA:
        return bits if bits < sign else -1 - (bits - sign)
    return bits if dtype == 6 or bits < sign else bits - 2 * sign


def bits_of(value: int, dtype: int) -> int:
    """The bits of such a number."""
    sign = 1 << BITS[dtype] - 1
    low, high = (-sign, sign - 1) if dtype in MANTISSA or dtype == 4 else RANGES[dtype]
    check(low <= value <= high, "beyond all values")
    if dtype in MANTISSA:
        return value if value >= 0 else sign - 1 - value
    return value & 2 * sign - 1


def read_selection(reader: Reader, head: int, expected: Sequence[int], dtype: int) -> list[int]:
    """The weights that are not what is expected."""
    count = len(expected)
    if head & 3 == 0:
        return list(range(count))
    if head & 3 == 1:
        mask = (1 << BITS[dtype] - (dtype in MANTISSA)) - 1
        return [i for i, bits in enumerate(expected) if bits & mask]
    if head & 3 == 2:
        table = binary_table(reader.integer(1))
        stream = Stream(reader, count)
        found = [i for i in range(count) if stream.next(table)]
        stream.end()
        return found
    number_of, k = bounded(reader.varint(), count), reader.integer(1)
    check(k <= 20, "too many low bits")
    low = reader.bits([k] * number_of)
    gaps = [a + (b << k) for a, b in zip(low, reader.unary(number_of, count >> k), strict=True)]
    found = list(itertools.accumulate(gaps, lambda at, gap: at + 1 + gap))
    check(not found or found[-1] < count, "a gap beyond the last weight")
    return found


def read_differences(
    reader: Reader, tables: Tables, piece: Slice, expected: Sequence[int]
) -> list[int]:
    """The bits of the weights of a slice."""
    head, dtype = reader.integer(1), piece.dtype
    check(head < 8 and (head < 4 or not piece.is_float), "no such head")
    selected = read_selection(reader, head, expected, dtype)
    sigmas = [
        (t.kind, ((t.step if piece.is_float else 0) >> 2) + t.value_width(at) - 12)
        for t, at, _ in (piece.weights[i] for i in selected)
    ]
    old, out = [expected[i] for i in selected], list(expected)
    found = (read_floats if piece.is_float else read_integers)(
        reader, tables, dtype, old, sigmas, head >> 2
    )
    for i, bits in zip(selected, found, strict=True):
        out[i] = bits
    return out


def read_integers(
    reader: Reader,
    tables: Tables,
    dtype: int,
    old: Sequence[int],
    sigmas: Sequence[tuple[int, int]],
    own: int,
) -> list[int]:
    """Integers by their differences."""
    widths = [q + 12 for _, q in sigmas]
    if own:
        moved = read_own(reader, widths)
    else:
        contexts = [(kind, q + 12) for kind, q in sigmas]
        moved = read_levels(reader, tables, contexts, no_mean)
    return [bits_of(number(b, dtype) + d, dtype) for b, d in zip(old, moved, strict=True)]


def read_own(reader: Reader, widths: Sequence[int]) -> list[int]:
    """Differences by tables that are sent."""
    classes = [min(max(w, 0), 31) >> 1 for w in widths]
    made = {}
    for kind in sorted(set(classes)):
        low, high = reader.take(2)
        check(max(low, high) <= 15, "a table that is too large")
        weights = [WEIGHTS[j] for j in reader.bits([5] * (low + high + 2))]
        total = max(1, sum(weights))
        found = [1 + w * (4096 - len(weights)) // total for w in weights]
        found[found.index(max(found))] += 4096 - sum(found)
        made[kind] = low, cumulated(found)
    escapes = [reader.svarint() for _ in range(bounded(reader.varint(), len(widths)))]
    check(all(-(1 << 32) <= x <= 1 << 32 for x in escapes), "an escape is too far from 0")
    stream, out, used = Stream(reader, len(widths)), list[int](), iter(escapes)
    for kind in classes:
        low, table = made[kind]
        symbol = stream.next(table)
        value = next(used, None) if symbol == len(table) - 2 else symbol - low
        check(value is not None, "too few escapes")
        out.append(value or 0)
    check(next(used, None) is None, "too many escapes")
    stream.end()
    return out


def read_floats(
    reader: Reader,
    tables: Tables,
    dtype: int,
    old: Sequence[int],
    sigmas: Sequence[tuple[int, int]],
    _: int,
) -> list[int]:
    """Floats by their ordinals, or by themselves where the reference is small."""
    m, size = MANTISSA[dtype], BITS[dtype] // 8
    exponents = [max(1, (b & (1 << BITS[dtype] - 1) - 1) >> m) - BIAS[dtype] for b in old]
    small = [
        i for i, (e, (_, q)) in enumerate(zip(exponents, sigmas, strict=True)) if 4 * e < q + 4
    ]
    near = sorted(set(range(len(old))) - set(small))
    out = dict[int, int]()
    payload = Reader(reader.take(reader.varint()))
    if small:
        wide = [(sigmas[i][0], max(sigmas[i][1], 4 * exponents[i])) for i in small]
        least = min(q for _, q in wide)
        data = read_values(payload, tables, dtype, [(kind, q, q - least) for kind, q in wide])
        for at, i in enumerate(small):
            out[i] = int.from_bytes(data[at * size : (at + 1) * size], "little")
    payload.end()
    gaps = [reader.varint() for _ in range(bounded(reader.varint(), len(near)))]
    places = list(itertools.accumulate(gaps, lambda at, gap: at + 1 + gap))
    check(not places or places[-1] < len(near), "an exception beyond the last weight")
    others = {place: reader.integer(size) for place in places}
    contexts = [(sigmas[i][0], sigmas[i][1] + 12 - 4 * (exponents[i] - m)) for i in near]
    moved = read_levels(reader, tables, contexts, no_mean)
    for place, (i, d) in enumerate(zip(near, moved, strict=True)):
        out[i] = bits_of(number(old[i], dtype) + d, dtype)
        out[i] = others.get(place, out[i])
    return [out[i] for i in range(len(old))]
