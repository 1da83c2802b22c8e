"""Levels, the lattice and digits. Knows nothing of floats or units."""

import bisect
import itertools
from collections.abc import Callable, Sequence

from reference.bits import Reader, Stream, bounded, check
from reference.tables import Tables, digit_table
from reference.tensors import Slice

LEVEL_LIMIT = 1 << 30
CLASSES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 18, 24, 30, 42, 60, 90)
Mean = Callable[[Sequence[int], int], int]


def no_mean(_: Sequence[int], __: int) -> int:
    """Of what is not predicted."""
    return 0


class NumberReader:
    """Numbers of weights of these shapes and widths, one after another."""

    def __init__(
        self,
        reader: Reader,
        tables: Tables,
        contexts: Sequence[tuple[int, int]],
        nearest: int,
        per_lane: int = 2048,
    ):
        self.tables, self.kinds = tables[0], iter([kind for kind, _ in contexts])
        widths = [min(max(w, 0), 136) for _, w in contexts]
        sizes = [max(0, -((24 - v) // 4)) for v in widths]
        self.widths, self.low = iter(widths), zip(sizes, reader.bits(sizes), strict=True)
        count = bounded(reader.varint(), len(contexts))
        escapes = [reader.svarint() for _ in range(count)]
        check(all(-(1 << 31) <= k <= 1 << 31 for k in escapes), "an escape is too far from zero")
        self.escapes = iter(escapes)
        self.stream = Stream(reader, len(contexts), nearest, per_lane)

    def next(self, quarters: int) -> int:
        """The next number, where so many quarters are expected."""
        v, (size, low) = next(self.widths), next(self.low)
        phase = (0, 2, 1, 2)[quarters & 3]
        row = (phase * 3 + next(self.kinds)) * 41 + v - 4 * max(0, -((40 - v) // 4))
        first, table = self.tables[row]
        symbol = self.stream.next(table)
        k = next(self.escapes, None) if symbol == len(table) - 2 else first + symbol
        check(k is not None, "too few escapes")
        number = ((k or 0) << size) - (1 << size >> 1) + low
        return (quarters >> 2) + (1 - number if quarters & 3 == 3 else number)

    def end(self) -> None:
        """Refuse escapes that are left, and states that are not the first of the writer."""
        check(next(self.escapes, None) is None, "too many escapes")
        self.stream.end()


def read_levels(
    reader: Reader,
    tables: Tables,
    contexts: Sequence[tuple[int, int]],
    mean: Mean,
    nearest: int = 32,
    phases: Sequence[int] | None = None,
    per_lane: int = 2048,
) -> list[int]:
    """Levels of weights of these shapes and widths; `mean` is asked with those before.

    Where phases are given they choose the tables, and the mean is asked for nothing.
    """
    if not contexts:
        return []
    read, out = NumberReader(reader, tables, contexts, nearest, per_lane), list[int]()
    for i in range(len(contexts)):
        out.append(read.next((0, 2, 1)[phases[i]] if phases else 2 * mean(out, i)))
        check(abs(out[-1]) <= LEVEL_LIMIT, "a level is too far from zero")
    read.end()
    return out


def read_expected_points(reader: Reader, tables: Tables, piece: Slice) -> list[int]:
    """Levels of weights on the lattice that are predicted."""
    n, m = len(piece.weights), len(piece.weights) // 16
    words = reader.bits([5] * m)
    out, less = list[int](), [8 if 15 * m <= i < 16 * m else 4 for i in range(n)]
    contexts = [
        (t.kind, t.sigma_width(at) - by) for (t, at, _), by in zip(piece.weights, less, strict=True)
    ]
    read = NumberReader(reader, tables, contexts, piece.nearest)
    for i in range(n):
        k, mean = i // m, piece.mean(out, i)
        if k == 15:
            rest = -sum(out[i % m : i : m]) % 4
            out.append(4 * read.next(mean - 2 * rest >> 1) + rest)
        else:
            odd = (words[i % m] & 2 * k + 1).bit_count() & 1 if k < 15 else 0
            out.append(2 * read.next(mean + 2 * odd) - odd)
        check(abs(out[-1]) <= LEVEL_LIMIT, "a level is too far from zero")
    read.end()
    return out


def read_points(reader: Reader, tables: Tables, contexts: Sequence[tuple[int, int]]) -> list[int]:
    """Levels of weights on the lattice that are not."""
    n, m = len(contexts), len(contexts) // 16
    words = reader.bits([5] * m)
    # the parity of the bits of k that a codeword takes, with its lowest bit
    odd = [(w & 2 * k + 1).bit_count() & 1 for k in range(15) for w in words]
    kept = [*range(15 * m), *range(16 * m, n)]
    phases = odd + [0] * (n - 16 * m)
    narrower = [(contexts[i][0], contexts[i][1] - 4) for i in kept]
    numbers = read_levels(reader, tables, narrower, no_mean, 32, phases)
    first = [2 * k - p for k, p in zip(numbers, phases, strict=True)]
    rests = [-sum(first[b : 15 * m : m]) % 4 for b in range(m)]
    narrowest = [(kind, w - 8) for kind, w in contexts[15 * m : 16 * m]]
    phases = [(0, 2, 1, 2)[r] for r in rests]
    numbers = read_levels(reader, tables, narrowest, no_mean, 32, phases, 512)
    last = [1 - 4 * k if r == 1 else 4 * k - -r % 4 for k, r in zip(numbers, rests, strict=True)]
    levels = first[: 15 * m] + last + first[15 * m :]
    check(all(abs(level) <= LEVEL_LIMIT for level in levels), "a level is too far from zero")
    return levels


def read_lists(
    reader: Reader, tables: Tables, widths: Sequence[int], counts: Sequence[int]
) -> list[list[int]]:
    """Lists of so many integers in one payload of levels without weights: shape 0, no mean."""
    contexts = [(0, w) for w, n in zip(widths, counts, strict=True) for _ in range(n)]
    values = iter(read_levels(reader, tables, contexts, no_mean))
    return [list(itertools.islice(values, n)) for n in counts]


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
