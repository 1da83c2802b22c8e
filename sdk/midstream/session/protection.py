"""Source blocks of a unit: which packets repair symbols cover, and how they are made.

Knows nothing of requests: it maps packets to blocks, both for who writes and who repairs
(spec/recovery.md, "Packets and source blocks of a unit").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream import fec

__all__ = ["Protection", "SourceBlock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBlock:
    """Consecutive packets and the repair symbols that cover them."""

    first: int
    """Index of its first packet."""
    source: int
    """Number of packets."""
    repair: int
    """Number of repair symbols."""
    first_repair: int
    """Index of its first repair symbol among those of the unit."""


@dataclass(frozen=True, slots=True)
class Protection:
    """How the bytes of one unit are cut into packets and covered by repair symbols.

    Args:
        size: Bytes of the unit.
        head_size: Bytes at its start that get `repair_head`, the rest gets `repair_body`.
        packet_size: Bytes of a packet; the last may be shorter and counts as zero-padded.
        repair_head: Repair symbols per thousand packets of the head.
        repair_body: The same for the rest.
    """

    size: int
    head_size: int
    packet_size: int
    repair_head: int
    repair_body: int

    @property
    def packets(self) -> int:
        """Number of packets."""
        return -(-self.size // self.packet_size)

    @property
    def blocks(self) -> tuple[SourceBlock, ...]:
        """Source blocks, in order of their packets."""
        head = -(-self.head_size // self.packet_size)
        regions = [(0, head, self.repair_head), (head, self.packets - head, self.repair_body)]
        blocks: list[SourceBlock] = []
        first_repair = 0
        for first, packets, permille in regions:
            for block in fec.partition(packets, permille / 1000) if packets else ():
                blocks.append(
                    SourceBlock(
                        first=first + block.first,
                        source=block.source,
                        repair=block.repair,
                        first_repair=first_repair,
                    )
                )
                first_repair += block.repair
        return tuple(blocks)

    @property
    def repair_symbols(self) -> int:
        """Number of repair symbols of the unit."""
        return sum(block.repair for block in self.blocks)

    def encode(self, data: bytes | memoryview) -> bytes:
        """The repair symbols of a unit, one after the other."""
        return b"".join(
            fec.encode(self._symbols(data, block), block.repair).tobytes()
            for block in self.blocks
            if block.repair
        )

    def repair(
        self, data: bytearray, good: Sequence[bool], repair: bytes, good_repair: Sequence[bool]
    ) -> None:
        """Rebuild the packets that are not good, in place.

        Args:
            data: The unit, wrong where a packet is not good.
            good: For each packet, whether it is as it was signed.
            repair: All repair symbols, wrong where they are not good.
            good_repair: For each repair symbol, whether it is.

        Raises:
            RecoveryError: A block has more erasures than good repair symbols.
        """
        extra = np.frombuffer(repair, np.uint8).reshape(-1, self.packet_size)
        for block in self.blocks:
            rows, extra_rows = _rows(block)
            if all(good[rows]):
                continue
            present = np.array([*good[rows], *good_repair[extra_rows]])
            coded = np.concatenate([self._symbols(data, block), extra[extra_rows]])
            lost = block.first + np.flatnonzero(~present[: block.source])
            packets = fec.lost_packets(coded, block.source, present)
            for index, packet in zip(lost.tolist(), packets, strict=True):
                start = index * self.packet_size
                end = min(start + self.packet_size, self.size)
                data[start:end] = packet[: end - start].tobytes()

    def _symbols(
        self, data: bytes | bytearray | memoryview, block: SourceBlock
    ) -> NDArray[np.uint8]:
        """Packets of a block as rows, the last one of a unit zero-padded."""
        start, count = block.first * self.packet_size, block.source * self.packet_size
        symbols = np.frombuffer(data, np.uint8, min(count, self.size - start), start)
        if len(symbols) < count:
            symbols = np.pad(symbols, (0, count - len(symbols)))
        return symbols.reshape(block.source, self.packet_size)


def _rows(block: SourceBlock) -> tuple[slice, slice]:
    return (
        slice(block.first, block.first + block.source),
        slice(block.first_repair, block.first_repair + block.repair),
    )
