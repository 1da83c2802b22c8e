"""How long something of a carousel is waited for. Knows nothing of who sends, or of clocks."""

from dataclasses import dataclass

from midstream.limits import Limits
from midstream.session.datagrams import ObjectKind
from midstream.session.gathering import Gathered

__all__ = ["Wait"]


@dataclass(slots=True, kw_only=True)
class Wait:
    """How it goes with what is waited for."""

    kind: ObjectKind
    """What it is."""
    name: bytes | None
    """Which; None for any."""
    began: float
    """When it began to be waited for."""
    noted: float = 0.0
    """When a symbol of use came."""
    received: int = 0
    """Bytes of symbols of use."""

    def is_for(self, gathered: Gathered) -> bool:
        """Whether it is this that is waited for."""
        return gathered.key.kind is self.kind and self.name in (None, gathered.key.id)

    def note(self, gathered: Gathered, now: float) -> None:
        """A symbol came that was of use."""
        if self.is_for(gathered):
            self.noted = now
            self.received += gathered.key.symbol_size

    def is_hopeless(self, now: float, limits: Limits) -> bool:
        """Whether nothing came for long, or less than the floor of any transport."""
        waited = now - self.began
        is_slow = waited > limits.read_timeout and self.received < limits.least_throughput * waited
        return is_slow or now - max(self.noted, self.began) > limits.read_timeout
