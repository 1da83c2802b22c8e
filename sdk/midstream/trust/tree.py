"""Packet hash trees: each packet can be checked by itself. Knows nothing of what packets hold.

The tree has the shape of RFC 6962, 2.1: SHA-256, leaves and nodes told apart by their first
byte, and a last node without a sibling goes up as it is.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from midstream.errors import ErrorCode, TrustError

__all__ = ["HASH_SIZE", "HashPage", "leaf", "leaves", "root"]

HASH_SIZE = 32
"""Bytes of one hash."""

_BEGUN_LEAF = hashlib.sha256(b"\x00")
"""To copy it costs less than to begin anew."""
_NODE = b"\x01"


def leaf(packet: bytes | bytearray | memoryview) -> bytes:
    """The hash of one packet."""
    digest = _BEGUN_LEAF.copy()
    digest.update(packet)
    return digest.digest()


def leaves(data: bytes | bytearray | memoryview, packet_size: int) -> list[bytes]:
    """The hashes of all packets.

    Args:
        data: What is cut into packets; not copied.
        packet_size: Bytes of a packet; the last one may be shorter and is hashed as it is.

    Returns:
        ceil(len(data) / packet_size) hashes of 32 bytes, in order of the packets.
    """
    view = memoryview(data).cast("B")
    return [leaf(view[start : start + packet_size]) for start in range(0, len(view), packet_size)]


def root(hashes: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaves, 32 bytes.

    Args:
        hashes: The leaves; of none, the root is SHA-256 of nothing (RFC 6962, 2.1).
    """
    if not hashes:
        return hashlib.sha256().digest()
    level = list(hashes)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [hashlib.sha256(_NODE + left + right).digest() for left, right in pairs]
        if len(level) % 2:
            above.append(level[-1])  # RFC 6962: an odd last subtree is not hashed again
        level = above
    return level[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class HashPage:
    """The hashes of all packets of one unit: what tells which of them are damaged."""

    source: tuple[bytes, ...]
    """One for each packet of the unit."""
    repair: tuple[bytes, ...] = ()
    """One for each of its repair symbols."""

    @classmethod
    def of(cls, data: bytes, repair: bytes, packet_size: int) -> "HashPage":
        """The hashes of a unit and of its repair symbols.

        Args:
            data: The unit.
            repair: Its repair symbols, each `packet_size` long, one after the other.
            packet_size: Bytes of a packet.
        """
        return cls(
            source=tuple(leaves(data, packet_size)), repair=tuple(leaves(repair, packet_size))
        )

    @classmethod
    def read(
        cls,
        data: bytes | memoryview,
        packets: int,
        symbols: int,
        source_root: bytes,
        repair_root: bytes | None,
    ) -> "HashPage":
        """Take a page only if it is the one that was signed for.

        Args:
            data: The bytes of the page.
            packets: Packets of the unit.
            symbols: Repair symbols of the unit.
            source_root: Root over the packets, as signed.
            repair_root: Root over the repair symbols, as signed; None where there are none.

        Raises:
            TrustError: BAD_HASH where its length or a root is another.
        """
        expected = HASH_SIZE * (packets + symbols)
        if len(data) != expected:
            raise TrustError(
                ErrorCode.BAD_HASH, f"hash page: {len(data)} bytes, {expected} were signed for"
            )
        hashes = [bytes(data[at : at + HASH_SIZE]) for at in range(0, expected, HASH_SIZE)]
        page = cls(source=tuple(hashes[:packets]), repair=tuple(hashes[packets:]))
        if page.source_root != source_root or page.repair_root != repair_root:
            raise TrustError(ErrorCode.BAD_HASH, "hash page: not the one that was signed for")
        return page

    @property
    def source_root(self) -> bytes:
        """Root over the packets of the unit."""
        return root(self.source)

    @property
    def repair_root(self) -> bytes | None:
        """Root over its repair symbols; None where there are none."""
        return root(self.repair) if self.repair else None

    def bytes(self) -> bytes:
        """The page: the hashes of the packets, then those of the repair symbols."""
        return b"".join((*self.source, *self.repair))
