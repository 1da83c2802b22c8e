"""The accepted link model, exactly, for one session. Knows nothing of video or models.

Time passes in two ways: bytes take as long as the trace needs for them, and a wait passes over
whatever the trace would have carried. The round trip of a request adds to its delay but does not
move the trace, for so it is in the accepted environment (Mao et al., Pensieve, SIGCOMM 2017).
"""

from traces import Trace

__all__ = ["PAYLOAD", "ROUND_TRIP", "Link"]

PAYLOAD = 0.95
"""Part of what a link carries that is payload."""
ROUND_TRIP = 0.080
"""Seconds from a request to the first byte of its answer."""

_BITS = 8.0
_MEGA = 1e6


class Link:
    """One link, carrying one thing after the other."""

    def __init__(self, trace: Trace) -> None:
        self._seconds = trace.seconds
        self._rates = tuple(rate * _MEGA / _BITS for rate in trace.mbps)
        self._next = 1
        self._at = trace.seconds[0]

    def download(self, size: float) -> float:
        """Carry the answer to one request; what anything else sends comes before or after.

        Args:
            size: Its bytes.

        Returns:
            Seconds from the request to the last byte, the round trip included.
        """
        return self.carry(size) + ROUND_TRIP

    def carry(self, size: float) -> float:
        """Carry bytes that were asked for before, and return the seconds that takes.

        Args:
            size: How many.
        """
        sent = delay = 0.0
        while True:
            rate = self._rates[self._next]
            duration = self._seconds[self._next] - self._at
            payload = rate * duration * PAYLOAD
            if sent + payload > size:
                rest = (size - sent) / rate / PAYLOAD
                self._at += rest
                return delay + rest
            sent += payload
            delay += duration
            self._step()

    def wait(self, seconds: float) -> None:
        """Let time pass with nothing to carry.

        Args:
            seconds: How long.
        """
        while True:
            duration = self._seconds[self._next] - self._at
            if duration > seconds:
                self._at += seconds
                return
            seconds -= duration
            self._step()

    def _step(self) -> None:
        """To the next sample; after the last one the trace starts again, at second 0."""
        self._at = self._seconds[self._next]
        self._next += 1
        if self._next == len(self._seconds):
            self._next, self._at = 1, 0.0
