"""A release that a session follows, and what became of its units. Knows no bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from midstream.session.worth import Candidate
from midstream.trust.manifest import Manifest

__all__ = ["Followed"]


@dataclass(slots=True, kw_only=True)
class Followed:
    """One release."""

    manifest: Manifest
    """What was signed of it."""
    verified: set[int] = field(default_factory=set)
    """Units that are there."""
    failed: dict[int, float] = field(default_factory=dict)
    """Units that are given up for now, and when that was."""

    @property
    def has_base(self) -> bool:
        """Whether it runs."""
        return any(self.manifest.units[unit].parent is None for unit in self.verified)

    def candidate(self, received: Mapping[tuple[int, int], int]) -> Candidate:
        """What the scheduler is told of it.

        Args:
            received: Bytes of units that are not whole, by release and unit.
        """
        parts = {unit: n for (of, unit), n in received.items() if of == self.manifest.release}
        return Candidate(
            manifest=self.manifest,
            verified=frozenset(self.verified),
            failed=frozenset(self.failed),
            received=parts,
        )
