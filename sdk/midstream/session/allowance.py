"""What a player lets models take of a link, and how much of it is left. Knows no clock.

A report is an allowance: it holds until the next one. What it allows is the least of the budget
that came with it and of what takes the buffer down to the low-water mark at the player's rate.
"""

import math
from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError
from midstream.types import is_number

__all__ = ["Allowance", "Link", "Policy", "Wait"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the player allows model bytes to do.

    Raises:
        UsageError: BAD_ARGUMENT where a value makes no sense.
    """

    low_water: float = 8.0
    """Seconds of media in the buffer below which nothing is fetched but the first base."""
    max_layer: int | None = None
    """The highest layer that is wanted; None for all. The base is wanted in any case."""
    least_worth: float = 0.0
    """dB per kB below which a unit waits while media play; a base never does for that."""

    def __post_init__(self) -> None:
        _require(_is_from_0(self.low_water), f"low water {self.low_water!r}: expected 0 s or more")
        layer = self.max_layer
        _require(
            layer is None or (_is_from_0(layer) and layer % 1 == 0),
            f"highest layer {layer!r}: expected a whole number, 0 or more",
        )
        _require(
            _is_from_0(self.least_worth) and self.least_worth < math.inf,
            f"least worth {self.least_worth!r}: expected 0 dB per kB or more, and finite",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What the player knows of the link that media and models share.

    Raises:
        UsageError: BAD_ARGUMENT where a value makes no sense.
    """

    buffer: float = math.inf
    """Seconds of media in the buffer; infinite where there is no player, or it needs nothing."""
    budget: int | None = None
    """Bytes of units that may come until the next report; None for no bound."""
    throughput: float | None = None
    """Bytes per second, as the player estimates it; None where it does not know."""

    def __post_init__(self) -> None:
        _require(_is_from_0(self.buffer), f"buffer {self.buffer!r}: expected 0 s or more")
        _require(
            self.budget is None or _is_from_0(self.budget),
            f"budget {self.budget!r}: expected 0 or more",
        )
        rate = self.throughput
        _require(
            rate is None or (_is_from_0(rate) and rate < math.inf),
            f"throughput {rate!r}: expected 0 bytes a second or more, and finite",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing is started now."""

    reason: str
    """Why, for logs."""


class Allowance:
    """The last report, and what came since; one session's own, or shared by several."""

    def __init__(self) -> None:
        self.link = Link()
        """What the player reported last."""
        self.spent = 0
        """Bytes of units that came since that report."""
        self.reports = 0
        """How many there were."""
        self._reported: float | None = None
        self._pause: float | None = None

    def report(self, link: Link, now: float) -> None:
        """Take a report; the budget begins anew."""
        if self._reported is not None and now > self._reported:
            self._pause = now - self._reported
        self._reported = now
        self.link = link
        self.spent = 0
        self.reports += 1

    def spend(self, size: int) -> None:
        """Note bytes down that came."""
        self.spent += size

    def room(self, policy: Policy) -> float:
        """Bytes that may still come until the next report; infinite where nothing bounds them."""
        return min(self._budget_left(), self._surplus(policy)) - self.spent

    def rate(self) -> float | None:
        """Bytes per second on which models may count; None where nothing is known.

        That is the player's throughput, or less where budgets, as often as reports come, are.
        """
        link = self.link
        rates = [link.throughput] if link.throughput is not None else []
        if link.budget is not None and self._pause is not None:
            rates.append(link.budget / self._pause)
        return min(rates, default=None)

    def hold(self, policy: Policy, *, least: int = 1, worth: float = math.inf) -> Wait | None:
        """Why no more may come now; None where it may.

        Args:
            policy: What the player allows.
            least: Bytes that would be worth the while.
            worth: What it brings, dB per kB; infinite for what comes in any case.
        """
        link = self.link
        if link.buffer < policy.low_water:
            return Wait(reason=f"buffer {link.buffer:.1f} s is below {policy.low_water:.1f} s")
        if worth < policy.least_worth and link.buffer < math.inf:
            return Wait(
                reason=f"{worth:.3g} dB/kB are below {policy.least_worth:.3g} while media play"
            )
        if self.room(policy) >= least:
            return None
        if self._budget_left() <= self._surplus(policy):
            return Wait(reason=self._why_budget(least))
        return Wait(
            reason=f"buffer {link.buffer:.1f} s would be down to {policy.low_water:.1f} s after "
            f"{self._surplus(policy):.0f} bytes at {link.throughput:.0f} B/s, {self.spent} came"
        )

    def _why_budget(self, least: int) -> str:
        link = self.link
        if self.spent >= self._budget_left():
            return f"the budget of {link.budget} bytes is spent"
        return (
            f"{self._budget_left() - self.spent:.0f} bytes are left of the budget of "
            f"{link.budget}, {least} are worth a request"
        )

    def _budget_left(self) -> float:
        return math.inf if self.link.budget is None else self.link.budget

    def _surplus(self, policy: Policy) -> float:
        """Bytes that take the buffer down to the low-water mark, at this rate."""
        link = self.link
        if link.throughput is None or link.buffer == math.inf:
            return math.inf
        return max(link.buffer - policy.low_water, 0.0) * link.throughput


def _is_from_0(value: float) -> bool:
    """Whether it is a number at all, and 0 or more."""
    return is_number(value) and value >= 0


def _require(fact: bool, message: str) -> None:
    if not fact:
        raise UsageError(ErrorCode.BAD_ARGUMENT, message)
