"""What a bad link does to bytes: cuts, damages, delays, throttles. Knows nothing of HTTP.

All of it follows from a seed, so a test or a demonstration is the same each time.
"""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError

__all__ = ["BURST", "STRETCH", "Counters", "Impairments", "Link"]

STRETCH = 1 << 14
"""Bytes of an object, aligned, that are damaged or not as one."""
BURST = 64
"""Bytes that a damaged stretch has wrong, at most."""
_PIECE = 1 << 16
_PIECES_PER_SECOND = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairments:
    """How bad a link is; by default it is perfect.

    Raises:
        UsageError: BAD_ARGUMENT where a value makes no sense.
    """

    loss: float = 0.0
    """Probability that the body of a response is cut short, anywhere."""
    corrupt: float = 0.0
    """Probability that an aligned stretch of 16 KiB of an object, or a shorter one at its
    end, carries a burst of up to 64 changed bytes: the same at every request for it."""
    delay: float = 0.0
    """Seconds before each response, as a longer round trip would add."""
    rate: float | None = None
    """Bytes per second of all bodies together; None for as fast as it goes."""
    seed: int = 0
    """What is lost and damaged follows from it."""

    def __post_init__(self) -> None:
        _check("loss", self.loss, 0 <= self.loss <= 1, "0 to 1")
        _check("corrupt", self.corrupt, 0 <= self.corrupt <= 1, "0 to 1")
        _check("delay", self.delay, 0 <= self.delay < math.inf, "seconds")
        rate = self.rate
        _check("rate", rate, rate is None or 0 < rate < math.inf, "more than 0 bytes a second")


@dataclass(slots=True, kw_only=True)
class Counters:
    """What came over a link, and what did not."""

    requests: int = 0
    """Requests, answered well or not."""
    bytes_sent: int = 0
    """Bytes of bodies."""
    cut_responses: int = 0
    """Bodies that were cut short."""
    lost_bytes: int = 0
    """Bytes that were missing of those."""
    damaged_bytes: int = 0
    """Bytes that were changed on their way, counted each time."""


class Link:
    """One bad link.

    Args:
        impairments: How bad.
        counters: Where it is counted.
        clock: Seconds, for `rate`.
        sleep: Waits so many seconds on that clock.
    """

    def __init__(
        self,
        impairments: Impairments,
        *,
        counters: Counters | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._impairments = impairments
        self.counters = counters or Counters()
        """Running totals."""
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0
        self._responses: Counter[str] = Counter()

    async def wait(self) -> None:
        """A request is under way; its answer begins when this returns."""
        self.counters.requests += 1
        if self._impairments.delay:
            await self._sleep(self._impairments.delay)

    def cut(self, path: str, length: int) -> int:
        """How many bytes of a body will come."""
        self._responses[path] += 1
        rng = self._random("cut", path, self._responses[path])
        if not length or rng.random() >= self._impairments.loss:
            return length
        kept = rng.randrange(length)
        self.counters.cut_responses += 1
        self.counters.lost_bytes += length - kept
        return kept

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """A body in pieces that are small enough to be throttled evenly."""
        rate = self._impairments.rate
        piece = _PIECE if rate is None else int(min(max(1, rate / _PIECES_PER_SECOND), _PIECE))
        for place in range(start, stop, piece):
            yield place, min(place + piece, stop)

    async def carry(self, path: str, offset: int, data: bytes, *, size: int) -> bytes:
        """Move a piece of an object; gives what is left of it.

        Args:
            path: Of the object.
            offset: Of the piece in it.
            data: The piece.
            size: Of the object.
        """
        self.counters.bytes_sent += len(data)
        carried = data
        if self._impairments.corrupt:
            changed = bytearray(data)
            for stretch in range(offset // STRETCH, -(-(offset + len(data)) // STRETCH)):
                self._damage(changed, path, offset, stretch, size)
            carried = bytes(changed)
        if self._impairments.rate is not None:
            now = self._clock()
            self._free_at = max(now, self._free_at) + len(data) / self._impairments.rate
            await self._sleep(self._free_at - now)
        return carried

    def _damage(self, data: bytearray, path: str, offset: int, stretch: int, size: int) -> None:
        """Change the bytes of a stretch's burst that are in this piece."""
        rng = self._random("damage", path, stretch)
        if rng.random() >= self._impairments.corrupt:
            return
        length = min(STRETCH, size - stretch * STRETCH)
        burst = min(rng.randint(1, BURST), length)
        first = stretch * STRETCH + rng.randrange(length - burst + 1) - offset
        for place in range(first, first + burst):
            mask = rng.randint(1, 255)
            if 0 <= place < len(data):
                data[place] ^= mask
                self.counters.damaged_bytes += 1

    def _random(self, what: str, path: str, number: int) -> random.Random:
        # it makes repeatable damage, not secrets
        return random.Random(f"{self._impairments.seed} {what} {path} {number}")  # noqa: S311


def _check(name: str, value: float | None, is_good: bool, expected: str) -> None:
    if not is_good:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{name} {value}: expected {expected}")
