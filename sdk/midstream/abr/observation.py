"""What a player knows when it asks, and what it is told. Knows nothing of policies or rules."""

import itertools
import math
from dataclasses import dataclass
from enum import Enum

from midstream.errors import ErrorCode, UsageError

__all__ = ["MAX_RUNGS", "Decision", "Observation", "Reason"]

MAX_RUNGS = 64
"""Rungs a ladder may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything a decision is made of; any ladder works, for it carries the sizes."""

    throughputs: tuple[float, ...]
    """Bytes per second of past segments, the newest last; media only, see `TransferFilter`."""
    delays: tuple[float, ...]
    """Seconds from request to last byte of the same segments."""
    buffer: float
    """Seconds of media not yet played."""
    last_index: int
    """Rung of the last segment, 0 = lowest."""
    sizes: tuple[tuple[int, ...], ...]
    """Bytes of the next segments, (segments, rungs): the next one first, as many as are known."""
    segments_left: int
    """Segments not yet fetched, the next one included."""
    ladder_kbps: tuple[float, ...]
    """Bit rate of each rung, kbit/s, rising."""
    segment_seconds: float = 4.0
    """How long one segment plays."""

    def __post_init__(self) -> None:
        rungs = len(self.ladder_kbps)
        _require(0 < rungs <= MAX_RUNGS, f"ladder of {rungs} rungs, expected 1 to {MAX_RUNGS}")
        _require(
            _rising(self.ladder_kbps), f"ladder does not rise from above 0: {self.ladder_kbps}"
        )
        _require(0 <= self.last_index < rungs, f"rung {self.last_index} of a ladder of {rungs}")
        _require(
            len(self.sizes) > 0 and all(len(row) == rungs for row in self.sizes),
            f"sizes of the next segments: expected at least one row of {rungs}",
        )
        _require(
            all(_positive(row) for row in self.sizes), "a size of a next segment is not above 0"
        )
        _require(self.segments_left > 0, f"{self.segments_left} segments left, expected at least 1")
        _require(
            len(self.throughputs) == len(self.delays),
            f"{len(self.throughputs)} throughputs for {len(self.delays)} delays",
        )
        _require(_positive(self.throughputs), "a throughput is not finite and above 0")
        _require(_positive(self.delays), "a delay is not finite and above 0")
        _require(
            math.isfinite(self.buffer) and self.buffer >= 0.0,
            f"buffer of {self.buffer} s, expected at least 0",
        )
        _require(_positive((self.segment_seconds,)), f"segments of {self.segment_seconds} s")

    @property
    def rungs(self) -> int:
        """Rungs of the ladder."""
        return len(self.ladder_kbps)


class Reason(Enum):
    """Why a decision is what it is."""

    POLICY = "policy"
    """The policy chose."""
    GUARDED = "guarded"
    """The policy chose a higher rung than the guard lets pass."""
    NO_POLICY = "no policy"
    """There is none yet: a rule chose."""
    OVER_BUDGET = "over budget"
    """The policy answered too late: a rule chose."""
    NOT_FINITE = "not finite"
    """The policy's scores hold NaN or infinity: a rule chose."""
    WRONG_SHAPE = "wrong shape"
    """The policy's scores are not one for each rung: a rule chose."""
    FAILED = "failed"
    """The policy raised an error: a rule chose."""

    @property
    def is_fallback(self) -> bool:
        """Whether a rule chose in the policy's place."""
        return self not in (Reason.POLICY, Reason.GUARDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which rung to fetch next, and who says so."""

    index: int
    """The rung, 0 = lowest."""
    reason: Reason
    """Why."""
    generation: int | None = None
    """The generation of the network that was asked, if one was."""
    fallback: bool = False
    """Whether a rule chose in the policy's place."""


def _require(fact: bool, message: str) -> None:
    if not fact:
        raise UsageError(ErrorCode.BAD_ARGUMENT, message)


def _positive(values: tuple[float, ...]) -> bool:
    return all(math.isfinite(value) and value > 0.0 for value in values)


def _rising(values: tuple[float, ...]) -> bool:
    return _positive(values) and all(low < high for low, high in itertools.pairwise(values))
