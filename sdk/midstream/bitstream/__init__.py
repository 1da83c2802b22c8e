"""Units, slices and topologies as bytes: parse and write. Knows nothing of what levels mean.

The layout is spec/bitstream.md; section names in comments are its headings.
"""

from midstream.bitstream.head import Head
from midstream.bitstream.slices import Run, Slice, partition
from midstream.bitstream.topology import Topology
from midstream.bitstream.unit import (
    Operation,
    Record,
    Unit,
    UnitReader,
    protected_size,
    read_unit,
    write_unit,
)
from midstream.bitstream.update import UpdateHead, state_id

__all__ = [
    "Head",
    "Operation",
    "Record",
    "Run",
    "Slice",
    "Topology",
    "Unit",
    "UnitReader",
    "UpdateHead",
    "partition",
    "protected_size",
    "read_unit",
    "state_id",
    "write_unit",
]
