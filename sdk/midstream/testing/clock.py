"""A clock that moves only when told. Knows nothing of who reads it."""

import asyncio

__all__ = ["FakeClock"]


class FakeClock:
    """Give it for a `clock`, and its `sleep` for a `sleep`.

    Example::

        clock = FakeClock()
        link = SimulatedLink(repository, Impairments(delay=0.08), clock=clock)

    Args:
        now: What it shows first, in seconds.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        """What it shows, in seconds."""

    def __call__(self) -> float:
        """What it shows, in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move it on."""
        assert seconds >= 0, "a monotonic clock does not go back"
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Move it on as a sleep would; other tasks get their turn."""
        self.advance(seconds)
        await asyncio.sleep(0)
