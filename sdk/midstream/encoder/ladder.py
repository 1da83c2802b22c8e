"""Ladders as people write them: "2.5b,4b,6b,exact". Knows nothing of coding."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from midstream.errors import ErrorCode, UsageError

__all__ = ["Rung", "Target", "parse_ladder"]

_MAX_RUNGS = 32


class Target(Enum):
    """What a rung aims at."""

    BITS = "b"
    """Bits per coded weight of all units up to and including this rung, without the topology."""
    SNR = "dB"
    """Weight signal-to-noise ratio in dB, one step for all tensors."""
    OUTPUTS = "dBo"
    """Signal-to-noise ratio of the outputs on the probes, in dB."""
    SIZE = "kB"
    """Thousands of bytes of all units up to and including this rung, topology and all."""
    EXACT = "exact"
    """The model file, byte for byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of a ladder."""

    target: Target
    """What it aims at."""
    value: float = 0.0
    """How much of it; nothing for EXACT."""

    def __str__(self) -> str:
        if self.target is Target.EXACT:
            return "exact"
        return f"{self.value:g}{self.target.value}"


_BOUNDS = {
    Target.BITS: (0.5, 24.0),
    Target.SNR: (1.0, 120.0),
    Target.OUTPUTS: (1.0, 80.0),
    Target.SIZE: (0.1, 1e6),
}
_PATTERN = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,6})?)(b|dBo|dB|kB)")


def parse_ladder(ladder: str | Sequence[str]) -> tuple[Rung, ...]:
    """Read a ladder: rungs such as ``2.5b``, ``20dB``, ``15dBo``, ``45kB`` and ``exact``, rising.

    Args:
        ladder: The rungs, or one string of them with commas between.

    Raises:
        UsageError: BAD_LADDER; it names the rung and says what a rung may be.
    """
    words = ladder.split(",") if isinstance(ladder, str) else list(ladder)
    rungs = tuple(_parse_rung(word.strip()) for word in words)
    if not 0 < len(rungs) <= _MAX_RUNGS:
        raise _bad(f"{len(rungs)} rungs, expected 1 to {_MAX_RUNGS}")
    for below, rung in pairwise(rungs):
        same = below.target is rung.target
        if below.target is Target.EXACT or (same and below.value >= rung.value):
            raise _bad(f"{rung} cannot come after {below}")
    return rungs


def _parse_rung(word: str) -> Rung:
    if word == "exact":
        return Rung(target=Target.EXACT)
    match = _PATTERN.fullmatch(word)
    if match is None:
        raise _bad(f"{word[:40]!r} is no rung; expected 2.5b, 20dB, 15dBo, 45kB or exact")
    rung = Rung(target=Target(match[2]), value=float(match[1]))
    low, high = _BOUNDS[rung.target]
    if not low <= rung.value <= high:
        raise _bad(f"{rung} is out of range, {low:g} to {high:g} {rung.target.value}")
    return rung


def _bad(problem: str) -> UsageError:
    return UsageError(ErrorCode.BAD_LADDER, f"ladder: {problem}")
