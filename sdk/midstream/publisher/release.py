"""What was published, for people and for scripts. Knows nothing of how it was made."""

import math
from dataclasses import dataclass

from midstream.encoder import Encoded
from midstream.trust.manifest import Manifest
from midstream.trust.updates import UpdateEntry, updates_of
from midstream.types import UnitKind

__all__ = ["Release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A published release."""

    manifest: Manifest
    """What was signed."""
    rungs: tuple[str, ...]
    """For each unit, the rung that it was made for."""
    remarks: tuple[str, ...] = ()
    """What should be known of rungs that were left out or miss what was asked for."""

    @classmethod
    def of(cls, manifest: Manifest, encoded: Encoded) -> "Release":
        """A release of what was encoded."""
        rungs = tuple(unit.rung for unit in encoded.units)
        return cls(manifest=manifest, rungs=rungs, remarks=encoded.remarks)

    @property
    def updates(self) -> tuple[UpdateEntry, ...]:
        """What makes it of earlier releases."""
        return tuple(u for u in updates_of(self.manifest) if u.release == self.number)

    @property
    def name(self) -> str:
        """The network's name."""
        return self.manifest.name

    @property
    def number(self) -> int:
        """The release's number, from 1."""
        return self.manifest.release

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of each unit."""
        return tuple(entry.size for entry in self.manifest.units)

    def __str__(self) -> str:
        parts = [_part(index, self.manifest) for index in range(len(self.manifest.units))]
        parts += [
            f"{update.title('v')} {update.unit.size / 1024:.1f} KiB" for update in self.updates
        ]
        return f"{self.name} v{self.number}: {', '.join(parts)}"


def _part(index: int, manifest: Manifest) -> str:
    entry = manifest.units[index]
    size = f"{entry.size / 1024:.1f} KiB"
    if entry.kind is UnitKind.EXACT:
        return f"exact +{size}"
    snr = entry.fidelity.output_snr
    snr = entry.fidelity.weight_snr if snr is None else snr
    where = "weights" if entry.fidelity.output_snr is None else "outputs"
    quality = "exact" if math.isinf(snr) else f"{snr:.1f} dB at the {where}"
    lead = f"base {size}" if entry.kind is UnitKind.BASE else f"+{size}"
    return f"{lead} ({quality})"
