"""Which transfers say something about the network. Knows nothing of players or models.

A small transfer measures the round trip, a cached one the disk, a model's the models, and one that
had to share the link with a model less than the link carries: none of them is a throughput sample.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError

__all__ = ["SMALLEST_SAMPLE", "Transfer", "TransferFilter"]

SMALLEST_SAMPLE = 16 << 10
"""Bytes below which a transfer measures the round trip rather than the link."""

_KEPT = 16
"""Samples kept: RobustMPC looks at five, and at the five before each of those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One finished request, as players report them."""

    size: int
    """Bytes of its answer."""
    start: float
    """When it was sent, seconds on any clock."""
    first_byte: float
    """When its answer began, on the same clock."""
    end: float
    """When its answer was whole, on the same clock."""
    is_cached: bool = False
    """Whether it came from a cache of this machine."""
    is_model: bool = False
    """Whether it carried units or metadata of a network, not media."""

    def __post_init__(self) -> None:
        times = (self.start, self.first_byte, self.end)
        if not all(map(math.isfinite, times)) or self.size < 0 or sorted(times) != list(times):
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"transfer of {self.size} bytes: sent, begun and whole at {times},"
                " expected rising times",
            )

    @property
    def delay(self) -> float:
        """Seconds from request to last byte."""
        return self.end - self.start


class TransferFilter:
    """Keeps the newest transfers that say something about the network."""

    def __init__(self, *, smallest: int = SMALLEST_SAMPLE) -> None:
        """Begin with no samples.

        Args:
            smallest: Bytes from which on a transfer counts.
        """
        self._smallest = smallest
        self._transfers: deque[Transfer] = deque(maxlen=_KEPT)

    def add(self, transfer: Transfer, *, busy: Iterable[tuple[float, float]] = ()) -> bool:
        """Tell of a finished transfer, and learn whether it is a sample.

        Args:
            transfer: Any transfer at all.
            busy: When model bytes had the link, as `Model.busy` gives it, on the same clock.
        """
        is_sample = (
            not transfer.is_cached
            and not transfer.is_model
            and transfer.size >= max(self._smallest, 1)
            and transfer.delay > 0.0
            and not any(began < transfer.end and transfer.start < ended for began, ended in busy)
        )
        if is_sample:
            self._transfers.append(transfer)
        return is_sample

    def clear(self) -> None:
        """Forget all samples: the network changed."""
        self._transfers.clear()

    @property
    def throughputs(self) -> tuple[float, ...]:
        """Bytes per second of the samples, the newest last."""
        return tuple(transfer.size / transfer.delay for transfer in self._transfers)

    @property
    def delays(self) -> tuple[float, ...]:
        """Seconds from request to last byte of the samples, the newest last."""
        return tuple(transfer.delay for transfer in self._transfers)
