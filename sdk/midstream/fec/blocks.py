"""Source blocks: packets side by side, a codeword in each column of bytes.

A lost packet is the same erasure in every codeword of its block, so repairing is one small
matrix times a large one. Knows nothing of hashes: who is missing is told.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from midstream.errors import ErrorCode, RecoveryError
from midstream.kernels import combine_rows, gf256

__all__ = ["Block", "encode", "lost_packets", "partition", "repair"]


_EXP = np.array(gf256.EXP[: gf256.LONGEST], np.uint8)
_LOG = np.array(gf256.LOG, np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive packets that are coded together."""

    first: int
    """Index of the first."""
    source: int
    """How many there are."""
    repair: int
    """Repair symbols that cover them."""


def partition(packets: int, repair: float) -> tuple[Block, ...]:
    """Cut packets into source blocks of nearly equal size (RFC 5052, 9.1).

    Args:
        packets: Number of packets, 0 or more.
        repair: Repair symbols per packet, 0 to 254, in whole thousandths; rounded up in each
            block.

    Returns:
        Blocks of at most 255 symbols together with their repair symbols.
    """
    permille = round(1000 * repair)  # whole thousandths, so all below is exact on any machine
    result: list[Block] = []
    first = 0
    for source, count in block_sizes(packets, permille):
        for _ in range(count):
            result.append(Block(first=first, source=source, repair=-(-source * permille // 1000)))
            first += source
    return tuple(result)


def block_sizes(packets: int, permille: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """How many packets, in how many blocks: first the larger ones, then the others."""
    if not packets:
        return (0, 0), (0, 0)
    blocks = -(-packets // _longest_source(permille))
    small, larger = divmod(packets, blocks)
    return (small + 1, larger), (small, blocks - larger)


def _longest_source(permille: int) -> int:
    """The largest k with k + ceil(k * permille / 1000) <= 255."""
    longest = 1000 * gf256.LONGEST // (1000 + permille)
    assert longest, "the caller bounds the ratio: one packet and its repair fit a codeword"
    return longest


def _solve(length: int, wanted: NDArray[np.intp], known: NDArray[np.intp]) -> NDArray[np.uint8]:
    """(wanted, known): what each known symbol of a codeword adds to each wanted one.

    A codeword c of r repair symbols is zero at 2^0 to 2^(r-1), so the sum of c_i p(x_i) is zero
    for any p of degree below r; x_i is 2^(length - 1 - i). With p the product of all (x - x_j)
    where j is neither known nor the wanted one, it has no other unknown (the erasure locator:
    G. Forney, "On decoding BCH codes", 1965).

    Args:
        length: Symbols of the codeword.
        wanted: Indices of those to find.
        known: Indices of as many as there are source symbols, none of them wanted.
    """
    is_unknown = np.ones(length, np.bool_)
    is_unknown[known] = False
    points = _EXP[length - 1 :: -1][:length]
    # a difference of a point and itself is 0, and so is its entry: it takes no part
    locator = _LOG.take(points[:, None] ^ points[is_unknown]).sum(axis=1)
    between = _LOG.take(points[wanted, None] ^ points[known])
    logarithms = (locator[known] - locator[wanted, None] - between) % gf256.LONGEST
    matrix: NDArray[np.uint8] = _EXP.take(logarithms)
    return matrix


@lru_cache(maxsize=64)
def _parity_matrix(source: int, repair: int) -> NDArray[np.uint8]:
    """(repair, source): what each source symbol adds to each repair symbol."""
    matrix = _solve(source + repair, source + np.arange(repair), np.arange(source))
    matrix.setflags(write=False)  # it is shared by all who ask for it
    return matrix


def encode(symbols: NDArray[np.uint8], repair: int) -> NDArray[np.uint8]:
    """Repair symbols of a block.

    Args:
        symbols: (source, size), the packets, zero-padded to one size.
        repair: How many; together with the source at most 255.

    Returns:
        (repair, size)
    """
    assert len(symbols) + repair <= gf256.LONGEST, "partition keeps to the field"
    if not repair:
        return np.zeros((0, symbols.shape[1]), np.uint8)
    return combine_rows(_parity_matrix(len(symbols), repair), symbols)


def repair(
    symbols: NDArray[np.uint8], source: int, present: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """All packets of a block.

    Args:
        symbols: (source + repair, size), packets then repair symbols; those that are not
            present may hold anything.
        source: Number of packets.
        present: (source + repair,), which symbols are as they were made.

    Returns:
        (source, size)

    Raises:
        RecoveryError: TOO_MANY_ERASURES where fewer repair symbols are present than packets lost.
    """
    packets = symbols[:source].copy()
    packets[~present[:source]] = lost_packets(symbols, source, present)
    return packets


def lost_packets(
    symbols: NDArray[np.uint8], source: int, present: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """The packets of a block that are not present, in order.

    Args:
        symbols: As for `repair`.
        source: As for `repair`.
        present: As for `repair`.

    Returns:
        (lost, size)

    Raises:
        RecoveryError: As for `repair`.
    """
    (lost,) = (~present[:source]).nonzero()
    (known,) = present.nonzero()
    if len(known) < source:
        raise RecoveryError(
            ErrorCode.TOO_MANY_ERASURES,
            f"block: {len(lost)} of {source} packets lost, only {len(known) - source + len(lost)} "
            "repair symbols left",
        )
    if not len(lost):
        return np.zeros((0, symbols.shape[1]), np.uint8)
    known = known[:source]  # what is kept of the packets, and as many repair symbols as it takes
    return combine_rows(_solve(len(symbols), lost, known), symbols, known)
