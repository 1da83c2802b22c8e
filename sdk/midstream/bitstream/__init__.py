"""Units, slices and topologies as bytes: parse and write. Knows nothing of what levels mean.

The layout is spec/bitstream.md; section names in comments are its headings.
"""

from midstream.bitstream.slices import Run, Slice, partition
from midstream.bitstream.topology import Topology
from midstream.bitstream.unit import Operation, Record, Unit, UnitReader, read_unit, write_unit

__all__ = [
    "Operation",
    "Record",
    "Run",
    "Slice",
    "Topology",
    "Unit",
    "UnitReader",
    "partition",
    "read_unit",
    "write_unit",
]
