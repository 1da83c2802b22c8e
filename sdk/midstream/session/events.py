"""What a session tells its owner: one frozen value for each thing that happened.

Events are taken with `Session.next_event`; reading this file is reading what a session does.
"""

from dataclasses import dataclass, field
from enum import Enum

from midstream.errors import MidstreamError
from midstream.trust.manifest import Manifest, UnitEntry

__all__ = [
    "Choice",
    "Counters",
    "Event",
    "Purpose",
    "ReleaseOpened",
    "Request",
    "UnitChosen",
    "UnitDamaged",
    "UnitFailed",
    "UnitVerified",
]


class Purpose(Enum):
    """What a request is for."""

    BODY = "body"
    """The unit itself."""
    HASHES = "hashes"
    """The hashes of its packets, to find the damaged ones."""
    REPAIR = "repair"
    """Repair symbols for packets that are damaged or lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A unit that the scheduler wants next, and why."""

    release: int
    """Number of its release."""
    unit: int
    """Its index in the manifest; -1 of an adapter, which is none of its units."""
    size: int
    """Bytes of the unit."""
    reason: str
    """Why this one and why now, for logs."""
    worth: float = 0.0
    """What it brings, with all that it opens, dB per kilobyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Bytes that the session wants."""

    path: str
    """Below the repository's address."""
    start: int
    """First byte."""
    stop: int
    """One past the last byte."""
    total: int
    """Bytes of the whole object; a server may send all of it instead."""
    purpose: Purpose
    """What they are for."""
    choice: Choice
    """The unit that they belong to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOpened(Event):
    """A verified manifest became the newest release."""

    manifest: Manifest
    """What it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitChosen(Event):
    """The scheduler started a unit, or goes on with one that it had dropped for another."""

    choice: Choice
    """Which, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDamaged(Event):
    """A unit came whole, but not as signed; its packets are looked at one by one."""

    choice: Choice
    """Which."""
    erasures: int
    """Packets that are damaged or lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitVerified(Event):
    """Every byte of a unit is there and is what was signed."""

    release: int
    """Number of its release."""
    unit: int
    """Its index in the manifest."""
    entry: UnitEntry
    """What the manifest says of it."""
    data: bytes
    """The unit."""
    repaired: int
    """Packets that were rebuilt from repair symbols."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFailed(Event):
    """A unit could not be completed; nothing of it is used."""

    release: int
    """Number of its release."""
    unit: int
    """Its index in the manifest."""
    error: MidstreamError
    """Why."""


@dataclass(slots=True, kw_only=True)
class Counters:
    """Running totals of a session."""

    received: dict[Purpose, int] = field(default_factory=lambda: dict.fromkeys(Purpose, 0))
    """Bytes that arrived for each purpose, needed or not."""
    requests: int = 0
    """Requests started."""
    cuts: int = 0
    """Requests that ended early."""
    damaged_packets: int = 0
    """Packets whose hash was wrong."""
    repaired_packets: int = 0
    """Packets rebuilt from repair symbols."""
    units_verified: int = 0
    """Units completed."""
    units_failed: int = 0
    """Units given up."""

    @property
    def total(self) -> int:
        """Bytes that arrived, for whatever purpose."""
        return sum(self.received.values())
