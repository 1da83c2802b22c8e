"""How far an encoder is, for those who wait. Knows no clock."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Report", "Work"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an encoder is."""

    done: int
    """Parts done; what was planned and not needed counts as done."""
    total: int
    """Parts planned, all about as much work."""
    doing: str
    """What is done now, for people."""


Report = Callable[[Progress], None]
"""Told of each part."""


class Work:
    """Counts what is done of what was planned.

    Args:
        total: Parts planned.
        report: Told of each.
    """

    def __init__(self, total: int, report: Report) -> None:
        self._total = max(total, 1)
        self._report = report
        self._done = 0
        self._stage_start = self._stage_end = 0
        self._doing = ""

    def begin(self, doing: str, parts: int) -> None:
        """Go to the next stage, of so many parts at most."""
        self._done = self._stage_start = self._stage_end
        self._stage_end = min(self._done + parts, self._total)
        self._doing = doing
        self._say()

    def part(self) -> None:
        """One part is done."""
        self._done = min(self._done + 1, self._stage_end)
        self._say()

    def reach(self, share: float) -> None:
        """So much of the stage is done, 0 to 1, or more was before."""
        here = self._stage_start + round(share * (self._stage_end - self._stage_start))
        self._done = min(max(self._done, here), self._stage_end)
        self._say()

    def plan(self, total: int) -> None:
        """Less is to be done than was planned."""
        self._total = max(total, self._stage_end)

    def end(self) -> None:
        """All is done."""
        self._done = self._total
        self._say()

    def _say(self) -> None:
        self._report(Progress(done=self._done, total=self._total, doing=self._doing))
