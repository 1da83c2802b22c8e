"""What a model tells its owner, beside its session's events. Knows nothing of how it is told."""

from collections.abc import Mapping
from dataclasses import dataclass

from midstream.errors import DataError, MidstreamError
from midstream.runtime import Generation
from midstream.session import Choice, Event

__all__ = [
    "AdapterChosen",
    "AdaptersMerged",
    "AdaptersRefused",
    "CheckFailed",
    "GenerationRefused",
    "GenerationStaged",
    "GenerationSwapped",
    "UpdateApplied",
    "UpdateRefused",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStaged(Event):
    """A better generation passed its self-test and waits for a swap."""

    release: int
    """Number of its release."""
    layer: int
    """Its layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSwapped(Event):
    """Decisions from now on are made by another generation."""

    generation: Generation
    """Which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRefused(Event):
    """A generation did not load or failed its self-test; the active one stays."""

    release: int
    """Number of its release."""
    layer: int
    """Its layer."""
    error: MidstreamError
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailed(Event):
    """Looking for a newer release failed; what runs goes on running."""

    error: MidstreamError
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateApplied(Event):
    """A release came by updates: its exact layer is here, or its lower ones are."""

    release: int
    """Its number."""
    parent: int
    """The release that they were applied to."""
    size: int
    """Bytes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRefused(Event):
    """Updates were no way to a release after all; its fresh units are fetched instead."""

    release: int
    """Its number."""
    unit: str = ""
    """Id of the last update; nothing where it is their list that is malformed."""
    error: DataError
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterChosen(Event):
    """An adapter is fetched, or gone on with after a pause."""

    provider: str
    """Whose it is."""
    choice: Choice
    """Of how many bytes, and why now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptersMerged(Event):
    """Adapters were merged into a release; the model is about to be staged."""

    release: int
    """The release's number."""
    shares: Mapping[str, float]
    """What each provider counted."""
    left_out: Mapping[str, MidstreamError]
    """Providers of the policy that did not count, and why."""
    sha256: str
    """Hash of the model file, hex: the same on every machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptersRefused(Event):
    """No adapters were merged into a release; what runs goes on running."""

    release: int
    """The release's number."""
    error: MidstreamError
    """Why."""
