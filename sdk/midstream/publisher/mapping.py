"""Units on disk, mapped into memory and held to what a manifest says of them.

Knows nothing of where a manifest is from.
"""

from pathlib import Path

from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS
from midstream.store.files import map_given
from midstream.trust import tree
from midstream.trust.manifest import UnitEntry

__all__ = ["map_unit"]


def map_unit(path: Path, entry: UnitEntry) -> memoryview:
    """A unit's file, mapped into memory.

    Raises:
        UsageError: There is no such file.
        BitstreamError: BAD_HASH where it is not the one that the manifest names.
        LimitError: It is too large.
    """
    data = map_given(path, limit=LIMITS.unit_size)
    if tree.root(tree.leaves(data, entry.packet_size)) != entry.source_root:
        raise BitstreamError(ErrorCode.BAD_HASH, f"{path}: not what its manifest names")
    return data
