"""What a bad link does to bodies: loss, damage, delay, throttling. Knows nothing of HTTP.

Loss is of one answer: its body is cut. Damage is of an object: the same bytes are wrong at
every request, so that asking again does not help and only repair symbols do.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError

__all__ = ["Impairments", "Throttle", "damage"]

STRETCH = 1 << 14
"""Bytes of an object that are damaged, or not, together."""
_LONGEST_BURST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairments:
    """How bad a link is; a perfect one by default.

    Raises (when built):
        UsageError: A share is not within 0 to 1, or a time or rate is not positive.
    """

    loss: float = 0.0
    """Share of answers whose body is cut short."""
    corrupt: float = 0.0
    """Share of 16 KiB stretches of an object that carry a burst of wrong bytes."""
    delay: float = 0.0
    """Seconds added before each answer."""
    rate: float | None = None
    """Bytes per second of all bodies together; None for no bound."""
    seed: int = 0
    """Of what is lost and damaged."""

    def __post_init__(self) -> None:
        shares_are_good = 0 <= self.loss <= 1 and 0 <= self.corrupt <= 1
        if not shares_are_good or self.delay < 0 or (self.rate is not None and self.rate <= 0):
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"loss {self.loss}, corrupt {self.corrupt}, delay {self.delay}, rate {self.rate}: "
                "expected shares of 0 to 1, a delay of 0 or more, a rate above 0",
            )


def damage(chunk: bytes, offset: int, size: int, path: str, how: Impairments) -> bytes:
    """The bytes of an object as the bad link gives them.

    Args:
        chunk: Bytes of the object.
        offset: Where in the object they are.
        size: Bytes of the whole object.
        path: What the object is called.
        how: The link.
    """
    if not how.corrupt:
        return chunk
    result = bytearray(chunk)
    for stretch in range(offset // STRETCH, (offset + len(chunk) - 1) // STRETCH + 1):
        for place, flip in _burst(stretch, size, path, how):
            if offset <= place < offset + len(chunk):
                result[place - offset] ^= flip
    return bytes(result)


def _burst(stretch: int, size: int, path: str, how: Impairments) -> list[tuple[int, int]]:
    """Places and bit masks of the damage in one stretch."""
    rng = random.Random(f"{how.seed}:{path}:{stretch}")  # noqa: S311 - it has to repeat
    if rng.random() >= how.corrupt:
        return []
    first = stretch * STRETCH
    length = min(STRETCH, size - first)
    start = first + rng.randrange(length)
    stop = min(start + rng.randint(1, _LONGEST_BURST), first + length)
    return [(place, rng.randint(1, 255)) for place in range(start, stop)]


class Throttle:
    """A token bucket that all answers share.

    Args:
        rate: Bytes per second.
        clock: The time.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0

    async def take(self, size: int) -> None:
        """Wait until so many bytes may be sent."""
        now = self._clock()
        self._free_at = max(self._free_at, now) + size / self._rate
        if self._free_at > now:
            await self._sleep(self._free_at - now)
