"""What a model tells its owner, beside its session's events. Knows nothing of how it is told."""

from dataclasses import dataclass

from midstream.errors import MidstreamError
from midstream.runtime import Generation
from midstream.session import Event

__all__ = ["CheckFailed", "GenerationRefused", "GenerationStaged", "GenerationSwapped"]


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
