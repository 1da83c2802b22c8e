"""Throughput of what was received. Knows nothing of what was received, or of clocks."""

from collections import deque

__all__ = ["Estimator"]

_SMALLEST_SAMPLE = 2048
"""Bytes below which a transfer says more of latency than of throughput."""


class Estimator:
    """Harmonic mean of the last transfers, the estimator of RobustMPC (Yin et al., 2015)."""

    def __init__(self, *, window: int = 5) -> None:
        self._rates: deque[float] = deque(maxlen=window)

    def add(self, size: int, seconds: float) -> None:
        """Take a transfer of `size` bytes; small and instant ones are left out."""
        if size >= _SMALLEST_SAMPLE and seconds > 0:
            self._rates.append(size / seconds)

    @property
    def throughput(self) -> float | None:
        """Bytes per second, or None before the first sample."""
        if not self._rates:
            return None
        return len(self._rates) / sum(1 / rate for rate in self._rates)
