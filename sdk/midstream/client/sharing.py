"""One link for several models. Knows nothing of what they fetch."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from midstream.client.threads import Pulse
from midstream.session import Allowance, Link, Turns

__all__ = ["SILENCE", "Seat", "SharedLink"]

SILENCE = 1.0
"""Seconds without a byte after which others may have the turn of who waits for one."""


class SharedLink:
    """What several models may take of one link; give it to each `connect`.

    They take turns: one request at a time, by gain per byte and weight, and what one of them
    fetches the others' budget lacks. One whose server is silent for a second lends its turn to
    others. A report to any of them is a report to all. It belongs to one event loop.
    """

    def __init__(self) -> None:
        self.allowance = Allowance()
        """What was reported last, and what came since."""
        self._turns = Turns()
        self._changed = Pulse()
        self._stirs: dict[int, Callable[[], None]] = {}

    def report(
        self, *, buffer: float, throughput: float | None = None, budget: int | None = None
    ) -> None:
        """Tell what the player knows of the link, for all models; see `Model.report`.

        Args:
            buffer: Seconds of media in the buffer.
            throughput: Bytes per second, as the player estimates it.
            budget: Bytes of units allowed until the next report, all models together.

        Raises:
            UsageError: BAD_ARGUMENT where one of them is negative or not a number.
        """
        self.take(Link(buffer=buffer, throughput=throughput, budget=budget))

    def take(self, link: Link) -> None:
        """Take a report."""
        self.allowance.report(link, time.monotonic())
        for stir in list(self._stirs.values()):
            stir()

    def join(self, weight: float, stir: Callable[[], None]) -> "Seat":
        """A place for one more model.

        Args:
            weight: Its share of the bytes, against those of others.
            stir: Called at each report.

        Raises:
            UsageError: BAD_ARGUMENT where the weight is not above 0, or not finite.
        """
        number = self._turns.join(weight)
        self._stirs[number] = stir
        return Seat(self, self._turns, self._changed, number)

    def leave(self, number: int) -> None:
        """One model less."""
        self._turns.leave(number)
        self._stirs.pop(number, None)
        self._changed.beat()


class Seat:
    """One model's place at a link; made by `SharedLink.join`."""

    def __init__(self, link: SharedLink, turns: Turns, changed: Pulse, number: int) -> None:
        self.link = link
        """The link."""
        self._turns = turns
        self._changed = changed
        self._number = number
        self._heard = 0.0

    @asynccontextmanager
    async def turn(self, *, worth: float, is_first: bool) -> AsyncIterator[None]:
        """Wait for the turn and have it.

        Args:
            worth: Gain per byte of what is to be fetched.
            is_first: Whether nothing runs yet.
        """
        self._turns.ask(self._number, worth=worth, is_first=is_first)
        self._changed.beat()
        try:
            while not self._turns.take(self._number):
                await self._changed.wait()
            with self._lending():
                yield
        finally:
            self._turns.end(self._number)
            self._changed.beat()

    @contextmanager
    def _lending(self) -> Iterator[None]:
        """Meanwhile, see to it that who gets nothing does not keep others waiting."""
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        self._timer = loop.call_later(SILENCE, self._look)
        try:
            yield
        finally:
            self._timer.cancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        rest = self._heard + SILENCE - loop.time()
        if rest > 0:
            self._timer = loop.call_later(rest, self._look)
            return
        self._turns.lend(self._number)
        self._changed.beat()

    def spend(self, size: int) -> None:
        """Note bytes down that came in this turn."""
        self._heard = asyncio.get_running_loop().time()
        self._turns.spend(self._number, size)

    @property
    def is_over(self) -> bool:
        """Whether another model is due before more of this one comes."""
        return self._turns.is_over(self._number)

    def leave(self) -> None:
        """Be gone; again does nothing."""
        self.link.leave(self._number)
