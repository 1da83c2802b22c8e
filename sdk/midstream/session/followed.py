"""A release that a session follows, and what became of its units. Keeps no bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from midstream.errors import ErrorCode, UsageError
from midstream.session.worth import Candidate
from midstream.trust import tree
from midstream.trust.manifest import Manifest

__all__ = ["Followed", "find"]

_RETRY_FAILED = 30.0
"""Seconds until a unit that was given up is tried again."""


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

    @property
    def next_retry(self) -> float | None:
        """When a unit that was given up is due again; None where none was."""
        return min((at + _RETRY_FAILED for at in self.failed.values()), default=None)

    def takes(self, unit: int, data: bytes) -> bool:
        """Whether these bytes are those that were signed for a unit which is not there yet."""
        entry = self.manifest.units[unit]
        if unit in self.verified or len(data) != entry.size:
            return False
        return tree.root(tree.leaves(data, entry.packet_size)) == entry.source_root

    def retry(self, now: float) -> int:
        """Forget that units were given up, where that is long past; says of how many."""
        due = [unit for unit, at in self.failed.items() if now - at >= _RETRY_FAILED]
        for unit in due:
            del self.failed[unit]
        return len(due)

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


def find(releases: Sequence[Followed], number: int) -> Followed:
    """The one of that number.

    Raises:
        UsageError: BAD_ARGUMENT where it is not followed.
    """
    for release in releases:
        if release.manifest.release == number:
            return release
    raise UsageError(ErrorCode.BAD_ARGUMENT, f"release {number} is not open here")
