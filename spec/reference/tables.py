"""The tables of coding.md. Knows nothing of tensors or units."""

import hashlib
from collections.abc import Sequence

from reference.bits import Reader, check, cumulated

TABLES_SHA256 = "cd05c1363527d128fb4ab6277ca9de2fabba54efc43ee0fdebbbc1c66a3b2603"
ZEROS = (1, 2, 4, 16, 32, 64, 128, 192, 256, 384, 512, 640, 768, 832, 896, 944)
BELOW = (1, 2, 8, 32, 64, 128, 256, 512)
Tables = tuple[list[tuple[int, list[int]]], list[list[int]], list[list[int]]]


def read_tables(data: bytes) -> Tables:
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


def binary_table(j: int) -> list[int]:
    """Binary table j, where each symbol starts."""
    check(0 <= j <= 31, "no such binary table")
    return [0, 4096 - (2 * j + 1) * 64, 4096]
