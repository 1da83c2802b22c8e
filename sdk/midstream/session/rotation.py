"""In which order symbols go round. Knows nothing of sockets, clocks or bytes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError
from midstream.fec.grids import Grid

__all__ = ["BUNDLE_SHARE", "Pacer", "places", "rotate", "shares"]

BUNDLE_SHARE = 0.025
"""Part of the datagrams that are of the bundle, where units go round beside it."""


def places(grid: Grid) -> Iterator[tuple[int, int]]:
    """Rows and columns of one round: column by column, joint symbols evenly between.

    Who joins anywhere hears another symbol of every block before a second of any, and no
    symbol twice before the round is over.
    """
    joint = grid.joint_rows * grid.joint_columns
    total = grid.blocks * grid.columns + joint
    sent = 0
    for place in range(total):
        if (place + 1) * joint // total > sent:
            row, column = divmod(sent, grid.joint_columns)
            yield grid.blocks + row, grid.columns + column
            sent += 1
        else:
            column, row = divmod(place - sent, grid.blocks)
            yield row, column


def shares(bundle: int, units: Sequence[int], *, bundle_share: float = BUNDLE_SHARE) -> list[float]:
    """Which part of the datagrams each object gets: the bundle, then the units.

    Units get it by the square root of their sizes, which makes the mean wait for one of
    them shortest (M. Ammar and J. Wong, "The design of teletext broadcast cycles", 1985).

    Args:
        bundle: Bytes of the bundle.
        units: Bytes of each unit.
        bundle_share: The bundle's part, above 0 and below 1; more where it is large.

    Raises:
        UsageError: BAD_ARGUMENT where the share is none.
    """
    if not 0 < bundle_share < 1:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"a bundle's share of {bundle_share}: expected 0 to 1, neither"
        )
    if not units:
        return [1.0]
    first = max(bundle_share, bundle / (bundle + sum(units)))
    roots = [math.sqrt(size) for size in units]
    return [first, *((1 - first) * root / sum(roots) for root in roots)]


def rotate(grids: Sequence[Grid], parts: Sequence[float]) -> Iterator[tuple[int, int, int]]:
    """Object, row and column of each datagram, for ever.

    The first object, the bundle, goes ahead of all others once; then each has its share.

    Args:
        grids: How each object is cut.
        parts: Its share of the datagrams.
    """
    rounds = [_endless(grid) for grid in grids]
    for _ in range(grids[0].blocks * grids[0].source):
        yield 0, *next(rounds[0])
    due = [1 / part for part in parts]  # when the next of each is to come, in datagrams
    while True:
        index = due.index(min(due))
        due[index] += 1 / parts[index]
        yield index, *next(rounds[index])


def _endless(grid: Grid) -> Iterator[tuple[int, int]]:
    while True:
        yield from places(grid)


@dataclass(slots=True)
class Pacer:
    """When the next datagram may go, so that no more than a rate is sent.

    Args:
        rate: Bits per second, with headers.
        burst: Seconds that may be made up for at once, where the caller came late.
    """

    rate: float
    burst: float = 0.01
    _due: float = 0.0

    def sent(self, size: int, now: float) -> None:
        """A datagram of so many bytes goes now."""
        self._due = max(self._due, now - self.burst) + 8 * size / self.rate

    def wait(self, now: float) -> float:
        """Seconds until the next may go; 0 where it may now."""
        return max(0.0, self._due - now)
