"""Points of the lattice that refine levels. Knows nothing of floats or units."""

import bisect
import math
from collections.abc import Sequence

from reference.bits import Reader, Stream, check, cumulated
from reference.levels import CLASSES, LEVEL_LIMIT
from reference.tables import Tables
from reference.tensors import Slice

ONE = [0, 0, 4096, 4096]  # the table of one symbol, in the middle


def read_refined_points(reader: Reader, tables: Tables, piece: Slice) -> tuple[list[int], int]:
    """The points that refine a slice, and how many half steps a cell is cut into."""
    head = reader.integer(1)
    share, ratio = head & 15, 5 if head & 16 else 3
    check(share > 0 and head < 32, "no such head of points")
    n, m = len(piece.weights), len(piece.weights) // 16
    words = read_codewords(reader, [piece.levels[b : 16 * m : m] for b in range(m)], share)
    stream, out = Stream(reader, n, piece.nearest), list[int]()
    for i, parent in enumerate(piece.levels):
        k, centre = i // m if m else 16, ratio * parent
        distance = 2 * centre - piece.mean(out, i) >> 1
        f = digit_frequencies(tables, piece, i, distance, 4 if ratio == 3 else 1)
        if k == 15:
            e = (-sum(out[i % m : i : m]) - centre) & 3
            step, only = 2, 0 if e == 2 else ((e + 1) & 3) - 1
            table = pair(f[0], f[2]) if e == 2 else ONE
        elif (parent + (odd(words[i % m], k) if k < 15 else 0)) & 1:
            step, only, table = 1, 0, pair(*(math.isqrt(4096 * f[s]) for s in (0, 2)))
        else:
            step, only = 2, 0
            table = cumulated([f[0], 4096 - f[0] - f[2], f[2]]) if ratio == 5 else ONE
        outward = stream.next(table) - 1
        out.append(centre + only + step * (outward if distance >= 0 else -outward))
        check(abs(out[-1]) <= LEVEL_LIMIT, "a level is too far from zero")
    stream.end()
    return out, ratio


def odd(word: int, k: int) -> int:
    """Whether level k of a point with this codeword is odd."""
    return (word & 2 * k + 1).bit_count() & 1


def pair(toward: int, away: int) -> list[int]:
    """The table of two children whose frequencies are to each other like these."""
    nearer = (8192 * toward + toward + away) // (2 * toward + 2 * away)
    return [0, nearer, nearer, 4096]


def digit_frequencies(
    tables: Tables, piece: Slice, i: int, distance: int, narrower: int
) -> Sequence[int]:
    """The digit table of a weight whose middle child is so far from its mean."""
    tensor, at, _ = piece.weights[i]
    width = tensor.sigma_width(at) + (634 * piece.digits + 50) // 100 - narrower
    kind = bisect.bisect_right(CLASSES, abs(distance))
    return tables[1][(tensor.kind * 33 + min(max(width, 0), 32)) * 16 + kind]


def read_codewords(reader: Reader, parents: Sequence[Sequence[int]], share: int) -> list[int]:
    """The codeword of each point, given the levels that it refines."""
    stream = Stream(reader, len(parents))
    words = [stream.next(codeword_table([p & 1 for p in own], share)) for own in parents]
    stream.end()
    return words


def codeword_table(parities: Sequence[int], share: int) -> list[int]:
    """Where each codeword starts, the likelier the more of a share it differs in."""
    far = [sum(odd(w, k) != p for k, p in enumerate(parities)) for w in range(32)]
    weights = [share**d * (16 - share) ** (16 - d) for d in far]
    frequencies = [1 + 4064 * weight // sum(weights) for weight in weights]
    return [*cumulated(frequencies)[:-1], 4096]
