"""Lossy updates for a new release, from the lower rungs of those before it.

Knows nothing of signing. Each gives the very units that are published, or it is not.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from midstream import decoder
from midstream.bitstream import protected_size
from midstream.bitstream.lossy import stack_id
from midstream.encoder import Encoded, EncodedUnit
from midstream.encoder.lossy import encode_lossy_update
from midstream.publisher.made import MadeUpdate
from midstream.publisher.mapping import map_unit
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.types import UnitKind

__all__ = ["lossy_rungs", "lower_units", "make_lossy"]

_LOWER = (UnitKind.BASE, UnitKind.ENHANCEMENT)


def lossy_rungs(parent: Manifest, encoded: Encoded) -> int:
    """How many rungs of a release can be updated to those of a new one: each to its like."""
    return min(len(_lower(parent.units)), len(_lower(encoded.units)))


def _lower(units: Sequence[UnitEntry] | Sequence[EncodedUnit]) -> Sequence[object]:
    lossy = (unit for unit in units if math.isfinite(unit.fidelity.weight_snr))
    return [unit for unit in lossy if unit.kind in _LOWER]


def lower_units(folder: Path, release: Manifest) -> Sequence[memoryview]:
    """The units of a release below the exact one.

    Raises:
        MidstreamError: They are not there, or not as they were signed.
    """
    count = len(_lower(release.units))
    return [map_unit(folder / entry.path, entry) for entry in release.units[:count]]


def make_lossy(folder: Path, parent: Manifest, encoded: Encoded, rungs: int) -> MadeUpdate:
    """The update from so many units of a release to as many of the new one.

    Args:
        folder: The repository's folder.
        parent: The release.
        encoded: The new one.
        rungs: How many units.

    Raises:
        MidstreamError: Units of the parent are not there, or not as they were signed.
    """
    old = [map_unit(folder / entry.path, entry) for entry in parent.units[:rungs]]
    new = [unit.data for unit in encoded.units[:rungs]]
    data = encode_lossy_update(old, new)
    assert decoder.apply_lossy_update(old, data) == tuple(new), "an update gives the fresh units"
    last, made = encoded.units[rungs - 1], decoder.read_stack(new)
    unit = EncodedUnit(
        kind=UnitKind.LOSSY_UPDATE,
        layer=last.layer,
        rung=f"update from {parent.release}, layer {parent.units[rungs - 1].layer}",
        data=data,
        head_size=protected_size(data),
        fidelity=last.fidelity,
    )
    return MadeUpdate(
        parent=parent,
        parent_id=stack_id(old),
        rung=parent.units[rungs - 1].layer,
        unit=unit,
        stands_for=rungs,
        work=decoder.lossy_work(made, data),
        peak_memory=decoder.lossy_memory(decoder.read_stack(old), made, len(data)),
    )
