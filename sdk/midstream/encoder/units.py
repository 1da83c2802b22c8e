"""What an encoder gives: units, and what is known of each. Knows nothing of how they are made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from midstream.types import Fidelity, UnitKind

__all__ = ["Encoded", "EncodedUnit", "Evaluate"]

Evaluate = Callable[[Sequence[bytes]], float | None]
"""From a base and the units on it to the output SNR in dB; None where it cannot be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedUnit:
    """One unit of a ladder."""

    kind: UnitKind
    """What it does."""
    layer: int
    """Its place in the ladder, from 0."""
    rung: str
    """The rung it was made for."""
    data: bytes
    """Its bytes."""
    head_size: int
    """Bytes at its start that deserve more repair."""
    fidelity: Fidelity
    """How near the model is with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A model file as a ladder of units."""

    format: str
    """Format of the model file."""
    weights: int
    """Number of weights in its holes."""
    units: tuple[EncodedUnit, ...]
    """The base, then each unit with the one before it as its parent."""
    recipe: str
    """What was done for the outputs: "plain", "exact", or words such as "rows+feedback"."""
    remarks: tuple[str, ...] = ()
    """What a publisher should know of rungs that were left out or miss what was asked for."""
