"""What becomes of each piece of a link's bytes, from a seed. Knows nothing of sockets."""

import random
from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError

__all__ = ["Fate", "Fates", "FaultCounts", "LinkFaults"]

_RATES = ("loss", "damage", "reorder", "duplicate", "stall", "reset")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFaults:
    """How bad a link is. Rates are parts of all pieces, 0 to 1; all of it follows from the seed.

    A piece is a datagram, or bytes of a stream that lie between two places which follow from
    the seed as well. A stream that loses, repeats or turns round pieces is one that something
    between two ends has broken: TCP itself would not deliver it so.

    Raises:
        UsageError: BAD_ARGUMENT where a rate, size or time makes no sense.
    """

    seed: int = 0
    """The same seed, the same faults."""
    loss: float = 0.0
    """Do not arrive."""
    damage: float = 0.0
    """Arrive with one bit flipped."""
    reorder: float = 0.0
    """Arrive after the datagram that follows; of a piece of a stream, its second half first."""
    duplicate: float = 0.0
    """Arrive twice."""
    stall: float = 0.0
    """Are followed by silence of `stall_seconds`: datagrams are lost, a stream stands still."""
    reset: float = 0.0
    """Are followed by a reset of the connection; of no meaning for datagrams."""
    delay: float = 0.0
    """Seconds that a piece takes at most; half of it on average."""
    stall_seconds: float = 3600.0
    """How long a silence lasts."""
    split: int = 1460
    """Bytes of a piece of a stream at most; with 1 it is split at every byte."""

    def __post_init__(self) -> None:
        if wrong := [name for name in _RATES if not 0 <= getattr(self, name) <= 1]:
            raise _no(f"{wrong[0]} of {getattr(self, wrong[0])}: expected 0 to 1")
        if not (self.delay >= 0 and self.stall_seconds >= 0 and self.split >= 1):
            raise _no("delays are 0 or more, pieces have 1 byte or more")


@dataclass(slots=True)
class FaultCounts:
    """What a link did."""

    pieces: int = 0
    """All that were sent."""
    lost: int = 0
    """Those that did not arrive, the ones of silences too."""
    damaged: int = 0
    """Those with a bit flipped."""
    late: int = 0
    """Those that came out of order."""
    doubled: int = 0
    """Those that came twice."""
    stalls: int = 0
    """Silences."""
    resets: int = 0
    """Connections that were reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one piece."""

    is_lost: bool
    """It does not arrive."""
    flipped: float | None
    """Where a bit is flipped, 0 to 1 from its first to its last; None where none is."""
    is_late: bool
    """It arrives out of order."""
    is_doubled: bool
    """It arrives twice."""
    stalls: bool
    """Silence follows."""
    resets: bool
    """A reset follows."""
    delay: float
    """Seconds that it takes."""

    def arrivals(self, data: bytes) -> list[bytes]:
        """What arrives of a piece with these bytes."""
        if self.is_lost or not data:
            return []
        if self.flipped is not None:
            place, bit = divmod(int(self.flipped * 8 * len(data)), 8)
            data = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
        return [data] * (2 if self.is_doubled else 1)

    def note(self, counts: FaultCounts) -> None:
        """Count it."""
        counts.pieces += 1
        counts.lost += self.is_lost
        if not self.is_lost:
            counts.damaged += self.flipped is not None
            counts.late += self.is_late
            counts.doubled += self.is_doubled


class Fates:
    """The fates of one stream's pieces, or of all datagrams, in order.

    Args:
        seed: What they follow from.
        name: Which stream it is: others have other faults.
    """

    def __init__(self, seed: int, name: str) -> None:
        self._rng = random.Random(f"{seed} {name}")  # noqa: S311 - faults, no secrets

    def size(self, faults: LinkFaults) -> int:
        """Bytes of a stream's next piece."""
        return self._rng.randint(1, faults.split)

    def next(self, faults: LinkFaults) -> Fate:
        """The next one's; as many numbers are drawn for each, whatever the rates."""
        loss, damage, place, late, double, stall, reset, delay = (
            self._rng.random() for _ in range(8)
        )
        return Fate(
            is_lost=loss < faults.loss,
            flipped=place if damage < faults.damage else None,
            is_late=late < faults.reorder,
            is_doubled=double < faults.duplicate,
            stalls=stall < faults.stall,
            resets=reset < faults.reset,
            delay=delay * faults.delay,
        )


def _no(problem: str) -> UsageError:
    return UsageError(ErrorCode.BAD_ARGUMENT, f"faults: {problem}")
