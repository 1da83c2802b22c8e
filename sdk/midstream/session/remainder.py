"""What is still to be asked for of an object, beside the symbols that came of it.

Knows nothing of who is asked, nor of what is in the bytes (spec/delivery.md, "What a carousel
leaves").
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from midstream.fec.grids import MOST_UNKNOWNS
from midstream.session.gathering import Gathered

__all__ = ["MOST_RANGES", "SHORTEST_SKIP", "remainder"]

MOST_RANGES = 256
"""Ranges that are asked for, however the gaps lie: anybody may have chosen them."""
SHORTEST_SKIP = 4096
"""Known bytes between two gaps that are worth a request of their own."""
_SPARE_JOINT = 2
"""Joint symbols that are not counted on: some sets of them do not suffice."""

Run = tuple[int, int]
"""[first, last) of source symbols, counted over all blocks; or of bytes."""


def remainder(gathered: Gathered, start: int, stop: int, *, joint: bool = True) -> list[Run]:
    """The ranges of bytes that complete [start, stop) of an object.

    A block needs as many of its source symbols as it lacks symbols, whichever; its longest gaps
    are taken. Where joint symbols came, the shortest gaps are left to them, the last ones first,
    so that what is before them can be read early.

    Args:
        gathered: What came.
        start: First byte that is wanted.
        stop: One past the last.
        joint: Whether joint symbols are counted on.

    Returns:
        Sorted and disjoint, beginning where a symbol does; none where enough came.
    """
    size = gathered.key.symbol_size
    runs = list(_gaps(gathered, start // size, -(-stop // size)))
    if joint:
        runs = _without(runs, _to_spare(gathered, runs))
    ranges = [(first * size, min(last * size, gathered.key.size)) for first, last in sorted(runs)]
    return _merged([one for one in ranges if one[0] < one[1]])


def _gaps(gathered: Gathered, first: int, last: int) -> Iterator[Run]:
    """What each block needs so that source symbols [first, last) are known."""
    source = gathered.key.grid.source
    for row in range(first // source, -(-last // source)):
        came = gathered.rows.get(row, {})
        lacking = source - len(came)
        begin = row * source
        wanted = _runs(came, max(first - begin, 0), min(last - begin, source))
        if sum(stop - start for start, stop in wanted) > lacking:
            wanted = _longest(_runs(came, 0, source), lacking)
        yield from ((begin + start, begin + stop) for start, stop in wanted)


def _runs(came: dict[int, bytes], first: int, last: int) -> list[Run]:
    """Stretches of columns [first, last) that did not come."""
    known = [column for column in sorted(came) if first <= column < last]
    edges = [first - 1, *known, last]
    return [(before + 1, after) for before, after in pairwise(edges) if before + 1 < after]


def _longest(runs: Sequence[Run], count: int) -> list[Run]:
    """So many symbols, of the longest runs."""
    chosen: list[Run] = []
    for first, last in sorted(runs, key=lambda run: run[0] - run[1]):
        last = min(last, first + count)
        if first < last:
            chosen.append((first, last))
            count -= last - first
    return chosen


def _to_spare(gathered: Gathered, runs: Sequence[Run]) -> int:
    """How many symbols need not be asked for, since joint symbols give them."""
    asked = sum(last - first for first, last in runs)
    useful = min(len(gathered.joint) - _SPARE_JOINT, MOST_UNKNOWNS)
    return max(0, useful - (gathered.missing - asked))


def _without(runs: Sequence[Run], count: int) -> list[Run]:
    """All but so many symbols, those of the shortest runs."""
    kept: list[Run] = []
    for first, last in sorted(runs, key=lambda run: (run[1] - run[0], -run[0])):
        left_out = min(count, last - first)
        count -= left_out
        if first < last - left_out:
            kept.append((first, last - left_out))
    return kept


def _merged(ranges: Sequence[Run]) -> list[Run]:
    """Fewer ranges, over known bytes that are too few to go around."""
    if not ranges:
        return []
    skips = [(after[0] - before[1], at) for at, (before, after) in enumerate(pairwise(ranges))]
    longest = sorted(skips, reverse=True)[: MOST_RANGES - 1]
    cuts = sorted(at for length, at in longest if length >= SHORTEST_SKIP)
    firsts = [ranges[0][0], *(ranges[at + 1][0] for at in cuts)]
    lasts = [*(ranges[at][1] for at in cuts), ranges[-1][1]]
    return list(zip(firsts, lasts, strict=True))
