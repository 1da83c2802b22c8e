"""How many repair symbols a rate of loss asks for. Knows nothing of what is protected, or why.

Any k of the k + r symbols of a block give it back (it is maximum distance separable), so a block
fails where more than r of them are lost: with independent losses, the upper tail of a binomial
distribution (L. Rizzo, "Effective erasure codes for reliable computer communication protocols",
1997, section 2).
"""

from functools import lru_cache
from math import comb, prod

from midstream.errors import ErrorCode, UsageError
from midstream.fec.blocks import block_sizes

__all__ = ["choose_repair", "failure_rate"]

_MOST_PERMILLE = 4000


def choose_repair(packets: int, *, loss: float, failure: float) -> int:
    """The least repair with which packets come through a lossy link, nearly always.

    Args:
        packets: Number of packets that are protected together.
        loss: Share of all symbols, repair symbols too, that are lost: 0 to below 1.
        failure: Share of receivers, at most, that may be left with a block that cannot be
            repaired: above 0, below 1.

    Returns:
        Repair symbols per thousand packets, for `partition`; 0 where nothing is lost, and 4000,
        the most that a manifest may say, where even those are too few.

    Raises:
        UsageError: The rates make no sense.
    """
    if not (0 <= loss < 1 and 0 < failure < 1):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"loss {loss}, failure {failure}: expected 0 to below 1, and between 0 and 1",
        )
    enough = (
        permille
        for permille in range(_MOST_PERMILLE)
        if failure_rate(packets, permille, loss=loss) <= failure
    )
    return next(enough, _MOST_PERMILLE)


def failure_rate(packets: int, permille: int, *, loss: float) -> float:
    """The share of receivers that cannot repair all blocks.

    Args:
        packets: Number of packets that are protected together.
        permille: Repair symbols per thousand packets.
        loss: Share of all symbols that are lost, each by itself.
    """
    return 1 - prod(
        (1 - _block_failure(source, -(-source * permille // 1000), loss)) ** count
        for source, count in block_sizes(packets, permille)
    )


@lru_cache(maxsize=1024)
def _block_failure(source: int, repair: int, loss: float) -> float:
    """P(X > repair) where X, the number of lost symbols, is binomial."""
    total = source + repair
    return sum(
        comb(total, lost) * loss**lost * (1 - loss) ** (total - lost)
        for lost in range(repair + 1, total + 1)
    )
