"""Reed-Solomon: repair symbols for packets, parity for small files. Knows nothing of units.

The bytes are spec/recovery.md; a column of a block is a codeword of `reedsolo`.
"""

from midstream.fec.blocks import Block, encode, lost_packets, partition, repair
from midstream.fec.choosing import choose_repair, failure_rate
from midstream.fec.small import correct, protect

__all__ = [
    "Block",
    "choose_repair",
    "correct",
    "encode",
    "failure_rate",
    "lost_packets",
    "partition",
    "protect",
    "repair",
]
