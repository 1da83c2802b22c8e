"""An earlier release as it lies in the folder, to be published again. Knows nothing of signing.

Its units are not coded anew: who still has them has the new release too.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from midstream import decoder, fec
from midstream.encoder import Encoded, EncodedUnit
from midstream.errors import BitstreamError, ErrorCode
from midstream.publisher.made import MadeUpdate
from midstream.publisher.mapping import map_unit
from midstream.publisher.signing import METADATA_REPAIR
from midstream.session.assembly import protection_of
from midstream.trust import tree
from midstream.trust.manifest import Manifest, UnitEntry

__all__ = ["Again"]

_EXACT = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A release that was published before."""

    manifest: Manifest
    """What was signed of it."""
    encoded: Encoded
    """Its units, as if they had been coded now."""
    model: bytes
    """The model file that they give."""

    @classmethod
    def read(cls, folder: Path, manifest: Manifest) -> "Again":
        """Read a release from the folder.

        Raises:
            UsageError: NOT_FOUND where a unit is there no more.
            BitstreamError: A unit is not what was signed.
            LimitError: One is too large.
        """
        data = [bytes(map_unit(folder / entry.path, entry)) for entry in manifest.units]
        model = bytes(decoder.rebuild(data))
        rungs = [f"layer {entry.layer}" for entry in manifest.units]
        if hashlib.sha256(model).digest() == manifest.model_sha256:
            rungs[-1] = _EXACT
        units = map(_unit, manifest.units, data, rungs)
        encoded = Encoded(
            format=manifest.format, weights=manifest.weights, units=tuple(units), recipe="plain"
        )
        return cls(manifest=manifest, encoded=encoded, model=model)

    def missing(self, folder: Path) -> dict[str, bytes]:
        """What goes with the units and is not in the folder any more, by path.

        Raises:
            BitstreamError: BAD_HASH where it cannot be made again as it was signed.
        """
        found: dict[str, bytes] = {}
        for entry, unit in zip(self.manifest.units, self.encoded.units, strict=True):
            paths = [entry.hashes_path, *([entry.repair_path] if entry.repair_symbols else [])]
            lacking = [path for path in paths if not (folder / path).is_file()]
            found |= {path: _beside(entry, unit.data)[path] for path in lacking}
        return found

    def is_gained_by(self, update: MadeUpdate) -> bool:
        """Whether an update to this release saves anybody a byte.

        A lossy one applies to units; who holds those of this very release needs nothing.
        """
        count = update.stands_for
        return update.rung is None or update.parent.units[:count] != self.manifest.units[:count]


def _unit(entry: UnitEntry, data: bytes, rung: str) -> EncodedUnit:
    return EncodedUnit(
        kind=entry.kind,
        layer=entry.layer,
        rung=rung,
        data=data,
        head_size=entry.head_size,
        fidelity=entry.fidelity,
    )


def _beside(entry: UnitEntry, data: bytes) -> dict[str, bytes]:
    """The hash page and the repair symbols of a unit, as they were signed."""
    symbols = protection_of(entry).encode(data) if entry.repair_symbols else b""
    page = tree.HashPage.of(data, symbols, entry.packet_size)
    if (page.source_root, page.repair_root) != (entry.source_root, entry.repair_root):
        raise BitstreamError(
            ErrorCode.BAD_HASH, f"{entry.repair_path}: cannot be made again as it was signed"
        )
    parity = fec.protect(page.bytes(), repair=METADATA_REPAIR) if entry.parity_size else b""
    return {entry.hashes_path: page.bytes() + parity, entry.repair_path: symbols}
