"""When to look for news: told by the origin, or by the clock. Knows nothing of what is found.

An announcement only makes a look earlier, and what comes with it is verified by the look. What a
hostile one can do is to have one look made a second, and a silent channel cannot keep a client
from looking (spec/delivery.md, "News").
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from midstream.errors import ErrorCode, TransportError, UsageError
from midstream.transport import Announcement, Transport
from midstream.types import is_number

__all__ = ["Pace", "Watch"]

_Clock = Callable[[], float]


class Pace:
    """How long to wait, in seconds, never the same for two clients.

    Args:
        poll: Seconds between looks where nothing is announced.
        rng: Spreads the clients; one of its own where None.

    Raises:
        UsageError: BAD_ARGUMENT where `poll` is not above 0.
    """

    SPACING = 1.0
    """Least time between two looks, whatever is announced."""
    RARER = 10
    """Polls are so many times rarer while a channel is open and the last look went well."""
    LASTING = 30.0
    """A channel that was open for so long was a good one."""
    _MOST_DOUBLINGS = 4
    _LONGEST_RECONNECT = 300.0
    _ABSENT = 3600.0

    def __init__(self, poll: float, *, rng: random.Random | None = None) -> None:
        if not (is_number(poll) and 0 < poll < math.inf):
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"poll {poll!r}: expected seconds, above 0")
        self._poll = poll
        self._rng = rng or random.Random()  # noqa: S311 - it spreads clients, no secrets

    @property
    def spacing(self) -> float:
        """Between two looks at least."""
        return min(self.SPACING, self._poll)

    def look(self, failures: int, *, has_channel: bool) -> float:
        """From one look to the next, after so many that failed in a row."""
        pause = self._poll * 2.0 ** min(failures, self._MOST_DOUBLINGS)
        # what failed is not announced again
        return pause * self.RARER if has_channel and not failures else pause

    def jitter(self) -> float:
        """What a pause is multiplied by, 0.5 to 1.5."""
        return self._rng.uniform(0.5, 1.5)

    def reconnect(self, failures: int, *, is_absent: bool) -> float:
        """From the end of a channel to the next attempt, the jitter included."""
        if is_absent:
            return self._ABSENT * self.jitter()
        return min(2.0 ** min(failures - 1, 16), self._LONGEST_RECONNECT) * self.jitter()


class Watch:
    """Looks for news again and again.

    Args:
        transport: May have a channel.
        network: Whose news are listened for.
        look: Looks once, for what was announced, if anything was; says whether it went well.
        version: The ETag that was verified last; to hear of it again is no news.
        pace: When.
        clock: Seconds.
    """

    def __init__(
        self,
        transport: Transport,
        network: str,
        look: Callable[[Announcement | None], Coroutine[Any, Any, bool]],
        *,
        version: Callable[[], str | None],
        pace: Pace,
        clock: _Clock = time.monotonic,
    ) -> None:
        self._transport = transport
        self._network = network
        self._look = look
        self._version = version
        self._pace = pace
        self._clock = clock
        self._announced: Announcement | None = None
        self._has_channel = False
        self._stirred = asyncio.Event()

    async def run(self, *, push: bool) -> None:
        """Look at once, and then until cancelled.

        Args:
            push: Whether to listen on the origin's channel, where it has one.
        """
        jobs = [self._look_on(), self._listen()] if push else [self._look_on()]
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # neither ends but by an error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_on(self) -> None:
        failures = 0
        while True:
            began, announced = self._clock(), self._announced
            failures = 0 if await self._look(announced) else failures + 1
            if self._announced is announced:
                self._announced = None  # true or not, it has been looked after
            await self._wait(began, failures)

    async def _wait(self, began: float, failures: int) -> None:
        """Until the next look is due; news, and the end of a channel, make it earlier."""
        jitter = self._pace.jitter()
        while True:
            self._stirred.clear()
            pause = self._pace.look(failures, has_channel=self._has_channel) * jitter
            if self._announced is not None and self._announced.version != self._version():
                pause = min(pause, self._pace.spacing)
            rest = began + pause - self._clock()
            if rest <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._stirred.wait()

    async def _listen(self) -> None:
        failures = 0
        while True:
            began, is_absent = self._clock(), False
            try:
                await self._hear()
            except TransportError as error:
                is_absent = error.code is ErrorCode.NOT_FOUND
            has_lasted = self._clock() - began >= self._pace.LASTING
            failures = 1 if has_lasted else failures + 1
            await asyncio.sleep(self._pace.reconnect(failures, is_absent=is_absent))

    async def _hear(self) -> None:
        """One channel, from its opening to its end."""
        try:
            async with self._transport.announcements(self._network) as announced:
                self._has_channel = True
                async for announcement in announced:
                    self._announced = announcement
                    self._stirred.set()
        finally:
            self._has_channel = False
            self._stirred.set()
