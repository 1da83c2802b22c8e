"""An update that was made for a new release. Knows nothing of how."""

from dataclasses import dataclass

from midstream.encoder import EncodedUnit
from midstream.trust.manifest import Manifest

__all__ = ["MadeUpdate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpdate:
    """A unit that leads from a release to the new one."""

    parent: Manifest
    """The release that it is from."""
    parent_id: bytes
    """What is called that it applies to: that release's exact model, or some of its units."""
    rung: int | None = None
    """The layer of the parent up to which units are taken; None for its exact model."""
    unit: EncodedUnit
    """The unit."""
    stands_for: int
    """Units of the new release, the base first, that it makes up for."""
    work: int
    """Weights that applying it decodes."""
    peak_memory: int
    """Bytes that applying it takes, what it applies to and what it gives included."""
